//! Distributions as data: what a workload file says about how long, how many and how often.
//!
//! Each is one TOML value, such as `{ uniform = [1, 3] }`. A distribution draws real numbers;
//! [`Distribution::draw_count`] rounds them for those who count. Limits are the business of whoever uses the
//! number, not of the distribution.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// How a quantity varies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Anything from the first to the second, both included, equally likely.
    Uniform(f64, f64),
    /// Memoryless with this mean.
    Exponential(f64),
    /// Lognormal: half of the draws lie below `median`; `sigma` is the standard deviation of the
    /// logarithm, so 1 spreads two thirds of the draws over a factor of e² ≈ 7.
    Lognormal {
        /// The middle of the draws.
        median: f64,
        /// Spread of the natural logarithm.
        sigma: f64,
    },
    /// Pareto: heavy-tailed above `min`. An `alpha` at or below 1 has no finite mean.
    Pareto {
        /// The least that is drawn.
        min: f64,
        /// Tail index; the smaller, the heavier.
        alpha: f64,
    },
}

/// What is wrong with a distribution.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DistributionError {
    /// A parameter is negative, infinite or not a number.
    #[error("{0} is not a finite number at or above zero")]
    NotAnAmount(f64),
    /// The bounds of a uniform distribution are the wrong way round.
    #[error("uniform from {0} to {1} is empty; give the lower bound first")]
    Empty(f64, f64),
    /// A parameter that divides is zero.
    #[error("`{0}` must be above zero")]
    Zero(&'static str),
}

impl Distribution {
    /// Checks the parameters; all that is drawn later is finite and not negative.
    ///
    /// # Errors
    ///
    /// [`DistributionError`] names the first parameter that cannot be used.
    pub fn validate(&self) -> Result<(), DistributionError> {
        let amount = |value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                Err(DistributionError::NotAnAmount(value))
            }
        };
        match *self {
            Self::Constant(value) | Self::Exponential(value) => amount(value),
            Self::Uniform(low, high) => {
                amount(low)?;
                amount(high)?;
                if low <= high { Ok(()) } else { Err(DistributionError::Empty(low, high)) }
            }
            Self::Lognormal { median, sigma } => {
                amount(median)?;
                amount(sigma)
            }
            Self::Pareto { min, alpha } => {
                amount(min)?;
                amount(alpha)?;
                if alpha > 0.0 { Ok(()) } else { Err(DistributionError::Zero("alpha")) }
            }
        }
    }

    /// Draws a real number.
    pub fn draw(&self, random: &mut Random) -> f64 {
        let drawn = match *self {
            Self::Constant(value) => value,
            Self::Uniform(low, high) => low + (high - low) * random.unit(),
            Self::Exponential(mean) => mean * random.exponential(),
            Self::Lognormal { median, sigma } => median * (sigma * random.normal()).exp(),
            Self::Pareto { min, alpha } => min * (random.exponential() / alpha).exp(),
        };
        drawn.min(f64::MAX)
    }

    /// Draws a whole number in `least..=most`: the nearest to the real draw, except that a uniform
    /// distribution gives each whole number between its bounds the same chance.
    pub fn draw_count(&self, random: &mut Random, least: u32, most: u32) -> u32 {
        assert!(least <= most, "the range of a count is never empty");
        let drawn = match *self {
            Self::Uniform(low, high) => low + (high - low + 1.0) * random.unit(),
            _ => self.draw(random) + 0.5,
        };
        let bounded = drawn.floor().clamp(f64::from(least), f64::from(most));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped between two numbers of the type"
        )]
        {
            bounded as u32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(distribution: &Distribution) -> f64 {
        const DRAWS: u32 = 200_000;
        let mut random = Random::new(3);
        (0..DRAWS).map(|_| distribution.draw(&mut random)).sum::<f64>() / f64::from(DRAWS)
    }

    #[test]
    fn means_are_those_of_the_laws() {
        let cases = [
            (Distribution::Constant(4.0), 4.0),
            (Distribution::Uniform(2.0, 6.0), 4.0),
            (Distribution::Exponential(4.0), 4.0),
            (Distribution::Lognormal { median: 4.0, sigma: 0.5 }, 4.0 * (0.125_f64).exp()),
            (Distribution::Pareto { min: 3.0, alpha: 4.0 }, 4.0),
        ];
        for (distribution, expected) in cases {
            let measured = mean(&distribution);
            assert!((measured / expected - 1.0).abs() < 0.01, "{distribution:?}: {measured}");
        }
    }

    #[test]
    fn uniform_counts_are_equally_likely() {
        let mut random = Random::new(4);
        let mut seen = [0_u32; 3];
        for _ in 0..30_000 {
            let count = Distribution::Uniform(1.0, 3.0).draw_count(&mut random, 1, 5);
            seen[usize::try_from(count - 1).unwrap()] += 1;
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
    }

    #[test]
    fn counts_stay_within_their_range() {
        let mut random = Random::new(5);
        let heavy = Distribution::Pareto { min: 1.0, alpha: 0.1 };
        assert!((0..1_000).all(|_| (1..=5).contains(&heavy.draw_count(&mut random, 1, 5))));
    }

    #[test]
    fn useless_parameters_are_named() {
        let check = |distribution: Distribution, message: &str| {
            assert_eq!(distribution.validate().unwrap_err().to_string(), message);
        };
        check(Distribution::Constant(-1.0), "-1 is not a finite number at or above zero");
        check(
            Distribution::Uniform(3.0, 1.0),
            "uniform from 3 to 1 is empty; give the lower bound first",
        );
        check(Distribution::Pareto { min: 1.0, alpha: 0.0 }, "`alpha` must be above zero");
        assert!(Distribution::Exponential(f64::NAN).validate().is_err());
    }
}
