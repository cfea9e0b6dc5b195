//! What the figures come to, in sentences.
//!
//! Every number is one of the report's, and a sentence is left out where the report has nothing on it.

use std::fmt::Write as _;

use super::findings::{Finding, SheddingReport};
use crate::report::units::duration;

/// Columns of a terminal that a paragraph may take.
const WIDTH: usize = 110;

/// From which part of capacity on a server counts as collapsed.
const COLLAPSED: f64 = 0.5;

/// A paragraph.
#[must_use]
pub(super) fn summary(report: &SheddingReport) -> String {
    let sentences = [collapse(report), overload(report), cure(report), choice(report)];
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The findings of one kind of server that have a number of clients, by that number.
fn closed<'a>(report: &'a SheddingReport, contender: &'a str) -> Vec<(u32, &'a Finding)> {
    report.of(contender).filter_map(|finding| Some((finding.clients()?, finding))).collect()
}

/// Where a few more clients bring the server down that refuses nobody.
fn collapse(report: &SheddingReport) -> Option<String> {
    let contender = report.contenders.iter().find(|name| {
        report.of(name).any(|finding| !finding.sheds)
            && closed(report, name).iter().any(|(_, finding)| is_collapsed(finding))
    })?;
    let points = closed(report, contender);
    let first_bad = points.iter().position(|(_, finding)| is_collapsed(finding))?;
    let (clients, bad) = points[first_bad];
    let Some((before, good)) = first_bad.checked_sub(1).map(|index| points[index]) else {
        return Some(format!(
            "A server that refuses nobody ({contender}) answers {:.2} requests/s with {clients} clients.",
            bad.goodput_per_second
        ));
    };
    Some(format!(
        "A server that refuses nobody ({contender}) answers {:.2} requests/s with {before} clients and {:.2} with \
         {clients}: each waits behind the others until it gives up, and {:.0} % of the work is done for nobody.",
        good.goodput_per_second,
        bad.goodput_per_second,
        bad.wasted_ratio * 100.0
    ))
}

fn is_collapsed(finding: &Finding) -> bool {
    finding.goodput_share < COLLAPSED
}

/// What becomes of those who refuse nobody at the highest load.
fn overload(report: &SheddingReport) -> Option<String> {
    let worst = |name: &String| {
        let finding = report.at_worst(name)?;
        (!finding.sheds).then(|| (finding.load(), name.clone(), finding.goodput_share))
    };
    let found: Vec<_> = report.contenders.iter().filter_map(worst).collect();
    let load = found.first()?.0?;
    let parts: Vec<String> =
        found.iter().map(|(_, name, share)| format!("{:.1} % ({name})", share * 100.0)).collect();
    Some(format!(
        "Asked for {load} times what it can do, it turns {} of its capacity into answers.",
        parts.join(" or ")
    ))
}

/// What shedding makes of the same load.
fn cure(report: &SheddingReport) -> Option<String> {
    let worst: Vec<&Finding> = report
        .contenders
        .iter()
        .filter_map(|name| report.at_worst(name))
        .filter(|finding| finding.sheds)
        .collect();
    let least = worst.iter().map(|finding| finding.goodput_share).reduce(f64::min)?;
    let refusal = worst.iter().map(|finding| finding.refused.p99_ms).reduce(f64::max)?;
    let wasted = worst.iter().map(|finding| finding.wasted_ratio).reduce(f64::max)?;
    Some(format!(
        "With shedding the same server turns at least {:.1} % of it into answers whatever the policy, wastes at most \
         {:.1} % of its work, and whoever is refused knows it within {} (p99).",
        least * 100.0,
        wasted * 100.0,
        duration(refusal)
    ))
}

/// Which policy answers soonest, and which refuses how much of what could almost be done.
fn choice(report: &SheddingReport) -> Option<String> {
    let shedding = |finding: &&Finding| finding.sheds && finding.answered.count > 0;
    let worst = report.contenders.iter().filter_map(|name| report.at_worst(name)).filter(shedding);
    let soonest =
        worst.min_by(|one, other| one.answered.p99_ms.total_cmp(&other.answered.p99_ms))?;
    let mut text = format!(
        "Under overload {} answers soonest (p99 {}).",
        soonest.contender,
        duration(soonest.answered.p99_ms)
    );
    let bearable = report.findings.iter().filter(shedding).filter_map(Finding::load);
    let bearable = bearable.filter(|load| *load <= 1.0).reduce(f64::max);
    let there = report.findings.iter().filter(shedding);
    let there = there.filter(|finding| bearable.is_some() && finding.load() == bearable);
    let by_refusals =
        |one: &&Finding, other: &&Finding| one.shed_ratio.total_cmp(&other.shed_ratio);
    let (most, least) = (there.clone().max_by(by_refusals), there.min_by(by_refusals));
    if let (Some(load), Some(most), Some(least)) = (bearable, most, least)
        && most.shed_ratio > least.shed_ratio
    {
        let _ = write!(
            text,
            " Asked for {load} times what it can do, {} refuses most, {:.1} %, and {} least, {:.1} %.",
            most.contender,
            most.shed_ratio * 100.0,
            least.contender,
            least.shed_ratio * 100.0
        );
    }
    Some(text)
}

/// `text` in lines that fit a terminal.
#[must_use]
pub(super) fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::findings::example;
    use super::*;

    #[test]
    fn the_paragraph_names_what_was_found() {
        let report = example::report();
        let text = summary(&report);
        for part in
            ["(unheeding) answers", "times what it can do", "With shedding", "answers soonest"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("NaN"), "{text}");
    }

    #[test]
    fn what_was_not_played_is_not_spoken_of() {
        let mut report = example::report();
        report.findings.retain(|finding| finding.clients() == Some(1));
        assert_eq!(summary(&report), "");
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let text = wrapped(&"word ".repeat(60));
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= WIDTH));
    }
}
