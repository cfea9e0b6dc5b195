//! Hot/cold lexicographic choice (HCL): shut out the channels in poor health, then take the best rank.
//!
//! A channel is hot when its health exceeds the 80th percentile of the healths seen at this client's recent
//! picks. Prequal (`prequal`) is the same idea over a pool of probes instead of over channels.

use std::collections::VecDeque;

use super::cost::{Cost, mean_of_nonzero};
use super::explain::{Explanation, Reason};
use super::percentile::PercentileSet;
use super::random::Random;
use super::view::Channels;
use super::weighted::Zero;

/// How a [`HotCold`] policy differs from its defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HotColdConfig {
    /// What separates hot from cold; low is healthy.
    pub health: Cost,
    /// What is minimised among the cold; low is good.
    pub ranking: Cost,
    /// The percentile of recent healths above which a channel is hot, as a fraction.
    pub cutoff: f64,
    /// Healths remembered per identity.
    pub history: usize,
    /// What a cost of zero means.
    pub zero: Zero,
    /// Whether ties are broken at random instead of by channel order.
    pub random_ties: bool,
    /// Whether healths are remembered even when the choice falls back to a uniform one.
    pub always_remember: bool,
}

impl HotColdConfig {
    /// The default cut-off, 80 %.
    pub const CUTOFF: f64 = 0.8;
    /// The default length of a history.
    pub const HISTORY: usize = 100;

    /// Health and ranking by these costs, everything else by default.
    #[must_use]
    pub const fn new(health: Cost, ranking: Cost) -> Self {
        Self {
            health,
            ranking,
            cutoff: Self::CUTOFF,
            history: Self::HISTORY,
            zero: Zero::NoData,
            random_ties: false,
            always_remember: false,
        }
    }
}

/// Least rank among the channels that are not hot.
///
/// Missing healths and ranks count as the mean of those neither missing nor zero; without such a mean, of
/// either, the choice is uniform. If every channel is hot, the least hot one is taken.
#[derive(Clone, Debug)]
pub struct HotCold {
    config: HotColdConfig,
    histories: Vec<VecDeque<f64>>,
    shares: Vec<u32>,
    recent: PercentileSet,
    healths: Vec<f64>,
    ranks: Vec<f64>,
    last: Explanation,
}

impl HotCold {
    /// A policy with an empty memory.
    #[must_use]
    pub fn new(config: HotColdConfig) -> Self {
        Self {
            config,
            histories: Vec::new(),
            shares: Vec::new(),
            recent: PercentileSet::default(),
            healths: Vec::new(),
            ranks: Vec::new(),
            last: Explanation::default(),
        }
    }

    /// Chooses a channel. Identities must not change between choices.
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        self.config.health.fill(channels, random, &mut self.healths);
        let Some(healthy) = self.average(&self.healths) else {
            if self.config.always_remember {
                self.remember(channels);
            }
            return self.uniform(channels, random);
        };
        self.remember(channels);
        let cutoff = self.recent.percentile(self.config.cutoff).unwrap_or(f64::INFINITY);
        self.config.ranking.fill(channels, random, &mut self.ranks);
        let Some(middling) = self.average(&self.ranks) else {
            return self.uniform(channels, random);
        };
        fill_gaps(&mut self.healths, healthy, self.config.zero);
        fill_gaps(&mut self.ranks, middling, self.config.zero);
        self.choose(cutoff, random)
    }

    /// The average that stands in for missing data, or `None` if the choice has to be blind.
    fn average(&self, costs: &[f64]) -> Option<f64> {
        match self.config.zero {
            Zero::NoData => mean_of_nonzero(costs),
            // Zeros are data here: only a view without any figure at all is blind.
            Zero::Best => mean_of_nonzero(costs)
                .or_else(|| costs.iter().any(|cost| !cost.is_nan()).then_some(0.0)),
        }
    }

    fn uniform<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let channel = random.below(channels.count());
        self.last = Explanation::new(channel, Reason::NoData);
        channel
    }

    fn choose<R: Random + ?Sized>(&mut self, cutoff: f64, random: &mut R) -> usize {
        // Hot channels are masked by an infinite rank, so one scan serves both kinds of tie-break.
        let mut any_cold = false;
        for (rank, health) in self.ranks.iter_mut().zip(&self.healths) {
            if *health <= cutoff {
                any_cold = true;
            } else {
                *rank = f64::INFINITY;
            }
        }
        let scores = if any_cold { &self.ranks } else { &self.healths };
        let channel = if self.config.random_ties {
            random.first_minimum(scores)
        } else {
            first_lowest(scores)
        };
        let (health, rank) = (self.healths[channel], self.ranks[channel]);
        let reason = if any_cold {
            Reason::Cold { health, cutoff, rank }
        } else {
            Reason::LeastHot { health, cutoff }
        };
        self.last = Explanation::new(channel, reason);
        channel
    }

    /// Appends each known health to its identity's history. The percentile is over the histories of all
    /// channels, so an identity that several channels share counts several times.
    fn remember<C: Channels + ?Sized>(&mut self, channels: &C) {
        if self.shares.is_empty() {
            self.shares.resize(channels.identities(), 0);
            self.histories.resize(channels.identities(), VecDeque::new());
            for channel in 0..channels.count() {
                self.shares[channels.identity(channel)] += 1;
            }
        }
        for (channel, &health) in self.healths.iter().enumerate() {
            if health.is_nan() {
                continue;
            }
            let identity = channels.identity(channel);
            let history = &mut self.histories[identity];
            if history.len() == self.config.history
                && let Some(oldest) = history.pop_front()
            {
                for _ in 0..self.shares[identity] {
                    self.recent.remove(oldest);
                }
            }
            history.push_back(health);
            for _ in 0..self.shares[identity] {
                self.recent.insert(health);
            }
        }
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}

fn fill_gaps(costs: &mut [f64], average: f64, zero: Zero) {
    for cost in costs {
        if cost.is_nan() || (*cost == 0.0 && zero == Zero::NoData) {
            *cost = average;
        }
    }
}

/// The index of the first smallest value.
fn first_lowest(values: &[f64]) -> usize {
    let mut lowest = 0;
    for (index, value) in values.iter().enumerate() {
        if *value < values[lowest] {
            lowest = index;
        }
    }
    lowest
}
