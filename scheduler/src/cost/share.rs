//! Dividing what a shared batch costs among its members: the Shapley value.
//!
//! It is the one rule under which members that cost the same pay the same, one that costs nothing pays nothing,
//! the shares sum to the cost, and nobody gains by the order in which members are named. Where the cost is that
//! of the longest member this is the airport game (a runway is built for the largest aircraft, and each shares
//! the part it needs): sort the members by cost and divide each increment equally among those at least as
//! long. Where costs add up, each pays its own and the intercept is divided equally.
//!
//! Shares are whole nanoseconds: what does not divide evenly goes, one each, to the first of those who pay.

use super::{BatchShape, Cost, CostModel};

/// Divides costs, keeping its working memory from batch to batch.
#[derive(Clone, Debug, Default)]
pub struct Divider {
    /// Members by increasing cost alone.
    order: Vec<(Cost, usize)>,
    shares: Vec<Cost>,
}

impl Divider {
    /// Each member's share of what they cost as one batch, in their order; the shares sum to
    /// exactly that cost.
    pub fn divide(
        &mut self,
        model: &CostModel,
        members: impl Iterator<Item = BatchShape>,
    ) -> &[Cost] {
        self.order.clear();
        self.shares.clear();
        let mut whole = BatchShape::default();
        for (position, member) in members.enumerate() {
            self.order.push((model.cost(&member), position));
            self.shares.push(Cost(0));
            whole = whole.with(member);
        }
        if model.kind().is_additive() {
            self.divide_sum(model, model.cost(&whole));
        } else {
            self.divide_greatest();
        }
        &self.shares
    }

    #[cfg(test)]
    pub(crate) fn capacities(&self, into: &mut Vec<usize>) {
        into.extend([self.order.capacity(), self.shares.capacity()]);
    }

    /// The airport game: the batch costs what its costliest member does.
    fn divide_greatest(&mut self) {
        self.order.sort_unstable();
        let mut paid = Cost(0);
        for first in 0..self.order.len() {
            let (cost, _) = self.order[first];
            split_equally(cost.0 - paid.0, &self.order[first..], &mut self.shares);
            paid = cost;
        }
    }

    /// Everybody pays what it alone adds, and an equal part of what the batch costs whatever is in it.
    /// Rounding makes the parts miss the whole by a few nanoseconds, which are divided along with it.
    fn divide_sum(&mut self, model: &CostModel, whole: Cost) {
        let fixed = model.cost(&BatchShape::default());
        let mut own = 0u64;
        for (cost, position) in &self.order {
            let share = (cost.0.saturating_sub(fixed.0)).min(whole.0 - own);
            self.shares[*position] = Cost(share);
            own += share;
        }
        split_equally(whole.0 - own, &self.order, &mut self.shares);
    }
}

/// Adds equal parts of `amount` to the shares of `payers`.
fn split_equally(amount: u64, payers: &[(Cost, usize)], shares: &mut [Cost]) {
    let Some(count) = u64::try_from(payers.len()).ok().filter(|count| *count > 0) else { return };
    let (each, mut rest) = (amount / count, amount % count);
    for (_, position) in payers {
        let extra = rest.min(1);
        rest -= extra;
        shares[*position].0 += each + extra;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::CostKind;
    use super::*;

    fn check(lengths: &[u32], shares: &[u64]) {
        let model = CostModel::new(CostKind::Quadratic, 1.0, 0.0);
        let members = lengths.iter().map(|longest| member(*longest, 1));
        let divided: Vec<_> =
            Divider::default().divide(&model, members).iter().map(|share| share.0).collect();
        assert_eq!(divided, shares);
    }

    fn member(longest: u32, sequences: u64) -> BatchShape {
        BatchShape { sequences, characters: u64::from(longest) * sequences, longest }
    }

    #[test]
    fn each_increment_is_shared_by_those_at_least_as_long() {
        check(&[], &[]);
        check(&[10], &[100]);
        check(&[6, 6], &[18, 18]);
        // 36 by three, then 64 - 36 by two, then 100 - 64 by one.
        check(&[10, 6, 8], &[12 + 14 + 36, 12, 12 + 14]);
        check(&[0, 10], &[0, 100]);
    }

    #[test]
    fn what_does_not_divide_goes_to_the_first() {
        check(&[2, 2, 2], &[2, 1, 1]);
    }

    /// The definition: what each adds on joining, averaged over every order of joining.
    fn naive(model: &CostModel, members: &[BatchShape]) -> Vec<f64> {
        let mut sums = vec![0.0; members.len()];
        let mut orders = 0.0;
        permute(&mut (0..members.len()).collect::<Vec<_>>(), 0, &mut |order| {
            orders += 1.0;
            let mut shape = BatchShape::default();
            let mut cost = 0.0;
            for (position, index) in order.iter().enumerate() {
                shape = if position == 0 { members[*index] } else { shape.with(members[*index]) };
                #[expect(clippy::cast_precision_loss, reason = "the costs tried are small")]
                let with = model.cost(&shape).0 as f64;
                sums[*index] += with - cost;
                cost = with;
            }
        });
        sums.into_iter().map(|sum| sum / orders).collect()
    }

    fn permute(order: &mut Vec<usize>, from: usize, visit: &mut dyn FnMut(&[usize])) {
        if from == order.len() {
            visit(order);
        }
        for position in from..order.len() {
            order.swap(from, position);
            permute(order, from + 1, visit);
            order.swap(from, position);
        }
    }

    proptest! {
        #[test]
        fn shares_are_the_shapley_value_and_sum_to_the_cost(
            kind in prop::sample::select(&CostKind::ALL[..]),
            slope in 0.0..50.0f64,
            intercept in 0.0..1e6f64,
            members in prop::collection::vec((0u32..600, 1u64..4), 1..7),
        ) {
            let model = CostModel::new(kind, slope, intercept);
            let members: Vec<_> =
                members.into_iter().map(|(longest, sequences)| member(longest, sequences)).collect();
            let whole = members.iter().copied().reduce(BatchShape::with).unwrap();
            let mut divider = Divider::default();
            let shares = divider.divide(&model, members.iter().copied());
            prop_assert_eq!(shares.iter().map(|share| share.0).sum::<u64>(), model.cost(&whole).0);
            for (share, exact) in shares.iter().zip(naive(&model, &members)) {
                #[expect(clippy::cast_precision_loss, reason = "the costs tried are small")]
                let difference = (share.0 as f64 - exact).abs();
                // Every increment rounds by less than one, and there are as many as members.
                prop_assert!(difference <= 7.0, "{share:?} for {exact}");
            }
        }
    }
}
