//! A report as one page that needs nothing else: text, and charts drawn as SVG.

use std::fmt::Write as _;

use super::table;
use crate::load::report::{Interval, LoadReport};
use crate::report::chart::{Chart, Marks, Scale, Series, Size};
use crate::report::page::{escape, page};
use crate::report::rarity;

/// The whole page.
#[must_use]
pub fn render(report: &LoadReport) -> String {
    let mut body = String::new();
    for reason in &report.generator.verdict.generator_bound {
        let _ = writeln!(body, "<p class=\"alarm\">GENERATOR-BOUND: {}</p>", escape(reason));
    }
    let _ = writeln!(body, "<pre>{}</pre>", escape(&table::render(report)));
    for (heading, chart) in charts(report) {
        let _ = writeln!(body, "<h2>{heading}</h2>\n{}", chart.render());
    }
    page(&format!("Load on {}", report.target), &body)
}

fn charts(report: &LoadReport) -> Vec<(&'static str, Chart)> {
    // What is left over at the end is too short to have a rate of its own.
    let usual_s = report.intervals.iter().map(|interval| interval.length_s).fold(0.0, f64::max);
    let whole = |interval: &&Interval| interval.length_s >= usual_s / 2.0;
    let over_time = |figure: fn(&Interval) -> f64| {
        let points = report
            .intervals
            .iter()
            .filter(whole)
            .map(|interval| (interval.end_s, figure(interval)));
        points.collect::<Vec<_>>()
    };
    let line = |colour, name: &str, figure| Series {
        name: name.to_owned(),
        colour,
        marks: Marks::Line,
        points: over_time(figure),
    };
    let time = |unit, scale, series| Chart {
        size: Size::Wide,
        x_title: "time (s)",
        x_scale: Scale::Linear,
        x_reach: [0.0; 2],
        y_title: unit,
        y_scale: scale,
        y_reach: [0.0; 2],
        series,
    };
    let mut charts = vec![
        ("Latency by percentile", by_percentile(report)),
        (
            "Latency over time",
            time(
                "latency (ms)",
                Scale::Logarithmic,
                vec![
                    line(0, "p50", |interval| interval.p50_ms),
                    line(1, "p99", |interval| interval.p99_ms),
                    line(2, "max", |interval| interval.max_ms),
                ],
            ),
        ),
        (
            "Throughput",
            time(
                "answers per second",
                Scale::Linear,
                vec![line(0, "answers", |interval| interval.throughput_per_second())],
            ),
        ),
        (
            "Errors",
            time(
                "errors per interval",
                Scale::Linear,
                vec![line(1, "errors", |interval| interval.errors as f64)],
            ),
        ),
    ];
    if report.latency.slip.is_some() {
        let slip = line(0, "p99", |interval| interval.slip_p99_ms);
        charts.push((
            "How late requests were sent",
            time("slip (ms)", Scale::Logarithmic, vec![slip]),
        ));
    }
    charts
}

/// Latency, and what it is made of in an open loop, against rarity.
fn by_percentile(report: &LoadReport) -> Chart {
    let mut series = vec![rarity::series("corrected", 0, &report.histogram)];
    if report.latency.slip.is_some() {
        series.push(rarity::series("uncorrected", 1, &report.uncorrected_histogram));
        series.push(rarity::series("slip: how late requests were sent", 2, &report.slip_histogram));
    }
    rarity::chart(series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::example;

    #[test]
    fn the_page_stands_alone() {
        let page = render(&example::report());
        assert_eq!(page.matches("<svg").count(), 5);
        assert_eq!(page.matches("</svg>").count(), 5);
        for foreign in ["<script", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }

    #[test]
    fn what_a_user_wrote_is_text() {
        let mut report = example::report();
        report.target = "http://h/?<script>&\"".into();
        report.generator.verdict.generator_bound.push("a < b".into());
        let page = render(&report);
        assert!(page.contains("http://h/?&lt;script&gt;&amp;&quot;"));
        assert!(page.contains("GENERATOR-BOUND: a &lt; b"));
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn a_rest_of_the_run_is_no_interval_in_the_charts() {
        let mut report = example::report();
        let charts_before = charts(&report).into_iter().map(|(_, chart)| chart.render());
        let before: Vec<String> = charts_before.collect();
        let last = *report.intervals.last().unwrap();
        report.intervals.push(Interval { end_s: last.end_s + 0.01, length_s: 0.01, ..last });
        let after: Vec<String> =
            charts(&report).into_iter().map(|(_, chart)| chart.render()).collect();
        assert_eq!(after, before);
    }

    #[test]
    fn a_run_without_answers_has_a_page_too() {
        let mut report = example::report();
        report.histogram.clear();
        report.uncorrected_histogram.clear();
        report.slip_histogram.clear();
        report.intervals.clear();
        let page = render(&report);
        assert!(page.contains("nothing to show"));
        assert!(!page.contains("NaN"));
    }
}
