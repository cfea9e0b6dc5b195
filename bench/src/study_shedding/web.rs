//! The report as one page for a browser.

use std::fmt::Write as _;

use super::charts::charts;
use super::findings::SheddingReport;
use super::{table, words};
use crate::report::page::{escape, page};

/// The whole page.
#[must_use]
pub(super) fn render(report: &SheddingReport) -> String {
    let mut body = String::new();
    let _ = writeln!(body, "<p class=\"lead\">{}</p>", escape(&words::summary(report)));
    for (heading, chart) in charts(report) {
        if chart.series.iter().any(|series| !series.points.is_empty()) {
            let _ = writeln!(body, "<h2>{heading}</h2>\n{}", chart.render());
        }
    }
    let _ = writeln!(body, "<h2>All figures</h2>\n<pre>{}</pre>", escape(&table::render(report)));
    page("What refusing requests is worth", &body)
}

#[cfg(test)]
mod tests {
    use super::super::findings::example;
    use super::*;

    #[test]
    fn the_page_stands_alone() {
        let page = render(&example::report());
        assert_eq!(page.matches("<svg").count(), 10);
        for foreign in ["<script", "src=", "href=", "@import", "url(", "NaN"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn charts_of_what_was_not_played_are_left_out() {
        let mut report = example::report();
        report.findings.retain(|finding| finding.load().is_none());
        assert_eq!(render(&report).matches("<svg").count(), 5);
    }
}
