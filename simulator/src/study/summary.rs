//! The thirteen figures of one run, exactly as the published study defines them.
//!
//! Two definitions are odd and kept: utilisation is averaged over the *set of distinct values* seen, and the
//! spread per server is over its rows, so busy servers weigh more. [`More`] holds figures without those oddities.

use super::numeric::{deviation, mean, quantile};
use super::tick::{Observer, Row, Stage};

/// The names of the figures, in the order of [`Summary::values`] and of every CSV.
pub const METRICS: [&str; 13] = [
    "mean_latency",
    "stdev_latency",
    "p50.0_latency",
    "p90.0_latency",
    "p99.0_latency",
    "p99.9_latency",
    "mean_utilization",
    "stdev_utilization",
    "mean_stdev_utilization",
    "p50.0_utilization_ratio",
    "p90.0_utilization_ratio",
    "p99.0_utilization_ratio",
    "p99.9_utilization_ratio",
];

/// The quantiles that are reported.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// The figures of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// In the order of [`METRICS`].
    pub values: [f64; 13],
}

impl Summary {
    /// The figure called `metric`, NaN if there is none.
    #[must_use]
    pub fn get(&self, metric: &str) -> f64 {
        METRICS.iter().position(|name| *name == metric).map_or(f64::NAN, |at| self.values[at])
    }
}

/// What the published figures leave out, in plain terms.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct More {
    /// Mean ticks from arrival at the client to the answer there; the latency of the figures counts the ticks on
    /// which a request changes hands twice.
    pub mean_elapsed: f64,
    /// Mean over servers of their utilisation averaged over the running ticks, percent.
    pub mean_busy: f64,
    /// Standard deviation of the same over servers, percentage points.
    pub stdev_busy: f64,
}

/// Collects a run's rows into its [`Summary`].
#[derive(Debug, Default)]
pub struct Summarizer {
    /// Sum and count of the elapsed ticks of the requests that count.
    elapsed: (u64, u64),
    /// Per server the sum of its utilisations over the running ticks.
    busy: Vec<f64>,
    running_ticks: u32,
    /// How often each latency was seen.
    latencies: Vec<u32>,
    /// Per server the utilisations that its running rows carried.
    utilizations: Vec<Vec<f64>>,
}

impl Observer for Summarizer {
    const READS_AVERAGES: bool = false;
    const WATCHES_TICKS: bool = true;

    fn tick(&mut self, _now: u32, stage: Stage, utilization: &[f64], _queued: &[u32]) {
        if stage == Stage::Running {
            self.busy.resize(utilization.len(), 0.0);
            self.busy.iter_mut().zip(utilization).for_each(|(sum, now)| *sum += now);
            self.running_ticks += 1;
        }
    }

    fn record(&mut self, row: &Row<'_>) {
        if row.stage == Stage::Running && !row.report.utilization.latest.is_nan() {
            let server = row.server as usize;
            if server >= self.utilizations.len() {
                self.utilizations.resize_with(server + 1, Vec::new);
            }
            self.utilizations[server].push(row.report.utilization.latest);
        }
        if !row.is_probe && row.stage != Stage::Warming {
            let (sum, count) = self.elapsed;
            self.elapsed = (sum + u64::from(row.completed - row.started), count + 1);
            let latency = row.total_ticks() as usize;
            if latency >= self.latencies.len() {
                self.latencies.resize(latency + 1, 0);
            }
            self.latencies[latency] += 1;
        }
    }
}

impl Summarizer {
    /// The figures beside those of the study; NaN where nothing was recorded.
    #[must_use]
    pub fn more(&self) -> More {
        let (sum, count) = self.elapsed;
        let ticks = f64::from(self.running_ticks);
        let busy: Vec<f64> = self.busy.iter().map(|sum| sum / ticks).collect();
        More {
            mean_elapsed: sum as f64 / count as f64,
            mean_busy: mean(&busy),
            stdev_busy: deviation(&busy),
        }
    }

    /// The figures of what was recorded; NaN where nothing was.
    #[must_use]
    pub fn finish(self) -> Summary {
        let histogram = Histogram { counts: &self.latencies };
        let (mean_latency, stdev_latency) = histogram.moments();
        let latency = QUANTILES.map(|fraction| histogram.quantile(fraction));
        let mut distinct: Vec<f64> = self.utilizations.iter().flatten().copied().collect();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        let mean_utilization = mean(&distinct);
        let ratio = QUANTILES.map(|fraction| quantile(&distinct, fraction) / mean_utilization);
        let spreads: Vec<f64> = self
            .utilizations
            .iter()
            .map(|values| deviation(values))
            .filter(|spread| !spread.is_nan())
            .collect();
        let [p50, p90, p99, p999] = latency;
        let [r50, r90, r99, r999] = ratio;
        let values = [
            mean_latency,
            stdev_latency,
            p50,
            p90,
            p99,
            p999,
            mean_utilization,
            deviation(&distinct),
            mean(&spreads),
            r50,
            r90,
            r99,
            r999,
        ];
        Summary { values }
    }
}

/// Whole numbers by how often they were seen.
struct Histogram<'a> {
    counts: &'a [u32],
}

impl Histogram<'_> {
    fn total(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }

    /// Mean and sample deviation.
    fn moments(&self) -> (f64, f64) {
        let total = self.total() as f64;
        let cells = || self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let mean =
            cells().map(|(value, count)| value as f64 * f64::from(*count)).sum::<f64>() / total;
        let squares: f64 =
            cells().map(|(value, count)| (value as f64 - mean).powi(2) * f64::from(*count)).sum();
        (mean, if total < 2.0 { f64::NAN } else { (squares / (total - 1.0)).sqrt() })
    }

    /// The value at position `(n - 1) * fraction`, interpolated.
    #[expect(clippy::cast_possible_truncation, reason = "positions are in range")]
    fn quantile(&self, fraction: f64) -> f64 {
        let Some(last) = self.total().checked_sub(1) else { return f64::NAN };
        let position = last as f64 * fraction;
        let rank = position as u64;
        let (low, high) = (self.at(rank), self.at((rank + 1).min(last)));
        low + (position - rank as f64) * (high - low)
    }

    fn at(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for (value, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen > rank {
                return value as f64;
            }
        }
        f64::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn histogram_agrees_with_sorting(values in prop::collection::vec(0_u32..60, 2..200)) {
            let mut counts = vec![0; 60];
            for value in &values {
                counts[*value as usize] += 1;
            }
            let mut sorted: Vec<f64> = values.iter().copied().map(f64::from).collect();
            sorted.sort_by(f64::total_cmp);
            let histogram = Histogram { counts: &counts };
            for fraction in QUANTILES {
                prop_assert!((histogram.quantile(fraction) - quantile(&sorted, fraction)).abs() < 1e-9);
            }
            let (average, spread) = histogram.moments();
            prop_assert!((average - mean(&sorted)).abs() < 1e-9);
            prop_assert!((spread - deviation(&sorted)).abs() < 1e-9);
        }
    }
}
