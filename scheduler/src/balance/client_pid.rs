//! A client that steers its own weights: one controller per channel pulls the server's utilisation towards
//! the average of those this client knows.
//!
//! The controllers advance once per pick of the client, so a busy client steers faster than an idle one.

use super::explain::{Explanation, Reason};
use super::pid::{Gains, Pid, target_utilization};
use super::random::Random;
use super::view::{Aggregate, Channels};
use super::weighted::lift;

/// Draws by weights that a controller per channel adjusts from reported utilisation.
///
/// With `A` the mean latest utilisation over the identities that reported one, every channel's controller is
/// updated with its own value (or `A` without one) and the target `A + 10` (or `A` from 80 % on), the step is
/// added to its weight, and the draw is by weight shifted so that the smallest is 0.1. Without any report the
/// draw is uniform and nothing advances.
#[derive(Clone, Debug)]
pub struct ClientPid {
    gains: Gains,
    weight_bound: f64,
    controllers: Vec<Pid>,
    weights: Vec<f64>,
    shifted: Vec<f64>,
    known: Vec<f64>,
    last: Explanation,
}

impl Default for ClientPid {
    fn default() -> Self {
        Self::new(Gains::CLIENT, f64::INFINITY)
    }
}

impl ClientPid {
    /// Controllers with `gains` and weights kept within `±weight_bound`.
    #[must_use]
    pub fn new(gains: Gains, weight_bound: f64) -> Self {
        Self {
            gains,
            weight_bound,
            controllers: Vec::new(),
            weights: Vec::new(),
            shifted: Vec::new(),
            known: Vec::new(),
            last: Explanation::default(),
        }
    }

    /// Chooses a channel. The number of channels must not change between choices.
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let count = channels.count();
        self.controllers.resize(count, Pid::default());
        self.weights.resize(count, 0.0);
        let Some(average) = self.observe(channels) else {
            let channel = random.below(count);
            self.last = Explanation::new(channel, Reason::NoData);
            return channel;
        };
        let target = target_utilization(average);
        let mut least = f64::INFINITY;
        for channel in 0..count {
            let own = self.known[channels.identity(channel)];
            let own = if own.is_nan() { average } else { own };
            let step = self.controllers[channel].update(&self.gains, own, target);
            let weight =
                (self.weights[channel] + step).clamp(-self.weight_bound, self.weight_bound);
            self.weights[channel] = weight;
            least = least.min(weight);
        }
        self.shifted.clone_from(&self.weights);
        lift(&mut self.shifted, least);
        let channel = random.weighted(&self.shifted);
        let (weight, total) = (self.shifted[channel], self.shifted.iter().sum());
        self.last = Explanation::new(channel, Reason::Weighted { weight, total });
        channel
    }

    /// Collects the latest utilisation by identity (a later duplicate wins) and returns the mean.
    fn observe<C: Channels + ?Sized>(&mut self, channels: &C) -> Option<f64> {
        self.known.clear();
        self.known.resize(channels.identities(), f64::NAN);
        for channel in 0..channels.count() {
            let report = channels.report(channel);
            if let Some(value) = report.and_then(|report| report.utilization.get(Aggregate::Latest))
            {
                self.known[channels.identity(channel)] = value;
            }
        }
        let mut sum = 0.0;
        let mut count = 0_u32;
        for value in self.known.iter().filter(|value| !value.is_nan()) {
            sum += value;
            count += 1;
        }
        (count > 0).then(|| sum / f64::from(count))
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}
