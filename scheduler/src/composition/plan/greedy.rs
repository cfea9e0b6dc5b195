//! Greedy by Smith's ratio: again and again the batch with the most weight for its cost.
//!
//! A candidate batch is one job, its anchor, and the heaviest jobs no longer than it that fit. Going through the
//! anchors by length, the heaviest so far are kept in a short sorted list, so that a round over all anchors
//! is O(jobs x jobs per batch) at worst. With jobs of several sequences "heaviest" means weight per
//! sequence, and what is kept is no longer the best there could be, only good.

use super::{Batches, Item};
use crate::cost::CostModel;

#[derive(Debug, Default)]
pub(super) struct Greedy {
    batches: Batches,
    /// Positions of the items not yet in a batch, by length.
    left: Vec<u32>,
    kept: Kept,
    /// The best batch of the round.
    best: Vec<u32>,
}

/// The densest items seen in a round that fit into one batch together.
#[derive(Debug, Default)]
struct Kept {
    /// Densest first.
    members: Vec<Member>,
    total: Total,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    /// Weight per sequence.
    density: f64,
    position: u32,
}

/// What a set of items adds up to.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    sequences: u64,
    weight: f64,
    feature: f64,
}

impl Total {
    fn add(&mut self, item: &Item) {
        self.sequences += u64::from(item.sequences);
        self.weight += f64::from(item.weight);
        self.feature += item.feature;
    }

    fn subtract(&mut self, item: &Item) {
        self.sequences -= u64::from(item.sequences);
        self.weight -= f64::from(item.weight);
        self.feature -= item.feature;
    }

    /// What the set costs as one batch, of which `anchor` is the longest.
    fn cost(&self, anchor: &Item, model: &CostModel) -> f64 {
        let feature = if model.kind().is_additive() { self.feature } else { anchor.feature };
        (model.slope() * feature + model.intercept()).max(0.0)
    }
}

impl Greedy {
    /// The plan, and its weighted sum of completion times.
    pub(super) fn plan(
        &mut self,
        items: &[Item],
        model: &CostModel,
        sequences_max: u32,
    ) -> (&Batches, f64) {
        self.batches.clear();
        self.left.clear();
        self.left.extend((0u32..).take(items.len()));
        let (mut elapsed, mut sum) = (0.0, 0.0);
        while !self.left.is_empty() {
            let (cost, weight) = self.pick(items, model, u64::from(sequences_max));
            elapsed += cost;
            sum += elapsed * weight;
            // In order of length, so that both lists are gone through once.
            self.best.sort_unstable();
            let mut taken = self.best.iter().peekable();
            self.left.retain(|position| taken.next_if_eq(&position).is_none());
            self.batches.push(self.best.iter().copied());
        }
        (&self.batches, sum)
    }

    /// Leaves in `batch` the candidate around one anchor among all items, by length; returns its cost.
    pub(super) fn around(
        &mut self,
        items: &[Item],
        anchor: u32,
        model: &CostModel,
        sequences_max: u32,
        batch: &mut Vec<u32>,
    ) -> f64 {
        let sequences_max = u64::from(sequences_max);
        self.kept.clear();
        for position in 0..anchor {
            self.kept.offer(items, position, sequences_max);
        }
        let item = &items[anchor as usize];
        let (total, riders) = self.kept.around(items, item, sequences_max);
        batch.clear();
        batch.extend(riders.iter().map(|member| member.position));
        batch.push(anchor);
        batch.sort_unstable();
        total.cost(item, model)
    }

    /// Leaves in `best` the batch with the most weight for its cost; returns its cost and weight.
    fn pick(&mut self, items: &[Item], model: &CostModel, sequences_max: u64) -> (f64, f64) {
        self.kept.clear();
        let mut best = (0.0, 0.0);
        let mut best_ratio = -1.0;
        for position in self.left.iter().copied() {
            let anchor = &items[position as usize];
            let (total, riders) = self.kept.around(items, anchor, sequences_max);
            let cost = total.cost(anchor, model);
            let ratio = total.weight / cost.max(1.0);
            if ratio >= best_ratio {
                best_ratio = ratio;
                best = (cost, total.weight);
                self.best.clear();
                self.best.extend(riders.iter().map(|member| member.position));
                self.best.push(position);
            }
            self.kept.offer(items, position, sequences_max);
        }
        best
    }
}

impl Kept {
    fn clear(&mut self) {
        self.members.clear();
        self.total = Total::default();
    }

    /// The anchor's batch: it, and of the items kept the densest that leave it room.
    fn around(&self, items: &[Item], anchor: &Item, sequences_max: u64) -> (Total, &[Member]) {
        let mut total = self.total;
        total.add(anchor);
        let mut riders = self.members.as_slice();
        while total.sequences > sequences_max
            && let [denser @ .., least] = riders
        {
            total.subtract(&items[least.position as usize]);
            riders = denser;
        }
        (total, riders)
    }

    /// Keeps the item if it is dense enough, at the expense of the least dense.
    fn offer(&mut self, items: &[Item], position: u32, sequences_max: u64) {
        let item = &items[position as usize];
        let density = f64::from(item.weight) / f64::from(item.sequences);
        let full = self.total.sequences + u64::from(item.sequences) > sequences_max;
        if full && self.members.last().is_none_or(|least| least.density > density) {
            return;
        }
        let place = self.members.partition_point(|member| member.density > density);
        self.members.insert(place, Member { density, position });
        self.total.add(item);
        while self.total.sequences > sequences_max
            && let Some(least) = self.members.pop()
        {
            self.total.subtract(&items[least.position as usize]);
        }
    }
}
