//! A report as one page that needs nothing else: text, tables, and charts drawn as SVG.
//!
//! Colours follow the reader's choice of light or dark. Nothing is fetched, no script runs, so the page can be
//! mailed, archived and opened anywhere.

mod chart;

use std::fmt::Write as _;

use super::table;
use crate::load::report::LoadReport;
use chart::{Chart, Line, Scale};

const STYLE: &str = "
:root { color-scheme: light dark; --paper: #ffffff; --ink: #20242a; --grey: #606872; --grid: #e2e5e9;
  --first: #0072b2; --second: #d55e00; --third: #009e73; --alarm: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e6e8eb; --grey: #9aa3ad; --grid: #2b3036;
    --first: #56b4e9; --second: #e69f00; --third: #2fc79a; --alarm: #ff8a80; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; font-weight: 600; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; font-weight: 600; margin: 2rem 0 0.5rem; }
p.alarm { color: var(--alarm); font-weight: 600; }
pre { overflow-x: auto; font: 0.8rem/1.45 ui-monospace, monospace; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--grey); font: 12px system-ui, sans-serif; }
.grid { stroke: var(--grid); } .axis { stroke: var(--grey); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.c0 { stroke: var(--first); } .c1 { stroke: var(--second); } .c2 { stroke: var(--third); }
.k0 { fill: var(--first); } .k1 { fill: var(--second); } .k2 { fill: var(--third); }
";

/// The whole page.
#[must_use]
pub fn render(report: &LoadReport) -> String {
    let title = escape(&report.target);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Load on {title}</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>Load on {title}</h1>\n"
    );
    for reason in &report.generator.verdict.generator_bound {
        let _ = writeln!(page, "<p class=\"alarm\">GENERATOR-BOUND: {}</p>", escape(reason));
    }
    let _ = writeln!(page, "<pre>{}</pre>", escape(&table::render(report)));
    for (heading, chart) in charts(report) {
        let _ = writeln!(page, "<h2>{heading}</h2>\n{}", chart.render());
    }
    page.push_str("</body></html>\n");
    page
}

fn charts(report: &LoadReport) -> Vec<(&'static str, Chart)> {
    let over_time = |figure: fn(&crate::load::report::Interval) -> f64| {
        let points = report.intervals.iter().map(|interval| (interval.end_s, figure(interval)));
        points.collect::<Vec<_>>()
    };
    let line = |name, figure| Line { name, points: over_time(figure) };
    let time = |unit, scale, lines| Chart {
        x_title: "time (s)",
        x_scale: Scale::Linear,
        y_title: unit,
        y_scale: scale,
        lines,
    };
    let mut charts = vec![
        ("Latency by percentile", by_percentile(report)),
        (
            "Latency over time",
            time(
                "latency (ms)",
                Scale::Logarithmic,
                vec![
                    line("p50", |interval| interval.p50_ms),
                    line("p99", |interval| interval.p99_ms),
                    line("max", |interval| interval.max_ms),
                ],
            ),
        ),
        (
            "Throughput",
            time(
                "answers per second",
                Scale::Linear,
                vec![line("answers", |interval| interval.throughput_per_second())],
            ),
        ),
        (
            "Errors",
            time(
                "errors per interval",
                Scale::Linear,
                vec![line("errors", |interval| interval.errors as f64)],
            ),
        ),
    ];
    if report.latency.slip.is_some() {
        let slip = line("p99", |interval| interval.slip_p99_ms);
        charts.push((
            "How late requests were sent",
            time("slip (ms)", Scale::Logarithmic, vec![slip]),
        ));
    }
    charts
}

/// Latency against the number of nines: each step to the right is ten times rarer.
fn by_percentile(report: &LoadReport) -> Chart {
    let total: u64 = report.histogram.iter().map(|(_, count)| count).sum();
    let mut below = 0;
    let mut points = Vec::new();
    for (nanoseconds, count) in &report.histogram {
        let rarity = total as f64 / (total - below) as f64;
        points.push((rarity, *nanoseconds as f64 / 1e6));
        below += count;
    }
    Chart {
        x_title: "one request in so many takes longer",
        x_scale: Scale::Logarithmic,
        y_title: "latency (ms)",
        y_scale: Scale::Logarithmic,
        lines: vec![Line { name: "corrected", points }],
    }
}

/// Text that cannot be taken for markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
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
    fn a_run_without_answers_has_a_page_too() {
        let mut report = example::report();
        report.histogram.clear();
        report.intervals.clear();
        let page = render(&report);
        assert!(page.contains("nothing to show"));
        assert!(!page.contains("NaN"));
    }
}
