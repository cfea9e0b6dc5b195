//! An exact percentile of a changing multiset.
//!
//! Load is counted in small whole numbers, so the multiset is normally a counting histogram with a cursor
//! that follows the percentile as values come and go: constant time per change. The first value that is not
//! a small whole number turns it into a sorted list, which is slower and just as exact.

/// Whole numbers below this are counted; anything else is sorted.
const COUNTED_BELOW: usize = 4_096;

/// A multiset of numbers that answers for its linearly interpolated percentile.
#[derive(Clone, Debug)]
pub struct PercentileSet {
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    Counted(Histogram),
    Sorted(Vec<f64>),
}

#[derive(Clone, Debug, Default)]
struct Histogram {
    counts: Vec<u32>,
    total: usize,
    cursor: usize,
    below_cursor: usize,
}

impl Default for PercentileSet {
    fn default() -> Self {
        Self { shape: Shape::Counted(Histogram::default()) }
    }
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked by the comparison"
)]
fn countable(value: f64) -> Option<usize> {
    let whole = value as usize;
    (whole < COUNTED_BELOW && whole as f64 == value).then_some(whole)
}

impl PercentileSet {
    /// Adds `value`.
    #[inline]
    pub fn insert(&mut self, value: f64) {
        match (&mut self.shape, countable(value)) {
            (Shape::Counted(histogram), Some(whole)) => histogram.insert(whole),
            (Shape::Counted(histogram), None) => {
                let mut values = histogram.values();
                insert_sorted(&mut values, value);
                self.shape = Shape::Sorted(values);
            }
            (Shape::Sorted(values), _) => insert_sorted(values, value),
        }
    }

    /// Removes one occurrence of `value`, which must be present.
    #[inline]
    pub fn remove(&mut self, value: f64) {
        match (&mut self.shape, countable(value)) {
            (Shape::Counted(histogram), Some(whole)) => histogram.remove(whole),
            (Shape::Counted(_), None) => unreachable!("only counted values are in a histogram"),
            (Shape::Sorted(values), _) => {
                let at = values.partition_point(|held| *held < value);
                debug_assert_eq!(values.get(at), Some(&value), "removing what was never inserted");
                values.remove(at);
            }
        }
    }

    /// The value at position `(n - 1) * fraction` of the sorted multiset, interpolated between neighbours;
    /// `None` of nothing.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "position is in range"
    )]
    pub fn percentile(&mut self, fraction: f64) -> Option<f64> {
        let position = self.len().checked_sub(1)? as f64 * fraction;
        let rank = position as usize;
        let (low, high) = match &mut self.shape {
            Shape::Counted(histogram) => histogram.at_and_after(rank),
            Shape::Sorted(values) => (values[rank], *values.get(rank + 1).unwrap_or(&values[rank])),
        };
        Some(low + (position - rank as f64) * (high - low))
    }

    /// The number of values held.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.shape {
            Shape::Counted(histogram) => histogram.total,
            Shape::Sorted(values) => values.len(),
        }
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn insert_sorted(values: &mut Vec<f64>, value: f64) {
    let at = values.partition_point(|held| *held < value);
    values.insert(at, value);
}

impl Histogram {
    #[inline]
    fn insert(&mut self, value: usize) {
        if value >= self.counts.len() {
            self.counts.resize((value + 1).next_power_of_two(), 0);
        }
        self.counts[value] += 1;
        self.total += 1;
        self.below_cursor += usize::from(value < self.cursor);
    }

    #[inline]
    fn remove(&mut self, value: usize) {
        assert!(self.counts[value] > 0, "removing what was never inserted");
        self.counts[value] -= 1;
        self.total -= 1;
        self.below_cursor -= usize::from(value < self.cursor);
    }

    /// The values of rank `rank` and `rank + 1` (the former twice at the very end).
    #[inline]
    fn at_and_after(&mut self, rank: usize) -> (f64, f64) {
        while self.below_cursor > rank {
            self.cursor -= 1;
            self.below_cursor -= self.counts[self.cursor] as usize;
        }
        while self.below_cursor + self.counts[self.cursor] as usize <= rank {
            self.below_cursor += self.counts[self.cursor] as usize;
            self.cursor += 1;
        }
        let mut after = self.cursor;
        if rank + 1 < self.total && self.below_cursor + self.counts[after] as usize <= rank + 1 {
            after += 1;
            while self.counts[after] == 0 {
                after += 1;
            }
        }
        (self.cursor as f64, after as f64)
    }

    fn values(&self) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.total + 1);
        for (value, count) in self.counts.iter().enumerate() {
            values.extend(std::iter::repeat_n(value as f64, *count as usize));
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[expect(clippy::cast_possible_truncation, reason = "positions are in range")]
    fn naive(values: &[f64], fraction: f64) -> Option<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let position = sorted.len().checked_sub(1)? as f64 * fraction;
        let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
        Some(low + position.fract() * (high - low))
    }

    proptest! {
        #[test]
        fn agrees_with_sorting(
            steps in prop::collection::vec((0_u32..40, any::<bool>(), 0.0_f64..=1.0), 1..200),
            fractions_from in 0_usize..400,
        ) {
            let mut set = PercentileSet::default();
            let mut held: Vec<f64> = Vec::new();
            for (step, (value, remove, fraction)) in steps.into_iter().enumerate() {
                if remove && !held.is_empty() {
                    set.remove(held.swap_remove(value as usize % held.len()));
                } else {
                    // Past a random point the values stop being whole, which changes the representation.
                    let half = if step >= fractions_from { 0.5 } else { 0.0 };
                    let value = f64::from(value) + half;
                    set.insert(value);
                    held.push(value);
                }
                prop_assert_eq!(set.len(), held.len());
                prop_assert_eq!(set.percentile(fraction), naive(&held, fraction));
            }
        }
    }
}
