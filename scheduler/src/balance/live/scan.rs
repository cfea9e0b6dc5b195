//! The step that most policies share: the lowest score among all available channels, or among a few.

use crate::balance::explain::{Explanation, Reason};
use crate::balance::random::{Random, index_u32};
use crate::balance::view::Channels;

/// Compares scores, keeping its working memory and the ground of the last choice.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    candidates: Vec<u32>,
    drawn: Vec<u32>,
    scores: Vec<f64>,
    last: Explanation,
}

impl Scan {
    /// The available channel of lowest score, ties broken evenly; with `choices` only among that many distinct
    /// ones drawn at random.
    pub(super) fn lowest<C, R>(
        &mut self,
        channels: &C,
        choices: Option<usize>,
        random: &mut R,
        mut score: impl FnMut(usize) -> f64,
    ) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        available(channels, &mut self.candidates);
        if let Some(choices) = choices {
            random.sample(
                self.candidates.len(),
                choices.min(self.candidates.len()),
                &mut self.drawn,
            );
            for place in &mut self.drawn {
                *place = self.candidates[*place as usize];
            }
            std::mem::swap(&mut self.candidates, &mut self.drawn);
        }
        self.scores.clear();
        self.scores.extend(self.candidates.iter().map(|channel| score(*channel as usize)));
        let place = random.first_minimum(&self.scores);
        let channel = self.candidates[place] as usize;
        let reason = Reason::Lowest { score: self.scores[place], considered: self.scores.len() };
        self.last = Explanation::new(channel, reason);
        channel
    }

    pub(super) const fn explain(&self) -> Explanation {
        self.last
    }
}

/// The available channels, or all if none is.
pub(super) fn available<C: Channels + ?Sized>(channels: &C, into: &mut Vec<u32>) {
    let all = 0..index_u32(channels.count());
    into.clear();
    into.extend(all.clone().filter(|channel| channels.is_available(*channel as usize)));
    if into.is_empty() {
        into.extend(all);
    }
}
