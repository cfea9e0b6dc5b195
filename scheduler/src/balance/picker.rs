//! The study's pickers behind one type, so a simulator or a proxy can hold whichever was configured.
//!
//! An enum and not a trait object: the choice is made a million times a second and the branch predicts.

use super::client_pid::ClientPid;
use super::explain::{Explanation, Reason};
use super::hot_cold::HotCold;
use super::least_cost::LeastCost;
use super::random::Random;
use super::simple::RoundRobin;
use super::view::Channels;
use super::weighted::Weighted;

/// A policy that answers at once with a channel.
#[derive(Clone, Debug)]
pub enum Picker {
    /// Always the first channel.
    First,
    /// Any channel, equally likely.
    Uniform(Explanation),
    /// One after the other.
    RoundRobin(RoundRobin),
    /// The channel of least cost.
    LeastCost(LeastCost),
    /// A draw by one over the cost.
    Weighted(Weighted),
    /// A draw by weights that a controller steers.
    ClientPid(ClientPid),
    /// The best rank among the healthy.
    HotCold(HotCold),
}

impl Picker {
    /// Chooses one of `channels`, of which there must be at least one.
    #[inline]
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        match self {
            Self::First => 0,
            Self::Uniform(last) => {
                let channel = random.below(channels.count());
                *last = Explanation::new(channel, Reason::Uniform);
                channel
            }
            Self::RoundRobin(policy) => policy.pick(channels),
            Self::LeastCost(policy) => policy.pick(channels, random),
            Self::Weighted(policy) => policy.pick(channels, random),
            Self::ClientPid(policy) => policy.pick(channels, random),
            Self::HotCold(policy) => policy.pick(channels, random),
        }
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        match self {
            Self::First => Explanation::new(0, Reason::First),
            Self::Uniform(last) => *last,
            Self::RoundRobin(policy) => policy.explain(),
            Self::LeastCost(policy) => policy.explain(),
            Self::Weighted(policy) => policy.explain(),
            Self::ClientPid(policy) => policy.explain(),
            Self::HotCold(policy) => policy.explain(),
        }
    }
}
