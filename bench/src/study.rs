//! What a comparison of strategies found: the raw record of each run, and the findings drawn from it.
//!
//! A [`RunRecord`] is filled while a workload is played under one strategy; [`StudySummary`] is what
//! is left of a whole study once it is over, ready to be printed or written as JSON. How requests are sent
//! is not this module's business, nor is how the findings look.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::estimate::{Batches, Estimate};
use crate::limits::{POINTS_PER_CUSTOMER_MAX, SLOWDOWN_SERVICE_MIN};
use crate::outcome::{ErrorCounts, ErrorKind};
use crate::statistics::{Moments, Summary, Tally, as_real, jain_index, milliseconds, rounded};

/// The name of this form of findings; it changes when a field changes its meaning. Fields may be added without that.
pub const SCHEMA: &str = "ringyard-analysis/1";

/// One answered request, for the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When its answer came, since the run began.
    pub at: Duration,
    /// How long it took.
    pub latency: Duration,
}

/// What was seen of one customer in one run.
#[derive(Clone, Debug, Default)]
pub struct CustomerRecord {
    /// Latencies of the requests answered well.
    pub latencies: Tally,
    /// The same by stretches of the run: each record that was merged into this one is one.
    pub stretches: Batches,
    /// Latency over the time that the request would have taken alone.
    pub slowdowns: Moments,
    /// Latency beyond that time, in seconds: all that a strategy can change.
    pub waits: Moments,
    /// The same by stretches of the run.
    pub waits_by_stretch: Batches,
    /// Requests that were not answered well.
    pub errors: ErrorCounts,
    /// Sequences in the batches that requests were served in, as far as the proxy told.
    pub batches: Moments,
    points: Vec<Point>,
}

impl CustomerRecord {
    /// Notes a good answer that came `at` after the start of the run. `service` is what the request
    /// costs the backend when it is alone.
    pub fn answered(&mut self, at: Duration, latency: Duration, service: Duration) {
        self.latencies.record(latency);
        self.waits.record(latency.as_secs_f64() - service.as_secs_f64());
        let service = service.max(SLOWDOWN_SERVICE_MIN);
        self.slowdowns.record((latency.as_secs_f64() / service.as_secs_f64()).max(1.0));
        if self.points.len() < POINTS_PER_CUSTOMER_MAX {
            self.points.push(Point { at, latency });
        }
    }

    /// Notes a request that was not answered well.
    pub fn failed(&mut self, kind: ErrorKind) {
        self.errors.add(kind, 1);
    }

    /// Takes what `later` saw into account.
    pub fn merge(&mut self, later: &Self) {
        self.latencies.merge(&later.latencies);
        self.stretches.push(&later.latencies);
        self.waits.merge(&later.waits);
        self.waits_by_stretch.push_sum(later.waits.count(), later.waits.sum());
        self.slowdowns.merge(&later.slowdowns);
        self.errors.merge(&later.errors);
        self.batches.merge(&later.batches);
        let room = POINTS_PER_CUSTOMER_MAX - self.points.len();
        self.points.extend(later.points.iter().take(room));
    }

    /// The first [`POINTS_PER_CUSTOMER_MAX`] good answers.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}

/// What was seen while a workload was played under one strategy.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// The strategy's name.
    pub strategy: String,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// One per customer, in the workload's order.
    pub customers: Vec<CustomerRecord>,
    /// Sequences in a batch on average, where the proxy told.
    pub batch_fill: Option<f64>,
}

impl RunRecord {
    /// The latencies of all customers together.
    #[must_use]
    pub fn all(&self) -> Tally {
        let mut all = Tally::new();
        self.customers.iter().for_each(|seen| all.merge(&seen.latencies));
        all
    }

    /// What all customers have by stretches of the run.
    fn merged(&self, of: fn(&CustomerRecord) -> &Batches) -> Batches {
        let mut customers = self.customers.iter().map(of);
        let mut all = customers.next().cloned().unwrap_or_default();
        customers.for_each(|stretches| all.merge(stretches));
        all
    }
}

/// What was found, for all strategies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudySummary {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was run, in a line.
    pub title: String,
    /// The workload's name.
    pub workload: String,
    /// What the workload says of itself.
    pub description: String,
    /// What every random choice follows from.
    pub seed: u64,
    /// Planned length of each run.
    pub seconds_per_strategy: f64,
    /// One per strategy, in the order in which they were played.
    pub strategies: Vec<StrategySummary>,
}

/// What was found for one strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategySummary {
    /// The strategy's name.
    pub strategy: String,
    /// From the first request to the last answer.
    pub elapsed_s: f64,
    /// All customers' good answers together.
    pub latency: Summary,
    /// Their mean, with how sure it is; `None` where the run is too short to tell.
    pub mean_ms: Option<Estimate>,
    /// Mean of latency beyond the time that a request would have taken alone, with how sure it is. It varies less than
    /// latency, which varies with what is asked, and so tells strategies apart sooner.
    pub wait_ms: Option<Estimate>,
    /// Good answers per second.
    pub throughput_per_second: f64,
    /// Requests that were not answered well.
    pub errors: ErrorCounts,
    /// Jain's index over the customers' mean slowdowns: 1 where all wait alike for what they ask.
    pub fairness: f64,
    /// Sequences in a batch on average, where the proxy told.
    pub batch_fill: Option<f64>,
    /// One per customer, in the workload's order.
    pub customers: Vec<CustomerSummary>,
}

/// What was found for one customer under one strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomerSummary {
    /// The customer's name.
    pub customer: String,
    /// Its good answers.
    pub latency: Summary,
    /// Their mean, with how sure it is; `None` where the run is too short to tell.
    pub mean_ms: Option<Estimate>,
    /// Mean of latency beyond the time that a request would have taken alone, with how sure it is.
    pub wait_ms: Option<Estimate>,
    /// Good answers per second.
    pub throughput_per_second: f64,
    /// Requests that were not answered well.
    pub errors: ErrorCounts,
    /// Mean of latency over the time that the request would have taken alone, at least 1.
    pub mean_slowdown: f64,
    /// Sequences in the batch that a request was served in on average, where the proxy told (`--explain`). Above the
    /// fill of batches, because more requests see a full batch than an empty one.
    pub batch_fill: Option<f64>,
}

impl StrategySummary {
    /// Draws the findings from a record; `names` are the customers', in its order.
    #[must_use]
    pub fn of(record: &RunRecord, names: &[String]) -> Self {
        let elapsed_s = record.elapsed.as_secs_f64();
        let per_second =
            |count: u64| if elapsed_s > 0.0 { rounded(as_real(count) / elapsed_s) } else { 0.0 };
        let all = record.all();
        let mut errors = ErrorCounts::default();
        let mut customers = Vec::with_capacity(names.len());
        for (name, seen) in names.iter().zip(&record.customers) {
            errors.merge(&seen.errors);
            customers.push(CustomerSummary {
                customer: name.clone(),
                latency: seen.latencies.summary(),
                mean_ms: seen.stretches.mean_ms(),
                wait_ms: seen.waits_by_stretch.mean_ms(),
                throughput_per_second: per_second(seen.latencies.count()),
                errors: seen.errors,
                mean_slowdown: rounded(seen.slowdowns.mean()),
                batch_fill: (seen.batches.count() > 0).then(|| rounded(seen.batches.mean())),
            });
        }
        let served = record.customers.iter().filter(|seen| seen.slowdowns.count() > 0);
        let slowdowns: Vec<f64> = served.map(|seen| seen.slowdowns.mean()).collect();
        Self {
            strategy: record.strategy.clone(),
            elapsed_s: rounded(elapsed_s),
            throughput_per_second: per_second(all.count()),
            latency: all.summary(),
            mean_ms: record.merged(|seen| &seen.stretches).mean_ms(),
            wait_ms: record.merged(|seen| &seen.waits_by_stretch).mean_ms(),
            errors,
            fairness: rounded(jain_index(&slowdowns)),
            batch_fill: record.batch_fill,
            customers,
        }
    }
}

impl StudySummary {
    /// Whether any request of any run was not answered well, or none was asked at all.
    #[must_use]
    pub fn any_failed(&self) -> bool {
        self.strategies.iter().any(|run| run.errors.total() > 0 || run.latency.count == 0)
    }
}

/// How long the classifier takes for a request whose longest text has so many characters.
#[must_use]
pub fn service_time(characters_max: u32, cost_scale: f64) -> Duration {
    let characters = f64::from(characters_max);
    Duration::from_secs_f64(characters * characters / 1e6 * cost_scale)
}

/// The figures of one point as the picture wants them: seconds since the start, and milliseconds.
#[must_use]
pub fn coordinates(point: &Point) -> (f64, f64) {
    (point.at.as_secs_f64(), milliseconds(point.latency))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(latencies_ms: [&[u64]; 2]) -> RunRecord {
        let customer = |latencies: &[u64]| {
            let mut record = CustomerRecord::default();
            for (index, latency) in (0..).zip(latencies) {
                let latency = Duration::from_millis(*latency);
                record.answered(Duration::from_secs(index), latency, Duration::from_millis(10));
            }
            record
        };
        RunRecord {
            strategy: "fcfs".into(),
            elapsed: Duration::from_secs(4),
            customers: latencies_ms.map(customer).into(),
            batch_fill: None,
        }
    }

    fn names() -> [String; 2] {
        ["A".to_owned(), "B".to_owned()]
    }

    #[test]
    fn findings_follow_from_the_record() {
        let summary = StrategySummary::of(&record([&[10, 30], &[40]]), &names());
        assert_eq!(summary.latency.count, 3);
        assert_eq!(summary.throughput_per_second, 0.75);
        assert_eq!(summary.customers[0].mean_slowdown, 2.0);
        assert_eq!(summary.customers[1].mean_slowdown, 4.0);
        assert_eq!(summary.customers[1].batch_fill, None);
        assert!((summary.fairness - 36.0 / 40.0).abs() < 1e-12);
    }

    #[test]
    fn a_customer_without_answers_does_not_count_as_treated() {
        let summary = StrategySummary::of(&record([&[10], &[]]), &names());
        assert_eq!(summary.fairness, 1.0);
        assert_eq!(summary.customers[1].latency, Summary::default());
    }

    #[test]
    fn points_are_bounded_and_figures_are_not() {
        let mut record = CustomerRecord::default();
        for _ in 0..POINTS_PER_CUSTOMER_MAX + 5 {
            record.answered(Duration::ZERO, Duration::from_millis(1), Duration::ZERO);
        }
        assert_eq!(record.points().len(), POINTS_PER_CUSTOMER_MAX);
        assert_eq!(record.latencies.count(), POINTS_PER_CUSTOMER_MAX as u64 + 5);
        record.merge(&record.clone());
        assert_eq!(record.points().len(), POINTS_PER_CUSTOMER_MAX);
        assert_eq!(record.slowdowns.count(), 2 * (POINTS_PER_CUSTOMER_MAX as u64 + 5));
    }

    #[test]
    fn a_study_with_an_error_or_without_answers_has_failed() {
        let study = |runs: Vec<RunRecord>| StudySummary {
            schema: SCHEMA.into(),
            title: String::new(),
            workload: String::new(),
            description: String::new(),
            seed: 0,
            seconds_per_strategy: 1.0,
            strategies: runs.iter().map(|run| StrategySummary::of(run, &names())).collect(),
        };
        assert!(!study(vec![record([&[1], &[1]])]).any_failed());
        assert!(study(vec![record([&[], &[]])]).any_failed());
        let mut failing = record([&[1], &[1]]);
        failing.customers[0].failed(ErrorKind::Wrong);
        assert!(study(vec![failing]).any_failed());
    }

    #[test]
    fn service_time_is_quadratic() {
        assert_eq!(service_time(720, 1.0), Duration::from_micros(518_400));
        assert_eq!(service_time(720, 0.0), Duration::ZERO);
    }
}
