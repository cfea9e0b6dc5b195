//! The two small memories that costs are computed from: a rolling window and an interpolated table.
//!
//! They are plain data: what to keep, how long, and what the empty case means is the caller's affair.

use std::collections::VecDeque;

/// Weight of the newest value in a moving average unless told otherwise.
pub const EWMA_WEIGHT: f64 = 0.2;

/// The last `n` values. Everything is `None` while it is empty.
#[derive(Clone, Debug)]
pub struct LastN {
    values: VecDeque<f64>,
    capacity: usize,
    sum: f64,
}

impl LastN {
    /// An empty window of `capacity` values (at least one).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a window holds at least one value");
        Self { values: VecDeque::with_capacity(capacity), capacity, sum: 0.0 }
    }

    /// Appends `value`, dropping the oldest when full.
    pub fn push(&mut self, value: f64) {
        if self.values.len() == self.capacity
            && let Some(oldest) = self.values.pop_front()
        {
            self.sum -= oldest;
        }
        self.values.push_back(value);
        self.sum += value;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.values.clear();
        self.sum = 0.0;
    }

    /// The number of values held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value pushed last.
    #[must_use]
    pub fn latest(&self) -> Option<f64> {
        self.values.back().copied()
    }

    /// The arithmetic mean.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.sum / self.values.len() as f64)
    }

    /// The middle value (of two middle ones the lower). Sorts, so it is meant for short windows.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.values.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }

    /// The moving average, seeded with the oldest value: `av = weight * x + (1 - weight) * av`.
    #[must_use]
    pub fn ewma(&self, weight: f64) -> Option<f64> {
        ewma(self.values.iter().copied(), weight)
    }
}

/// The moving average over `values`, oldest first, seeded with the first; `None` of nothing.
pub fn ewma(values: impl IntoIterator<Item = f64>, weight: f64) -> Option<f64> {
    values.into_iter().reduce(|average, value| weight * value + (1.0 - weight) * average)
}

const WORD_BITS: usize = u64::BITS as usize;

/// A table from small whole numbers to values, read by linear interpolation between the nearest keys.
///
/// Outside its keys it answers with the nearest one. Storage is a dense row plus a bit set, so a look-up is
/// a couple of word scans however many keys are missing.
#[derive(Clone, Debug, Default)]
pub struct Interpolated {
    values: Vec<f64>,
    present: Vec<u64>,
}

impl Interpolated {
    /// Sets the value at `key`, replacing any older one.
    pub fn insert(&mut self, key: usize, value: f64) {
        if key >= self.values.len() {
            let words = key / WORD_BITS + 1;
            self.present.resize(words, 0);
            self.values.resize(words * WORD_BITS, 0.0);
        }
        self.values[key] = value;
        self.present[key / WORD_BITS] |= 1 << (key % WORD_BITS);
    }

    /// Forgets everything, keeping the storage.
    pub fn clear(&mut self) {
        self.present.fill(0);
    }

    /// The value at `x`, interpolated; `None` while the table is empty.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturation is fine"
    )]
    pub fn at(&self, x: f64) -> Option<f64> {
        let below = self.nearest_at_or_below(x.max(0.0).floor() as usize);
        let above = self.nearest_at_or_above(x.max(0.0).ceil() as usize);
        match (below, above) {
            (Some(low), Some(high)) if low < high => {
                let share = (x - low as f64) / (high - low) as f64;
                Some(self.values[low] + share * (self.values[high] - self.values[low]))
            }
            (Some(key), _) | (None, Some(key)) => Some(self.values[key]),
            (None, None) => None,
        }
    }

    fn nearest_at_or_below(&self, key: usize) -> Option<usize> {
        let last = (self.present.len() * WORD_BITS).checked_sub(1)?;
        let key = key.min(last);
        let (mut word, bit) = (key / WORD_BITS, key % WORD_BITS);
        let mut bits = self.present[word] & (u64::MAX >> (WORD_BITS - 1 - bit));
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.present[word];
        }
        Some(word * WORD_BITS + WORD_BITS - 1 - bits.leading_zeros() as usize)
    }

    fn nearest_at_or_above(&self, key: usize) -> Option<usize> {
        let (mut word, bit) = (key / WORD_BITS, key % WORD_BITS);
        let mut bits = self.present.get(word)? & (u64::MAX << bit);
        while bits == 0 {
            word += 1;
            bits = *self.present.get(word)?;
        }
        Some(word * WORD_BITS + bits.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn window_gives_the_published_values() {
        let mut window = LastN::new(3);
        assert_eq!((window.latest(), window.mean(), window.ewma(0.5)), (None, None, None));
        window.push(5.0);
        window.push(10.0);
        assert_eq!(window.latest(), Some(10.0));
        assert_eq!(window.mean(), Some(7.5));
        assert_eq!(window.ewma(0.5), Some(7.5));
        assert_eq!(window.ewma(1.0), Some(10.0));
        assert_eq!(window.ewma(0.0), Some(5.0));
        window.push(15.0);
        window.push(20.0);
        assert_eq!((window.len(), window.mean()), (3, Some(15.0)));
        assert_eq!(window.median(), Some(15.0));
    }

    #[test]
    fn table_gives_the_published_values() {
        let mut table = Interpolated::default();
        assert_eq!(table.at(3.0), None);
        for key in [1_u8, 2, 4, 8] {
            table.insert(usize::from(key), f64::from(key));
        }
        for (x, expected) in
            [(3.0, 3.0), (6.0, 6.0), (9.0, 8.0), (90.0, 8.0), (0.0, 1.0), (2.0, 2.0)]
        {
            assert_eq!(table.at(x), Some(expected), "at {x}");
        }
    }

    /// The definition, word for word, over an ordered map.
    fn naive(table: &BTreeMap<usize, f64>, x: f64) -> Option<f64> {
        let below = table.iter().rev().find(|(key, _)| **key as f64 <= x);
        let above = table.iter().find(|(key, _)| **key as f64 >= x);
        match (below, above) {
            (Some((low, from)), Some((high, to))) if low < high => {
                Some(from + (x - *low as f64) / (high - low) as f64 * (to - from))
            }
            (Some((_, value)), _) | (_, Some((_, value))) => Some(*value),
            _ => None,
        }
    }

    proptest! {
        #[test]
        fn table_agrees_with_its_definition(
            entries in prop::collection::btree_map(0_usize..300, -10.0_f64..10.0, 0..20),
            x in 0.0_f64..320.0,
        ) {
            let mut table = Interpolated::default();
            for (key, value) in &entries {
                table.insert(*key, *value);
            }
            prop_assert_eq!(table.at(x), naive(&entries, x));
            prop_assert_eq!(table.at(x.floor()), naive(&entries, x.floor()));
        }
    }
}
