//! Least latency times load, where latency jumps up at once and comes down slowly.
//!
//! Per channel a cost in seconds. An answer after `rtt` at time `t`, `dt` after the previous one:
//!
//! * `cost = rtt` if `rtt > cost`, else `cost = cost * w + rtt * (1 - w)` with `w = exp(-dt / tau)`;
//! * when read, the cost decays towards zero by the same `w`, so a channel that once was slow is tried again;
//! * `load = cost * (in_flight + 1) / weight`; a channel never answered has the cost 0, and the load
//!   `penalty + in_flight` once something is under way there. Lowest of two distinct random choices wins.
//!
//! A failed answer counts as one of at least the penalty's length, so that a server that fails fast does not look
//! like a fast one. Defaults: `tau` 10 s, penalty 1 s, 2 choices. Source: Finagle, `PeakEwma` (whose penalty is
//! practically infinite, and which sees failures as latencies).

use std::time::Duration;

use ringyard_time::Time;

use super::Answer;
use super::scan::Scan;
use crate::balance::explain::Explanation;
use crate::balance::random::Random;
use crate::balance::view::Channels;

/// How a [`PeakEwma`] is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeakEwmaConfig {
    /// The time over which a cost decays to 1/e.
    pub tau: Duration,
    /// The load of a channel that has not answered yet but has something under way; the least cost of a failure.
    pub penalty: Duration,
    /// How many channels are compared; all if `None`.
    pub choices: Option<usize>,
}

impl Default for PeakEwmaConfig {
    fn default() -> Self {
        let (tau, penalty) = (Duration::from_secs(10), Duration::from_secs(1));
        Self { tau, penalty, choices: Some(2) }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    seconds: f64,
    at: Time,
}

impl Cost {
    fn decay(&self, now: Time, tau: Duration) -> f64 {
        (-now.since(self.at).as_secs_f64() / tau.as_secs_f64()).exp()
    }
}

/// Least peak-sensitive latency times load.
#[derive(Clone, Debug, Default)]
pub struct PeakEwma {
    config: PeakEwmaConfig,
    costs: Vec<Cost>,
    scan: Scan,
}

impl PeakEwma {
    /// A policy that has seen no answer yet.
    #[must_use]
    pub fn new(config: PeakEwmaConfig) -> Self {
        Self { config, costs: Vec::new(), scan: Scan::default() }
    }

    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, now: Time, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let Self { config, costs, scan } = self;
        scan.lowest(channels, config.choices, random, |channel| {
            let cost =
                costs.get(channel).map_or(0.0, |cost| cost.seconds * cost.decay(now, config.tau));
            let in_flight = f64::from(channels.in_flight(channel));
            let load = if cost == 0.0 && in_flight > 0.0 {
                config.penalty.as_secs_f64() + in_flight
            } else {
                cost * (in_flight + 1.0)
            };
            load / channels.weight(channel)
        })
    }

    /// Learns from an answer.
    pub fn finished(&mut self, channel: usize, answer: &Answer, now: Time) {
        if channel >= self.costs.len() {
            self.costs.resize(channel + 1, Cost::default());
        }
        let floor = if answer.is_success { Duration::ZERO } else { self.config.penalty };
        let seconds = answer.latency.max(floor).as_secs_f64();
        let cost = &mut self.costs[channel];
        let kept = cost.decay(now, self.config.tau);
        cost.seconds = if seconds > cost.seconds {
            seconds
        } else {
            cost.seconds * kept + seconds * (1.0 - kept)
        };
        cost.at = now;
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.scan.explain()
    }
}
