//! Puts a chart on a surface, whatever kind of surface it is.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::{BoxRow, Chart, Content, Scale, Series};
use crate::study::numeric::quantile;

/// The name under which the font is registered.
pub(super) const FONT: &str = "sans-serif";

const TITLE_SIZE: u32 = 22;
const LABEL_SIZE: u32 = 13;
/// Above this many series a legend would cover the chart.
const LEGEND_MAX: usize = 8;
/// Room left of a box plot for names, and of a line chart for numbers, pixels.
const NAMES_WIDTH: u32 = 380;
const NUMBERS_WIDTH: u32 = 60;

/// Colours that can be told apart by those who see fewer of them (Okabe and Ito 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(110, 110, 110),
];

const fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

type Area<B> = DrawingArea<B, Shift>;

/// A number on an axis, without a fraction that says nothing.
fn label(value: &f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Draws `chart`. Errors come back as text, as each surface has its own kind.
pub(super) fn draw<B: DrawingBackend>(chart: &Chart, area: &Area<B>) -> Result<(), String> {
    let drawn = area.fill(&WHITE).map_err(|error| error.to_string());
    drawn.and_then(|()| match &chart.content {
        Content::Lines(series, y_max) => lines(chart, series, *y_max, area),
        Content::Stacked(series) => stacked(chart, series, area),
        Content::Boxes(rows, Scale::Linear) => {
            let (low, high) = extent(rows.iter().flat_map(|row| row.values.iter().copied()));
            boxes(chart, rows, low.min(0.0)..high * 1.03 + f64::MIN_POSITIVE, area)
        }
        Content::Boxes(rows, Scale::Logarithmic) => {
            let positive = |value: &f64| *value > 0.0;
            let values = rows.iter().flat_map(|row| row.values.iter().copied().filter(positive));
            let (low, high) = extent(values);
            let low = if low > 0.0 { low } else { 1.0 };
            boxes(chart, rows, (low * 0.9..high.max(low) * 1.1).log_scale(), area)
        }
    })?;
    area.present().map_err(|error| error.to_string())
}

/// The smallest and largest value, or (0, 1) of nothing.
fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = values.filter(|value| value.is_finite()).fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
    });
    ends.unwrap_or((0.0, 1.0))
}

fn lines<B: DrawingBackend>(
    chart: &Chart,
    series: &[Series],
    y_max: Option<f64>,
    area: &Area<B>,
) -> Result<(), String> {
    let points = || series.iter().flat_map(|series| series.points.iter().copied());
    let (x_low, x_high) = extent(points().map(|(x, _)| x));
    let (y_low, y_high) = extent(points().map(|(_, y)| y));
    let y_high = y_max.unwrap_or(y_high * 1.05 + f64::MIN_POSITIVE);
    // A crowd is looked at as a whole: thin, and nobody by name.
    let is_crowd = series.len() > LEGEND_MAX;
    let has_legend = !is_crowd && series.iter().any(|series| !series.name.is_empty());
    plane(chart, (x_low..x_high, y_low.min(0.0)..y_high), has_legend, area, |plane| {
        for (index, series) in series.iter().enumerate() {
            let colour = colour(index).mix(if is_crowd { 0.6 } else { 1.0 });
            let style = colour.stroke_width(if is_crowd { 1 } else { 2 });
            let drawn = plane.draw_series(LineSeries::new(series.points.iter().copied(), style));
            let drawn = drawn.map_err(|error| error.to_string())?;
            if has_legend && !series.name.is_empty() {
                drawn.label(&series.name).legend(move |(x, y)| {
                    Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled())
                });
            }
        }
        Ok(())
    })
}

fn stacked<B: DrawingBackend>(
    chart: &Chart,
    series: &[Series],
    area: &Area<B>,
) -> Result<(), String> {
    let columns = series.iter().map(|series| series.points.len()).min().unwrap_or(0);
    let mut floors = vec![0.0; columns];
    let mut bands = Vec::with_capacity(series.len());
    for series in series {
        let lower: Vec<(f64, f64)> =
            series.points.iter().zip(&floors).map(|((x, _), floor)| (*x, *floor)).collect();
        for (floor, (_, y)) in floors.iter_mut().zip(&series.points) {
            *floor += y;
        }
        let upper = series.points.iter().zip(&floors).map(|((x, _), floor)| (*x, *floor));
        let outline: Vec<(f64, f64)> = upper.chain(lower.into_iter().rev()).collect();
        bands.push((series.name.as_str(), outline));
    }
    let (x_low, x_high) = extent(bands.iter().flat_map(|(_, band)| band.iter().map(|(x, _)| *x)));
    let (_, y_high) = extent(floors.iter().copied());
    // Room above for the legend, which would cover the newest areas otherwise.
    let ranges = (x_low..x_high, 0.0..y_high * 1.3 + f64::MIN_POSITIVE);
    plane(chart, ranges, true, area, |plane| {
        for (index, (name, band)) in bands.iter().enumerate() {
            let colour = colour(index).mix(0.8);
            let polygon = std::iter::once(Polygon::new(band.clone(), colour.filled()));
            plane.draw_series(polygon).map_err(|error| error.to_string())?.label(*name).legend(
                move |(x, y)| Rectangle::new([(x, y - 4), (x + 14, y + 4)], colour.filled()),
            );
        }
        Ok(())
    })
}

type Plane<'a, B> = ChartContext<'a, B, Cartesian2d<RangedF64, RangedF64>>;
type RangedF64 = plotters::coord::types::RangedCoordf64;

/// A chart over two linear axes, filled by `fill`, if asked with a legend for what `fill` labelled.
fn plane<B: DrawingBackend>(
    chart: &Chart,
    (x, y): (std::ops::Range<f64>, std::ops::Range<f64>),
    has_legend: bool,
    area: &Area<B>,
    fill: impl FnOnce(&mut Plane<'_, B>) -> Result<(), String>,
) -> Result<(), String> {
    let text = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
    let mut plane = ChartBuilder::on(area)
        .caption(&chart.title, (FONT, TITLE_SIZE))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(NUMBERS_WIDTH)
        .build_cartesian_2d(x, y)
        .map_err(text)?;
    plane
        .configure_mesh()
        .x_desc(&chart.x_label)
        .y_desc(&chart.y_label)
        .label_style((FONT, LABEL_SIZE))
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .bold_line_style(BLACK.mix(0.12))
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(text)?;
    fill(&mut plane)?;
    if !has_legend {
        return Ok(());
    }
    plane
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font((FONT, LABEL_SIZE))
        .draw()
        .map_err(text)
}

/// The five marks of a box: 5 %, 25 %, 50 %, 75 %, 95 %.
const MARKS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

fn boxes<B, X>(
    chart: &Chart,
    rows: &[BoxRow],
    x: impl AsRangedCoord<CoordDescType = X, Value = f64>,
    area: &Area<B>,
) -> Result<(), String>
where
    B: DrawingBackend,
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let text = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
    let count = rows.len().max(1);
    let mut plane = ChartBuilder::on(area)
        .caption(&chart.title, (FONT, TITLE_SIZE))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(NAMES_WIDTH)
        .build_cartesian_2d(x, (0..count - 1).into_segmented())
        .map_err(text)?;
    // The first row stands on top, while the axis counts upwards.
    let name = |place: &SegmentValue<usize>| match place {
        SegmentValue::CenterOf(place) if *place < rows.len() => {
            rows[rows.len() - 1 - place].name.clone()
        }
        _ => String::new(),
    };
    plane
        .configure_mesh()
        .x_desc(&chart.x_label)
        .label_style((FONT, LABEL_SIZE))
        .y_labels(count)
        .x_label_formatter(&label)
        .y_label_formatter(&name)
        .bold_line_style(BLACK.mix(0.12))
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(text)?;
    for (place, row) in rows.iter().rev().enumerate() {
        let mut sorted = row.values.clone();
        sorted.retain(|value| value.is_finite());
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.is_empty() {
            continue;
        }
        let at = |x: f64| (x, SegmentValue::CenterOf(place));
        let [low, lower, middle, upper, high] = MARKS.map(|mark| quantile(&sorted, mark));
        let thin = colour(0).mix(0.7).stroke_width(1);
        let thick = colour(0).mix(0.5).stroke_width(9);
        let line =
            |from: f64, to: f64, style: ShapeStyle| PathElement::new(vec![at(from), at(to)], style);
        let marks = [line(low, high, thin), line(lower, upper, thick)];
        plane.draw_series(marks).map_err(text)?;
        // Thousands of runs would only blacken the row.
        let some = sorted.iter().step_by(sorted.len().div_ceil(DOTS_MAX));
        let dots = some.map(|value| Circle::new(at(*value), 1, BLACK.mix(0.5).filled()));
        plane.draw_series(dots).map_err(text)?;
        plane
            .draw_series(std::iter::once(Circle::new(at(middle), 3, colour(5).filled())))
            .map_err(text)?;
    }
    Ok(())
}

/// The most runs of a row that are drawn one by one.
const DOTS_MAX: usize = 60;
