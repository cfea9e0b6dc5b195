//! Lines, stairs and dots over two axes, as SVG that takes its colours from the page.

use std::fmt::Write as _;

use super::page::{COLOURS, escape, legend};

const LEFT: f64 = 62.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;

/// A linear axis has about so many ticks, or twice as many where it is wide.
pub(super) const TICKS: f64 = 5.0;

/// Lines whose points are no further apart than this lie on one another.
const NEAR: f64 = 1.5;

/// How much of a line that lies on others is seen at a time.
const DASH: usize = 12;

/// A logarithmic axis shows at most so many powers of ten below its highest value.
const DECADES_MAX: f64 = 6.0;

/// How much room a chart takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The width of the page.
    Wide,
    /// One of several beside one another.
    Small,
}

impl Size {
    /// Width and height in the chart's own units.
    fn extent(self) -> (f64, f64) {
        match self {
            Self::Wide => (960.0, 320.0),
            Self::Small => (340.0, 210.0),
        }
    }

    /// The class of its element: a page that is narrower than a wide chart lets it scroll.
    fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Small => "small",
        }
    }

    /// About how many ticks its horizontal axis has.
    fn ticks(self) -> f64 {
        match self {
            Self::Wide => 2.0 * TICKS,
            Self::Small => TICKS,
        }
    }

    /// The radius of a dot, and its class: where there is room, dots stand out from lines.
    fn dot(self) -> (f64, &'static str) {
        match self {
            Self::Wide => (5.0, "mark"),
            Self::Small => (3.0, "faint"),
        }
    }
}

/// How values become distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// From zero, evenly.
    Linear,
    /// By powers of ten; what is not above zero stands at the lower end.
    Logarithmic,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Joined.
    Line,
    /// Each by itself.
    Dots,
    /// As the upper edge of bars: each point holds until the next.
    Stairs,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// What the legend says.
    pub name: String,
    /// Which of the page's colours.
    pub colour: usize,
    /// How it is drawn.
    pub marks: Marks,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// How large.
    pub size: Size,
    /// What is said along the horizontal axis, with its unit.
    pub x_title: &'static str,
    /// Its scale.
    pub x_scale: Scale,
    /// What else the horizontal axis is to hold, so that several charts can be held against one another.
    pub x_reach: [f64; 2],
    /// What is said along the vertical axis, with its unit.
    pub y_title: &'static str,
    /// Its scale.
    pub y_scale: Scale,
    /// What else the vertical axis is to hold.
    pub y_reach: [f64; 2],
    /// What is drawn.
    pub series: Vec<Series>,
}

/// An axis with its ends, in its scale's own measure.
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    pub(super) fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
        let most = values.clone().fold(0.0, f64::max);
        match scale {
            Scale::Linear => {
                let high = if most > 0.0 { most * 1.05 } else { 1.0 };
                Self { scale, low: 0.0, high }
            }
            Scale::Logarithmic => {
                let least = values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
                if !least.is_finite() {
                    return Self { scale, low: 0.0, high: 1.0 };
                }
                let high = most.log10().ceil().max(least.log10().floor() + 1.0);
                let low = least.log10().floor().max(high - DECADES_MAX);
                Self { scale, low, high }
            }
        }
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let measure = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic if value > 0.0 => value.log10(),
            Scale::Logarithmic => self.low,
        };
        ((measure - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Values at which there is a tick; where the axis is linear, `most` of them or fewer beside zero.
    pub(super) fn ticks(&self, most: f64) -> Vec<f64> {
        match self.scale {
            Scale::Logarithmic => {
                let count = (self.high - self.low).round();
                (0..=64_u8)
                    .map(f64::from)
                    .take_while(|step| *step <= count)
                    .map(|step| 10_f64.powf(self.low + step))
                    .collect()
            }
            Scale::Linear => {
                let rough = (self.high - self.low) / most;
                let power = 10_f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0]
                    .map(|factor| factor * power)
                    .into_iter()
                    .find(|step| *step >= rough)
                    .unwrap_or(rough);
                (0..=64_u8)
                    .map(|index| f64::from(index) * step)
                    .take_while(|value| *value <= self.high)
                    .collect()
            }
        }
    }
}

/// Where a chart's axes lie.
struct Frame {
    x: Axis,
    y: Axis,
    right: f64,
    floor: f64,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (self.right - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        self.floor - self.y.place(value) * (self.floor - TOP)
    }
}

impl Chart {
    /// The chart as markup: a legend where there is more than one series, and an SVG element.
    #[must_use]
    pub fn render(&self) -> String {
        let (width, height) = self.size.extent();
        let names = self.series.iter().map(|series| (series.colour, series.name.as_str()));
        let mut svg = format!(
            "<figure>{}<svg class=\"{}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{} against {}\">",
            legend(names),
            self.size.class(),
            self.y_title,
            self.x_title
        );
        let points = || self.series.iter().flat_map(|series| &series.points);
        if points().next().is_none() {
            let _ =
                write!(svg, "<text x=\"{LEFT}\" y=\"{TOP}\">nothing to show</text></svg></figure>");
            return svg;
        }
        let frame = Frame {
            x: Axis::of(self.x_scale, points().map(|point| point.0).chain(self.x_reach)),
            y: Axis::of(self.y_scale, points().map(|point| point.1).chain(self.y_reach)),
            right: width - RIGHT,
            floor: height - BOTTOM,
        };
        self.draw_axes(&frame, &mut svg);
        let placed: Vec<_> =
            self.series.iter().map(|series| (series, series.placed(&frame))).collect();
        let is_line = |series: &Series| series.marks != Marks::Dots;
        let lines: Vec<&[(f64, f64)]> = placed
            .iter()
            .map(|(series, points)| if is_line(series) { points.as_slice() } else { &[] })
            .collect();
        for ((series, points), turn) in placed.iter().zip(turns(&lines)) {
            series.draw(points, turn, self.size, &mut svg);
        }
        svg.push_str("</svg></figure>");
        svg
    }

    fn draw_axes(&self, frame: &Frame, svg: &mut String) {
        let (end, floor) = (frame.right, frame.floor);
        for tick in frame.y.ticks(TICKS) {
            let at = frame.y(tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                number(tick)
            );
        }
        for tick in frame.x.ticks(self.size.ticks()) {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                frame.x(tick),
                floor + 18.0,
                number(tick)
            );
        }
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{floor}\" y2=\"{floor}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><text x=\"0\" y=\"14\">{}</text>",
            (LEFT + end) / 2.0,
            floor + 36.0,
            escape(self.x_title),
            escape(self.y_title)
        );
    }
}

/// Whose turn it is to be seen: a line that lies on others is drawn in dashes that leave room for theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    /// Lines that lie on one another, this one included.
    lines: usize,
    /// How many of them come before it.
    before: usize,
}

/// The turn of each line.
fn turns(lines: &[&[(f64, f64)]]) -> Vec<Turn> {
    let near = |a: f64, b: f64| (a - b).abs() <= NEAR;
    let coincide = |line: &[(f64, f64)], other: &[(f64, f64)]| {
        let mut pairs = line.iter().zip(other);
        line.len() == other.len()
            && pairs.all(|(one, two)| near(one.0, two.0) && near(one.1, two.1))
    };
    let turn = |(index, line): (usize, &&[(f64, f64)])| {
        let same = |other: &&&[(f64, f64)]| coincide(line, other);
        Turn {
            lines: lines.iter().filter(same).count(),
            before: lines[..index].iter().filter(same).count(),
        }
    };
    lines.iter().enumerate().map(turn).collect()
}

impl Series {
    /// Where its points, or the corners of its stairs, lie.
    fn placed(&self, frame: &Frame) -> Vec<(f64, f64)> {
        let points = self.points.iter().map(|(across, up)| (frame.x(*across), frame.y(*up)));
        if self.marks != Marks::Stairs {
            return points.collect();
        }
        let mut corners: Vec<(f64, f64)> = Vec::new();
        for (x, y) in points {
            corners.extend(corners.last().map(|(_, last_y)| (x, *last_y)));
            corners.push((x, y));
        }
        corners
    }

    fn draw(&self, points: &[(f64, f64)], turn: Turn, size: Size, svg: &mut String) {
        let colour = self.colour % COLOURS;
        // A line has two ends; what has one point is seen as a dot.
        if self.marks == Marks::Dots || points.len() == 1 {
            let (radius, class) = size.dot();
            let _ = write!(svg, "<g class=\"{class} c{colour}\">");
            for (x, y) in points {
                let _ = write!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>");
            }
            svg.push_str("</g>");
            return;
        }
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(svg, "<polyline class=\"line c{colour}\"");
        if turn.lines > 1 {
            let (others, offset) = ((turn.lines - 1) * DASH, turn.before * DASH);
            let _ = write!(
                svg,
                " stroke-dasharray=\"{DASH} {others}\" stroke-dashoffset=\"-{offset}\""
            );
        }
        let _ = write!(svg, " points=\"{}\"/>", path.join(" "));
    }
}

/// A tick's number, short.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", trimmed(value / 1e6)),
        value if value >= 1e4 => format!("{}k", trimmed(value / 1e3)),
        value => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let digits = (value * 1e6).round() / 1e6;
    format!("{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_axis_has_round_ticks() {
        let ticks = |most: f64| Axis::of(Scale::Linear, [most].into_iter()).ticks(TICKS);
        assert_eq!(ticks(10.0), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(100.0), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(0.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        let wide = Axis::of(Scale::Linear, [8.0].into_iter()).ticks(Size::Wide.ticks());
        assert_eq!(wide, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn a_logarithmic_axis_has_the_powers_of_ten() {
        let axis = Axis::of(Scale::Logarithmic, [0.0, 0.2, 30.0].into_iter());
        let ticks: Vec<String> = axis.ticks(TICKS).into_iter().map(number).collect();
        assert_eq!(ticks, ["0.1", "1", "10", "100"]);
        assert_eq!(axis.place(0.0), 0.0);
        assert!((axis.place(100.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn every_kind_of_mark_is_drawn_and_nothing_says_so() {
        let chart = |marks, points: &[(f64, f64)]| Chart {
            size: Size::Small,
            x_title: "x",
            x_scale: Scale::Linear,
            x_reach: [0.0; 2],
            y_title: "y",
            y_scale: Scale::Linear,
            y_reach: [0.0, 10.0],
            series: vec![Series { name: "s".into(), colour: 1, marks, points: points.to_vec() }],
        };
        let points = [(1.0, 2.0), (2.0, 5.0)];
        let check = |marks, part: &str, times| {
            let svg = chart(marks, &points).render();
            assert_eq!(svg.matches(part).count(), times, "{svg}");
        };
        check(Marks::Dots, "<circle", 2);
        check(Marks::Line, "<polyline", 1);
        check(Marks::Line, ",", 2);
        check(Marks::Stairs, ",", 3);
        let one = chart(Marks::Line, &points[..1]).render();
        assert!(one.contains("<circle") && !one.contains("<polyline"), "{one}");
        assert!(chart(Marks::Line, &[]).render().contains("nothing to show"));
    }

    #[test]
    fn lines_that_lie_on_one_another_take_turns() {
        let lines = [1.0, 1.2, 9.0, 0.8].map(|y| [(0.0, y), (10.0, y)]);
        let lines = lines.each_ref().map(<[_; 2]>::as_slice);
        let turn = |lines, before| Turn { lines, before };
        assert_eq!(turns(&lines), [turn(3, 0), turn(3, 1), turn(1, 0), turn(3, 2)]);
        assert_eq!(turns(&[lines[0], &lines[0][..1]]), [turn(1, 0), turn(1, 0)]);
    }

    #[test]
    fn numbers_are_short() {
        let check = |value, expected: &str| assert_eq!(number(value), expected);
        check(0.001, "0.001");
        check(20_000.0, "20k");
        check(1_500_000.0, "1.5M");
    }
}
