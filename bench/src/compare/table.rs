//! Findings as text for a person.

use std::fmt::Write as _;

use super::aim::Verdict;
use super::finding::{AimFinding, CaseFinding, Comparison, EntrantFinding, Spread};
use crate::report::stamp;
use crate::report::table::Table;

/// Where and when, in two lines.
#[must_use]
pub fn heading(comparison: &Comparison) -> String {
    format!(
        "{}\n{}: servers on CPU {}, generator on CPU {}\n",
        comparison.machine.describe(),
        stamp(comparison.started_unix_seconds),
        comparison.server_cpu,
        comparison.generator_cpu
    )
}

/// One case: a table, what was aimed at, and what else is to be known.
#[must_use]
pub fn case(case: &CaseFinding) -> String {
    let mut text = format!(
        "{} ({}): {} rounds of {:.2} s windows, {} of {} dropped for stolen time\n",
        case.title, case.name, case.rounds, case.window_s, case.windows_dropped, case.windows_taken
    );
    let ratio = format!("ratio to {}", case.reference);
    let mut table = Table::new([
        "server",
        "CPU us/req",
        &ratio,
        "95 % within",
        "calls/req",
        "req/s",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "MiB",
        "windows",
    ]);
    for entrant in &case.entrants {
        table.row(row(entrant));
    }
    text.push_str(&table.render());
    for aim in &case.aims {
        text.push_str(&line(aim));
    }
    for remark in &case.remarks {
        let _ = writeln!(text, "{remark}");
    }
    text
}

/// How many aims were met, missed, and left open.
#[must_use]
pub fn summary(comparison: &Comparison) -> String {
    let verdicts: Vec<Verdict> =
        comparison.cases.iter().flat_map(|case| &case.aims).map(|aim| aim.verdict).collect();
    let count = |verdict| verdicts.iter().filter(|found| **found == verdict).count();
    format!(
        "{} aims met, {} missed, {} unsure\n",
        count(Verdict::Met),
        count(Verdict::Missed),
        count(Verdict::Unsure)
    )
}

fn row(entrant: &EntrantFinding) -> Vec<String> {
    let micro = |milliseconds: f64| format!("{:.0}", milliseconds * 1e3);
    let (ratio, within) = match &entrant.cpu_ratio {
        Some(Spread { median, low, high }) => {
            (format!("{median:.3}"), format!("{low:.3}..{high:.3}"))
        }
        None => ("-".to_owned(), String::new()),
    };
    vec![
        entrant.name.clone(),
        format!("{:.2}", entrant.cpu_ns_per_request / 1e3),
        ratio,
        within,
        entrant.system_calls_per_request.map_or("-".to_owned(), |calls| format!("{calls:.3}")),
        format!("{:.0}", entrant.requests_per_second),
        micro(entrant.p50_ms),
        micro(entrant.p99_ms),
        micro(entrant.p999_ms),
        format!("{:.1}", entrant.resident_mib),
        entrant.windows.to_string(),
    ]
}

fn line(aim: &AimFinding) -> String {
    let found = match &aim.found {
        Some(Spread { median, low, high }) if low < high => {
            format!("{} [{}..{}]", figure(*median), figure(*low), figure(*high))
        }
        Some(Spread { median, .. }) => figure(*median),
        None => "too few quiet windows".to_owned(),
    };
    format!("{:>7}  {} at most {}: {found}\n", aim.verdict, aim.measure, figure(aim.most))
}

/// Three decimals for what is small, none for what is large.
fn figure(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.3}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::super::finding::example;
    use super::*;

    #[test]
    fn a_case_shows_everybody_every_aim_and_every_remark() {
        let comparison = example::comparison();
        let text = case(&comparison.cases[0]);
        for word in [
            "64 connections (64): 8 rounds of 0.50 s windows, 0 of 32 dropped",
            "ratio to baseline",
            "  met  CPU of ring / baseline at most 0.700: 0.5",
            "MISSED  CPU of ring / baseline at most 0.400: 0.5",
            "  met  system calls of ring at most 0.080: 0.065\n",
            "haproxy is not installed",
        ] {
            assert!(text.contains(word), "{word:?} is not in\n{text}");
        }
        assert!(!text.contains("glommio"), "{text}");
        let rows: Vec<&str> = text.lines().skip(1).take(2 + 4).collect();
        assert!(rows[0].starts_with("server") && rows[2].starts_with("ring"), "{text}");
        assert_eq!(summary(&comparison), "2 aims met, 1 missed, 0 unsure\n");
        assert!(heading(&comparison).contains("servers on CPU 0, generator on CPU 1"));
    }
}
