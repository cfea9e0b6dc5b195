//! Policies that look at no cost: the first channel, and one after the other.

use super::explain::{Explanation, Reason};
use super::view::Channels;

/// Takes the channels in turn: the n-th choice is channel `(start + n) mod count`.
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    next: usize,
    last: Explanation,
}

impl RoundRobin {
    /// Starts at channel `start` (modulo the number of channels).
    #[must_use]
    pub fn starting_at(start: usize) -> Self {
        Self { next: start, last: Explanation::default() }
    }

    /// Chooses a channel.
    pub fn pick<C: Channels + ?Sized>(&mut self, channels: &C) -> usize {
        let channel = self.next % channels.count();
        self.next = self.next.wrapping_add(1);
        self.last = Explanation::new(channel, Reason::NextInTurn);
        channel
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}
