//! Findings as one picture: a group of bars for each load, a bar for each server.
//!
//! A server has the same colour in every panel; another form of it, as `ring, 2 cores`, has the same one paler.

use std::path::Path;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea, Text};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBAColor};

use super::finding::{Comparison, EntrantFinding};
use crate::report::picture::PictureError;
use crate::report::picture::theme::{
    self, Axis, GREY, INK, LABEL_SIZE, TITLE_SIZE, axis_end, strategy_colour,
};
use crate::report::stamp;
use crate::statistics::as_real;

/// Width of the picture in pixels.
const WIDTH: u32 = 2_560;

/// Height of one panel in pixels.
const PANEL_HEIGHT: u32 = 560;

/// Height of the band that holds title and legend.
const HEADER_HEIGHT: u32 = 210;

/// Size of the figure above a bar in pixels.
const FIGURE_SIZE: i32 = 20;

/// A bar's height, and where its whisker ends if it has one.
type Bar = (f64, Option<(f64, f64)>);

/// A panel: its title, its axis, and the bar of an entrant.
type Panel = (&'static str, &'static str, fn(&EntrantFinding) -> Option<Bar>);

const PANELS: [Panel; 4] = [
    ("Processor time for each request", "microseconds", |entrant| {
        Some((entrant.cpu_ns_per_request / 1e3, None))
    }),
    ("The same as a part of the reference's, with 95 % intervals", "ratio", |entrant| {
        entrant.cpu_ratio.map(|ratio| (ratio.median, Some((ratio.low, ratio.high))))
    }),
    ("Requests per second", "thousands", |entrant| Some((entrant.requests_per_second / 1e3, None))),
    ("Median latency", "microseconds", |entrant| Some((entrant.p50_ms * 1e3, None))),
];

/// Draws the comparison into a PNG file.
///
/// # Errors
///
/// [`PictureError`] if the file cannot be written.
pub fn draw_png(path: &Path, comparison: &Comparison) -> Result<(), PictureError> {
    theme::register_font()?;
    let panels = u32::try_from(PANELS.len()).unwrap_or(u32::MAX);
    let size = (WIDTH, HEADER_HEIGHT + panels * PANEL_HEIGHT);
    let root = BitMapBackend::new(path, size).into_drawing_area();
    root.fill(&theme::PAPER)?;
    let (top, body) = root.split_vertically(HEADER_HEIGHT);
    header(&top, comparison)?;
    for (area, panel) in
        body.margin(0, 24, 24, 24).split_evenly((PANELS.len(), 1)).iter().zip(PANELS)
    {
        bars(area, comparison, panel)?;
    }
    root.present()?;
    Ok(())
}

/// Everybody who took part, each once.
fn names(comparison: &Comparison) -> Vec<&str> {
    let mut names = Vec::new();
    for entrant in comparison.cases.iter().flat_map(|case| &case.entrants) {
        if !names.contains(&entrant.name.as_str()) {
            names.push(entrant.name.as_str());
        }
    }
    names
}

fn colour(names: &[&str], name: &str) -> RGBAColor {
    let family = name.split(',').next().unwrap_or(name);
    let place = |name: &str| names.iter().position(|other| *other == name);
    let index = place(family).or_else(|| place(name)).unwrap_or(0);
    strategy_colour(index).mix(if family == name { 1.0 } else { 0.5 })
}

fn header<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    comparison: &Comparison,
) -> Result<(), PictureError> {
    const LEFT: i32 = 160;
    let title = theme::text(TITLE_SIZE, INK, HPos::Left);
    area.draw(&Text::new("What a request costs a server".to_owned(), (LEFT, 60), title))?;
    let subtitle =
        format!("{}, {}", comparison.machine.describe(), stamp(comparison.started_unix_seconds));
    area.draw(&Text::new(subtitle, (LEFT, 116), theme::text(LABEL_SIZE, GREY, HPos::Left)))?;
    let style = theme::name(HPos::Left);
    let names = names(comparison);
    let mut left = LEFT;
    for name in &names {
        let square = [(left, 158), (left + 26, 184)];
        area.draw(&Rectangle::new(square, colour(&names, name).filled()))?;
        area.draw(&Text::new((*name).to_owned(), (left + 38, 171), style.clone()))?;
        let (width, _) = area.estimate_text_size(name, &style)?;
        left += 38 + i32::try_from(width).unwrap_or(i32::MAX / 2) + 34;
    }
    Ok(())
}

fn bars<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    comparison: &Comparison,
    (title, unit, bar): Panel,
) -> Result<(), PictureError> {
    let names = names(comparison);
    let all = comparison.cases.iter().flat_map(|case| &case.entrants).filter_map(bar);
    let highest =
        all.map(|(top, whisker)| whisker.map_or(top, |(_, high)| high)).fold(0.0, f64::max);
    let groups = comparison.cases.len().max(1) as u64;
    let mut chart = theme::panel(
        area,
        title,
        Axis { title: "load", range: 0.0..as_real(groups), ticks: 0 },
        Axis { title: unit, range: 0.0..axis_end(highest) * 1.06, ticks: 5 },
    )?;
    let (base_x, base_y) = area.get_base_pixel();
    for (group, case) in (0_u32..).zip(&comparison.cases) {
        let width = 0.9 / as_real(case.entrants.len().max(1) as u64);
        for (index, entrant) in (0_u32..).zip(&case.entrants) {
            let Some((top, whisker)) = bar(entrant) else { continue };
            let left = f64::from(group) + 0.05 + width * f64::from(index);
            let corners = [(left + width * 0.06, 0.0), (left + width * 0.94, top)];
            let fill = colour(&names, &entrant.name).filled();
            chart.draw_series([Rectangle::new(corners, fill)])?;
            let middle = left + width / 2.0;
            if let Some((low, high)) = whisker {
                let line =
                    PathElement::new(vec![(middle, low), (middle, high)], INK.stroke_width(3));
                chart.draw_series([line])?;
            }
            let above = whisker.map_or(top, |(_, high)| high) + highest * 0.045;
            let label = theme::text(FIGURE_SIZE, INK, HPos::Center);
            chart.draw_series([Text::new(figure(top), (middle, above), label)])?;
        }
        let (x, y) = chart.plotting_area().map_coordinate(&(f64::from(group) + 0.5, 0.0));
        let label = theme::name(HPos::Center);
        area.draw(&Text::new(case.name.clone(), (x - base_x, y - base_y + 26), label))?;
    }
    Ok(())
}

/// Three digits that mean something.
fn figure(value: f64) -> String {
    match value {
        10.0..100.0 => format!("{value:.1}"),
        100.0.. => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::example;
    use super::*;

    #[test]
    fn the_example_is_drawn_and_so_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = match std::env::var_os("RINGYARD_EXAMPLE_PICTURE") {
            Some(path) => path.into(),
            None => directory.path().join("engines.png"),
        };
        let mut comparison = example::comparison();
        draw_png(&path, &comparison).unwrap();
        let png = std::fs::read(&path).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n"));
        comparison.cases.clear();
        draw_png(&directory.path().join("nothing.png"), &comparison).unwrap();
    }

    #[test]
    fn another_form_of_a_server_is_paler_than_it() {
        let names = ["tokio", "ring", "ring, 2 cores"];
        let (ring, two) = (colour(&names, "ring"), colour(&names, "ring, 2 cores"));
        assert_eq!((ring.0, ring.1, ring.2), (two.0, two.1, two.2));
        assert!(two.3 < ring.3);
        assert_ne!(colour(&names, "tokio"), ring);
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([0.5612, 9.81, 17.94, 311.7].map(figure), ["0.56", "9.81", "17.9", "312"]);
    }
}
