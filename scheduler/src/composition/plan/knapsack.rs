//! The heaviest jobs that fit into a batch together, found exactly, for backlogs so short that this is quick.
//!
//! Among jobs of one sequence each the heaviest are simply the heaviest one by one. Where they have several, taking
//! the densest one after the other leaves room that others would have filled, and in a short backlog one batch more is
//! much of the whole. So there the best set of those seen so far is kept for every room, from none to a whole batch
//! (Bellman 1957): O(jobs x sequences per batch) for the batches around all anchors.

use super::Item;
use super::greedy::Total;
use crate::limits::PLAN_FIRST_BATCHES_MAX;

/// Some of the jobs seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    pub(super) total: Total,
    /// A bit for each of them, by its place.
    members: u32,
}

const _: () = assert!(PLAN_FIRST_BATCHES_MAX <= u32::BITS as usize, "a set has a bit for each");

impl Load {
    /// Whether the job at this place is one of them.
    pub(super) fn holds(&self, place: usize) -> bool {
        self.members & (1 << place) != 0
    }

    fn with(mut self, item: &Item, place: usize) -> Self {
        self.total.add(item);
        self.members |= 1 << place;
        self
    }

    /// Heavier, or as heavy and fuller: what it takes is in nobody's way later.
    fn is_as_good_as(&self, other: &Self) -> bool {
        let [one, other] = [self.total, other.total];
        (one.weight, one.sequences) >= (other.weight, other.sequences)
    }
}

/// The best loads of the jobs seen, keeping its working memory from one round to the next.
#[derive(Debug, Default)]
pub(super) struct Knapsack {
    /// By room.
    best: Vec<Load>,
}

impl Knapsack {
    /// Forgets all jobs. A batch holds so many sequences.
    pub(super) fn clear(&mut self, sequences_max: u32) {
        self.best.clear();
        self.best.resize(sequences_max as usize + 1, Load::default());
    }

    /// The batch of an anchor at this place and those seen.
    pub(super) fn around(&self, anchor: &Item, place: usize) -> Load {
        let room = (self.best.len() - 1).saturating_sub(anchor.sequences as usize);
        self.best[room].with(anchor, place)
    }

    /// Has seen a job. Of equally good loads that with the job seen last, the longest, is kept: short ones fit in
    /// anywhere later.
    pub(super) fn offer(&mut self, item: &Item, place: usize) {
        let sequences = item.sequences as usize;
        for room in (sequences..self.best.len()).rev() {
            let load = self.best[room - sequences].with(item, place);
            if load.is_as_good_as(&self.best[room]) {
                self.best[room] = load;
            }
        }
    }

    #[cfg(test)]
    pub(super) fn capacities(&self, into: &mut Vec<usize>) {
        into.push(self.best.capacity());
    }
}
