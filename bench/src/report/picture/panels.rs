//! The four panels and the header above them.
//!
//! Each function draws one panel from the findings; what panels share is in `theme`.

use std::time::Duration;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Rectangle, TriangleMarker};
use plotters::prelude::{DrawingBackend, Text};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::PictureError;
use super::theme::{self, Axis, Chart, INK, LABEL_SIZE, PAPER, axis_end, strategy_colour};
use crate::random::Random;
use crate::statistics::{Tally, as_real, milliseconds};
use crate::study::{RunRecord, StudySummary, coordinates};

/// Bars of the histogram.
const BINS: usize = 36;

/// Of so many strategies each has room for areas and numbers; of more only lines and names.
const FEW: usize = 6;

/// Points drawn beside one box.
const BOX_POINTS_MAX: usize = 1_500;

/// Title, what was run, and which colour is which strategy.
pub(super) fn header<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    summary: &StudySummary,
) -> Result<(), PictureError> {
    let requests: u64 = summary.strategies.iter().map(|run| run.latency.count).sum();
    let errors: u64 = summary.strategies.iter().map(|run| run.errors.total()).sum();
    let subtitle = format!(
        "workload {}, {} s under each strategy, seed {}: {requests} requests answered, {errors} errors",
        summary.workload, summary.seconds_per_strategy, summary.seed,
    );
    let names: Vec<&str> = summary.strategies.iter().map(|run| run.strategy.as_str()).collect();
    theme::header(area, &summary.title, &subtitle, &names)
}

/// How many requests took how long, as stairs of one colour for each strategy.
pub(super) fn histogram<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    runs: &[RunRecord],
) -> Result<(), PictureError> {
    let tallies: Vec<Tally> = runs.iter().map(RunRecord::all).collect();
    let longest_ms =
        tallies.iter().map(|tally| milliseconds(tally.quantile(1.0))).fold(0.0, f64::max);
    let width_ms = axis_end(longest_ms) / as_real(BINS as u64);
    let counts: Vec<[u64; BINS]> = tallies.iter().map(|tally| binned(tally, width_ms)).collect();
    let highest = counts.iter().flatten().copied().max().unwrap_or(0);
    let mut chart = theme::panel(
        area,
        "How long requests took",
        Axis { title: "latency (ms)", range: 0.0..axis_end(longest_ms), ticks: 10 },
        Axis { title: "requests", range: 0.0..axis_end(as_real(highest)), ticks: 6 },
    )?;
    for (index, bins) in counts.iter().enumerate() {
        let colour = strategy_colour(index);
        let mut stairs = vec![(0.0, 0.0)];
        for (bin, count) in (0..).zip(bins) {
            let (left, right) = (as_real(bin) * width_ms, as_real(bin + 1) * width_ms);
            let top = as_real(*count);
            stairs.extend([(left, top), (right, top)]);
            if runs.len() <= FEW {
                let bar = Rectangle::new([(left, 0.0), (right, top)], colour.mix(0.18).filled());
                chart.draw_series(std::iter::once(bar))?;
            }
        }
        stairs.push((axis_end(longest_ms), 0.0));
        chart.draw_series([PathElement::new(stairs, colour.stroke_width(4))])?;
    }
    Ok(())
}

fn binned(tally: &Tally, width_ms: f64) -> [u64; BINS] {
    let mut bins = [0; BINS];
    for step in tally.histogram().iter_recorded() {
        let value_ms = milliseconds(Duration::from_nanos(step.value_iterated_to()));
        let right_edge = |bin: usize| as_real(bin as u64 + 1) * width_ms;
        let bin = (0..BINS).find(|bin| value_ms < right_edge(*bin)).unwrap_or(BINS - 1);
        bins[bin] += step.count_since_last_iteration();
    }
    bins
}

/// Mean and standard deviation: a group of bars for each customer, a bar for each strategy.
pub(super) fn customer_bars<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    summary: &StudySummary,
) -> Result<(), PictureError> {
    let customers = summary.strategies.first().map_or(0, |run| run.customers.len());
    let all = summary.strategies.iter().flat_map(|run| &run.customers);
    let highest =
        all.map(|customer| customer.latency.mean_ms + customer.latency.sd_ms).fold(0.0, f64::max);
    let mut chart = theme::panel(
        area,
        "Mean and standard deviation for each customer",
        Axis { title: "customer", range: 0.0..as_real(customers.max(1) as u64), ticks: 0 },
        Axis { title: "latency (ms)", range: 0.0..axis_end(highest) * 1.04, ticks: 6 },
    )?;
    let width = 0.8 / as_real(summary.strategies.len().max(1) as u64);
    for (index, run) in (0_u32..).zip(&summary.strategies) {
        let colour = strategy_colour(index as usize);
        for (group, customer) in (0_u32..).zip(&run.customers) {
            let left = f64::from(group) + 0.1 + width * f64::from(index);
            let (mean, sd) = (customer.latency.mean_ms, customer.latency.sd_ms);
            let bar = [(left + width * 0.06, 0.0), (left + width * 0.94, mean)];
            chart.draw_series([Rectangle::new(bar, colour.filled())])?;
            let middle = left + width / 2.0;
            let low = (mean - sd).max(0.0);
            whisker(&mut chart, middle, (low, mean + sd), width * 0.14, INK.stroke_width(3))?;
            if summary.strategies.len() * customers <= 2 * FEW {
                let label = theme::text(LABEL_SIZE, INK, HPos::Center);
                let place = (middle, mean + sd + axis_end(highest) * 0.035);
                chart.draw_series([Text::new(format!("{mean:.0}"), place, label)])?;
            }
        }
    }
    let names = summary.strategies.first().map_or(&[][..], |run| &run.customers);
    let names: Vec<&str> = names.iter().map(|customer| customer.customer.as_str()).collect();
    name_groups(area, &chart, &names)
}

/// A vertical line with a short bar at each end.
fn whisker<B: DrawingBackend>(
    chart: &mut Chart<'_, B>,
    middle: f64,
    (low, high): (f64, f64),
    half_width: f64,
    style: ShapeStyle,
) -> Result<(), PictureError> {
    let end = |at: f64| vec![(middle - half_width, at), (middle + half_width, at)];
    let lines = [end(low), end(high), vec![(middle, low), (middle, high)]];
    chart.draw_series(lines.map(|line| PathElement::new(line, style)))?;
    Ok(())
}

/// Writes names under the groups of a chart whose groups are one wide, those of many on two lines; `area` is that of the
/// panel.
fn name_groups<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    chart: &Chart<'_, B>,
    names: &[&str],
) -> Result<(), PictureError> {
    let (left, top) = area.get_base_pixel();
    for (group, name) in (0_u32..).zip(names) {
        let (x, y) = chart.plotting_area().map_coordinate(&(f64::from(group) + 0.5, 0.0));
        let style = theme::name(HPos::Center);
        let line = if names.len() > FEW && group % 2 == 1 { 54 } else { 26 };
        area.draw(&Text::new((*name).to_owned(), (x - left, y - top + line), style))?;
    }
    Ok(())
}

/// Every request: when its answer came and how long it took.
pub(super) fn timeline<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    summary: &StudySummary,
    runs: &[RunRecord],
) -> Result<(), PictureError> {
    let points = || runs.iter().flat_map(|run| &run.customers).flat_map(|seen| seen.points());
    let last_s = points().map(|point| coordinates(point).0).fold(0.0, f64::max);
    let longest_ms = points().map(|point| coordinates(point).1).fold(0.0, f64::max);
    let title = match summary.strategies.first().map_or(&[][..], |run| &run.customers) {
        [dot, triangle] => {
            format!("Latency over time (dot: {}, triangle: {})", dot.customer, triangle.customer)
        }
        _ => "Latency over time".to_owned(),
    };
    let mut chart = theme::panel(
        area,
        &title,
        Axis { title: "time under the strategy (s)", range: 0.0..axis_end(last_s), ticks: 10 },
        Axis { title: "latency (ms)", range: 0.0..axis_end(longest_ms), ticks: 6 },
    )?;
    for (index, run) in runs.iter().enumerate() {
        let style = strategy_colour(index).mix(0.65).filled();
        for (customer, seen) in run.customers.iter().enumerate() {
            let places = seen.points().iter().map(coordinates);
            if customer == 1 {
                chart.draw_series(places.map(|place| TriangleMarker::new(place, 9, style)))?;
            } else {
                chart.draw_series(places.map(|place| Circle::new(place, 7, style)))?;
            }
        }
    }
    Ok(())
}

/// For each strategy a box from quartile to quartile, and every request beside it.
pub(super) fn boxes<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    runs: &[RunRecord],
) -> Result<(), PictureError> {
    let tallies: Vec<Tally> = runs.iter().map(RunRecord::all).collect();
    let longest_ms =
        tallies.iter().map(|tally| milliseconds(tally.quantile(1.0))).fold(0.0, f64::max);
    let mut chart = theme::panel(
        area,
        "Spread (box: quartiles, line: median, whiskers: p5 to p95)",
        Axis {
            title: if runs.len() > FEW { "" } else { "strategy" },
            range: 0.0..as_real(runs.len().max(1) as u64),
            ticks: 0,
        },
        Axis { title: "latency (ms)", range: 0.0..axis_end(longest_ms), ticks: 6 },
    )?;
    for (index, (run, tally)) in (0_u32..).zip(runs.iter().zip(&tallies)) {
        let colour = strategy_colour(index as usize);
        scatter(&mut chart, run, f64::from(index) + 0.66, colour)?;
        let at = |share| milliseconds(tally.quantile(share));
        let [left, middle, right] = [0.2, 0.36, 0.52].map(|x| f64::from(index) + x);
        whisker(&mut chart, middle, (at(0.05), at(0.95)), 0.06, INK.stroke_width(3))?;
        let corners = [(left, at(0.25)), (right, at(0.75))];
        chart.draw_series([
            Rectangle::new(corners, PAPER.filled()),
            Rectangle::new(corners, colour.mix(0.45).filled()),
            Rectangle::new(corners, colour.stroke_width(4)),
        ])?;
        let median = vec![(left, at(0.5)), (right, at(0.5))];
        chart.draw_series([PathElement::new(median, INK.stroke_width(6))])?;
    }
    let names: Vec<&str> = runs.iter().map(|run| run.strategy.as_str()).collect();
    name_groups(area, &chart, &names)
}

/// The requests of a run, spread sideways so that they do not hide one another.
fn scatter<B: DrawingBackend>(
    chart: &mut Chart<'_, B>,
    run: &RunRecord,
    left: f64,
    colour: RGBColor,
) -> Result<(), PictureError> {
    let mut random = Random::new(0);
    let points = run.customers.iter().flat_map(|seen| seen.points()).take(BOX_POINTS_MAX);
    let style = colour.mix(0.45).filled();
    chart.draw_series(points.map(|point| {
        let (_, latency_ms) = coordinates(point);
        Circle::new((left + 0.2 * random.unit(), latency_ms), 6, style)
    }))?;
    Ok(())
}
