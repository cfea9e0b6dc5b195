//! Lines over two axes, as SVG that takes its colours from the page.

use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 46.0;

/// A logarithmic axis shows at most so many powers of ten below its highest value.
const DECADES_MAX: f64 = 9.0;

/// How values become distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero, evenly.
    Linear,
    /// By powers of ten; what is not above zero stands at the lower end.
    Logarithmic,
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What the legend says.
    pub(super) name: &'static str,
    /// From left to right.
    pub(super) points: Vec<(f64, f64)>,
}

/// A chart of up to three lines.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) x_title: &'static str,
    pub(super) x_scale: Scale,
    pub(super) y_title: &'static str,
    pub(super) y_scale: Scale,
    pub(super) lines: Vec<Line>,
}

/// An axis with its ends, in its scale's own measure.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    fn of(scale: Scale, values: impl Iterator<Item = f64> + Clone) -> Self {
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
    fn place(&self, value: f64) -> f64 {
        let measure = match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic if value > 0.0 => value.log10(),
            Scale::Logarithmic => self.low,
        };
        ((measure - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Values at which there is a tick.
    fn ticks(&self) -> Vec<f64> {
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
                let rough = (self.high - self.low) / 5.0;
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

impl Chart {
    /// The chart as an SVG element.
    pub(super) fn render(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} against {}\">",
            self.y_title, self.x_title
        );
        if points().next().is_none() {
            let _ = write!(svg, "<text x=\"{LEFT}\" y=\"{TOP}\">nothing to show</text></svg>");
            return svg;
        }
        let x_axis = Axis::of(self.x_scale, points().map(|point| point.0));
        let y_axis = Axis::of(self.y_scale, points().map(|point| point.1));
        let x = |value| LEFT + x_axis.place(value) * (WIDTH - LEFT - RIGHT);
        let y = |value| HEIGHT - BOTTOM - y_axis.place(value) * (HEIGHT - TOP - BOTTOM);
        let (floor, end) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for tick in y_axis.ticks() {
            let at = y(tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                number(tick)
            );
        }
        for tick in x_axis.ticks() {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                x(tick),
                floor + 18.0,
                number(tick)
            );
        }
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{floor}\" y2=\"{floor}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><text x=\"0\" y=\"14\">{}</text>",
            (LEFT + end) / 2.0,
            HEIGHT - 8.0,
            self.x_title,
            self.y_title
        );
        for (index, line) in self.lines.iter().enumerate() {
            let path: Vec<String> = line
                .points
                .iter()
                .map(|(across, up)| format!("{:.1},{:.1}", x(*across), y(*up)))
                .collect();
            let _ =
                write!(svg, "<polyline class=\"line c{index}\" points=\"{}\"/>", path.join(" "));
            let left = LEFT + 160.0 + 110.0 * index as f64;
            let _ = write!(
                svg,
                "<rect class=\"k{index}\" x=\"{left}\" y=\"5\" width=\"12\" height=\"12\"/>\
                 <text x=\"{}\" y=\"15\">{}</text>",
                left + 18.0,
                line.name
            );
        }
        svg.push_str("</svg>");
        svg
    }
}

/// A tick's number, short.
fn number(value: f64) -> String {
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
        let ticks = |most: f64| Axis::of(Scale::Linear, [most].into_iter()).ticks();
        assert_eq!(ticks(10.0), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(100.0), [0.0, 50.0, 100.0]);
        assert_eq!(ticks(0.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
    }

    #[test]
    fn a_logarithmic_axis_has_the_powers_of_ten() {
        let axis = Axis::of(Scale::Logarithmic, [0.0, 0.2, 30.0].into_iter());
        let ticks: Vec<String> = axis.ticks().into_iter().map(number).collect();
        assert_eq!(ticks, ["0.1", "1", "10", "100"]);
        assert_eq!(axis.place(0.0), 0.0);
        assert!((axis.place(100.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_short() {
        let check = |value, expected: &str| assert_eq!(number(value), expected);
        check(0.001, "0.001");
        check(20_000.0, "20k");
        check(1_500_000.0, "1.5M");
    }
}
