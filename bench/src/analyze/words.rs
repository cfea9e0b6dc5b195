//! What an analysis found, in plain words: which strategy won, for whom, and by how much.
//!
//! Every sentence is computed from the figures. Strategies are ranked by what they can change: how long requests wait
//! beyond the time that they take the backend alone. A difference that chance explains as well is called that: two
//! means are told apart only where the 95 % interval of their difference leaves out zero.

use crate::estimate::Estimate;
use crate::report::units::duration;
use crate::study::{CustomerSummary, StrategySummary, StudySummary};

/// Columns of text for a terminal.
const WIDTH: usize = 100;

/// Customers that get a clause of their own; more are grouped by who was best for them.
const CUSTOMERS_TOLD_MAX: usize = 6;

/// Answers below which nothing is called a difference: the intervals of so few promise too much.
const ANSWERS_MIN: u64 = 20;

/// Requests under each strategy below which a hundredth of them says nothing.
const TAIL_REQUESTS_MIN: u64 = 300;

/// Indices of fairness nearer than this are alike.
const FAIRNESS_STEP: f64 = 0.02;

/// Throughputs and batches within this part of one another are alike.
const SHARE_STEP: f64 = 0.03;

/// A figure of one strategy.
#[derive(Clone, Copy, Debug)]
struct Standing<'a> {
    strategy: &'a str,
    value: f64,
    /// Half its 95 % interval.
    half: f64,
}

impl Standing<'_> {
    fn is_tied_with(&self, other: &Self) -> bool {
        (self.value - other.value).abs() <= self.half.hypot(other.half)
    }
}

/// The paragraph, in one line.
#[must_use]
pub fn paragraph(summary: &StudySummary) -> String {
    let runs: Vec<&StrategySummary> =
        summary.strategies.iter().filter(|run| run.latency.count > 0).collect();
    let mut sentences = match runs.as_slice() {
        [] => vec!["No request was answered, so there is nothing to compare.".to_owned()],
        [one] => vec![format!(
            "Under {}, the only strategy with answers, a request took {} on average.",
            one.strategy,
            duration(one.latency.mean_ms)
        )],
        several => compared(several),
    };
    sentences.push(failures(summary));
    sentences.join(" ")
}

/// The paragraph in lines for a terminal, each ended.
#[must_use]
pub fn wrapped(summary: &StudySummary) -> String {
    let mut text = String::new();
    let mut column = 0;
    for word in paragraph(summary).split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            text.push('\n');
            column = 0;
        } else if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += width;
    }
    text.push('\n');
    text
}

/// What there is to say of more than one strategy.
fn compared(runs: &[&StrategySummary]) -> Vec<String> {
    let waits = ranked(runs, |run| settled(run.wait_ms, run.latency.count));
    if waits.len() < runs.len() {
        let fewest = runs.iter().map(|run| run.latency.count).min().unwrap_or(0);
        return vec![format!(
            "Under one of the strategies {fewest} requests were answered, too few to compare; longer runs tell more."
        )];
    }
    let mut sentences = vec![overall(runs, &waits)];
    sentences.extend(customers(runs));
    sentences.extend(tails(runs));
    sentences.extend(fairness(runs));
    let per_second = |value: f64| format!("{value:.1} answers/s");
    sentences.extend(extremes(runs, ["Throughput was highest", "lowest"], per_second, |run| {
        Some(run.throughput_per_second)
    }));
    let fill = |value: f64| format!("{value:.1} sequences in a batch");
    sentences
        .extend(extremes(runs, ["Batches were fullest", "emptiest"], fill, |run| run.batch_fill));
    sentences
}

/// A figure of all runs, the least first.
fn ranked<'a>(
    runs: &[&'a StrategySummary],
    figure: impl Fn(&StrategySummary) -> Option<(f64, f64)>,
) -> Vec<Standing<'a>> {
    let standing = |run: &&'a StrategySummary| {
        figure(run).map(|(value, half)| Standing { strategy: &run.strategy, value, half })
    };
    let mut standings: Vec<_> = runs.iter().filter_map(standing).collect();
    standings.sort_by(|a, b| a.value.total_cmp(&b.value));
    standings
}

/// Those that chance keeps from being told from the first.
fn tied<'a>(standings: &[Standing<'a>]) -> Vec<&'a str> {
    let Some((best, others)) = standings.split_first() else { return Vec::new() };
    others.iter().filter(|other| other.is_tied_with(best)).map(|other| other.strategy).collect()
}

/// A mean with half its interval, where there are answers enough to state one.
fn settled(mean: Option<Estimate>, answers: u64) -> Option<(f64, f64)> {
    let mean = mean.filter(|_| answers >= ANSWERS_MIN)?;
    Some((mean.value, mean.half_width()))
}

fn overall(runs: &[&StrategySummary], waits: &[Standing<'_>]) -> String {
    let (best, worst) = (waits[0], waits[waits.len() - 1]);
    let [least, most] = [best.value, worst.value].map(duration);
    let tied = tied(waits);
    if tied.len() + 1 == waits.len() {
        return format!(
            "No strategy made requests wait clearly less than another: beyond the time that they take the backend \
             alone they waited {least} ({}) to {most} ({}) on average, and chance explains as much.",
            best.strategy, worst.strategy
        );
    }
    let latency = |strategy: &str| {
        let run = runs.iter().find(|run| run.strategy == strategy);
        run.map_or(String::new(), |run| duration(run.latency.mean_ms))
    };
    let mut text = format!(
        "Requests waited least under {}: {least} on average beyond the time that they take the backend alone, against \
         {most} under {}, where they waited most (latency {} against {}).",
        best.strategy,
        worst.strategy,
        latency(best.strategy),
        latency(worst.strategy)
    );
    match tied.as_slice() {
        [] => {}
        [one] => text.push_str(&format!(" {one} was too close to the best to tell them apart.")),
        several => {
            text.push_str(&format!(
                " {} were too close to the best to tell apart.",
                listed(several)
            ));
        }
    }
    text
}

/// Who won for whom.
fn customers(runs: &[&StrategySummary]) -> Option<String> {
    let names: Vec<&str> =
        runs[0].customers.iter().map(|customer| customer.customer.as_str()).collect();
    if names.len() < 2 {
        return None;
    }
    let standings = |index: usize| {
        ranked(runs, |run| {
            let customer: &CustomerSummary = run.customers.get(index)?;
            settled(customer.wait_ms, customer.latency.count)
        })
    };
    let standings: Vec<(&str, Vec<Standing<'_>>)> =
        names.iter().enumerate().map(|(index, name)| (*name, standings(index))).collect();
    if standings.len() <= CUSTOMERS_TOLD_MAX {
        let clauses: Vec<String> = standings
            .iter()
            .map(|(name, standings)| for_one(name, standings, runs.len()))
            .collect();
        return Some(format!("{}.", capitalised(&clauses.join("; "))));
    }
    let mut winners: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for (name, standings) in &standings {
        let is_clear = standings.len() == runs.len() && tied(standings).len() + 1 < runs.len();
        let best = standings.first().filter(|_| is_clear).map(|best| best.strategy);
        match winners.iter_mut().find(|(strategy, _)| *strategy == best) {
            Some((_, customers)) => customers.push(name),
            None => winners.push((best, vec![name])),
        }
    }
    let clause = |(strategy, customers): &(Option<&str>, Vec<&str>)| match strategy {
        Some(strategy) => format!("{} waited least under {strategy}", listed(customers)),
        None => format!("for {} no difference is more than chance", listed(customers)),
    };
    let clauses: Vec<String> = winners.iter().map(clause).collect();
    Some(format!("{}.", capitalised(&clauses.join("; "))))
}

/// The same with a capital letter at the beginning.
fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}", first.to_uppercase())
}

/// Where one customer waited least, and most, of `runs` strategies.
fn for_one(name: &str, standings: &[Standing<'_>], runs: usize) -> String {
    if standings.len() < runs {
        return format!("for customer {name} there were too few answers to compare");
    }
    let (best, worst) = (standings[0], standings[standings.len() - 1]);
    let [least, most] = [best.value, worst.value].map(duration);
    let tied = tied(standings);
    if tied.len() + 1 == standings.len() {
        return format!(
            "for customer {name} no difference is more than chance ({least} to {most})"
        );
    }
    let also = if tied.is_empty() {
        String::new()
    } else {
        format!(", with {} too close to tell", listed(&tied))
    };
    format!(
        "customer {name} waited least under {} ({least}{also}) and most under {} ({most})",
        best.strategy, worst.strategy
    )
}

fn tails(runs: &[&StrategySummary]) -> Option<String> {
    if runs.iter().any(|run| run.latency.count < TAIL_REQUESTS_MIN) {
        return None;
    }
    let standings = ranked(runs, |run| Some((run.latency.p99_ms, 0.0)));
    let (best, worst) = (standings[0], standings[standings.len() - 1]);
    (best.value < worst.value).then(|| {
        format!(
            "One request in a hundred took longer than {} under {}, the shortest tail, and than {} under {}, the longest.",
            duration(best.value),
            best.strategy,
            duration(worst.value),
            worst.strategy
        )
    })
}

fn fairness(runs: &[&StrategySummary]) -> Option<String> {
    if runs[0].customers.len() < 2 {
        return None;
    }
    let standings = ranked(runs, |run| Some((run.fairness, 0.0)));
    let (least, most) = (standings[0], standings[standings.len() - 1]);
    Some(if most.value - least.value < FAIRNESS_STEP {
        format!(
            "All treated the customers equally evenly (Jain's index of their slowdowns is {:.2} to {:.2} of 1).",
            least.value, most.value
        )
    } else {
        format!(
            "Customers were treated most evenly under {} (Jain's index of their slowdowns is {:.2} of 1) and least under \
             {} ({:.2}).",
            most.strategy, most.value, least.strategy, least.value
        )
    })
}

/// The most and the least of a figure, if they differ enough to be told.
fn extremes(
    runs: &[&StrategySummary],
    [most_in_words, least_in_words]: [&str; 2],
    show: impl Fn(f64) -> String,
    figure: impl Fn(&StrategySummary) -> Option<f64>,
) -> Option<String> {
    let standings = ranked(runs, |run| figure(run).map(|value| (value, 0.0)));
    let (least, most) = (standings.first()?, standings.last()?);
    (most.value - least.value > SHARE_STEP * most.value).then(|| {
        format!(
            "{most_in_words} under {} ({}) and {least_in_words} under {} ({}).",
            most.strategy,
            show(most.value),
            least.strategy,
            show(least.value)
        )
    })
}

fn failures(summary: &StudySummary) -> String {
    let errors = |run: &StrategySummary| run.errors.total();
    let failed: u64 = summary.strategies.iter().map(errors).sum();
    if failed == 0 {
        return "Every request was answered well.".to_owned();
    }
    let answered: u64 = summary.strategies.iter().map(|run| run.latency.count).sum();
    let by_strategy: Vec<String> = summary
        .strategies
        .iter()
        .filter(|run| errors(run) > 0)
        .map(|run| format!("{} under {}", errors(run), run.strategy))
        .collect();
    format!(
        "{failed} of {} requests were not answered well: {}.",
        failed + answered,
        by_strategy.join(", ")
    )
}

/// Names as a sentence lists them.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::ErrorKind;
    use crate::report::picture::example;

    fn about(value: f64, half: f64) -> Option<Estimate> {
        Some(Estimate { value, low: value - half, high: value + half })
    }

    /// A study with these mean waits, each with half its interval, of all requests and of each customer's.
    fn study(waits: &[(&str, f64, f64)]) -> StudySummary {
        let (mut summary, _) = example::study();
        let pattern = summary.strategies[0].clone();
        let run = |(strategy, wait, half): &(&str, f64, f64)| {
            let mut run = pattern.clone();
            (run.strategy, run.latency.mean_ms) = ((*strategy).to_owned(), wait + 40.0);
            run.wait_ms = about(*wait, *half);
            run.customers.iter_mut().for_each(|customer| customer.wait_ms = run.wait_ms);
            run
        };
        summary.strategies = waits.iter().map(run).collect();
        summary
    }

    fn check(summary: &StudySummary, parts: &[&str]) {
        let text = paragraph(summary);
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    }

    #[test]
    fn the_winner_is_named_with_its_lead() {
        let summary = study(&[("fcfs", 200.0, 10.0), ("sjf", 100.0, 5.0), ("fair", 150.0, 5.0)]);
        check(
            &summary,
            &[
                "waited least under sjf: 100 ms",
                "200 ms under fcfs",
                "(latency 140 ms against 240 ms)",
            ],
        );
        assert!(!paragraph(&summary).contains("too close"));
    }

    #[test]
    fn what_chance_explains_is_not_called_a_difference() {
        let close = study(&[("fcfs", 200.0, 10.0), ("sjf", 100.0, 8.0), ("fair", 105.0, 8.0)]);
        check(&close, &["waited least under sjf", "fair was too close to the best"]);
        let alike = study(&[("fcfs", 104.0, 10.0), ("sjf", 100.0, 8.0), ("fair", 105.0, 8.0)]);
        check(&alike, &["No strategy made requests wait clearly less", "chance explains as much"]);
    }

    #[test]
    fn a_handful_of_answers_proves_nothing() {
        let mut summary = study(&[("fcfs", 200.0, 1.0), ("sjf", 100.0, 1.0)]);
        summary.strategies[1].customers[1].latency.count = ANSWERS_MIN - 1;
        check(&summary, &["for customer B there were too few answers"]);
        summary.strategies[1].latency.count = ANSWERS_MIN - 1;
        check(&summary, &["19 requests were answered, too few to compare"]);
        assert!(!paragraph(&summary).contains("evenly"));
    }

    #[test]
    fn each_customer_has_its_own_winner() {
        let mut summary = study(&[("fcfs", 200.0, 1.0), ("sjf", 100.0, 1.0)]);
        for (run, waits) in summary.strategies.iter_mut().zip([[50.0, 300.0], [20.0, 400.0]]) {
            for (customer, wait) in run.customers.iter_mut().zip(waits) {
                customer.wait_ms = about(wait, 1.0);
            }
        }
        (summary.strategies[0].fairness, summary.strategies[1].fairness) = (0.9, 0.5);
        check(
            &summary,
            &[
                "Customer A waited least under sjf (20.0 ms) and most under fcfs (50.0 ms)",
                "customer B waited least under fcfs (300 ms) and most under sjf (400 ms)",
                "most evenly under fcfs",
                "least under sjf (0.50)",
            ],
        );
    }

    #[test]
    fn many_customers_are_grouped_by_who_was_best_for_them() {
        let mut summary = study(&[("fcfs", 200.0, 1.0), ("sjf", 100.0, 1.0)]);
        for (index, run) in summary.strategies.iter_mut().enumerate() {
            let pattern = run.customers[0].clone();
            run.customers = (0..8)
                .map(|number| {
                    let mut customer = pattern.clone();
                    customer.customer = format!("C{number}");
                    if number == 7 {
                        customer.wait_ms = about(100.0, 1.0);
                    } else if number % 2 == 0 {
                        customer.wait_ms = about([10.0, 20.0][index], 1.0);
                    }
                    customer
                })
                .collect();
        }
        check(
            &summary,
            &[
                "C0, C2, C4 and C6 waited least under fcfs",
                "C1, C3 and C5 waited least under sjf",
                "for C7 no difference",
            ],
        );
    }

    #[test]
    fn failures_are_counted_by_strategy() {
        let mut summary = study(&[("fcfs", 200.0, 1.0), ("sjf", 100.0, 1.0)]);
        check(&summary, &["Every request was answered well."]);
        summary.strategies[1].errors.add(ErrorKind::Timeout, 7);
        check(&summary, &["requests were not answered well: 7 under sjf."]);
    }

    #[test]
    fn a_study_with_little_in_it_is_told_of_too() {
        check(&study(&[("fcfs", 200.0, 1.0)]), &["Under fcfs, the only strategy"]);
        check(&study(&[]), &["No request was answered"]);
    }

    #[test]
    fn lines_fit_a_terminal() {
        let summary = study(&[("fcfs", 200.0, 10.0), ("sjf", 100.0, 5.0), ("fair", 150.0, 5.0)]);
        let text = wrapped(&summary);
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(text.split_whitespace().collect::<Vec<_>>().join(" "), paragraph(&summary));
    }
}
