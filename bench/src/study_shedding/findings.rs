//! What the study found, in the form in which it is written as JSON, and whether that is good enough.

use std::time::Duration;

use ringyard_servers::compute::Effort;
use serde::{Deserialize, Serialize};

use super::experiment::{Contender, Options, Pressure, Stage, Trial};
use crate::outcome::ErrorKind;
use crate::statistics::{Summary, as_real, milliseconds, rounded};
use crate::wall_clock;

/// The name of this form of report.
pub const SCHEMA: &str = "ringyard-shedding/1";

/// The class of status of answers with a result.
const ANSWERED: usize = 2;

/// That of refusals.
const REFUSED: usize = 5;

/// The part of what the server could do that is to become answers in time, at the highest load above capacity.
pub const GOODPUT_SHARE_MIN: f64 = 0.95;

/// By when 99 % of refusals are to be there.
pub const REFUSAL_P99_MAX: Duration = Duration::from_millis(5);

/// Refusals of one point from which on their p99 says more than what befell the slowest.
const REFUSALS_MIN: u64 = 100;

/// For how long a request may be computed whose client is known to have left.
pub const AFTER_LEAVING_MAX: Duration = Duration::from_millis(10);

/// One server under one pressure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The server, by its policy.
    pub contender: String,
    /// Whether it refuses anybody.
    pub sheds: bool,
    /// How requests came.
    pub pressure: Pressure,
    /// From the first request to the last answer, in seconds.
    pub elapsed_s: f64,
    /// Requests that were sent or due.
    pub offered: u64,
    /// Answers with a result. All came in time: who waits too long has left. In an open loop latency counts from the
    /// instant at which a request was due.
    pub answered: Summary,
    /// Refusals.
    pub refused: Summary,
    /// Requests whose client gave up waiting.
    pub timed_out: u64,
    /// Requests that failed otherwise, or were under way when the run was over.
    pub failed: u64,
    /// Answers with a result, per second.
    pub goodput_per_second: f64,
    /// What the worker would have done per second without a pause or a waste, at the speed that it had.
    pub capacity_per_second: f64,
    /// The first over the second.
    pub goodput_share: f64,
    /// The part of what was offered whose client gave up waiting.
    pub timeout_ratio: f64,
    /// The part of what was offered that was refused.
    pub shed_ratio: f64,
    /// The part of the work done that nobody got an answer for.
    pub wasted_ratio: f64,
    /// How long the worker had requests of clients known to have left, in milliseconds in all.
    pub after_leaving_ms: f64,
    /// The longest that it had one of them.
    pub after_leaving_max_ms: f64,
}

impl Finding {
    /// From what one point came to.
    pub(super) fn of(
        contender: Contender,
        pressure: Pressure,
        effort: &Effort,
        trial: &Trial,
    ) -> Self {
        let (offered, totals) = (trial.offered(), trial.totals);
        let [answered, refused] = [ANSWERED, REFUSED].map(|class| trial.class(class));
        let timed_out = trial.figures.errors.of(ErrorKind::Timeout);
        let ratio = |part: f64, whole: f64| if whole > 0.0 { rounded(part / whole) } else { 0.0 };
        let of_offered = |part: u64| ratio(as_real(part), as_real(offered));
        let links = as_real(totals.links_answered + totals.links_wasted);
        let requests_computed = links / as_real(effort.links);
        let elapsed_s = trial.elapsed.as_secs_f64();
        let goodput_per_second = ratio(as_real(answered.count), elapsed_s);
        let capacity_per_second = if totals.computing.is_zero() {
            effort.work.as_secs_f64().recip()
        } else {
            ratio(requests_computed, totals.computing.as_secs_f64())
        };
        Self {
            contender: contender.to_string(),
            sheds: contender.sheds(),
            pressure,
            elapsed_s: rounded(elapsed_s),
            offered,
            timed_out,
            failed: offered.saturating_sub(answered.count + refused.count + timed_out),
            goodput_per_second,
            capacity_per_second,
            goodput_share: ratio(goodput_per_second, capacity_per_second),
            timeout_ratio: of_offered(timed_out),
            shed_ratio: of_offered(refused.count),
            wasted_ratio: ratio(as_real(totals.links_wasted), links),
            after_leaving_ms: rounded(milliseconds(totals.after_leaving)),
            after_leaving_max_ms: rounded(milliseconds(totals.after_leaving_max)),
            answered,
            refused,
        }
    }

    /// The load of an open loop.
    #[must_use]
    pub fn load(&self) -> Option<f64> {
        match self.pressure {
            Pressure::Load(load) => Some(load),
            Pressure::Clients(_) => None,
        }
    }

    /// The clients of a closed loop.
    #[must_use]
    pub fn clients(&self) -> Option<u32> {
        match self.pressure {
            Pressure::Clients(clients) => Some(clients),
            Pressure::Load(_) => None,
        }
    }
}

/// What the whole study found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SheddingReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was written, in seconds since 1970 UTC.
    pub written_unix_seconds: u64,
    /// Whether it was played in virtual time.
    pub simulated: bool,
    /// What a request costs a processor.
    pub work_ms: f64,
    /// How many digests that is.
    pub links: u64,
    /// How long a client waits.
    pub timeout_ms: f64,
    /// How long a refused client of a closed loop pauses.
    pub backoff_ms: f64,
    /// How long each point was played.
    pub point_s: f64,
    /// What random arrivals follow from.
    pub seed: u64,
    /// The servers, in the order of the tables.
    pub contenders: Vec<String>,
    /// One for each server and pressure.
    pub findings: Vec<Finding>,
}

/// What one server that sheds is held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The server.
    pub contender: String,
    /// The highest load above capacity, and the part of capacity that became answers there.
    pub goodput_share: Option<(f64, f64)>,
    /// The slowest p99 of refusals over all points that have a hundred of them, or over all points where none has so many,
    /// in milliseconds; `None` if nobody was refused.
    pub refusal_p99_ms: Option<f64>,
    /// The longest work after a departure over all points, in milliseconds.
    pub after_leaving_max_ms: f64,
}

impl Judgement {
    /// Whether all that is known of it is good enough.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.goodput_share.is_none_or(|(_, share)| share >= GOODPUT_SHARE_MIN)
            && self.refusal_p99_ms.is_none_or(|p99| p99 < milliseconds(REFUSAL_P99_MAX))
            && self.after_leaving_max_ms <= milliseconds(AFTER_LEAVING_MAX)
    }
}

impl SheddingReport {
    /// A report of these findings.
    pub(super) fn new(options: &Options, effort: &Effort, findings: Vec<Finding>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            written_unix_seconds: wall_clock::unix_seconds(),
            simulated: options.stage == Stage::Simulated,
            work_ms: rounded(milliseconds(options.work)),
            links: effort.links,
            timeout_ms: rounded(milliseconds(options.timeout)),
            backoff_ms: rounded(milliseconds(options.backoff)),
            point_s: rounded(options.duration.as_secs_f64()),
            seed: options.seed,
            contenders: options.contenders.iter().map(ToString::to_string).collect(),
            findings,
        }
    }

    /// The findings of one server.
    pub fn of<'a, 'b>(
        &'a self,
        contender: &'b str,
    ) -> impl Iterator<Item = &'a Finding> + use<'a, 'b> {
        self.findings.iter().filter(move |finding| finding.contender == contender)
    }

    /// The finding of one server at the highest load above capacity.
    #[must_use]
    pub fn at_worst(&self, contender: &str) -> Option<&Finding> {
        let loaded = self.of(contender).filter_map(|finding| Some((finding.load()?, finding)));
        let over = loaded.filter(|(load, _)| *load > 1.0);
        over.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, finding)| finding)
    }

    /// What each server that sheds is held against.
    #[must_use]
    pub fn judgements(&self) -> Vec<Judgement> {
        let sheds = |contender: &&String| self.of(contender).any(|finding| finding.sheds);
        self.contenders.iter().filter(sheds).map(|contender| self.judge(contender)).collect()
    }

    fn judge(&self, contender: &str) -> Judgement {
        let p99 = |least: u64| {
            let refused = self.of(contender).map(|finding| &finding.refused);
            let refused = refused.filter(|refused| refused.count >= least);
            refused.map(|refused| refused.p99_ms).reduce(f64::max)
        };
        let worst = self.at_worst(contender);
        Judgement {
            contender: contender.to_owned(),
            goodput_share: worst.and_then(|finding| Some((finding.load()?, finding.goodput_share))),
            refusal_p99_ms: p99(REFUSALS_MIN).or_else(|| p99(1)),
            after_leaving_max_ms: self
                .of(contender)
                .map(|finding| finding.after_leaving_max_ms)
                .fold(0.0, f64::max),
        }
    }
}

/// A small report of the simulated stage, for tests of what is written and drawn.
#[cfg(test)]
pub(super) mod example {
    use std::sync::OnceLock;

    use super::super::experiment::run;
    use super::*;
    use crate::progress::ProgressDisplay;

    pub(crate) fn options() -> Options {
        let contenders = ["unheeding", "none", "queue:2", "time:300ms", "codel-lifo", "adaptive"];
        Options {
            contenders: contenders.map(|name| name.parse().unwrap()).into(),
            clients: vec![1, 3, 5],
            loads: vec![0.5, 2.0, 10.0],
            work: Duration::from_millis(100),
            timeout: Duration::from_millis(400),
            backoff: Duration::from_millis(20),
            duration: Duration::from_secs(20),
            seed: 1,
            stage: Stage::Simulated,
            progress: ProgressDisplay::Quiet,
        }
    }

    /// Played once for all tests.
    pub(crate) fn report() -> SheddingReport {
        static REPORT: OnceLock<SheddingReport> = OnceLock::new();
        REPORT.get_or_init(|| run(&options()).unwrap()).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::experiment::run;
    use super::*;

    #[test]
    fn every_policy_reaches_its_aims_at_every_pressure() {
        let report = example::report();
        let judgements = report.judgements();
        assert_eq!(judgements.len(), 4);
        for judgement in judgements {
            assert!(judgement.is_good(), "{judgement:?}");
            assert!(judgement.goodput_share.is_some_and(|(load, _)| load == 10.0));
        }
    }

    #[test]
    fn without_shedding_more_than_a_few_clients_get_next_to_nothing() {
        let report = example::report();
        for contender in ["unheeding", "none"] {
            let worst = report.at_worst(contender).unwrap();
            assert!(worst.goodput_share < 0.25, "{contender}: {worst:?}");
            assert!(worst.wasted_ratio > 0.7, "{contender}: {worst:?}");
        }
        let goodput = |contender: &str| -> Vec<f64> {
            let closed = report.of(contender).filter(|finding| finding.clients().is_some());
            closed.map(|finding| finding.goodput_share).collect()
        };
        let [one, three, five] = goodput("unheeding")[..] else { panic!("three points") };
        assert!(one > 0.95 && three > 0.95 && five < 0.3, "{one} {three} {five}");
        assert!(goodput("queue:2").iter().all(|share| *share > 0.95));
        let none = report.of("none").map(|finding| finding.after_leaving_max_ms);
        assert!(none.fold(0.0, f64::max) <= 10.0, "who has left is noticed without a policy too");
    }

    #[test]
    fn one_slow_refusal_of_a_few_is_no_p99() {
        let mut report = example::report();
        let slow = |report: &mut SheddingReport, count| {
            let mut of =
                report.findings.iter_mut().filter(|finding| finding.contender == "queue:2");
            let refused = &mut of.find(|finding| finding.load() == Some(2.0)).unwrap().refused;
            (refused.count, refused.p99_ms) = (count, 70.0);
        };
        slow(&mut report, REFUSALS_MIN - 1);
        assert!(report.judge("queue:2").is_good());
        slow(&mut report, REFUSALS_MIN);
        assert!(!report.judge("queue:2").is_good());
    }

    #[test]
    fn a_report_repeats_from_its_seed_and_survives_json() {
        let options = Options { clients: vec![2], loads: vec![3.0], ..example::options() };
        let report = run(&options).unwrap();
        let again = run(&options).unwrap();
        assert_eq!(report.findings, again.findings);
        assert_ne!(run(&Options { seed: 2, ..options }).unwrap().findings, report.findings);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<SheddingReport>(&text).unwrap(), report);
    }
}
