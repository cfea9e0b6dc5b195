//! A study as one page for a browser: the findings in words, in tables and in charts.
//!
//! Rows and panels are by strategy, so that many strategies stay legible; scales are shared, so that panels can be held
//! against one another.

use std::fmt::Write as _;
use std::time::Duration;

use super::chart::{Chart, Marks, Scale, Series, Size};
use super::page::{escape, legend, page};
use super::rarity;
use super::rows::{Group, Mark, Row, Rows};
use super::units::duration;
use crate::analyze::words;
use crate::conductor::Study;
use crate::estimate::Estimate;
use crate::statistics::{Summary, Tally, as_real, milliseconds};
use crate::study::{RunRecord, StrategySummary, StudySummary, coordinates};

/// Bars of a histogram.
const BINS: usize = 40;

/// Customers that the chart of means shows; the table has all.
const CUSTOMERS_CHARTED_MAX: usize = 12;

/// Requests that one panel of the chart over time shows.
const POINTS_PER_PANEL_MAX: usize = 1_200;

/// The whole page.
#[must_use]
pub fn render(study: &Study) -> String {
    let (summary, runs) = (&study.summary, &study.runs);
    let mut body = format!("<p class=\"lead\">{}</p>\n", escape(&words::paragraph(summary)));
    let _ = writeln!(
        body,
        "<p class=\"note\">Workload {}: {} Each strategy was played for {} s, seed {}.</p>",
        escape(&summary.workload),
        escape(&summary.description),
        summary.seconds_per_strategy,
        summary.seed
    );
    let mut section = |heading: &str, note: &str, content: String| {
        let _ = writeln!(body, "<h2>{heading}</h2>\n<p class=\"note\">{note}</p>\n{content}");
    };
    section(
        "Who waited how long",
        "Mean latency; the thin line is one standard deviation to either side.",
        means(summary).render(),
    );
    section(
        "All requests of a strategy",
        "The box holds the middle half, its stroke is the median, the thin line reaches from the fastest hundredth to the \
         slowest.",
        boxes(runs).render(),
    );
    section(
        "Latency by percentile",
        "Each step to the right is ten times rarer.",
        percentiles(runs),
    );
    section("How long requests took", "Requests by latency.", histograms(summary, runs));
    section("Latency over time", "Each answered request.", timelines(summary, runs));
    section(
        "Fairness, throughput and batches",
        "Fairness is Jain's index over the customers' mean slowdowns: 1 means that all wait alike for what they ask.",
        balance(summary),
    );
    section("All figures", FIGURES_NOTE, figures(summary));
    page(&summary.title, &body)
}

const FIGURES_NOTE: &str = "Latencies in milliseconds, of requests answered well, from sending (in an open loop: from \
    the instant at which they were due) to the whole answer. &plusmn; is the 95 % confidence interval before it. Wait is \
    latency beyond the time that the request would take the backend alone, slowdown is latency over that time, which counts as \
    a millisecond at least; fill is sequences in a batch, in a customer's line in those that its requests were served in. The best of a column is set off.";

fn names(summary: &StudySummary) -> Vec<&str> {
    let first = summary.strategies.first().map_or(&[][..], |run| &run.customers);
    first.iter().map(|customer| customer.customer.as_str()).collect()
}

/// Means and standard deviations, by customer and strategy.
fn means(summary: &StudySummary) -> Rows {
    let row = |(colour, run): (usize, &StrategySummary), latency: &Summary| Row {
        name: run.strategy.clone(),
        colour,
        mark: Mark::Bar {
            value: latency.mean_ms,
            spread: Some((
                (latency.mean_ms - latency.sd_ms).max(0.0),
                latency.mean_ms + latency.sd_ms,
            )),
        },
        text: duration(latency.mean_ms),
    };
    let runs = || summary.strategies.iter().enumerate();
    let mut groups = vec![Group {
        heading: "all customers".to_owned(),
        rows: runs().map(|run| row(run, &run.1.latency)).collect(),
    }];
    for (index, name) in names(summary).into_iter().enumerate().take(CUSTOMERS_CHARTED_MAX) {
        groups.push(Group {
            heading: format!("customer {name}"),
            rows: runs().map(|run| row(run, &run.1.customers[index].latency)).collect(),
        });
    }
    Rows { title: "latency (ms)", scale: Scale::Linear, groups }
}

fn boxes(runs: &[RunRecord]) -> Rows {
    let row = |(colour, run): (usize, &RunRecord)| {
        let all = run.all();
        let values = [0.01, 0.25, 0.5, 0.75, 0.99].map(|share| milliseconds(all.quantile(share)));
        Row {
            name: run.strategy.clone(),
            colour,
            mark: Mark::Box(values),
            text: duration(values[2]),
        }
    };
    let rows = runs.iter().enumerate().map(row).collect();
    Rows {
        title: "latency (ms)",
        scale: Scale::Logarithmic,
        groups: vec![Group { heading: String::new(), rows }],
    }
}

fn percentiles(runs: &[RunRecord]) -> String {
    let series = |(colour, run): (usize, &RunRecord)| {
        let all = run.all();
        let steps = all.histogram().iter_recorded();
        let recorded: Vec<(u64, u64)> = steps
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect();
        rarity::series(&run.strategy, colour, &recorded)
    };
    rarity::chart(runs.iter().enumerate().map(series).collect()).render()
}

/// A panel for each strategy, each with a series for each customer.
fn panels(
    summary: &StudySummary,
    runs: &[RunRecord],
    mut chart: impl FnMut(&RunRecord) -> Chart,
) -> String {
    let names = names(summary);
    let mut text = legend(names.iter().copied().enumerate());
    text.push_str("<div class=\"panels\">");
    for run in runs {
        let mut chart = chart(run);
        // The names stand above all panels.
        chart.series.iter_mut().for_each(|series| series.name.clear());
        let _ = write!(text, "<div><h3>{}</h3>{}</div>", escape(&run.strategy), chart.render());
    }
    text.push_str("</div>");
    text
}

fn histograms(summary: &StudySummary, runs: &[RunRecord]) -> String {
    let tallies = || runs.iter().flat_map(|run| &run.customers).map(|seen| &seen.latencies);
    let answered = || tallies().filter(|tally| tally.count() > 0);
    let bound = |share| answered().map(move |tally| milliseconds(tally.quantile(share)));
    let least_ms = bound(0.0).fold(f64::INFINITY, f64::min);
    let most_ms = bound(1.0).fold(0.0, f64::max);
    // Bars of like width on a logarithmic axis.
    let ratio = (most_ms / least_ms).powf(1.0 / as_real(BINS as u64)).max(1.0 + f64::EPSILON);
    let edge = |bin: i32| least_ms * ratio.powi(bin);
    let counts = |tally: &Tally| -> Vec<(f64, f64)> {
        let mut bins = [0_u64; BINS];
        for step in tally.histogram().iter_recorded() {
            let value_ms = milliseconds(Duration::from_nanos(step.value_iterated_to()));
            let above = (1..).take(BINS - 1).filter(|bin| value_ms >= edge(*bin)).count();
            bins[above] += step.count_since_last_iteration();
        }
        let mut points: Vec<_> =
            (0..).zip(bins).map(|(bin, count)| (edge(bin), as_real(count))).collect();
        points.push((most_ms, 0.0));
        points
    };
    let all: Vec<Vec<Vec<(f64, f64)>>> = runs
        .iter()
        .map(|run| run.customers.iter().map(|seen| counts(&seen.latencies)).collect())
        .collect();
    let highest = all.iter().flatten().flatten().map(|point| point.1).fold(0.0, f64::max);
    let mut all = all.into_iter();
    panels(summary, runs, |_| {
        let points = all.next().unwrap_or_default();
        Chart {
            size: Size::Small,
            x_title: "latency (ms)",
            x_scale: Scale::Logarithmic,
            x_reach: [least_ms, most_ms],
            y_title: "requests",
            y_scale: Scale::Linear,
            y_reach: [0.0, highest],
            series: if most_ms > 0.0 { series(Marks::Stairs, points) } else { Vec::new() },
        }
    })
}

fn timelines(summary: &StudySummary, runs: &[RunRecord]) -> String {
    let points = |run: &RunRecord| -> Vec<Vec<(f64, f64)>> {
        let count: usize = run.customers.iter().map(|seen| seen.points().len()).sum();
        let step = count.div_ceil(POINTS_PER_PANEL_MAX).max(1);
        let thinned = |seen: &crate::study::CustomerRecord| {
            seen.points().iter().step_by(step).map(coordinates).collect()
        };
        run.customers.iter().map(thinned).collect()
    };
    let all: Vec<_> = runs.iter().map(points).collect();
    let reach =
        |part: fn(&(f64, f64)) -> f64| all.iter().flatten().flatten().map(part).fold(0.0, f64::max);
    let (last_s, longest_ms) = (reach(|point| point.0), reach(|point| point.1));
    let latencies = all.iter().flatten().flatten().map(|point| point.1);
    let shortest_ms = latencies.fold(longest_ms, f64::min);
    let mut all = all.clone().into_iter();
    panels(summary, runs, |_| Chart {
        size: Size::Small,
        x_title: "time under the strategy (s)",
        x_scale: Scale::Linear,
        x_reach: [0.0, last_s],
        y_title: "latency (ms)",
        y_scale: Scale::Logarithmic,
        y_reach: [shortest_ms, longest_ms],
        series: series(Marks::Dots, all.next().unwrap_or_default()),
    })
}

/// A series for each customer.
fn series(marks: Marks, points: Vec<Vec<(f64, f64)>>) -> Vec<Series> {
    let one = |(colour, points)| Series { name: String::new(), colour, marks, points };
    points.into_iter().enumerate().map(one).collect()
}

fn balance(summary: &StudySummary) -> String {
    let chart = |title, decimals: usize, figure: &dyn Fn(&StrategySummary) -> Option<f64>| {
        let row = |(colour, run): (usize, &StrategySummary)| {
            let value = figure(run)?;
            let text = format!("{value:.decimals$}");
            let mark = Mark::Bar { value, spread: None };
            Some(Row { name: run.strategy.clone(), colour, mark, text })
        };
        let rows = summary.strategies.iter().enumerate().filter_map(row).collect();
        let groups = vec![Group { heading: String::new(), rows }];
        Rows { title, scale: Scale::Linear, groups }.render()
    };
    [
        chart("fairness", 3, &|run| Some(run.fairness)),
        chart("answers per second", 2, &|run| Some(run.throughput_per_second)),
        chart("sequences in a batch", 2, &|run| run.batch_fill),
    ]
    .concat()
}

/// A column of the table of all figures: its heading, what a row has there, and which is the better.
struct Column {
    heading: &'static str,
    value: fn(&Line<'_>) -> Option<f64>,
    decimals: usize,
    better: Better,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Better {
    Less,
    More,
    Neither,
}

/// A row of the table of all figures.
struct Line<'a> {
    strategy: &'a str,
    customer: Option<&'a str>,
    latency: &'a Summary,
    wait: Option<Estimate>,
    mean: Option<Estimate>,
    throughput: f64,
    errors: u64,
    slowdown: Option<f64>,
    fairness: Option<f64>,
    fill: Option<f64>,
}

const fn column(
    heading: &'static str,
    decimals: usize,
    better: Better,
    value: fn(&Line<'_>) -> Option<f64>,
) -> Column {
    Column { heading, value, decimals, better }
}

const COLUMNS: [Column; 17] = [
    column("requests", 0, Better::Neither, |line| Some(as_real(line.latency.count))),
    column("wait", 2, Better::Less, |line| line.wait.map(|wait| wait.value)),
    column("&plusmn;", 2, Better::Neither, |line| line.wait.map(|wait| wait.half_width())),
    column("mean", 2, Better::Less, |line| Some(line.latency.mean_ms)),
    column("&plusmn;", 2, Better::Neither, |line| line.mean.map(|mean| mean.half_width())),
    column("median", 2, Better::Less, |line| Some(line.latency.median_ms)),
    column("sd", 2, Better::Less, |line| Some(line.latency.sd_ms)),
    column("min", 2, Better::Neither, |line| Some(line.latency.min_ms)),
    column("max", 2, Better::Less, |line| Some(line.latency.max_ms)),
    column("p90", 2, Better::Less, |line| Some(line.latency.p90_ms)),
    column("p99", 2, Better::Less, |line| Some(line.latency.p99_ms)),
    column("p99.9", 2, Better::Less, |line| Some(line.latency.p999_ms)),
    column("answers/s", 2, Better::More, |line| Some(line.throughput)),
    column("errors", 0, Better::Neither, |line| Some(as_real(line.errors))),
    column("slowdown", 2, Better::Less, |line| line.slowdown),
    column("fairness", 3, Better::More, |line| line.fairness),
    column("fill", 2, Better::Neither, |line| line.fill),
];

fn lines(run: &StrategySummary) -> Vec<Line<'_>> {
    let mut lines = vec![Line {
        strategy: &run.strategy,
        customer: None,
        latency: &run.latency,
        wait: run.wait_ms,
        mean: run.mean_ms,
        throughput: run.throughput_per_second,
        errors: run.errors.total(),
        slowdown: None,
        fairness: Some(run.fairness),
        fill: run.batch_fill,
    }];
    lines.extend(run.customers.iter().map(|customer| Line {
        strategy: &run.strategy,
        customer: Some(&customer.customer),
        latency: &customer.latency,
        wait: customer.wait_ms,
        mean: customer.mean_ms,
        throughput: customer.throughput_per_second,
        errors: customer.errors.total(),
        slowdown: Some(customer.mean_slowdown),
        fairness: None,
        fill: customer.batch_fill,
    }));
    lines
}

fn figures(summary: &StudySummary) -> String {
    let runs: Vec<Vec<Line<'_>>> = summary.strategies.iter().map(lines).collect();
    let best = |column: &Column, row: usize| {
        let values =
            runs.iter().filter_map(|lines| lines.get(row)).filter(|line| line.latency.count > 0);
        let values = values.filter_map(|line| (column.value)(line));
        match column.better {
            Better::Less => values.reduce(f64::min),
            Better::More => values.reduce(f64::max),
            Better::Neither => None,
        }
    };
    let mut text =
        "<div class=\"wide\"><table><thead><tr><th>strategy</th><th>customer</th>".to_owned();
    for column in &COLUMNS {
        let _ = write!(text, "<th>{}</th>", column.heading);
    }
    text.push_str("</tr></thead><tbody>");
    for lines in &runs {
        for (row, line) in lines.iter().enumerate() {
            let (class, strategy) = match line.customer {
                None => (" class=\"first\"", line.strategy),
                Some(_) => ("", ""),
            };
            let customer = escape(line.customer.unwrap_or("all"));
            let strategy = escape(strategy);
            let _ =
                write!(text, "<tr{class}><td>{strategy}</td><td class=\"name\">{customer}</td>");
            for column in &COLUMNS {
                let value = (column.value)(line);
                let is_best = value.is_some() && runs.len() > 1 && value == best(column, row);
                let class = if is_best { " class=\"best\"" } else { "" };
                let shown =
                    value.map_or(String::new(), |value| format!("{value:.*}", column.decimals));
                let _ = write!(text, "<td{class}>{shown}</td>");
            }
            text.push_str("</tr>");
        }
    }
    text.push_str("</tbody></table></div>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::example;

    fn study() -> Study {
        let (summary, runs) = example::study();
        Study { summary, runs, left_under: "fcfs".into(), is_cut_short: false }
    }

    #[test]
    fn the_page_stands_alone_and_has_every_strategy_and_customer() {
        let page = render(&study());
        for part in ["fcfs", "sjf", "fair", "customer A", "customer B", "p99.9", "class=\"best\""] {
            assert!(page.contains(part), "{part}");
        }
        // Means, boxes, percentiles, a histogram and a timeline for each strategy, and three rows of figures.
        assert_eq!(page.matches("<svg").count(), 1 + 1 + 1 + 3 + 3 + 3);
        assert_eq!(page.matches("<tr").count(), 1 + 3 * 3);
        for foreign in ["<script", "src=", "href=", "@import", "url(", "NaN", "inf "] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_study_without_answers_has_a_page_too() {
        let mut empty = study();
        for run in &mut empty.runs {
            run.customers
                .iter_mut()
                .for_each(|seen| *seen = crate::study::CustomerRecord::default());
        }
        let page = render(&empty);
        assert!(page.contains("nothing to show") && !page.contains("NaN"));
    }
}
