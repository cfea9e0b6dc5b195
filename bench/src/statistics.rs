//! What a list of measurements comes to, without keeping the list.
//!
//! [`Tally`] takes one duration at a time and remembers a fixed amount: count, mean, variance and extremes
//! exactly, quantiles through a histogram to within 0.1 %. Its memory does not grow with what it is
//! given. [`jain_index`] says how evenly customers were treated.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::limits::{LATENCY_DIGITS, LATENCY_MAX};

/// A running account of durations.
#[derive(Clone, Debug)]
pub struct Tally {
    histogram: Histogram<u64>,
    moments: Moments,
    min: Duration,
    max: Duration,
}

/// Count, mean and sum of squared deviations of numbers, by Welford's method, which does not lose the
/// small differences between large numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

/// What a report says of a list of durations. All are milliseconds but the count; all are zero where there is
/// nothing to speak of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_ms: f64,
    /// Half are at or below.
    pub median_ms: f64,
    /// Sample standard deviation.
    pub sd_ms: f64,
    /// The shortest.
    pub min_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// 90 % are at or below.
    pub p90_ms: f64,
    /// 99 % are at or below.
    pub p99_ms: f64,
    /// 99.9 % are at or below.
    pub p999_ms: f64,
}

/// `duration` in milliseconds.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Nanoseconds, at most those of [`LATENCY_MAX`].
fn recordable_nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.min(LATENCY_MAX).as_nanos()).expect("the limit fits 64 bits")
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// An empty account.
    #[must_use]
    pub fn new() -> Self {
        let most = recordable_nanoseconds(LATENCY_MAX);
        Self {
            histogram: Histogram::new_with_max(most, LATENCY_DIGITS)
                .expect("the named limits are within what the histogram takes"),
            moments: Moments::default(),
            min: Duration::MAX,
            max: Duration::ZERO,
        }
    }

    /// Takes one duration into account; one above [`LATENCY_MAX`] counts as that.
    pub fn record(&mut self, duration: Duration) {
        let duration = duration.min(LATENCY_MAX);
        self.histogram
            .record(recordable_nanoseconds(duration))
            .expect("the value was clamped to the histogram's range");
        self.moments.record(duration.as_secs_f64());
        self.min = self.min.min(duration);
        self.max = self.max.max(duration);
    }

    /// Takes `times` alike durations into account.
    pub fn record_many(&mut self, duration: Duration, times: u64) {
        if times == 0 {
            return;
        }
        let duration = duration.min(LATENCY_MAX);
        self.histogram
            .record_n(recordable_nanoseconds(duration), times)
            .expect("the value was clamped to the histogram's range");
        let alike = Moments { count: times, mean: duration.as_secs_f64(), squares: 0.0 };
        self.moments.merge(&alike);
        self.min = self.min.min(duration);
        self.max = self.max.max(duration);
    }

    /// Takes all that `other` saw into account.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all tallies have the same range");
        self.moments.merge(&other.moments);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Forgets all, and keeps the memory.
    pub fn clear(&mut self) {
        self.histogram.reset();
        self.moments = Moments::default();
        self.min = Duration::MAX;
        self.max = Duration::ZERO;
    }

    /// How many durations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.moments.count
    }

    /// The least duration that at least `share` of all are at or below; zero where there is none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        if self.count() == 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.histogram.value_at_quantile(share)).clamp(self.min, self.max)
    }

    /// Arithmetic mean.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.moments.mean())
    }

    /// All durations together, in seconds.
    #[must_use]
    pub fn sum_s(&self) -> f64 {
        self.moments.sum()
    }

    /// The histogram, in nanoseconds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// What a report says.
    #[must_use]
    pub fn summary(&self) -> Summary {
        if self.count() == 0 {
            return Summary::default();
        }
        let quantile = |share| rounded(milliseconds(self.quantile(share)));
        Summary {
            count: self.count(),
            mean_ms: rounded(self.moments.mean() * 1e3),
            median_ms: quantile(0.5),
            sd_ms: rounded(self.moments.standard_deviation() * 1e3),
            min_ms: rounded(milliseconds(self.min)),
            max_ms: rounded(milliseconds(self.max)),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
        }
    }
}

impl Moments {
    /// Takes one number into account.
    pub fn record(&mut self, value: f64) {
        self.count += 1;
        let deviation = value - self.mean;
        self.mean += deviation / as_real(self.count);
        self.squares += deviation * (value - self.mean);
    }

    /// Takes all that `other` saw into account.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let [here, there] = [as_real(self.count), as_real(other.count)];
        let deviation = other.mean - self.mean;
        self.mean += deviation * there / (here + there);
        self.squares += other.squares + deviation * deviation * here * there / (here + there);
        self.count += other.count;
    }

    /// How many numbers there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Arithmetic mean, zero of nothing.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// All numbers together.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.mean * as_real(self.count)
    }

    /// Sample standard deviation, zero of fewer than two.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        if self.count < 2 { 0.0 } else { (self.squares / as_real(self.count - 1)).max(0.0).sqrt() }
    }
}

/// A count as a real number, exact below 2⁵³.
#[must_use]
pub fn as_real(count: u64) -> f64 {
    count as f64
}

/// A figure with six decimals, for reports: milliseconds to the nanosecond, and no digits that mean nothing.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Jain's index of fairness: 1 where all values are alike, 1/n where one has everything. Nothing at all
/// counts as fair.
#[must_use]
pub fn jain_index(values: &[f64]) -> f64 {
    let sum: f64 = values.iter().sum();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (as_real(values.len() as u64) * squares) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same figures from the whole list.
    fn naive(mut list: Vec<Duration>) -> Summary {
        list.sort();
        let numbers: Vec<f64> = list.iter().map(|duration| milliseconds(*duration)).collect();
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        let at = |share: f64| {
            let rank = (share * count).ceil().max(1.0);
            numbers[(0..numbers.len()).find(|index| (index + 1) as f64 >= rank).unwrap()]
        };
        Summary {
            count: numbers.len() as u64,
            mean_ms: mean,
            median_ms: at(0.5),
            sd_ms: if numbers.len() < 2 { 0.0 } else { (squares / (count - 1.0)).sqrt() },
            min_ms: numbers[0],
            max_ms: numbers[numbers.len() - 1],
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
        }
    }

    fn figures(summary: &Summary) -> [f64; 9] {
        [
            summary.count as f64,
            summary.mean_ms,
            summary.median_ms,
            summary.sd_ms,
            summary.min_ms,
            summary.max_ms,
            summary.p90_ms,
            summary.p99_ms,
            summary.p999_ms,
        ]
    }

    fn check(list: Vec<Duration>, tally: &Tally) {
        let summary = tally.summary();
        let scale = summary.max_ms;
        for (measured, expected) in figures(&summary).into_iter().zip(figures(&naive(list))) {
            let tolerance = 0.0011 * expected.abs() + 1e-9 * scale + 1e-6;
            assert!((measured - expected).abs() <= tolerance, "{measured} is not {expected}");
        }
    }

    fn durations() -> impl Strategy<Value = Vec<Duration>> {
        let any_size = prop_oneof![0_u64..100, 0_u64..1_000_000, 0_u64..100_000_000_000];
        prop::collection::vec(any_size.prop_map(Duration::from_nanos), 1..300)
    }

    proptest! {
        #[test]
        fn a_tally_agrees_with_the_whole_list(list in durations()) {
            let mut tally = Tally::new();
            for duration in &list {
                tally.record(*duration);
            }
            check(list, &tally);
        }

        #[test]
        fn merging_is_the_same_as_recording_all(left in durations(), right in durations()) {
            let mut tallies = [Tally::new(), Tally::new()];
            for (tally, list) in tallies.iter_mut().zip([&left, &right]) {
                list.iter().for_each(|duration| tally.record(*duration));
            }
            let [mut whole, part] = tallies;
            whole.merge(&part);
            check([left, right].concat(), &whole);
        }

        #[test]
        fn fairness_lies_between_one_share_and_one(values in prop::collection::vec(0.001..1e6, 1..20)) {
            let index = jain_index(&values);
            prop_assert!(index <= 1.0 + 1e-9);
            prop_assert!(index >= 1.0 / values.len() as f64 - 1e-9);
        }
    }

    #[test]
    fn many_alike_are_one_after_the_other() {
        let mut tally = Tally::new();
        tally.record(Duration::from_millis(2));
        tally.record_many(Duration::from_millis(5), 3);
        tally.record_many(Duration::from_millis(9), 0);
        check([2, 5, 5, 5].map(Duration::from_millis).to_vec(), &tally);
    }

    #[test]
    fn nothing_comes_to_nothing() {
        assert_eq!(Tally::new().summary(), Summary::default());
        let mut merged = Tally::new();
        merged.merge(&Tally::new());
        assert_eq!(merged.summary(), Summary::default());
    }

    #[test]
    fn a_cleared_tally_is_a_new_one() {
        let mut tally = Tally::new();
        tally.record(Duration::from_secs(3));
        tally.clear();
        assert_eq!(tally.summary(), Summary::default());
        tally.record(Duration::from_millis(1));
        check(vec![Duration::from_millis(1)], &tally);
    }

    #[test]
    fn the_longest_latency_is_the_limit() {
        let mut tally = Tally::new();
        tally.record(Duration::MAX);
        assert_eq!(tally.summary().max_ms, milliseconds(LATENCY_MAX));
    }

    #[test]
    fn jain_knows_its_corner_cases() {
        assert_eq!(jain_index(&[]), 1.0);
        assert_eq!(jain_index(&[0.0, 0.0]), 1.0);
        assert_eq!(jain_index(&[3.0, 3.0, 3.0]), 1.0);
        assert_eq!(jain_index(&[1.0, 0.0]), 0.5);
    }
}
