//! Greedy by Smith's ratio: again and again the batch with the most weight for its cost.
//!
//! A candidate batch is one job, its anchor, and the heaviest jobs no longer than it that fit; of equally heavy
//! ones the longest, for the short ones fit in anywhere later. Going through the anchors by length, the
//! heaviest so far are kept in a short sorted list, so that a round over all anchors is O(jobs x jobs per
//! batch) at worst; most rounds end early, at an anchor so long that no batch around it could be better.
//! With jobs of several sequences "heaviest" means weight per sequence, and what is kept is no longer the
//! best there could be, only good; in a short backlog such batches are packed exactly ([`Knapsack`]).

use std::collections::VecDeque;

use super::knapsack::{Knapsack, Load};
use super::{Batches, Item};
use crate::cost::CostModel;
use crate::limits::{PLAN_FIRST_BATCHES_MAX, PLAN_PACKED_SEQUENCES_MAX};

#[derive(Debug, Default)]
pub(super) struct Greedy {
    batches: Batches,
    /// Positions of the items not yet in a batch, by length.
    left: Vec<u32>,
    kept: Kept,
    knapsack: Knapsack,
    /// The best batch of the round.
    best: Vec<u32>,
}

/// The densest items seen in a round that fit into one batch together.
#[derive(Debug, Default)]
struct Kept {
    /// Least dense first, and of equally dense the shortest.
    members: VecDeque<u32>,
    total: Total,
}

/// What a set of items adds up to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Total {
    pub(super) sequences: u64,
    pub(super) weight: f64,
    feature: f64,
}

impl Total {
    pub(super) fn add(&mut self, item: &Item) {
        self.sequences += u64::from(item.sequences);
        self.weight += item.weight;
        self.feature += item.feature;
    }

    fn subtract(&mut self, item: &Item) {
        self.sequences -= u64::from(item.sequences);
        self.weight -= item.weight;
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
        let weight_max = weight_max(items, sequences_max);
        let is_packed = is_packed(items, sequences_max);
        let (mut elapsed, mut sum) = (0.0, 0.0);
        while !self.left.is_empty() {
            let total = if is_packed {
                self.pack(items, model, sequences_max)
            } else {
                let anchor = self.pick(items, model, sequences_max, weight_max);
                self.kept.gather(items, &self.left, anchor, sequences_max, &mut self.best)
            };
            let anchor = *self.best.last().expect("a batch has its anchor");
            elapsed += total.cost(&items[anchor as usize], model);
            sum += elapsed * total.weight;
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
        self.left.clear();
        self.left.extend(0..=anchor);
        let item = &items[anchor as usize];
        let total = if is_packed(items, sequences_max) {
            self.knapsack.clear(sequences_max);
            let shorter = items.iter().enumerate().take(anchor as usize);
            shorter.for_each(|(place, item)| self.knapsack.offer(item, place));
            let load = self.knapsack.around(item, anchor as usize);
            name(&self.left, &load, batch);
            load.total
        } else {
            self.kept.gather(items, &self.left, anchor as usize, sequences_max, batch)
        };
        total.cost(item, model)
    }

    /// Leaves in `best`, by length, of the batches packed around every anchor that with the most weight for its cost.
    fn pack(&mut self, items: &[Item], model: &CostModel, sequences_max: u32) -> Total {
        self.knapsack.clear(sequences_max);
        let (mut best, mut best_cost) = (Load::default(), 1.0);
        for (place, position) in self.left.iter().enumerate() {
            let anchor = &items[*position as usize];
            let load = self.knapsack.around(anchor, place);
            let cost = load.total.cost(anchor, model).max(1.0);
            if load.total.weight * best_cost >= best.total.weight * cost {
                (best, best_cost) = (load, cost);
            }
            self.knapsack.offer(anchor, place);
        }
        name(&self.left, &best, &mut self.best);
        best.total
    }

    /// The anchor, counted among those left, whose batch has the most weight for its cost.
    fn pick(
        &mut self,
        items: &[Item],
        model: &CostModel,
        sequences_max: u32,
        weight_max: f64,
    ) -> usize {
        let lengthens = !model.kind().is_additive();
        self.kept.clear();
        let mut best = 0;
        let (mut best_weight, mut best_cost) = (0.0, 1.0);
        for (place, position) in self.left.iter().enumerate() {
            let anchor = &items[*position as usize];
            let (total, _) = self.kept.around(items, anchor, sequences_max);
            let cost = total.cost(anchor, model).max(1.0);
            if total.weight * best_cost >= best_weight * cost {
                (best, best_weight, best_cost) = (place, total.weight, cost);
            } else if lengthens && weight_max * best_cost < best_weight * cost {
                break;
            }
            self.kept.offer(items, *position, sequences_max);
        }
        best
    }

    #[cfg(test)]
    pub(super) fn capacities(&self, into: &mut Vec<usize>) {
        self.batches.capacities(into);
        into.extend([self.left.capacity(), self.best.capacity(), self.kept.members.capacity()]);
        self.knapsack.capacities(into);
    }
}

/// Whether batches are worth packing: jobs are few, and some have several sequences.
fn is_packed(items: &[Item], sequences_max: u32) -> bool {
    items.len() <= PLAN_FIRST_BATCHES_MAX
        && sequences_max <= PLAN_PACKED_SEQUENCES_MAX
        && items.iter().any(|item| item.sequences > 1)
}

/// Leaves in `batch`, by length, the items of a load.
fn name(left: &[u32], load: &Load, batch: &mut Vec<u32>) {
    batch.clear();
    let members = left.iter().enumerate().filter(|(place, _)| load.holds(*place));
    batch.extend(members.map(|(_, position)| *position));
}

/// No batch weighs more than this.
fn weight_max(items: &[Item], sequences_max: u32) -> f64 {
    let densest = items.iter().fold(0.0, |densest, item| item.density.max(densest));
    let heaviest = items.iter().fold(0.0, |heaviest, item| item.weight.max(heaviest));
    (densest * f64::from(sequences_max)).max(heaviest)
}

impl Kept {
    fn clear(&mut self) {
        self.members.clear();
        self.total = Total::default();
    }

    /// What the anchor's batch adds up to, and how many of the least dense kept leave it their room.
    fn around(&self, items: &[Item], anchor: &Item, sequences_max: u32) -> (Total, usize) {
        let mut total = self.total;
        total.add(anchor);
        let mut displaced = 0;
        while total.sequences > u64::from(sequences_max)
            && let Some(least) = self.members.get(displaced)
        {
            total.subtract(&items[*least as usize]);
            displaced += 1;
        }
        (total, displaced)
    }

    /// Keeps the item if it is dense enough, at the expense of the least dense.
    fn offer(&mut self, items: &[Item], position: u32, sequences_max: u32) {
        let sequences_max = u64::from(sequences_max);
        let density = |position: u32| items[position as usize].density;
        let item = &items[position as usize];
        if self.total.sequences + u64::from(item.sequences) > sequences_max
            && self.members.front().is_none_or(|least| density(*least) > item.density)
        {
            return;
        }
        let place = match self.members.back() {
            Some(densest) if density(*densest) > item.density => {
                self.members.partition_point(|member| density(*member) <= item.density)
            }
            _ => self.members.len(),
        };
        self.members.insert(place, position);
        self.total.add(item);
        while self.total.sequences > sequences_max
            && let Some(least) = self.members.pop_front()
        {
            self.total.subtract(&items[least as usize]);
        }
    }

    /// Leaves in `batch`, by length, the batch around the anchor at a place among those `left`.
    fn gather(
        &mut self,
        items: &[Item],
        left: &[u32],
        anchor: usize,
        sequences_max: u32,
        batch: &mut Vec<u32>,
    ) -> Total {
        self.clear();
        for position in &left[..anchor] {
            self.offer(items, *position, sequences_max);
        }
        let (total, displaced) = self.around(items, &items[left[anchor] as usize], sequences_max);
        batch.clear();
        batch.extend(self.members.iter().skip(displaced));
        batch.push(left[anchor]);
        batch.sort_unstable();
        total
    }
}
