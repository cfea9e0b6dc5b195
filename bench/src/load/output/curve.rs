//! The search for the highest rate as a page for a browser: what each rate that was tried came to.

use std::fmt::Write as _;

use crate::load::find::{Found, Trial};
use crate::report::chart::{Chart, Marks, Scale, Series, Size};
use crate::report::page::{escape, page};
use crate::report::units::duration;

/// The page's colour for rates that kept the objectives.
const KEPT: usize = 2;

/// The page's colour for those that missed them.
const MISSED: usize = 1;

/// The page's colour for what both have in common.
const ALL: usize = 0;

/// The whole page, about `target` and the objectives `slo`.
#[must_use]
pub fn render(target: &str, slo: &str, found: &Found) -> String {
    let finding = match found.rate {
        Some(rate) => format!("{slo} was kept up to {rate:.1} requests per second."),
        None => format!("{slo} was kept at no rate that was tried."),
    };
    let mut body = format!("<p class=\"lead\">{}</p>\n", escape(&finding));
    for (heading, chart) in [
        ("Latency by rate", latencies(&found.trials)),
        ("Answers by rate", answers(&found.trials)),
        ("Errors by rate", errors(&found.trials)),
    ] {
        let _ = writeln!(body, "<h2>{heading}</h2>\n{}", chart.render());
    }
    let _ = writeln!(body, "<h2>What was tried</h2>\n{}", table(&found.trials));
    page(&format!("Highest rate of {target}"), &body)
}

fn chart(y_title: &'static str, y_scale: Scale, series: Vec<Series>) -> Chart {
    Chart {
        size: Size::Wide,
        x_title: "requests per second",
        x_scale: Scale::Linear,
        x_reach: [0.0; 2],
        y_title,
        y_scale,
        y_reach: [0.0; 2],
        series,
    }
}

fn line(name: &str, colour: usize, trials: &[Trial], figure: fn(&Trial) -> f64) -> Series {
    let points = trials.iter().map(|trial| (trial.rate, figure(trial))).collect();
    Series { name: name.to_owned(), colour, marks: Marks::Line, points }
}

/// The trials that kept the objectives, or those that did not, as dots.
fn dots(kept: bool, trials: &[Trial], figure: fn(&Trial) -> f64) -> Series {
    let (name, colour) = if kept { ("kept", KEPT) } else { ("missed", MISSED) };
    let trials = trials.iter().filter(|trial| trial.kept == kept);
    let points = trials.map(|trial| (trial.rate, figure(trial))).collect();
    Series { name: name.to_owned(), colour, marks: Marks::Dots, points }
}

fn latencies(trials: &[Trial]) -> Chart {
    let p99 = |trial: &Trial| trial.p99_ms;
    let series = vec![
        line("p99", ALL, trials, p99),
        line("p50", ALL + 3, trials, |trial| trial.p50_ms),
        dots(true, trials, p99),
        dots(false, trials, p99),
    ];
    chart("latency (ms)", Scale::Logarithmic, series)
}

fn answers(trials: &[Trial]) -> Chart {
    let throughput = |trial: &Trial| trial.throughput;
    let series = vec![
        line("answers", ALL, trials, throughput),
        dots(true, trials, throughput),
        dots(false, trials, throughput),
    ];
    chart("answers per second", Scale::Linear, series)
}

fn errors(trials: &[Trial]) -> Chart {
    let percent = |trial: &Trial| trial.error_rate * 100.0;
    let series = vec![
        line("errors", ALL, trials, percent),
        dots(true, trials, percent),
        dots(false, trials, percent),
    ];
    chart("errors (%)", Scale::Linear, series)
}

fn table(trials: &[Trial]) -> String {
    let mut text = "<div class=\"wide\"><table><thead><tr><th>rate</th><th>answers/s</th><th>p50</th><th>p99</th>\
                    <th>errors</th><th></th></tr></thead><tbody>"
        .to_owned();
    for trial in trials {
        let _ = write!(
            text,
            "<tr><td>{:.1}</td><td>{:.1}</td><td>{}</td><td>{}</td><td>{:.3} %</td><td>{}</td></tr>",
            trial.rate,
            trial.throughput,
            duration(trial.p50_ms),
            duration(trial.p99_ms),
            trial.error_rate * 100.0,
            if trial.kept { "kept" } else { "missed" }
        );
    }
    text.push_str("</tbody></table></div>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(rate: f64, kept: bool) -> Trial {
        let p99_ms = if kept { 2.0 } else { 200.0 };
        Trial { rate, throughput: rate, p50_ms: 1.0, p99_ms, error_rate: 0.0, kept }
    }

    #[test]
    fn the_curve_shows_every_trial_and_stands_alone() {
        let trials = vec![trial(100.0, true), trial(200.0, true), trial(400.0, false)];
        let found = Found { rate: Some(200.0), trials };
        let page = render("http://h/?a&b", "p99<5ms", &found);
        assert!(page.contains("p99&lt;5ms was kept up to 200.0") && page.contains("a&amp;b"));
        assert_eq!(page.matches("<svg").count(), 3);
        assert_eq!(page.matches("<circle").count(), 3 * 3);
        assert_eq!(page.matches("<td>missed</td>").count(), 1);
        assert!(!page.contains("NaN") && !page.contains("<script"));
    }

    #[test]
    fn a_search_that_found_nothing_has_a_page_too() {
        let found = Found { rate: None, trials: Vec::new() };
        assert!(render("t", "p99<5ms", &found).contains("at no rate that was tried"));
    }
}
