//! Turns in proportion to the capacity that servers report.
//!
//! `weight = qps / (utilization + eps / qps * error_penalty)`: what a server would answer per second if it were fully
//! used, with errors counted as extra use. A report counts once its channel has reported for the blackout period, and
//! until it is older than the expiry; a channel without one has the mean weight of the others, and with fewer than two
//! known weights the turns are plain. Weights are renewed every update period.
//!
//! Defaults: blackout 10 s, expiry 180 s, update 1 s, error penalty 1. Source: gRPC proposal A58,
//! `weighted_round_robin`. Two ways to turn weights into turns: its static stride scheduler (a channel is passed over
//! in a round unless a whole multiple of its weight falls into it; O(1) memory writes and no queue), and earliest
//! deadline first with random first deadlines.

use std::time::Duration;

use ringyard_time::Time;

use super::Answer;
use super::scan::available;
use crate::balance::explain::{Explanation, Reason};
use crate::balance::random::Random;
use crate::balance::view::Channels;

/// How weights become turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sequence {
    /// Static stride.
    #[default]
    Stride,
    /// Earliest deadline first.
    Deadline,
}

/// How a [`WeightedRoundRobin`] is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedRoundRobinConfig {
    /// How long a channel must have reported before its weight counts.
    pub blackout: Duration,
    /// How old a report may be.
    pub expiry: Duration,
    /// How often weights are renewed.
    pub update_period: Duration,
    /// How much utilisation a wholly failing server is charged.
    pub error_penalty: f64,
    /// How weights become turns.
    pub sequence: Sequence,
}

impl Default for WeightedRoundRobinConfig {
    fn default() -> Self {
        Self {
            blackout: Duration::from_secs(10),
            expiry: Duration::from_secs(180),
            update_period: Duration::from_secs(1),
            error_penalty: 1.0,
            sequence: Sequence::Stride,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    weight: f64,
    first: Option<Time>,
    last: Time,
}

/// Turns in proportion to reported capacity.
#[derive(Clone, Debug, Default)]
pub struct WeightedRoundRobin {
    config: WeightedRoundRobinConfig,
    reported: Vec<Reported>,
    /// Relative weights in use, the largest being 1.
    weights: Vec<f64>,
    renewed: Option<Time>,
    turn: u64,
    deadlines: Vec<f64>,
    candidates: Vec<u32>,
    last: Explanation,
}

/// Weights are compared in this many steps, so the lightest still gets a turn now and then.
const STRIDE_MAX: u64 = u16::MAX as u64;

impl WeightedRoundRobin {
    /// A policy without reports: plain turns.
    #[must_use]
    pub fn new(config: WeightedRoundRobinConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, now: Time, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let count = channels.count();
        let is_due = self.renewed.is_none_or(|at| now.since(at) >= self.config.update_period);
        if is_due || self.weights.len() != count {
            self.renew(count, now, random);
        }
        available(channels, &mut self.candidates);
        let channel = match self.config.sequence {
            Sequence::Stride => self.next_by_stride(count),
            Sequence::Deadline => self.next_by_deadline(),
        };
        let (weight, total) = (self.weights[channel], self.weights.iter().sum());
        self.last = Explanation::new(channel, Reason::Weighted { weight, total });
        channel
    }

    /// Works the weights out anew. Known ones are scaled so that the largest is 1, unknown ones are the mean.
    fn renew<R: Random + ?Sized>(&mut self, count: usize, now: Time, random: &mut R) {
        self.renewed = Some(now);
        self.reported.resize(count.max(self.reported.len()), Reported::default());
        let usable = |reported: &Reported| {
            reported.first.is_some_and(|first| {
                now.since(first) >= self.config.blackout
                    && now.since(reported.last) < self.config.expiry
            })
        };
        let known: Vec<Option<f64>> = self.reported[..count]
            .iter()
            .map(|reported| usable(reported).then_some(reported.weight))
            .collect();
        let sum: f64 = known.iter().flatten().sum();
        let largest = known.iter().flatten().copied().fold(0.0, f64::max);
        let known_count = known.iter().flatten().count();
        self.weights.clear();
        if known_count < 2 {
            self.weights.resize(count, 1.0);
        } else {
            let mean = sum / known_count as f64;
            let scaled = known.iter().map(|weight| weight.unwrap_or(mean) / largest);
            self.weights.extend(scaled);
        }
        if self.deadlines.len() != count {
            let first = |weight: &f64| random.uniform() / weight;
            self.deadlines = self.weights.iter().map(first).collect();
        }
    }

    /// The next channel whose accumulated weight passes a whole multiple of the largest in this round.
    #[expect(clippy::cast_possible_truncation, reason = "weights are at most 1")]
    fn next_by_stride(&mut self, count: usize) -> usize {
        loop {
            let (round, place) = (self.turn / count as u64, (self.turn % count as u64) as usize);
            self.turn = self.turn.wrapping_add(1);
            let weight = ((self.weights[place] * STRIDE_MAX as f64).round() as u64).max(1);
            // An offset by place keeps channels of equal weight from being passed over in the same rounds.
            let offset = STRIDE_MAX / 2 * place as u64;
            let phase = (weight.wrapping_mul(round).wrapping_add(offset)) % STRIDE_MAX;
            let has_turn = phase >= STRIDE_MAX - weight;
            if has_turn && self.candidates.iter().any(|candidate| *candidate as usize == place) {
                return place;
            }
        }
    }

    /// The candidate with the earliest deadline, whose next deadline is one over its weight later.
    fn next_by_deadline(&mut self) -> usize {
        let deadlines = &self.deadlines;
        let earliest = self.candidates.iter().copied().reduce(|best, next| {
            if deadlines[next as usize] < deadlines[best as usize] { next } else { best }
        });
        let channel = earliest.unwrap_or(0) as usize;
        self.deadlines[channel] += 1.0 / self.weights[channel].max(1.0 / STRIDE_MAX as f64);
        channel
    }

    /// Learns from an answer that carries a load.
    pub fn finished(&mut self, channel: usize, answer: &Answer, now: Time) {
        let Some(load) = answer.load else { return };
        let errors = load.errors_per_second / load.requests_per_second * self.config.error_penalty;
        let used = load.utilization + errors.max(0.0);
        let weight = load.requests_per_second / used;
        if !(weight.is_finite() && weight > 0.0) {
            return;
        }
        if channel >= self.reported.len() {
            self.reported.resize(channel + 1, Reported::default());
        }
        let reported = &mut self.reported[channel];
        // A report after a silence longer than the expiry starts a new blackout.
        let is_fresh = now.since(reported.last) < self.config.expiry;
        reported.first = reported.first.filter(|_| is_fresh).or(Some(now));
        reported.weight = weight;
        reported.last = now;
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}
