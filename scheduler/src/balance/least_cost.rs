//! The channel of least cost, among all or among a few drawn at random.
//!
//! With two draws this is the "power of two choices" (Mitzenmacher 1996): nearly as good as looking at all,
//! and it does not herd when costs are stale. Weights and biases belong to `LeastRequest`, not here.

use super::cost::Cost;
use super::explain::{Explanation, Reason};
use super::random::Random;
use super::view::{Channels, Narrowed};

/// What a channel without data is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// As good as can be: new channels are explored at once.
    #[default]
    Best,
    /// As good as the mean of the known ones.
    Average,
    /// Worse than any known one.
    Worst,
}

/// Least cost: score `max(0, cost)`, unknown costs by [`Unknown`], ties broken evenly.
#[derive(Clone, Debug)]
pub struct LeastCost {
    /// The cost that is minimised.
    pub cost: Cost,
    /// Look at this many distinct channels drawn at random instead of all.
    pub choices: Option<usize>,
    /// What a channel without data is worth.
    pub unknown: Unknown,
    scores: Vec<f64>,
    drawn: Vec<u32>,
    last: Explanation,
}

impl LeastCost {
    /// A policy that minimises `cost` over all channels, or over `choices` drawn at random.
    #[must_use]
    pub fn new(cost: Cost, choices: Option<usize>) -> Self {
        Self {
            cost,
            choices,
            unknown: Unknown::Best,
            scores: Vec::new(),
            drawn: Vec::new(),
            last: Explanation::default(),
        }
    }

    /// The same policy with another worth for channels without data.
    #[must_use]
    pub fn with_unknown(mut self, unknown: Unknown) -> Self {
        self.unknown = unknown;
        self
    }

    /// Chooses a channel.
    #[inline]
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let at = match self.choices {
            None => {
                self.cost.fill(channels, random, &mut self.scores);
                self.settle();
                random.first_minimum(&self.scores)
            }
            Some(choices) => {
                let choices = choices.min(channels.count());
                random.sample(channels.count(), choices, &mut self.drawn);
                let few = Narrowed { inner: channels, indices: &self.drawn };
                self.cost.fill(&few, random, &mut self.scores);
                self.settle();
                random.first_minimum(&self.scores)
            }
        };
        let channel = self.choices.map_or(at, |_| self.drawn[at] as usize);
        let reason = Reason::Lowest { score: self.scores[at], considered: self.scores.len() };
        self.last = Explanation::new(channel, reason);
        channel
    }

    /// Replaces missing costs and lifts negative ones to zero.
    #[inline]
    fn settle(&mut self) {
        let unknown = match self.unknown {
            Unknown::Best => 0.0,
            Unknown::Average => mean_of_known(&self.scores),
            Unknown::Worst => f64::MAX,
        };
        for score in &mut self.scores {
            *score = if score.is_nan() { unknown } else { score.max(0.0) };
        }
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}

fn mean_of_known(costs: &[f64]) -> f64 {
    let known = costs.iter().filter(|cost| !cost.is_nan());
    let count = known.clone().count().max(1);
    known.map(|cost| cost.max(0.0)).sum::<f64>() / count as f64
}
