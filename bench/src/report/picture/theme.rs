//! Colours, type, the header and the frame that all panels share.

use std::ops::Range;
use std::sync::OnceLock;

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingArea;
use plotters::element::Rectangle;
use plotters::prelude::{Cartesian2d, DrawingBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle};

use super::PictureError;

/// Background.
pub(crate) const PAPER: RGBColor = RGBColor(255, 255, 255);

/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(32, 36, 42);

/// Secondary text.
pub(crate) const GREY: RGBColor = RGBColor(96, 104, 114);

/// Grid lines.
pub(crate) const GRID: RGBColor = RGBColor(226, 229, 233);

/// Okabe and Ito's colours, in the order in which strategies take them, and some more for those who compare many.
const STRATEGY_COLOURS: [RGBColor; 12] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(213, 94, 0),
    RGBColor(86, 180, 233),
    RGBColor(94, 94, 94),
    RGBColor(91, 91, 214),
    RGBColor(138, 90, 68),
    RGBColor(194, 37, 92),
    RGBColor(102, 128, 11),
    RGBColor(0, 60, 90),
];

/// Sizes of type in pixels.
pub(crate) const TITLE_SIZE: i32 = 50;
pub(crate) const PANEL_TITLE_SIZE: i32 = 36;
pub(crate) const LABEL_SIZE: i32 = 28;

const FONT: &str = "report";

/// For names that stand in code and flags too; its fixed pitch also keeps short ones legible.
const NAME_FONT: &str = "report-names";

/// The colour of strategy number `index`.
pub(crate) fn strategy_colour(index: usize) -> RGBColor {
    STRATEGY_COLOURS[index % STRATEGY_COLOURS.len()]
}

/// Makes the built-in fonts known to the drawing library, once per process.
pub(crate) fn register_font() -> Result<(), PictureError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = *REGISTERED.get_or_init(|| {
        let fonts = [
            (FONT, epaint_default_fonts::UBUNTU_LIGHT),
            (NAME_FONT, epaint_default_fonts::HACK_REGULAR),
        ];
        fonts.iter().all(|(name, bytes)| {
            plotters::style::register_font(name, FontStyle::Normal, bytes).is_ok()
        })
    });
    if registered { Ok(()) } else { Err(PictureError::Font) }
}

/// Text of `size` in `colour`, hung up by its left, middle or right.
pub(crate) fn text(size: i32, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&colour).pos(Pos::new(anchor, VPos::Center))
}

/// The name of a strategy or customer, hung up by its left, middle or right.
pub(crate) fn name(anchor: HPos) -> TextStyle<'static> {
    (NAME_FONT, LABEL_SIZE).into_font().color(&INK).pos(Pos::new(anchor, VPos::Center))
}

/// Title, what was run, and which colour is whose.
pub(crate) fn header<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    subtitle: &str,
    names: &[&str],
) -> Result<(), PictureError> {
    const LEFT: i32 = 160;
    area.draw(&Text::new(title.to_owned(), (LEFT, 60), text(TITLE_SIZE, INK, HPos::Left)))?;
    area.draw(&Text::new(subtitle.to_owned(), (LEFT, 116), text(LABEL_SIZE, GREY, HPos::Left)))?;
    let style = name(HPos::Left);
    let mut left = LEFT;
    for (index, name) in names.iter().enumerate() {
        let colour = strategy_colour(index);
        area.draw(&Rectangle::new([(left, 158), (left + 40, 184)], colour.filled()))?;
        area.draw(&Text::new((*name).to_owned(), (left + 54, 171), style.clone()))?;
        let (width, _) = area.estimate_text_size(name, &style)?;
        left += 54 + i32::try_from(width).unwrap_or(i32::MAX / 2) + 56;
    }
    Ok(())
}

/// A panel whose two axes measure real numbers.
pub(crate) type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What is said along one axis.
pub(crate) struct Axis {
    /// With its unit.
    pub(crate) title: &'static str,
    /// From where to where.
    pub(crate) range: Range<f64>,
    /// How many ticks at most; none for an axis of names.
    pub(crate) ticks: usize,
}

/// Draws title, grid and axes of a panel and returns the place for its content.
pub(crate) fn panel<'a, B: DrawingBackend>(
    area: &'a DrawingArea<B, Shift>,
    title: &str,
    x: Axis,
    y: Axis,
) -> Result<Chart<'a, B>, PictureError> {
    area.draw(&Text::new(title.to_owned(), (128, 34), text(PANEL_TITLE_SIZE, INK, HPos::Left)))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(72)
        .margin_right(36)
        .margin_bottom(28)
        .margin_left(8)
        .x_label_area_size(88)
        .y_label_area_size(120)
        .build_cartesian_2d(x.range, y.range)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(PAPER)
        .max_light_lines(1)
        .axis_style(GREY.stroke_width(2))
        .x_labels(x.ticks)
        .y_labels(y.ticks)
        .x_label_formatter(&plain_number)
        .y_label_formatter(&plain_number)
        .set_all_tick_mark_size(8)
        .label_style(text(LABEL_SIZE, GREY, HPos::Center))
        .axis_desc_style(text(LABEL_SIZE, INK, HPos::Center))
        .x_desc(x.title)
        .y_desc(y.title);
    mesh.draw()?;
    Ok(chart)
}

/// A tick's number with no more decimals than it needs.
fn plain_number(value: &f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    format!("{rounded}")
}

/// The end of an axis that starts at zero and must hold `most`, with some air above it.
pub(crate) fn axis_end(most: f64) -> f64 {
    if most > 0.0 { most * 1.08 } else { 1.0 }
}
