//! Bars and boxes that lie in rows, with their names before them: for figures of many named things.

use std::fmt::Write as _;

use super::chart::{Axis, Scale, TICKS, number};
use super::page::{COLOURS, escape};

const WIDTH: f64 = 960.0;
const RIGHT: f64 = 90.0;
const ROW_HEIGHT: f64 = 20.0;
const HEADING_HEIGHT: f64 = 26.0;
const TOP: f64 = 4.0;
const BOTTOM: f64 = 42.0;

/// Units that one character of a name takes.
const CHARACTER_WIDTH: f64 = 7.2;

/// What is drawn in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    /// A bar from zero, and a thin line from the first to the second of `spread`.
    Bar {
        /// Where the bar ends.
        value: f64,
        /// Where the line does.
        spread: Option<(f64, f64)>,
    },
    /// A box from the second to the fourth, a stroke at the third, a thin line from the first to the fifth.
    Box([f64; 5]),
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What stands before it.
    pub name: String,
    /// Which of the page's colours.
    pub colour: usize,
    /// What is drawn.
    pub mark: Mark,
    /// What stands after it.
    pub text: String,
}

/// Rows under a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The heading; none if it is empty.
    pub heading: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// Groups of rows over one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// What the axis measures, with its unit.
    pub title: &'static str,
    /// Its scale. Bars need a linear one.
    pub scale: Scale,
    /// From top to bottom.
    pub groups: Vec<Group>,
}

impl Mark {
    /// All values that the axis must hold.
    fn values(&self) -> Vec<f64> {
        match *self {
            Self::Bar { value, spread } => {
                spread.into_iter().flat_map(|(low, high)| [low, high]).chain([value]).collect()
            }
            Self::Box(values) => values.to_vec(),
        }
    }
}

impl Rows {
    /// The rows as an SVG element.
    #[must_use]
    pub fn render(&self) -> String {
        let rows = || self.groups.iter().flat_map(|group| &group.rows);
        let headings = self.groups.iter().map(|group| &group.heading);
        let words = rows().map(|row| &row.name).chain(headings);
        let longest = words.map(|word| word.chars().count()).max().unwrap_or(0);
        let left = CHARACTER_WIDTH * (longest as f64) + 16.0;
        let values: Vec<f64> = rows().flat_map(|row| row.mark.values()).collect();
        let axis = Axis::of(self.scale, values.iter().copied());
        let x = |value| left + axis.place(value) * (WIDTH - RIGHT - left);
        let height = |group: &Group| {
            let heading = if group.heading.is_empty() { 0.0 } else { HEADING_HEIGHT };
            heading + ROW_HEIGHT * group.rows.len() as f64
        };
        let floor = TOP + self.groups.iter().map(height).sum::<f64>();
        let mut svg = format!(
            "<figure><svg class=\"wide\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">",
            floor + BOTTOM,
            escape(self.title)
        );
        for tick in axis.ticks(TICKS) {
            let at = x(tick);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{floor}\"/>\
                 <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                floor + 16.0,
                number(tick)
            );
        }
        let mut top = TOP;
        for group in &self.groups {
            if !group.heading.is_empty() {
                let base = top + HEADING_HEIGHT - 8.0;
                let heading = escape(&group.heading);
                let _ =
                    write!(svg, "<text class=\"strong\" x=\"0\" y=\"{base:.1}\">{heading}</text>");
                top += HEADING_HEIGHT;
            }
            for row in &group.rows {
                row.draw(&x, left, top, &mut svg);
                top += ROW_HEIGHT;
            }
        }
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{left:.1}\" x2=\"{left:.1}\" y1=\"{TOP}\" y2=\"{floor}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></svg></figure>",
            (left + WIDTH - RIGHT) / 2.0,
            floor + 34.0,
            escape(self.title)
        );
        svg
    }
}

impl Row {
    fn draw(&self, x: &impl Fn(f64) -> f64, left: f64, top: f64, svg: &mut String) {
        let (colour, middle) = (self.colour % COLOURS, top + ROW_HEIGHT / 2.0);
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 8.0,
            middle + 4.0,
            escape(&self.name)
        );
        let (bar_top, bar_height) = (top + 3.0, ROW_HEIGHT - 6.0);
        let mut block = |class: &str, from: f64, to: f64| {
            let _ = write!(
                svg,
                "<rect class=\"{class} c{colour}\" x=\"{from:.1}\" y=\"{bar_top:.1}\" width=\"{:.1}\" \
                 height=\"{bar_height}\"/>",
                (to - from).max(1.0)
            );
        };
        let (thin, end) = match self.mark {
            Mark::Bar { value, spread } => {
                block("mark", left, x(value));
                (spread, spread.map_or(value, |(_, high)| high.max(value)))
            }
            Mark::Box([low, first, _, third, high]) => {
                block("faint", x(first), x(third));
                (Some((low, high)), high)
            }
        };
        if let Some((low, high)) = thin {
            let _ = write!(
                svg,
                "<line class=\"thin\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
                x(low),
                x(high)
            );
        }
        if let Mark::Box([_, _, median, _, _]) = self.mark {
            let at = x(median);
            let _ = write!(
                svg,
                "<line class=\"thin\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{bar_top:.1}\" y2=\"{:.1}\"/>",
                bar_top + bar_height
            );
        }
        let _ = write!(
            svg,
            "<text class=\"strong\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x(end) + 6.0,
            middle + 4.0,
            escape(&self.text)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(mark: Mark) -> Row {
        Row { name: "<a>".into(), colour: 1, mark, text: "5 ms".into() }
    }

    #[test]
    fn bars_and_boxes_are_drawn_with_their_names() {
        let marks = [
            Mark::Bar { value: 5.0, spread: Some((2.0, 8.0)) },
            Mark::Box([1.0, 2.0, 3.0, 4.0, 9.0]),
        ];
        let groups = vec![Group { heading: "g & h".into(), rows: marks.map(row).into() }];
        let svg = Rows { title: "latency (ms)", scale: Scale::Linear, groups }.render();
        assert_eq!(svg.matches("<rect").count(), 2);
        assert_eq!(svg.matches("class=\"thin\"").count(), 3);
        assert_eq!(svg.matches("&lt;a&gt;").count(), 2);
        assert!(svg.contains("g &amp; h") && svg.contains("5 ms") && !svg.contains("NaN"));
    }

    #[test]
    fn nothing_at_all_is_drawn_without_nonsense() {
        let svg = Rows { title: "t", scale: Scale::Linear, groups: Vec::new() }.render();
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
