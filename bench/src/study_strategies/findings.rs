//! What the study found: each figure the mean over seeds, with half the width of its 95 % confidence interval.
//!
//! A quantile is taken within each run and then averaged over runs, so that its interval is as honest as that of a mean.

use ringyard_simulator::study::numeric::{deviation, mean, student_95};
use serde::{Deserialize, Serialize};

use super::mix::Mix;
use super::queueing::Record;
use crate::statistics::{as_real, jain_index, rounded};

/// From which overrun on, averaged over seeds, a queue counts as growing: what it waits then depends on how long the
/// study runs.
pub const OVERRUN_MAX: f64 = 0.1;

/// A figure over all seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The mean over seeds.
    pub value: f64,
    /// Half the width of its 95 % confidence interval; 0 where there was one seed.
    pub half_width: f64,
}

impl Figure {
    /// From one value per seed.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let count = values.len();
        if count < 2 {
            return Self {
                value: rounded(values.first().copied().unwrap_or(0.0)),
                half_width: 0.0,
            };
        }
        let half = student_95(count) * deviation(values) / as_real(count as u64).sqrt();
        Self { value: rounded(mean(values)), half_width: rounded(half) }
    }
}

/// From arrival to answer, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The mean.
    pub mean: Figure,
    /// Half take no longer.
    pub median: Figure,
    /// One in a hundred takes longer.
    pub p99: Figure,
    /// One in a thousand takes longer.
    pub p999: Figure,
}

impl Latency {
    /// From the latencies of each run, which it sorts.
    fn of(runs: &mut [Vec<f64>]) -> Self {
        runs.iter_mut().for_each(|run| run.sort_unstable_by(f64::total_cmp));
        let runs: Vec<&[f64]> =
            runs.iter().map(Vec::as_slice).filter(|run| !run.is_empty()).collect();
        let over = |figure: &dyn Fn(&[f64]) -> f64| {
            Figure::of(&runs.iter().map(|run| figure(run)).collect::<Vec<_>>())
        };
        Self {
            mean: over(&mean),
            median: over(&|run| quantile(run, 0.5)),
            p99: over(&|run| quantile(run, 0.99)),
            p999: over(&|run| quantile(run, 0.999)),
        }
    }
}

/// The least value that at least `share` of `sorted` do not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is in range"
    )]
    let rank = (share * as_real(sorted.len() as u64)).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// What one class, or all together, got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassFindings {
    /// The class's name.
    pub class: String,
    /// From arrival to answer, in milliseconds.
    pub latency_ms: Latency,
}

/// What one strategy and composition came to at one load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The strategy, and its ageing where that is not the default.
    pub strategy: String,
    /// The composition.
    pub composition: String,
    /// All requests.
    pub latency_ms: Latency,
    /// One per class, in the mix's order.
    pub classes: Vec<ClassFindings>,
    /// Jain's index over the customers' mean slowdowns: 1 where all wait alike for what they ask.
    pub fairness: Figure,
    /// Requests in a batch on average.
    pub batch_fill: Figure,
    /// The part of the time that the backend was at work.
    pub utilisation: Figure,
    /// The part of requests answered after their deadline.
    pub late: Figure,
    /// How much longer than the arrivals the queue lasted; see [`OVERRUN_MAX`].
    pub overrun: Figure,
}

impl Findings {
    /// Draws the findings from one record per seed.
    #[must_use]
    pub fn of(mix: &Mix, (strategy, composition): (String, String), records: &[Record]) -> Self {
        let over = |figure: &dyn Fn(&Record) -> f64| {
            Figure::of(&records.iter().map(figure).collect::<Vec<_>>())
        };
        let counted = |record: &Record| {
            as_real(record.latencies_ms.iter().map(Vec::len).sum::<usize>() as u64)
        };
        let class = |(index, class): (usize, &super::mix::Class)| {
            let mut runs: Vec<Vec<f64>> =
                records.iter().map(|record| record.latencies_ms[index].clone()).collect();
            ClassFindings { class: class.name.clone(), latency_ms: Latency::of(&mut runs) }
        };
        let mut all: Vec<Vec<f64>> =
            records.iter().map(|record| record.latencies_ms.concat()).collect();
        Self {
            strategy,
            composition,
            latency_ms: Latency::of(&mut all),
            classes: mix.classes().map(|(_, class)| class).enumerate().map(class).collect(),
            fairness: over(&|record| jain_index(&mean_slowdowns(record))),
            batch_fill: over(&|record| as_real(record.jobs) / as_real(record.batches.max(1))),
            utilisation: over(&|record| {
                as_real(record.busy_nanoseconds) / as_real(record.end.nanoseconds().max(1))
            }),
            late: over(&|record| as_real(record.late) / counted(record).max(1.0)),
            overrun: over(&Record::overrun),
        }
    }

    /// Whether the backend could not keep up.
    #[must_use]
    pub fn grows(&self) -> bool {
        self.overrun.value > OVERRUN_MAX
    }
}

/// One per customer that was served.
fn mean_slowdowns(record: &Record) -> Vec<f64> {
    let served = record.slowdowns.iter().filter(|(_, count)| *count > 0);
    served.map(|(sum, count)| sum / as_real(*count)).collect()
}

/// What was found for one mix at one load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadFindings {
    /// The multiple of the mix's rates.
    pub load: f64,
    /// Requests in a second.
    pub requests_per_second: f64,
    /// One for each strategy and composition.
    pub findings: Vec<Findings>,
}

/// What was found for one mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixFindings {
    /// The mix itself, so that the file says all that is needed to repeat it.
    pub mix: Mix,
    /// One per load.
    pub loads: Vec<LoadFindings>,
}

/// What the whole study found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategiesReport {
    /// Requests of each run.
    pub jobs: usize,
    /// The seeds of the runs; every strategy meets the same arrivals.
    pub seeds: Vec<u64>,
    /// One per mix.
    pub mixes: Vec<MixFindings>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_means_with_students_interval() {
        let figure = Figure::of(&[1.0, 2.0, 3.0]);
        assert_eq!(figure.value, 2.0);
        assert!((figure.half_width - 4.303 / 3.0_f64.sqrt()).abs() < 1e-6);
        assert_eq!(Figure::of(&[7.0]), Figure { value: 7.0, half_width: 0.0 });
        assert_eq!(Figure::of(&[]), Figure::default());
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let sorted: Vec<f64> = (1..=1_000).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 0.999].map(|share| quantile(&sorted, share)), [500.0, 990.0, 999.0]);
        assert_eq!(quantile(&[4.0], 0.999), 4.0);
    }
}
