//! How sure a figure is: confidence intervals from the means of batches.
//!
//! Latencies that follow one another are alike, so a formula for independent samples would promise too
//! much. A run is therefore cut into stretches of time, each stretch gives one figure, and Student's law
//! over those says how far their mean may be off.

use serde::{Deserialize, Serialize};

use crate::statistics::{Moments, as_real, rounded};

/// Batches below which nothing is said.
pub const BATCHES_MIN: usize = 5;

/// A figure with its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean over batches.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// From one figure per batch; `None` if there are too few.
    #[must_use]
    pub fn of_batches(batches: &[f64]) -> Option<Self> {
        if batches.len() < BATCHES_MIN {
            return None;
        }
        let mut moments = Moments::default();
        batches.iter().for_each(|value| moments.record(*value));
        let error = moments.standard_deviation() / as_real(moments.count()).sqrt();
        let half = student_97_5(batches.len() - 1) * error;
        let value = moments.mean();
        Some(Self {
            value: rounded(value),
            low: rounded(value - half),
            high: rounded(value + half),
        })
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

    #[test]
    fn too_few_batches_say_nothing() {
        assert_eq!(Estimate::of_batches(&[1.0; BATCHES_MIN - 1]), None);
        assert!(Estimate::of_batches(&[1.0; BATCHES_MIN]).is_some());
    }

    #[test]
    fn nineteen_in_twenty_intervals_hold_the_truth() {
        let mut random = Random::new(8);
        let holds = (0..2_000)
            .filter(|_| {
                let batches: Vec<f64> = (0..8).map(|_| 10.0 + random.normal()).collect();
                let estimate = Estimate::of_batches(&batches).unwrap();
                (estimate.low..=estimate.high).contains(&10.0)
            })
            .count();
        assert!((1_860..=1_940).contains(&holds), "{holds}");
    }
}
