//! Charts of the study: lines, stacked areas and box plots, as PNG files or as SVG text.
//!
//! A [`Chart`] is data; `draw` puts it on whichever surface. Text is set in a font that is compiled in, so no
//! machine needs fonts installed. What is charted is decided elsewhere (`sample`, `report`).

mod draw;

use std::path::Path;
use std::sync::Once;

use plotters::prelude::{BitMapBackend, IntoDrawingArea, SVGBackend};
use plotters::style::{FontStyle, register_font};

/// Named points, joined in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by growing x.
    pub points: Vec<(f64, f64)>,
}

/// One row of a box plot.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxRow {
    /// Its name beside the axis.
    pub name: String,
    /// What it summarises, in any order.
    pub values: Vec<f64>,
}

/// What a chart shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Lines, with an upper bound of the y axis if it is fixed.
    Lines(Vec<Series>, Option<f64>),
    /// Areas on top of each other; all series share their x values.
    Stacked(Vec<Series>),
    /// Horizontal boxes from top to bottom, on a logarithmic axis if the flag is set.
    Boxes(Vec<BoxRow>, Scale),
}

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By factors.
    Logarithmic,
}

/// A chart to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The title.
    pub title: String,
    /// What the x axis counts.
    pub x_label: String,
    /// What the y axis counts.
    pub y_label: String,
    /// What is shown.
    pub content: Content,
}

/// A chart that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw `{title}`: {problem}")]
pub struct FigureError {
    /// The chart's title.
    pub title: String,
    /// What the drawing library said.
    pub problem: String,
}

/// Width of every chart, pixels.
const WIDTH: u32 = 1_100;
/// Height of a line chart, pixels.
const LINES_HEIGHT: u32 = 520;
/// Height of a box plot's frame and of each of its rows, pixels.
const BOXES_FRAME: u32 = 110;
const BOXES_ROW: u32 = 17;

impl Chart {
    fn size(&self) -> (u32, u32) {
        match &self.content {
            Content::Lines(..) | Content::Stacked(_) => (WIDTH, LINES_HEIGHT),
            Content::Boxes(rows, _) => {
                let rows = u32::try_from(rows.len()).unwrap_or(u32::MAX / (2 * BOXES_ROW));
                (WIDTH, BOXES_FRAME + BOXES_ROW * rows)
            }
        }
    }

    /// Writes the chart as a PNG file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_png(&self, path: &Path) -> Result<(), FigureError> {
        register_fonts();
        let area = BitMapBackend::new(path, self.size()).into_drawing_area();
        draw::draw(self, &area).map_err(|problem| self.failed(&problem))
    }

    /// The chart as an SVG element, to be set into a page.
    ///
    /// # Errors
    /// If the library fails.
    pub fn to_svg(&self) -> Result<String, FigureError> {
        register_fonts();
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, self.size()).into_drawing_area();
            draw::draw(self, &area).map_err(|problem| self.failed(&problem))?;
        }
        // A page takes the element without its XML declaration.
        Ok(text.find("<svg").map_or(text.clone(), |start| text[start..].to_owned()))
    }

    fn failed(&self, problem: &str) -> FigureError {
        FigureError { title: self.title.clone(), problem: problem.to_owned() }
    }
}

/// Makes the compiled-in font known to the drawing library, once per process.
fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A second registration would only replace the same bytes, so its outcome does not matter.
        let _ = register_font(draw::FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charts() -> Vec<Chart> {
        let series = |name: &str, slope: f64| Series {
            name: name.to_owned(),
            points: (0..20).map(|x| (f64::from(x), slope * f64::from(x))).collect(),
        };
        let rows = |count: u32| {
            (1..=count)
                .map(|row| BoxRow {
                    name: format!("row {row}"),
                    values: (1..9).map(|value| f64::from(value * row)).collect(),
                })
                .collect()
        };
        [
            Content::Lines(vec![series("a", 1.0), series("b", 2.0)], Some(100.0)),
            Content::Lines(Vec::new(), None),
            Content::Stacked(vec![series("a", 1.0), series("b", 2.0)]),
            Content::Boxes(rows(5), Scale::Linear),
            Content::Boxes(rows(3), Scale::Logarithmic),
            Content::Boxes(Vec::new(), Scale::Linear),
        ]
        .map(|content| Chart {
            title: "T".to_owned(),
            x_label: "x".to_owned(),
            y_label: "y".to_owned(),
            content,
        })
        .to_vec()
    }

    #[test]
    fn every_kind_of_chart_can_be_drawn() {
        let directory =
            std::env::temp_dir().join(format!("ringyard-figures-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for (index, chart) in charts().into_iter().enumerate() {
            let svg = chart.to_svg().unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            let path = directory.join(format!("{index}.png"));
            chart.write_png(&path).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(b"\x89PNG"));
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
