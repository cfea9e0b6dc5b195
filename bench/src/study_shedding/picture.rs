//! The charts as one picture: a row for each figure, closed loop on the left and open loop on the right.

use std::path::Path;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea};
use plotters::style::Color;

use super::charts::charts;
use super::findings::SheddingReport;
use super::table;
use crate::report::chart::Chart;
use crate::report::picture::theme::{self, Axis, axis_end, strategy_colour};
use crate::report::picture::{HEADER_HEIGHT, PictureError};

/// Width of the picture in pixels.
const WIDTH: u32 = 2_560;

/// Height of one row of charts in pixels.
const ROW_HEIGHT: u32 = 640;

/// Draws the report into a PNG file.
///
/// # Errors
///
/// [`PictureError`] if the file cannot be written.
pub(super) fn draw_png(path: &Path, report: &SheddingReport) -> Result<(), PictureError> {
    theme::register_font()?;
    let charts = charts(report);
    let rows = charts.len() / 2;
    let height = HEADER_HEIGHT.unsigned_abs() + ROW_HEIGHT * u32::try_from(rows).unwrap_or(1);
    let root = BitMapBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&theme::PAPER)?;
    let (header, body) = root.split_vertically(HEADER_HEIGHT);
    let names: Vec<&str> = report.contenders.iter().map(String::as_str).collect();
    let heading = table::heading(report);
    let subtitle = heading.lines().next().unwrap_or_default();
    theme::header(&header, "What refusing requests is worth", subtitle, &names)?;
    let areas = body.margin(0, 24, 24, 24).split_evenly((rows, 2));
    for (area, (heading, chart)) in areas.iter().zip(&charts) {
        panel(area, heading, chart)?;
    }
    root.present()?;
    Ok(())
}

fn panel<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    heading: &str,
    chart: &Chart,
) -> Result<(), PictureError> {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let x_most = points().map(|point| point.0).fold(0.0, f64::max);
    let y_most = points().map(|point| point.1).fold(0.0, f64::max);
    let mut panel = theme::panel(
        area,
        heading,
        Axis { title: chart.x_title, range: 0.0..axis_end(x_most), ticks: 10 },
        Axis { title: chart.y_title, range: 0.0..axis_end(y_most), ticks: 6 },
    )?;
    for (index, series) in chart.series.iter().enumerate() {
        let (colour, points) = (strategy_colour(series.colour), &series.points);
        panel.draw_series([PathElement::new(points.clone(), colour.stroke_width(5))])?;
        // Lines that lie on one another show as rings around one another.
        let radius = 10 + 3 * i32::try_from(chart.series.len() - index).unwrap_or(0);
        let ring = |point: &(f64, f64)| Circle::new(*point, radius, colour.stroke_width(3));
        panel.draw_series(points.iter().map(ring))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::findings::example;
    use super::*;

    #[test]
    fn the_picture_has_a_row_for_each_figure() {
        let directory = tempfile::tempdir().unwrap();
        let path = match std::env::var_os("RINGYARD_EXAMPLE_PICTURE") {
            Some(path) => path.into(),
            None => directory.path().join("shedding.png"),
        };
        draw_png(&path, &example::report()).unwrap();
        let png = std::fs::read(&path).unwrap();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((number(16), number(20)), (WIDTH, 210 + 5 * ROW_HEIGHT));
    }
}
