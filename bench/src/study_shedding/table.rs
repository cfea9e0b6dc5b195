//! The findings for a person: a table of the closed loop, one of the open loop, and the verdict.

use std::fmt::Write as _;

use super::findings::{
    AFTER_LEAVING_MAX, Finding, GOODPUT_SHARE_MIN, Judgement, REFUSAL_P99_MAX, SheddingReport,
};
use super::words;
use crate::report::table::Table;
use crate::report::units::duration;
use crate::statistics::milliseconds;

/// How requests came, if that is of the kind that a table shows.
type Pressure = fn(&Finding) -> Option<String>;

/// All of it.
#[must_use]
pub(super) fn render(report: &SheddingReport) -> String {
    let mut text = heading(report);
    let clients: Pressure = |finding| finding.clients().map(|clients| clients.to_string());
    let load: Pressure = |finding| finding.load().map(|load| format!("{load} x"));
    for (head, pressure) in [("clients", clients), ("load", load)] {
        if report.findings.iter().any(|finding| pressure(finding).is_some()) {
            let _ = write!(text, "\n{}", table(report, head, pressure).render());
        }
    }
    text.push('\n');
    text.push_str(&verdict(report));
    text
}

/// What was played, in two lines.
#[must_use]
pub(super) fn heading(report: &SheddingReport) -> String {
    let stage = if report.simulated { "virtual time" } else { "real time" };
    let [work, timeout, backoff] =
        [report.work_ms, report.timeout_ms, report.backoff_ms].map(duration);
    format!(
        "One worker, {work} of work a request, clients who wait {timeout}, {} s for each line, {stage}, seed {}.\n\
         Closed loop: who is refused pauses {backoff}. Open loop: Poisson, as multiples of what the worker can do.\n",
        report.point_s, report.seed
    )
}

fn table(report: &SheddingReport, head: &str, pressure: Pressure) -> Table {
    let mut table = Table::new([
        "server",
        head,
        "asked/s",
        "answered/s",
        "of capacity",
        "p50",
        "p99",
        "timed out",
        "refused",
        "refusal p99",
        "wasted work",
        "after leaving",
    ]);
    for finding in &report.findings {
        if let Some(pressure) = pressure(finding) {
            table.row(cells(finding, pressure));
        }
    }
    table
}

fn cells(finding: &Finding, pressure: String) -> Vec<String> {
    let percent = |ratio: f64| format!("{:.1} %", ratio * 100.0);
    let unless_none = |count: u64, value: f64| match count {
        0 => "-".to_owned(),
        _ => duration(value),
    };
    let Finding { answered, refused, .. } = finding;
    vec![
        finding.contender.clone(),
        pressure,
        format!("{:.2}", finding.offered as f64 / finding.elapsed_s.max(1e-9)),
        format!("{:.2}", finding.goodput_per_second),
        percent(finding.goodput_share),
        unless_none(answered.count, answered.median_ms),
        unless_none(answered.count, answered.p99_ms),
        percent(finding.timeout_ratio),
        percent(finding.shed_ratio),
        unless_none(refused.count, refused.p99_ms),
        percent(finding.wasted_ratio),
        duration(finding.after_leaving_max_ms),
    ]
}

/// What each policy is held against, what the columns mean, and what it comes to in words.
#[must_use]
pub(super) fn verdict(report: &SheddingReport) -> String {
    let mut text = String::new();
    for judgement in report.judgements() {
        let _ = writeln!(text, "{}", line(&judgement));
    }
    let _ = write!(
        text,
        "\nOf capacity: of what the worker would have answered at the speed that it had. Wasted work: what nobody got an\n\
         answer for. After leaving: the longest that a request was computed on after its client was seen to leave.\n\
         unheeding: refuses nobody and goes on computing for clients that have left.\n\n{}\n",
        words::wrapped(&words::summary(report))
    );
    text
}

fn line(judgement: &Judgement) -> String {
    let mut parts = Vec::new();
    if let Some((load, share)) = judgement.goodput_share {
        let aim = GOODPUT_SHARE_MIN * 100.0;
        parts.push(format!("{:.1} % of capacity at {load} x (aim {aim} %)", share * 100.0));
    }
    if let Some(p99) = judgement.refusal_p99_ms {
        let aim = duration(milliseconds(REFUSAL_P99_MAX));
        parts.push(format!("refusals within {} (p99, aim {aim})", duration(p99)));
    }
    let [longest, aim] =
        [judgement.after_leaving_max_ms, milliseconds(AFTER_LEAVING_MAX)].map(duration);
    parts.push(format!("{longest} of work after leaving (aim {aim})"));
    let verdict = if judgement.is_good() { "good" } else { "MISSED" };
    format!("{verdict}: {}: {}", judgement.contender, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::findings::example;
    use super::*;

    #[test]
    fn every_finding_has_a_row_and_every_policy_a_verdict() {
        let report = example::report();
        let text = render(&report);
        for contender in &report.contenders {
            let rows = text.lines().filter(|line| line.starts_with(contender.as_str()));
            assert!(rows.count() >= 6, "{contender}: {text}");
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("good: ")).count(), 4, "{text}");
        assert!(!text.contains("MISSED") && !text.contains("NaN"), "{text}");
    }

    #[test]
    fn a_missed_aim_is_said() {
        let judgement = Judgement {
            contender: "queue:9".into(),
            goodput_share: Some((10.0, 0.5)),
            refusal_p99_ms: None,
            after_leaving_max_ms: 0.0,
        };
        assert!(line(&judgement).starts_with("MISSED: queue:9: 50.0 % of capacity at 10 x"));
    }
}
