//! What a run of the load generator found, in the form in which it is written as JSON.
//!
//! `bench/REPORTS.md` documents each field for readers of the files; a test holds it against these types.
//! [`SCHEMA`] changes when a field changes its meaning. Fields may be added without that.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::verdict::{Evidence, Verdict};
use crate::estimate::Estimate;
use crate::outcome::ErrorCounts;
use crate::statistics::{Summary, Tally, milliseconds, rounded};

/// The name of this form of report.
pub const SCHEMA: &str = "ringyard-load/1";

/// What a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// The URL.
    pub target: String,
    /// When the run began, in seconds since 1970 UTC.
    pub started_unix_seconds: u64,
    /// What was run.
    pub setup: Setup,
    /// How long it lasted.
    pub elapsed_s: f64,
    /// Answers, whatever they said.
    pub answered: u64,
    /// Answers per second.
    pub throughput_per_second: f64,
    /// Latencies of answers.
    pub latency: Latency,
    /// The mean of the corrected latency, with how sure it is.
    pub mean_ms: Option<Estimate>,
    /// The median of the corrected latency, with how sure it is.
    pub median_ms: Option<Estimate>,
    /// Latencies by class of status: `2xx`, or `answers` for a protocol without.
    pub by_status: BTreeMap<String, Summary>,
    /// Requests that were not answered well, by kind.
    pub errors: ErrorCounts,
    /// Their part of all that were sent or due.
    pub error_rate: f64,
    /// Attempts to connect that failed, by kind.
    pub connect_errors: ErrorCounts,
    /// Work that was wasted on requests that got no answer, or were never sent.
    pub wasted: Wasted,
    /// Connections made.
    pub connections_opened: u64,
    /// Bytes of requests.
    pub bytes_sent: u64,
    /// Bytes of answers.
    pub bytes_received: u64,
    /// What the generator says of itself.
    pub generator: GeneratorReport,
    /// One entry per interval.
    pub intervals: Vec<Interval>,
    /// The corrected latencies: pairs of a value in nanoseconds and how often it was recorded.
    pub histogram: Vec<(u64, u64)>,
    /// The uncorrected ones of an open loop, likewise.
    #[serde(default)]
    pub uncorrected_histogram: Vec<(u64, u64)>,
    /// How late the requests of an open loop were sent, likewise.
    #[serde(default)]
    pub slip_histogram: Vec<(u64, u64)>,
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// `closed` or `open`.
    pub pace: String,
    /// Connections over all cores.
    pub connections: u32,
    /// Requests that may be under way on one connection.
    pub depth: u32,
    /// The intended rate at the end, of an open loop.
    pub rate_per_second: Option<f64>,
    /// Threads of the generator.
    pub cores: usize,
    /// Their engine.
    pub engine: String,
    /// What random choices follow from.
    pub seed: u64,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// From the instant at which a request was due: what a user waits. In a closed loop that is the instant
    /// of sending.
    pub corrected: Summary,
    /// From the instant of sending, in an open loop.
    pub uncorrected: Option<Summary>,
    /// From the instant at which a request was due to that of sending, in an open loop.
    pub slip: Option<Summary>,
}

/// Requests without an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wasted {
    /// Sent, and under way when the run was over.
    pub unfinished: u64,
    /// Due, and never sent.
    pub unsent: u64,
}

/// What the generator says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratorReport {
    /// The judgement.
    pub verdict: Verdict,
    /// What it rests on.
    pub evidence: Evidence,
    /// Microseconds of processor time per request sent, where the system tells.
    pub processor_us_per_request: Option<f64>,
    /// System calls per request sent.
    pub system_calls_per_request: f64,
}

/// One stretch of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// When it ended, since the start.
    pub end_s: f64,
    /// How long it was.
    pub length_s: f64,
    /// Answers.
    pub answered: u64,
    /// Requests not answered well.
    pub errors: u64,
    /// Mean of the corrected latency in milliseconds.
    pub mean_ms: f64,
    /// Its median.
    pub p50_ms: f64,
    /// 90 % are at or below.
    pub p90_ms: f64,
    /// 99 % are at or below.
    pub p99_ms: f64,
    /// 99.9 % are at or below.
    #[serde(default)]
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// The quantile that the run is to know well; the median unless another was named.
    pub watched_ms: f64,
    /// How late requests were sent: 99 % at or below this; zero in a closed loop.
    pub slip_p99_ms: f64,
    /// Bytes of answers.
    pub bytes_received: u64,
}

impl LoadReport {
    /// A quantile of the corrected latency.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let total: u64 = self.histogram.iter().map(|(_, count)| count).sum();
        let mut left = (share.clamp(0.0, 1.0) * total as f64).ceil().max(1.0);
        for (nanoseconds, count) in &self.histogram {
            left -= *count as f64;
            if left <= 0.0 {
                return Duration::from_nanos(*nanoseconds);
            }
        }
        Duration::ZERO
    }

    /// Whether the error rate is above `most`, or nothing was answered at all.
    #[must_use]
    pub fn has_failed(&self, most: f64) -> bool {
        self.answered == 0 || self.error_rate > most
    }
}

impl Interval {
    /// The figures of a stretch that ended `end` after the start, from the tallies of its corrected
    /// latencies and slips.
    #[must_use]
    pub fn of(
        (end, length): (Duration, Duration),
        corrected: &Tally,
        slip: Option<&Tally>,
        watched: f64,
    ) -> Self {
        let quantile = |share| rounded(milliseconds(corrected.quantile(share)));
        Self {
            end_s: rounded(end.as_secs_f64()),
            length_s: rounded(length.as_secs_f64()),
            mean_ms: rounded(milliseconds(corrected.mean())),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: quantile(1.0),
            watched_ms: quantile(watched),
            slip_p99_ms: slip.map_or(0.0, |slip| rounded(milliseconds(slip.quantile(0.99)))),
            ..Self::default()
        }
    }

    /// Answers per second.
    #[must_use]
    pub fn throughput_per_second(&self) -> f64 {
        if self.length_s > 0.0 { self.answered as f64 / self.length_s } else { 0.0 }
    }
}

/// The recorded values of a tally, each with its count.
#[must_use]
pub fn recorded(tally: &Tally) -> Vec<(u64, u64)> {
    let steps = tally.histogram().iter_recorded();
    steps.map(|step| (step.value_iterated_to(), step.count_since_last_iteration())).collect()
}

/// A made-up report, for tests of what is written and drawn.
#[cfg(test)]
pub(super) mod example {
    use super::*;
    use crate::estimate::Batches;
    use crate::random::Random;

    /// Ten seconds of an open loop.
    pub(crate) fn report() -> LoadReport {
        let mut random = Random::new(2);
        let mut all = Tally::new();
        let mut intervals = Vec::new();
        let mut batches = Batches::default();
        for second in 1..=10 {
            let mut tally = Tally::new();
            for _ in 0..500 {
                let stall = if second == 5 { 30.0 } else { 1.0 };
                tally.record(Duration::from_secs_f64(0.001 * stall * (0.5 + random.exponential())));
            }
            all.merge(&tally);
            batches.push(&tally);
            let span = (Duration::from_secs(second), Duration::from_secs(1));
            let mut interval = Interval::of(span, &tally, Some(&tally), 0.5);
            interval.answered = 500;
            interval.bytes_received = 50_000;
            intervals.push(interval);
        }
        let medians: Vec<f64> = intervals.iter().map(|interval| interval.p50_ms).collect();
        LoadReport {
            schema: SCHEMA.into(),
            target: "http://127.0.0.1:8000/".into(),
            started_unix_seconds: 1_700_000_000,
            setup: Setup {
                pace: "open".into(),
                connections: 8,
                depth: 1,
                rate_per_second: Some(500.0),
                cores: 1,
                engine: "ring".into(),
                seed: 1,
            },
            elapsed_s: 10.0,
            answered: 5_000,
            throughput_per_second: 500.0,
            latency: Latency {
                corrected: all.summary(),
                uncorrected: Some(all.summary()),
                slip: Some(all.summary()),
            },
            mean_ms: batches.mean_ms(),
            median_ms: Estimate::of_sections(all.summary().median_ms, &medians),
            by_status: [("2xx".to_owned(), all.summary())].into(),
            errors: ErrorCounts::default(),
            error_rate: 0.0,
            connect_errors: ErrorCounts::default(),
            wasted: Wasted::default(),
            connections_opened: 8,
            bytes_sent: 250_000,
            bytes_received: 500_000,
            generator: GeneratorReport {
                verdict: Verdict::default(),
                evidence: Evidence { idle_share: vec![0.8], ..Evidence::default() },
                processor_us_per_request: Some(4.2),
                system_calls_per_request: 0.5,
            },
            intervals,
            histogram: recorded(&all),
            uncorrected_histogram: recorded(&all),
            slip_histogram: recorded(&all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_json() {
        let report = example::report();
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<LoadReport>(&text).unwrap(), report);
    }

    #[test]
    fn quantiles_follow_from_the_histogram() {
        let report =
            LoadReport { histogram: vec![(10, 90), (20, 9), (30, 1)], ..example::report() };
        let check = |share, nanoseconds| {
            assert_eq!(report.quantile(share), Duration::from_nanos(nanoseconds), "{share}");
        };
        check(0.0, 10);
        check(0.9, 10);
        check(0.901, 20);
        check(0.99, 20);
        check(1.0, 30);
    }

    #[test]
    fn a_run_without_answers_has_failed() {
        let mut report = example::report();
        assert!(!report.has_failed(0.0));
        report.error_rate = 0.01;
        assert!(report.has_failed(0.0) && !report.has_failed(0.01));
        report.answered = 0;
        assert!(report.has_failed(1.0));
    }
}
