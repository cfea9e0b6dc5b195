//! Least mean latency times load, over the configured weight.
//!
//! `score = latency * (in_flight + 1) / weight`, where `latency` is a mean of response times in seconds whose
//! weights decay with age: after an answer `dt` later, `latency = latency * w + rtt * (1 - w)`,
//! `w = exp(-dt / tau)`. A channel without an answer has the mean latency of the others, so it is tried in its turn
//! and not flooded. All channels are compared. Default: `tau` 2 s. It is [`PeakEwma`](super::PeakEwma) without the
//! jump: calmer where latencies are noisy, slower to leave a server that got slow.

use std::time::Duration;

use ringyard_time::Time;

use super::Answer;
use super::scan::Scan;
use crate::balance::explain::Explanation;
use crate::balance::random::Random;
use crate::balance::view::Channels;

/// Least mean latency times load over weight.
#[derive(Clone, Debug)]
pub struct WeightedLeastLatency {
    tau: Duration,
    /// Mean latency in seconds and when it was last updated.
    means: Vec<Option<(f64, Time)>>,
    scan: Scan,
}

impl Default for WeightedLeastLatency {
    fn default() -> Self {
        Self::new(Self::TAU)
    }
}

impl WeightedLeastLatency {
    /// The default time over which an answer's share decays to 1/e.
    pub const TAU: Duration = Duration::from_secs(2);

    /// A policy that has seen no answer yet.
    #[must_use]
    pub fn new(tau: Duration) -> Self {
        Self { tau, means: Vec::new(), scan: Scan::default() }
    }

    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, _now: Time, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let known = || self.means.iter().flatten().map(|(mean, _)| *mean);
        let average = known().sum::<f64>() / known().count().max(1) as f64;
        let average = if average > 0.0 { average } else { 1.0 };
        let means = &self.means;
        self.scan.lowest(channels, None, random, |channel| {
            let mean = means.get(channel).copied().flatten().map_or(average, |(mean, _)| mean);
            mean * (f64::from(channels.in_flight(channel)) + 1.0) / channels.weight(channel)
        })
    }

    /// Learns from an answer.
    pub fn finished(&mut self, channel: usize, answer: &Answer, now: Time) {
        if channel >= self.means.len() {
            self.means.resize(channel + 1, None);
        }
        let seconds = answer.latency.as_secs_f64();
        let updated = match self.means[channel] {
            None => seconds,
            Some((mean, at)) => {
                let kept = (-now.since(at).as_secs_f64() / self.tau.as_secs_f64()).exp();
                mean * kept + seconds * (1.0 - kept)
            }
        };
        self.means[channel] = Some((updated, now));
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.scan.explain()
    }
}
