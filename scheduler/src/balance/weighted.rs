//! A draw by weight, the weight being one over the cost.
//!
//! Drawing keeps every channel in use, so it neither herds nor starves, at the price of sending some
//! requests to worse channels knowingly.

use super::cost::{Cost, mean_of_nonzero};
use super::explain::{Explanation, Reason};
use super::random::Random;
use super::view::Channels;

/// What a cost of exactly zero means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zero {
    /// No data: it counts as the average of the others.
    #[default]
    NoData,
    /// The best there is: it counts as half the smallest positive cost.
    Best,
}

/// Added to the smallest weight when weights are shifted to be positive.
const SHIFT: f64 = 0.1;

/// Draws a channel with probability proportional to `1 / cost`.
///
/// Missing costs count as the mean of those that are neither missing nor zero; if there is no such mean,
/// or it is zero, every channel is equally likely. Negative costs count as zero, unless they are allowed: then
/// all weights are shifted so that the smallest is 0.1.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// The cost whose inverse is the weight.
    pub cost: Cost,
    /// Whether negative costs keep their sign.
    pub allow_negative: bool,
    /// What a cost of zero means.
    pub zero: Zero,
    weights: Vec<f64>,
    last: Explanation,
}

impl Weighted {
    /// A policy that draws by the inverse of `cost`.
    #[must_use]
    pub fn new(cost: Cost) -> Self {
        Self {
            cost,
            allow_negative: false,
            zero: Zero::NoData,
            weights: Vec::new(),
            last: Explanation::default(),
        }
    }

    /// The same policy with negative costs allowed.
    #[must_use]
    pub fn allowing_negative(mut self) -> Self {
        self.allow_negative = true;
        self
    }

    /// The same policy with another meaning of zero.
    #[must_use]
    pub fn with_zero(mut self, zero: Zero) -> Self {
        self.zero = zero;
        self
    }

    /// Chooses a channel.
    #[inline]
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        self.cost.fill(channels, random, &mut self.weights);
        if !self.allow_negative {
            for cost in &mut self.weights {
                // `f64::max` would turn a missing cost into zero.
                if *cost < 0.0 {
                    *cost = 0.0;
                }
            }
        }
        let Some(average) = mean_of_nonzero(&self.weights).filter(|mean| *mean != 0.0) else {
            let channel = random.below(channels.count());
            self.last = Explanation::new(channel, Reason::NoData);
            return channel;
        };
        let zero = match self.zero {
            Zero::NoData => average,
            Zero::Best => smallest_positive(&self.weights).map_or(average, |least| least / 2.0),
        };
        for weight in &mut self.weights {
            let cost = *weight;
            *weight = 1.0
                / if cost.is_nan() {
                    average
                } else if cost == 0.0 {
                    zero
                } else {
                    cost
                };
        }
        if self.allow_negative {
            shift_positive(&mut self.weights);
        }
        let channel = random.weighted(&self.weights);
        let total = self.weights.iter().sum();
        self.last =
            Explanation::new(channel, Reason::Weighted { weight: self.weights[channel], total });
        channel
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}

fn smallest_positive(costs: &[f64]) -> Option<f64> {
    costs.iter().copied().filter(|cost| *cost > 0.0).reduce(f64::min)
}

/// If the smallest weight is not positive, shifts all so that it becomes 0.1.
fn shift_positive(weights: &mut [f64]) {
    let least = weights.iter().copied().fold(f64::INFINITY, f64::min);
    if least <= 0.0 {
        lift(weights, least);
    }
}

/// Shifts all weights so that `least` becomes 0.1.
pub(super) fn lift(weights: &mut [f64], least: f64) {
    for weight in weights {
        *weight += SHIFT - least;
    }
}
