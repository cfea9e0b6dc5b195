//! Laws of work, delay and arrivals, each drawn by inversion or an exact method.

use ringyard_scheduler::balance::Random;
use serde::Deserialize;

/// The law of a duration, in seconds.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Law {
    /// Always the same.
    Deterministic(f64),
    /// Exponential, by mean.
    Exponential(f64),
    /// Gamma, by mean and shape.
    Gamma {
        /// The mean.
        mean: f64,
        /// The shape; 1 is exponential, less is more variable.
        shape: f64,
    },
    /// Pareto, by mean and tail exponent.
    Pareto {
        /// The mean.
        mean: f64,
        /// The tail exponent, above 1; the variance is infinite up to 2.
        exponent: f64,
    },
    /// Any of the given values, equally likely.
    Empirical(Vec<f64>),
}

impl Law {
    /// One draw.
    pub fn draw<R: Random + ?Sized>(&self, random: &mut R) -> f64 {
        match self {
            Self::Deterministic(value) => *value,
            Self::Exponential(mean) => exponential(random) * mean,
            Self::Gamma { mean, shape } => gamma(*shape, random) * mean / shape,
            Self::Pareto { mean, exponent } => {
                let least = mean * (exponent - 1.0) / exponent;
                least * (1.0 - random.uniform()).powf(-1.0 / exponent)
            }
            Self::Empirical(values) => values[random.below(values.len())],
        }
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Deterministic(mean)
            | Self::Exponential(mean)
            | Self::Gamma { mean, .. }
            | Self::Pareto { mean, .. } => *mean,
            Self::Empirical(values) => crate::study::numeric::mean(values),
        }
    }

    /// What makes the law impossible.
    pub(in crate::study) fn problem(&self) -> Option<String> {
        /// The longest mean and the largest shape that make sense, seconds.
        const MAX: f64 = 1e6;
        let good = |value: f64| value > 0.0 && value <= MAX;
        let is_good = match self {
            Self::Deterministic(mean) | Self::Exponential(mean) => good(*mean),
            Self::Gamma { mean, shape } => good(*mean) && good(*shape),
            Self::Pareto { mean, exponent } => good(*mean) && *exponent > 1.0 && good(*exponent),
            Self::Empirical(values) => {
                !values.is_empty() && values.iter().all(|value| good(*value))
            }
        };
        let text = "work needs means and shapes above 0, Pareto exponents above 1, and values if it is empirical";
        (!is_good).then(|| text.to_owned())
    }

    /// The second moment, infinite if there is none.
    #[must_use]
    pub fn second_moment(&self) -> f64 {
        match self {
            Self::Deterministic(value) => value * value,
            Self::Exponential(mean) => 2.0 * mean * mean,
            Self::Gamma { mean, shape } => mean * mean * (1.0 + 1.0 / shape),
            Self::Pareto { exponent, .. } if *exponent <= 2.0 => f64::INFINITY,
            Self::Pareto { mean, exponent } => {
                let least = mean * (exponent - 1.0) / exponent;
                least * least * exponent / (exponent - 2.0)
            }
            Self::Empirical(values) => {
                values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64
            }
        }
    }
}

/// A draw from the exponential law of mean 1.
#[inline]
pub(super) fn exponential<R: Random + ?Sized>(random: &mut R) -> f64 {
    -(1.0 - random.uniform()).ln()
}

/// A draw from the standard normal law (Marsaglia's polar method).
fn normal<R: Random + ?Sized>(random: &mut R) -> f64 {
    loop {
        let (x, y) = (2.0 * random.uniform() - 1.0, 2.0 * random.uniform() - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

/// A draw from the gamma law of scale 1 (Marsaglia and Tsang 2000; below shape 1 by their boost).
fn gamma<R: Random + ?Sized>(shape: f64, random: &mut R) -> f64 {
    if shape < 1.0 {
        let boost = (1.0 - random.uniform()).powf(1.0 / shape);
        return gamma(shape + 1.0, random) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        let u = 1.0 - random.uniform();
        if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// How requests arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum ArrivalLaw {
    /// A Poisson process, by rate per second.
    Poisson(f64),
    /// A Poisson process whose rate switches between states after exponential times (MMPP).
    Modulated {
        /// The rate in each state.
        rates: Vec<f64>,
        /// The mean time spent in each state, which are visited in turn.
        dwell: Vec<f64>,
    },
    /// The given times, increasing.
    Trace(Vec<f64>),
}

/// A running arrival process.
#[derive(Debug)]
pub(super) struct ArrivalProcess<'a> {
    law: &'a ArrivalLaw,
    state: usize,
    switch_at: f64,
    next_in_trace: usize,
}

impl<'a> ArrivalProcess<'a> {
    pub(super) fn new<R: Random + ?Sized>(law: &'a ArrivalLaw, random: &mut R) -> Self {
        let switch_at = match law {
            ArrivalLaw::Modulated { dwell, .. } => exponential(random) * dwell[0],
            _ => f64::INFINITY,
        };
        Self { law, state: 0, switch_at, next_in_trace: 0 }
    }

    /// The time of the arrival after `now`; infinite after the end of a trace.
    pub(super) fn next<R: Random + ?Sized>(&mut self, now: f64, random: &mut R) -> f64 {
        match self.law {
            ArrivalLaw::Poisson(rate) => now + exponential(random) / rate,
            ArrivalLaw::Modulated { rates, dwell } => {
                let mut from = now;
                loop {
                    let arrival = from + exponential(random) / rates[self.state];
                    if arrival <= self.switch_at {
                        return arrival;
                    }
                    // Without memory, waiting may begin anew at the switch.
                    from = self.switch_at;
                    self.state = (self.state + 1) % rates.len();
                    self.switch_at += exponential(random) * dwell[self.state];
                }
            }
            ArrivalLaw::Trace(times) => {
                let time = times.get(self.next_in_trace).copied().unwrap_or(f64::INFINITY);
                self.next_in_trace += 1;
                time
            }
        }
    }
}
