//! Policies that learn from a request's course, as a proxy meets it.
//!
//! The study's pickers read everything from the view; these keep their own estimates, so the caller tells them
//! what happens: [`LivePolicy::sent`] when a request leaves, [`LivePolicy::finished`] when its answer is there. Times
//! are arguments. Each module's documentation gives the formula, the defaults with their units, and the source.
//!
//! All of them respect [`Channels::is_available`]; when no channel is available they choose among all, as a caller
//! that asks wants an answer.

mod c3;
mod estimate;
mod hashed;
mod idle_queue;
mod kind;
mod least_request;
mod peak_ewma;
mod prequal;
mod scan;
mod soonest;
mod subset;
mod weighted_latency;
mod weighted_round_robin;

#[cfg(test)]
mod tests;

use std::time::Duration;

use ringyard_time::Time;

pub use c3::{C3, C3Config};
pub use hashed::{Maglev, RingHash};
pub use idle_queue::JoinIdleQueue;
pub use kind::{LiveKind, UnknownLiveKind};
pub use least_request::LeastRequest;
pub use peak_ewma::{PeakEwma, PeakEwmaConfig};
pub use prequal::{LatencyAtLoad, Prequal, PrequalConfig};
pub use soonest::{Soonest, SoonestConfig};
pub use subset::rendezvous_subset;
pub use weighted_latency::WeightedLeastLatency;
pub use weighted_round_robin::{Sequence, WeightedRoundRobin, WeightedRoundRobinConfig};

use super::explain::Explanation;
use super::random::Random;
use super::view::Channels;

/// What a server said about its load with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Requests it answers per second.
    pub requests_per_second: f64,
    /// Of these, the failed ones.
    pub errors_per_second: f64,
    /// Busy share of its capacity, 0 to 1 (above 1 if it says so).
    pub utilization: f64,
    /// Requests it has queued or in work.
    pub in_flight: f64,
    /// Requests it has queued.
    pub queued: f64,
    /// Seconds it worked on this request.
    pub service_seconds: f64,
    /// Seconds it kept this request waiting before.
    pub queued_seconds: f64,
}

/// How a request came out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// From sending to the whole answer.
    pub latency: Duration,
    /// Whether it is a good answer.
    pub is_success: bool,
    /// What came with it.
    pub load: Option<Load>,
}

/// Any of the policies that learn.
#[derive(Clone, Debug)]
pub enum LivePolicy {
    /// Fewest requests under way.
    LeastRequest(LeastRequest),
    /// Least peak-sensitive latency times load.
    PeakEwma(PeakEwma),
    /// Turns in proportion to reported capacity.
    WeightedRoundRobin(WeightedRoundRobin),
    /// Hot/cold over a pool of probes.
    Prequal(Box<Prequal>),
    /// Cubic replica score.
    C3(C3),
    /// Least mean latency times load over weight.
    WeightedLeastLatency(WeightedLeastLatency),
    /// Consistent hashing on a ring.
    RingHash(RingHash),
    /// Consistent hashing by a filled table.
    Maglev(Maglev),
    /// A server that announced itself idle.
    JoinIdleQueue(JoinIdleQueue),
    /// The answer expected soonest.
    Soonest(Box<Soonest>),
}

impl LivePolicy {
    /// Chooses a channel for the request with the hash `key`, which only the hashing policies read.
    pub fn pick<C, R>(&mut self, channels: &C, key: u64, now: Time, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        match self {
            Self::LeastRequest(policy) => policy.pick(channels, random),
            Self::PeakEwma(policy) => policy.pick(channels, now, random),
            Self::WeightedRoundRobin(policy) => policy.pick(channels, now, random),
            Self::Prequal(policy) => policy.pick(channels, now, random),
            Self::C3(policy) => policy.pick(channels, random),
            Self::WeightedLeastLatency(policy) => policy.pick(channels, now, random),
            Self::RingHash(policy) => policy.pick(channels, key),
            Self::Maglev(policy) => policy.pick(channels, key),
            Self::JoinIdleQueue(policy) => policy.pick(channels, random),
            Self::Soonest(policy) => policy.pick(channels, now, random),
        }
    }

    /// A request was sent on `channel`.
    pub fn sent(&mut self, channel: usize) {
        match self {
            Self::JoinIdleQueue(policy) => policy.sent(channel),
            Self::Soonest(policy) => policy.sent(channel),
            Self::LeastRequest(_)
            | Self::PeakEwma(_)
            | Self::WeightedRoundRobin(_)
            | Self::Prequal(_)
            | Self::C3(_)
            | Self::WeightedLeastLatency(_)
            | Self::RingHash(_)
            | Self::Maglev(_) => {}
        }
    }

    /// The answer to a request on `channel` is there.
    pub fn finished(&mut self, channel: usize, answer: &Answer, now: Time) {
        match self {
            Self::PeakEwma(policy) => policy.finished(channel, answer, now),
            Self::WeightedRoundRobin(policy) => policy.finished(channel, answer, now),
            Self::C3(policy) => policy.finished(channel, answer),
            Self::WeightedLeastLatency(policy) => policy.finished(channel, answer, now),
            Self::JoinIdleQueue(policy) => policy.finished(channel, answer),
            Self::Soonest(policy) => policy.finished(channel, answer, now),
            Self::LeastRequest(_) | Self::Prequal(_) | Self::RingHash(_) | Self::Maglev(_) => {}
        }
    }

    /// The caller has given up a request on `channel`, which says nothing of the channel.
    pub fn abandoned(&mut self, channel: usize) {
        match self {
            Self::JoinIdleQueue(policy) => policy.abandoned(channel),
            Self::Soonest(policy) => policy.abandoned(channel),
            Self::LeastRequest(_)
            | Self::PeakEwma(_)
            | Self::WeightedRoundRobin(_)
            | Self::Prequal(_)
            | Self::C3(_)
            | Self::WeightedLeastLatency(_)
            | Self::RingHash(_)
            | Self::Maglev(_) => {}
        }
    }

    /// Fills `into` with the channels to probe now that a request was sent. Only [`Prequal`] asks for any; the
    /// answers go to [`LivePolicy::probed`].
    pub fn probes<C, R>(&mut self, channels: &C, random: &mut R, into: &mut Vec<u32>)
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        match self {
            Self::Prequal(policy) => policy.probes(channels, random, into),
            _ => into.clear(),
        }
    }

    /// A probe of `channel` was answered: requests in flight there, and the latency it expects at that load.
    pub fn probed(&mut self, channel: usize, in_flight: f64, latency: Duration, now: Time) {
        if let Self::Prequal(policy) = self {
            policy.probed(channel, in_flight, latency, now);
        }
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        match self {
            Self::LeastRequest(policy) => policy.explain(),
            Self::PeakEwma(policy) => policy.explain(),
            Self::WeightedRoundRobin(policy) => policy.explain(),
            Self::Prequal(policy) => policy.explain(),
            Self::C3(policy) => policy.explain(),
            Self::WeightedLeastLatency(policy) => policy.explain(),
            Self::RingHash(policy) => policy.explain(),
            Self::Maglev(policy) => policy.explain(),
            Self::JoinIdleQueue(policy) => policy.explain(),
            Self::Soonest(policy) => policy.explain(),
        }
    }
}
