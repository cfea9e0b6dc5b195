//! A report as text for a person: figures first, then how far they are to be trusted.

use std::fmt::Write as _;

use crate::estimate::Estimate;
use crate::load::report::LoadReport;
use crate::report::table::Table;
use crate::report::units::{bytes, duration};
use crate::statistics::Summary;

/// The whole report.
#[must_use]
pub fn render(report: &LoadReport) -> String {
    let mut text = headline(report);
    text.push('\n');
    text.push_str(&latencies(report));
    text.push_str(&sureness(report));
    text.push_str(&failures(report));
    text.push_str(&generator(report));
    text
}

fn headline(report: &LoadReport) -> String {
    let setup = &report.setup;
    let pace = match setup.rate_per_second {
        Some(rate) => format!("open loop at {rate} requests/s"),
        None => format!("{} loop", setup.pace),
    };
    let depth = match setup.depth {
        1 => String::new(),
        depth => format!(", {depth} deep"),
    };
    format!(
        "{}: {pace}, {} connections{depth}, {} on {} core{}\n\
         {} answers in {:.2} s: {:.1} requests/s, {} sent, {} received\n",
        report.target,
        setup.connections,
        setup.engine,
        setup.cores,
        if setup.cores == 1 { "" } else { "s" },
        report.answered,
        report.elapsed_s,
        report.throughput_per_second,
        bytes(report.bytes_sent),
        bytes(report.bytes_received),
    )
}

fn latencies(report: &LoadReport) -> String {
    let mut table = Table::new([
        "latency", "requests", "mean", "sd", "min", "p50", "p90", "p99", "p99.9", "max",
    ]);
    let mut row = |name: &str, summary: &Summary| {
        let mut cells = vec![name.to_owned(), summary.count.to_string()];
        cells.extend(
            [
                summary.mean_ms,
                summary.sd_ms,
                summary.min_ms,
                summary.median_ms,
                summary.p90_ms,
                summary.p99_ms,
                summary.p999_ms,
                summary.max_ms,
            ]
            .map(duration),
        );
        table.row(cells);
    };
    let latency = &report.latency;
    match (&latency.uncorrected, &latency.slip) {
        (Some(uncorrected), Some(slip)) => {
            row("corrected", &latency.corrected);
            row("uncorrected", uncorrected);
            row("slip", slip);
        }
        _ => row("all", &latency.corrected),
    }
    if report.by_status.len() > 1 || report.by_status.keys().any(|class| class != "2xx") {
        for (class, summary) in &report.by_status {
            row(class, summary);
        }
    }
    let mut text = table.render();
    if latency.uncorrected.is_some() {
        text.push_str(
            "corrected counts from the instant at which a request was due, as its user would; uncorrected from the\n\
             instant of sending, which hides that a stalled server was not asked; slip is the time between the two.\n",
        );
    }
    text
}

fn sureness(report: &LoadReport) -> String {
    let mut text = String::new();
    let mut tell = |name: &str, estimate: &Option<Estimate>| {
        if let Some(Estimate { value, low, high }) = estimate {
            let [value, low, high] = [*value, *low, *high].map(duration);
            let _ = writeln!(text, "{name} {value}, 95 % sure to be within {low} and {high}");
        }
    };
    tell("mean", &report.mean_ms);
    tell("median", &report.median_ms);
    text
}

fn failures(report: &LoadReport) -> String {
    let mut text = String::new();
    if report.errors.total() > 0 {
        let share = report.error_rate * 100.0;
        let _ = writeln!(text, "errors: {} ({share:.3} %)", report.errors.describe());
    }
    if report.connect_errors.total() > 0 {
        let _ = writeln!(text, "attempts to connect: {}", report.connect_errors.describe());
    }
    for (kind, remedy) in report.connect_errors.remedies() {
        let _ = writeln!(text, "{}: {remedy}", kind.describe());
    }
    let wasted = &report.wasted;
    if wasted.unsent + wasted.unfinished > 0 {
        let _ = writeln!(
            text,
            "wasted: {} under way at the end, {} due and never sent",
            wasted.unfinished, wasted.unsent
        );
    }
    text
}

fn generator(report: &LoadReport) -> String {
    let generator = &report.generator;
    let idle: Vec<String> = generator
        .evidence
        .idle_share
        .iter()
        .map(|share| format!("{:.0} %", share * 100.0))
        .collect();
    let mut text = String::from("generator:");
    if let Some(microseconds) = generator.processor_us_per_request {
        let _ = write!(text, " {microseconds:.2} µs of processor time and");
    }
    let _ = write!(text, " {:.3} system calls per request", generator.system_calls_per_request);
    if !idle.is_empty() {
        let _ = write!(text, ", idle {}", idle.join(" and "));
    }
    text.push('\n');
    for remark in &generator.verdict.remarks {
        let _ = writeln!(text, "note: {remark}");
    }
    for reason in &generator.verdict.generator_bound {
        let _ = writeln!(text, "GENERATOR-BOUND: {reason}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::example;
    use crate::outcome::ErrorKind;

    #[test]
    fn an_open_loop_shows_all_three_accounts_and_says_what_they_are() {
        let text = render(&example::report());
        for part in ["corrected", "uncorrected", "slip", "the instant at which a request was due"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("GENERATOR-BOUND") && !text.contains("errors:"), "{text}");
    }

    #[test]
    fn doubts_and_errors_are_told() {
        let mut report = example::report();
        report.latency.uncorrected = None;
        report.latency.slip = None;
        report.errors.add(ErrorKind::Timeout, 3);
        report.connect_errors.add(ErrorKind::OutOfDescriptors, 5);
        report.wasted.unsent = 9;
        report.generator.verdict.generator_bound.push("no core to spare".into());
        let text = render(&report);
        for part in [
            "3 × timed out",
            "attempts to connect: 5 × out of descriptors",
            "\nout of descriptors: each connection takes a descriptor: raise the limit",
            "9 due and never sent",
            "GENERATOR-BOUND: no core to spare",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("uncorrected"), "{text}");
    }
}
