//! Contiguous runs by length: the best plan among those whose batches are runs of the sorted jobs, shortest
//! batch first.
//!
//! With jobs sorted by length, F(j), the least weighted sum of completion times of jobs j and after, starting
//! now, is the least over k of F(k) plus what the batch j..k costs times the weight of all of j and after, for
//! all of them wait for it. O(jobs x jobs per batch).

use super::{Batches, Item};
use crate::cost::CostModel;

#[derive(Debug, Default)]
pub(super) struct Runs {
    batches: Batches,
    /// F(j), and the end of the first batch of the plan that reaches it.
    sums: Vec<f64>,
    ends: Vec<u32>,
    /// The cost of a batch that ends before k and begins at j is `until[k] - before[j]`.
    until: Vec<f64>,
    before: Vec<f64>,
}

impl Runs {
    /// The plan, and its weighted sum of completion times.
    pub(super) fn plan(
        &mut self,
        items: &[Item],
        model: &CostModel,
        sequences_max: u32,
    ) -> (&Batches, f64) {
        self.price(items, model);
        self.solve(items, sequences_max);
        self.batches.clear();
        let mut start = 0;
        while (start as usize) < items.len() {
            let end = self.ends[start as usize];
            self.batches.push(start..end);
            start = end;
        }
        (&self.batches, self.sums[0])
    }

    fn price(&mut self, items: &[Item], model: &CostModel) {
        self.until.clear();
        self.before.clear();
        self.until.push(0.0);
        let additive = model.kind().is_additive();
        let mut sum = 0.0;
        for item in items {
            self.before.push(if additive { model.slope() * sum } else { 0.0 });
            sum += item.feature;
            let feature = if additive { sum } else { item.feature };
            self.until.push(model.slope() * feature + model.intercept());
        }
    }

    fn solve(&mut self, items: &[Item], sequences_max: u32) {
        self.sums.clear();
        self.sums.resize(items.len() + 1, 0.0);
        self.ends.clear();
        self.ends.resize(items.len(), 0);
        let mut weight = 0.0;
        // The jobs start..end go together into a batch; going down, the end only ever comes down too.
        let mut end = items.len();
        let mut sequences = 0u64;
        for start in (0..items.len()).rev() {
            weight += items[start].weight;
            sequences += u64::from(items[start].sequences);
            while sequences > u64::from(sequences_max) && end > start + 1 {
                end -= 1;
                sequences -= u64::from(items[end].sequences);
            }
            let (sum, length) = least(
                &self.sums[start + 1..=end],
                &self.until[start + 1..=end],
                self.before[start],
                weight,
            );
            self.sums[start] = sum;
            self.ends[start] = u32::try_from(start + 1 + length).expect("a plan is short");
        }
    }

    #[cfg(test)]
    pub(super) fn capacities(&self, into: &mut Vec<usize>) {
        self.batches.capacities(into);
        into.extend([self.sums.capacity(), self.ends.capacity()]);
        into.extend([self.until.capacity(), self.before.capacity()]);
    }
}

/// How many sums are compared side by side, so that the processor need not wait for one comparison before it
/// begins the next.
const LANES: usize = 4;

/// The least of `sums` plus weighted costs, and where; of equals the last, which is the larger batch.
fn least(sums: &[f64], until: &[f64], before: f64, weight: f64) -> (f64, usize) {
    let sum = |sum: f64, until: f64| sum + (until - before).max(0.0) * weight;
    let (sum_chunks, until_chunks) = (sums.chunks_exact(LANES), until.chunks_exact(LANES));
    let rest = sum_chunks.remainder().iter().zip(until_chunks.remainder());
    let mut lanes = [f64::INFINITY; LANES];
    for (lane, (sums, until)) in lanes.iter_mut().zip(rest) {
        *lane = sum(*sums, *until);
    }
    for (sums, until) in sum_chunks.zip(until_chunks) {
        for lane in 0..LANES {
            let sum = sum(sums[lane], until[lane]);
            lanes[lane] = if sum < lanes[lane] { sum } else { lanes[lane] };
        }
    }
    let least = lanes.into_iter().fold(f64::INFINITY, f64::min);
    let is_least = |(sums, until): (&f64, &f64)| sum(*sums, *until) <= least;
    let position = sums.iter().zip(until).rposition(is_least);
    (least, position.expect("one of them is the least"))
}
