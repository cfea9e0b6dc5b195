//! How sure a figure is: confidence intervals from stretches of a run.
//!
//! Latencies that follow one another are alike, so a formula for independent samples would promise too
//! much. A run is therefore cut into few and long stretches that hardly know of one another, and Student's law
//! over what differs between them says how far a figure may be off (batch means, and sectioning for quantiles; Asmussen
//! and Glynn, Stochastic Simulation, IV.5 and III.5).

use serde::{Deserialize, Serialize};

use crate::statistics::{Tally, as_real, rounded};

/// Stretches below which nothing is said.
pub const BATCHES_MIN: usize = 5;

/// Batches that are kept of a run. When there are as many, neighbours are put together, so that batches grow
/// with the run and their number stays between this and half of it.
pub const BATCHES_MAX: usize = 20;

const _: () = assert!(BATCHES_MAX / 2 >= BATCHES_MIN && BATCHES_MAX.is_multiple_of(2));

/// A figure with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure, over the whole run.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A run's latencies as a bounded number of batches, of which only count and sum are kept.
#[derive(Clone, Debug, Default)]
pub struct Batches {
    full: Vec<Batch>,
    /// Stretches that make one batch, as a power of two.
    doublings: u32,
    filling: Batch,
    /// Stretches in the batch that is being filled.
    filled: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Batch {
    count: u64,
    /// In seconds.
    sum_s: f64,
}

impl Batch {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum_s += other.sum_s;
    }
}

impl Batches {
    /// Takes the latencies of the next stretch of the run into account. Stretches are to be of like length.
    pub fn push(&mut self, stretch: &Tally) {
        self.push_sum(stretch.count(), stretch.sum_s());
    }

    /// The same of any `count` amounts of time that make `sum_s` seconds together.
    pub fn push_sum(&mut self, count: u64, sum_s: f64) {
        self.filling.add(Batch { count, sum_s });
        self.filled += 1;
        if self.filled < 1 << self.doublings {
            return;
        }
        self.full.push(std::mem::take(&mut self.filling));
        self.filled = 0;
        if self.full.len() == BATCHES_MAX {
            let pair = |pair: &[Batch]| {
                let mut both = pair[0];
                both.add(pair[1]);
                both
            };
            self.full = self.full.chunks_exact(2).map(pair).collect();
            self.doublings += 1;
        }
    }

    /// Takes the latencies of others during the same stretches into account.
    ///
    /// # Panics
    ///
    /// If they were cut into other stretches.
    pub fn merge(&mut self, other: &Self) {
        let alike = (self.doublings, self.filled, self.full.len())
            == (other.doublings, other.filled, other.full.len());
        assert!(alike, "what is merged was cut alike");
        self.full.iter_mut().zip(&other.full).for_each(|(mine, other)| mine.add(*other));
        self.filling.add(other.filling);
    }

    /// The mean in milliseconds; `None` if there are too few batches, or nothing in them.
    ///
    /// Busy stretches have more latencies than quiet ones, so the mean is a ratio of two sums, and its error
    /// that of a ratio: the spread of what each batch's sum differs by from what its count promises.
    #[must_use]
    pub fn mean_ms(&self) -> Option<Estimate> {
        let mut batches = self.full.clone();
        match batches.last_mut() {
            // A short rest is no batch of its own.
            Some(last) if self.filled << 1 < 1 << self.doublings => last.add(self.filling),
            _ if self.filled > 0 => batches.push(self.filling),
            _ => {}
        }
        let mut all = Batch::default();
        batches.iter().for_each(|batch| all.add(*batch));
        if batches.iter().filter(|batch| batch.count > 0).count() < BATCHES_MIN {
            return None;
        }
        let [count, mean_s] = [as_real(all.count), all.sum_s / as_real(all.count)];
        let squares: f64 =
            batches.iter().map(|batch| (batch.sum_s - mean_s * as_real(batch.count)).powi(2)).sum();
        let number = as_real(batches.len() as u64);
        let error_s = (squares * number / (number - 1.0)).sqrt() / count;
        let half_ms = student_97_5(batches.len() - 1) * error_s * 1e3;
        Some(Estimate::about(mean_s * 1e3, half_ms))
    }
}

impl Estimate {
    fn about(value: f64, half: f64) -> Self {
        Self {
            value: rounded(value),
            low: rounded((value - half).max(0.0)),
            high: rounded(value + half),
        }
    }

    /// A figure of the whole run that is not a mean, from the same figure of each stretch; `None` if there are too
    /// few of them.
    #[must_use]
    pub fn of_sections(value: f64, sections: &[f64]) -> Option<Self> {
        if sections.len() < BATCHES_MIN {
            return None;
        }
        let squares: f64 = sections.iter().map(|section| (section - value).powi(2)).sum();
        let number = as_real(sections.len() as u64);
        let error = (squares / (number * (number - 1.0))).sqrt();
        Some(Self::about(value, student_97_5(sections.len() - 1) * error))
    }

    /// Half the width of the interval, before its lower end met zero.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        self.high - self.value
    }

    /// The width of the interval relative to the value.
    #[must_use]
    pub fn relative_width(&self) -> f64 {
        if self.value > 0.0 { (self.high - self.low) / self.value } else { 0.0 }
    }
}

/// The 97.5 % quantile of Student's law, so that 95 % lie within it on both sides. Exact for the first few
/// degrees of freedom; beyond, Cornish and Fisher's expansion about the normal law, off by less than 0.1 %.
fn student_97_5(freedom: usize) -> f64 {
    const EXACT: [f64; 6] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447];
    const NORMAL: f64 = 1.959_964;
    if let Some(exact) = freedom.checked_sub(1).and_then(|index| EXACT.get(index)) {
        return *exact;
    }
    let n = as_real(freedom as u64);
    let z2 = NORMAL * NORMAL;
    let first = (z2 + 1.0) / 4.0;
    let second = ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    NORMAL * (1.0 + first / n + second / (n * n) + third / (n * n * n))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::random::Random;

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        let check = |freedom, expected: f64| {
            let computed = student_97_5(freedom);
            assert!((computed / expected - 1.0).abs() < 1e-3, "{freedom}: {computed}");
        };
        check(4, 2.776);
        check(7, 2.365);
        check(10, 2.228);
        check(30, 2.042);
        check(120, 1.980);
        check(100_000, 1.960);
    }

    fn stretch(latencies_ms: impl IntoIterator<Item = f64>) -> Tally {
        let mut tally = Tally::new();
        for latency_ms in latencies_ms {
            tally.record(Duration::from_secs_f64(latency_ms / 1e3));
        }
        tally
    }

    #[test]
    fn too_few_stretches_say_nothing() {
        let mut batches = Batches::default();
        for number in 1..=BATCHES_MIN {
            assert_eq!(batches.mean_ms(), None);
            assert_eq!(Estimate::of_sections(1.0, &vec![1.0; number - 1]), None);
            batches.push(&stretch([1.0]));
        }
        assert_eq!(batches.mean_ms(), Some(Estimate { value: 1.0, low: 1.0, high: 1.0 }));
        assert!(Estimate::of_sections(1.0, &[1.0; BATCHES_MIN]).is_some());
        let mut empty = Batches::default();
        (0..9).for_each(|_| empty.push(&Tally::new()));
        assert_eq!(empty.mean_ms(), None);
    }

    #[test]
    fn a_long_run_has_few_and_long_batches_and_loses_nothing() {
        let mut batches = Batches::default();
        for number in 1..=1_000_u32 {
            batches.push(&stretch([f64::from(number)]));
            assert!(batches.full.len() < BATCHES_MAX);
            let count = batches.full.iter().map(|batch| batch.count).sum::<u64>();
            assert_eq!(count + batches.filling.count, u64::from(number));
        }
        assert!(batches.full.len() >= BATCHES_MAX / 2);
        assert!((batches.mean_ms().unwrap().value - 500.5).abs() < 1e-6);
    }

    #[test]
    fn the_mean_is_that_of_the_requests_and_not_of_the_stretches() {
        let mut batches = Batches::default();
        for _ in 0..10 {
            batches.push(&stretch([10.0; 9]));
            batches.push(&stretch([20.0]));
        }
        assert!((batches.mean_ms().unwrap().value - 11.0).abs() < 1e-6);
    }

    /// How many of `runs` intervals for a mean of 10 hold it, where latencies resemble those before them by `memory`.
    fn holding(runs: u32, memory: f64) -> usize {
        let mut random = Random::new(8);
        let mut holds = || {
            let mut batches = Batches::default();
            let mut level = 0.0;
            for _ in 0..64 {
                let latencies: Vec<f64> = (0..50)
                    .map(|_| {
                        level = memory * level + (1.0 - memory * memory).sqrt() * random.normal();
                        10.0 + level
                    })
                    .collect();
                batches.push(&stretch(latencies));
            }
            let estimate = batches.mean_ms().unwrap();
            (estimate.low..=estimate.high).contains(&10.0)
        };
        (0..runs).filter(|_| holds()).count()
    }

    #[test]
    fn nineteen_in_twenty_intervals_hold_the_truth_however_alike_neighbours_are() {
        for memory in [0.0, 0.9] {
            let holds = holding(400, memory);
            assert!((366..=394).contains(&holds), "{memory}: {holds}");
        }
    }

    #[test]
    fn intervals_of_medians_hold_the_truth_too() {
        let mut random = Random::new(9);
        let holds = (0..1_000)
            .filter(|_| {
                let sections: Vec<f64> = (0..8).map(|_| 10.0 + random.normal()).collect();
                let value = sections.iter().sum::<f64>() / 8.0;
                let estimate = Estimate::of_sections(value, &sections).unwrap();
                (estimate.low..=estimate.high).contains(&10.0)
            })
            .count();
        assert!((925..=975).contains(&holds), "{holds}");
    }
}
