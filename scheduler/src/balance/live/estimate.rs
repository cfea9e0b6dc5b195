//! Means that forget, and what to believe of one when the channel next to it says something else.
//!
//! Twelve servers that are all alike never have the same mean latency: the least of twelve noisy means belongs to
//! whoever was lucky, and a policy that follows it floods that server. So a channel's mean counts only as far as it
//! stands out: [`Estimates::of`] pulls it towards the mean of all channels, wholly while the distance could be noise,
//! and less and less as evidence gathers (the positive-part rule of James and Stein, 1961, with a wider margin as
//! many channels are compared). Evidence ages, so a channel that is not used drifts back to the mean of all and is
//! tried again.

use std::time::Duration;

use ringyard_time::Time;

/// How many standard errors a mean must be off to count as different: the largest of a dozen is rarely further.
const MARGIN: f64 = 3.0;

/// A mean whose weights decay with age.
#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    mean: f64,
    /// Mean of the squares.
    square: f64,
    /// The sum of the weights: how many values it stands for.
    weight: f64,
    at: Time,
}

impl Estimate {
    fn weight_at(&self, now: Time, tau: Duration) -> f64 {
        self.weight * (-now.since(self.at).as_secs_f64() / tau.as_secs_f64()).exp()
    }
}

/// One quantity of every channel.
#[derive(Clone, Debug)]
pub(super) struct Estimates {
    tau: Duration,
    by_channel: Vec<Estimate>,
}

/// What all channels have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    /// The mean over all values, zero without any.
    pub(super) mean: f64,
    /// The variance of single values about their channel's mean, over that mean squared.
    variation: f64,
}

impl Estimates {
    /// Nothing known; evidence decays to 1/e over `tau`.
    pub(super) const fn new(tau: Duration) -> Self {
        Self { tau, by_channel: Vec::new() }
    }

    /// `channel` showed `value`.
    pub(super) fn note(&mut self, channel: usize, value: f64, now: Time) {
        if channel >= self.by_channel.len() {
            self.by_channel.resize(channel + 1, Estimate::default());
        }
        let estimate = &mut self.by_channel[channel];
        estimate.weight = estimate.weight_at(now, self.tau) + 1.0;
        estimate.mean += (value - estimate.mean) / estimate.weight;
        estimate.square += (value * value - estimate.square) / estimate.weight;
        estimate.at = now;
    }

    /// What the channels have in common at `now`.
    pub(super) fn common(&self, now: Time) -> Common {
        let (mut weights, mut sum, mut variation) = (0.0, 0.0, 0.0);
        for estimate in &self.by_channel {
            let weight = estimate.weight_at(now, self.tau);
            weights += weight;
            sum += weight * estimate.mean;
            if estimate.mean > 0.0 {
                let variance = (estimate.square - estimate.mean * estimate.mean).max(0.0);
                variation += weight * variance / (estimate.mean * estimate.mean);
            }
        }
        if weights > 0.0 {
            Common { mean: sum / weights, variation: variation / weights }
        } else {
            Common { mean: 0.0, variation: 0.0 }
        }
    }

    /// What to believe of `channel`, given what is common to all.
    pub(super) fn of(&self, channel: usize, common: &Common, now: Time) -> f64 {
        let Some(estimate) = self.by_channel.get(channel) else { return common.mean };
        let weight = estimate.weight_at(now, self.tau);
        let distance = estimate.mean - common.mean;
        if weight <= 0.0 || distance == 0.0 {
            return common.mean;
        }
        let scale = estimate.mean.max(common.mean);
        let noise = MARGIN * MARGIN * common.variation.max(VARIATION_MIN) * scale * scale / weight;
        common.mean + distance * (1.0 - noise / (distance * distance)).max(0.0)
    }
}

/// Values so few that they all agree are no proof that there is no variation.
const VARIATION_MIN: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(milliseconds: u64) -> Time {
        Time::ZERO + Duration::from_millis(milliseconds)
    }

    proptest! {
        #[test]
        fn a_belief_lies_between_the_channel_and_all(
            values in prop::collection::vec((0_usize..5, 0_u64..2_000, 0.001_f64..1.0), 1..60),
        ) {
            let mut estimates = Estimates::new(Duration::from_secs(2));
            let mut naive: Vec<Vec<(u64, f64)>> = vec![Vec::new(); 5];
            let mut now = 0;
            for (channel, gap, value) in values {
                now += gap;
                estimates.note(channel, value, at(now));
                naive[channel].push((now, value));
            }
            let common = estimates.common(at(now));
            let weight = |time: u64| (-((now - time) as f64) / 2_000.0).exp();
            let all: Vec<(u64, f64)> = naive.iter().flatten().copied().collect();
            let mean_of = |values: &[(u64, f64)]| {
                let weights: f64 = values.iter().map(|(time, _)| weight(*time)).sum();
                values.iter().map(|(time, value)| weight(*time) * value).sum::<f64>() / weights
            };
            prop_assert!((common.mean - mean_of(&all)).abs() < 1e-9);
            for (channel, values) in naive.iter().enumerate() {
                let belief = estimates.of(channel, &common, at(now));
                let own = if values.is_empty() { common.mean } else { mean_of(values) };
                let (low, high) = (own.min(common.mean), own.max(common.mean));
                prop_assert!(low - 1e-9 <= belief && belief <= high + 1e-9, "{belief} not in {low}..{high}");
            }
        }
    }

    /// Estimates of channels whose values swing by one around these means.
    fn swinging(means: &[f64]) -> Estimates {
        let mut estimates = Estimates::new(Duration::from_secs(10));
        for step in 0..200_u64 {
            let swing = if step % 2 == 0 { -1.0 } else { 1.0 };
            for (channel, mean) in means.iter().enumerate() {
                estimates.note(channel, mean + swing, at(10 * step));
            }
        }
        estimates
    }

    #[test]
    fn noise_is_not_believed_and_a_difference_is_until_it_is_old() {
        let belief = |estimates: &Estimates, channel, now| {
            estimates.of(channel, &estimates.common(at(now)), at(now))
        };
        let alike = swinging(&[2.0, 2.1, 1.9]);
        assert_eq!(belief(&alike, 1, 2_000), belief(&alike, 2, 2_000));
        let mixed = swinging(&[2.0, 2.1, 1.9, 10.0]);
        assert!((belief(&mixed, 3, 2_000) - 10.0).abs() < 0.6, "{}", belief(&mixed, 3, 2_000));
        assert_eq!(belief(&mixed, 3, 200_000), mixed.common(at(200_000)).mean);
    }
}
