//! The queued jobs by length, for compositions that ask "who is no longer than this one?".
//!
//! Every length has a list of its jobs, oldest first, and a bit in a bitmap that says whether the list has any.
//! Two smaller bitmaps say which words of the one below are not empty, so that the nearest occupied length is
//! found by looking at five words at most, and a job comes and goes in O(1). Jobs longer than the table
//! share its last list, among themselves in order of arrival only.

use crate::jobs::JobIndex;
use crate::limits::LENGTHS_MAX;
use crate::list::{Links, List};

/// Bits in a word.
const BITS: u32 = u64::BITS;

const _: () = assert!(LENGTHS_MAX == BITS * BITS * BITS, "three levels of words cover the lengths");

/// Jobs by their longest sequence.
#[derive(Debug)]
pub(crate) struct ByLength {
    /// The jobs of each length, as far as the longest seen.
    lists: Vec<List>,
    /// Neighbours of jobs within `lists`.
    links: Links,
    occupied: Bitmap,
}

impl Default for ByLength {
    fn default() -> Self {
        Self { lists: Vec::new(), links: Links::default(), occupied: Bitmap::new() }
    }
}

/// The list that a length belongs to.
fn class(longest: u32) -> u32 {
    longest.min(LENGTHS_MAX - 1)
}

impl ByLength {
    pub(crate) fn insert(&mut self, index: JobIndex, longest: u32) {
        let class = class(longest);
        if class as usize >= self.lists.len() {
            self.lists.resize(class as usize + 1, List::default());
        }
        self.links.reserve(index);
        self.lists[class as usize].push_back(&mut self.links, index);
        self.occupied.insert(class);
    }

    pub(crate) fn remove(&mut self, index: JobIndex, longest: u32) {
        let class = class(longest);
        let list = &mut self.lists[class as usize];
        list.remove(&mut self.links, index);
        if list.is_empty() {
            self.occupied.remove(class);
        }
    }

    /// Jobs from this length downwards, longest first and among equals oldest first. Where the length is
    /// beyond the table, longer ones may be among them.
    pub(crate) fn downwards(&self, longest: u32) -> impl Iterator<Item = JobIndex> + '_ {
        let mut class = self.occupied.at_most(class(longest));
        std::iter::from_fn(move || {
            let found = class?;
            class = found.checked_sub(1).and_then(|below| self.occupied.at_most(below));
            Some(found)
        })
        .flat_map(|class| self.lists[class as usize].iter(&self.links))
    }

    /// All jobs, shortest first and among equals oldest first.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = JobIndex> + '_ {
        let mut class = self.occupied.at_least(0);
        std::iter::from_fn(move || {
            let found = class?;
            class = self.occupied.at_least(found + 1);
            Some(found)
        })
        .flat_map(|class| self.lists[class as usize].iter(&self.links))
    }

    #[cfg(test)]
    pub(crate) fn capacities(&self, into: &mut Vec<usize>) {
        into.extend([self.lists.capacity(), self.links.capacity()]);
    }
}

/// A set of numbers below [`LENGTHS_MAX`].
#[derive(Debug)]
struct Bitmap {
    /// One bit per number; then one bit per word of the level below.
    levels: [Vec<u64>; 3],
}

impl Bitmap {
    fn new() -> Self {
        let words = |count: u32| vec![0; count as usize];
        Self { levels: [words(BITS * BITS), words(BITS), words(1)] }
    }

    fn insert(&mut self, number: u32) {
        let mut number = number;
        for level in &mut self.levels {
            level[(number / BITS) as usize] |= 1 << (number % BITS);
            number /= BITS;
        }
    }

    fn remove(&mut self, number: u32) {
        let mut number = number;
        for level in &mut self.levels {
            let word = &mut level[(number / BITS) as usize];
            *word &= !(1 << (number % BITS));
            if *word != 0 {
                return;
            }
            number /= BITS;
        }
    }

    /// The greatest number in the set that is `number` or less.
    fn at_most(&self, number: u32) -> Option<u32> {
        let mut position = number;
        for (height, level) in self.levels.iter().enumerate() {
            let mask = u64::MAX >> (BITS - 1 - position % BITS);
            let word = level[(position / BITS) as usize] & mask;
            if word != 0 {
                let found = position / BITS * BITS + word.ilog2();
                return Some(self.descend(height, found, u64::ilog2));
            }
            position = (position / BITS).checked_sub(1)?;
        }
        None
    }

    /// The least number in the set that is `number` or more.
    fn at_least(&self, number: u32) -> Option<u32> {
        let mut position = number;
        for (height, level) in self.levels.iter().enumerate() {
            let word = level.get((position / BITS) as usize)? & (u64::MAX << (position % BITS));
            if word != 0 {
                let found = position / BITS * BITS + word.trailing_zeros();
                return Some(self.descend(height, found, u64::trailing_zeros));
            }
            position = position / BITS + 1;
        }
        None
    }

    /// From a bit on a level down to a number, taking in each word the bit that `pick` does.
    fn descend(&self, height: usize, bit: u32, pick: fn(u64) -> u32) -> u32 {
        self.levels[..height]
            .iter()
            .rev()
            .fold(bit, |word, level| word * BITS + pick(level[word as usize]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Lengths that share words and lengths that do not.
    fn length() -> impl Strategy<Value = u32> {
        prop_oneof![0u32..200, 4_000u32..4_200, 0..LENGTHS_MAX, LENGTHS_MAX - 2..LENGTHS_MAX + 2]
    }

    proptest! {
        #[test]
        fn a_bitmap_is_a_set(
            numbers in prop::collection::vec((length(), any::<bool>()), 0..60),
            asked in prop::collection::vec(length(), 20),
        ) {
            let mut bitmap = Bitmap::new();
            let mut set = BTreeSet::new();
            for (number, inserted) in numbers {
                let number = class(number);
                if inserted {
                    bitmap.insert(number);
                    set.insert(number);
                } else if set.remove(&number) {
                    bitmap.remove(number);
                }
            }
            for number in asked.into_iter().map(class) {
                prop_assert_eq!(bitmap.at_most(number), set.range(..=number).next_back().copied());
                prop_assert_eq!(bitmap.at_least(number), set.range(number..).next().copied());
            }
            prop_assert_eq!(bitmap.at_least(LENGTHS_MAX), None);
        }

        #[test]
        fn jobs_come_in_order_of_length(
            lengths in prop::collection::vec(0u32..100, 0..40),
            removed in prop::collection::btree_set(0u32..40, 0..20),
            from in 0u32..110,
        ) {
            let mut by_length = ByLength::default();
            let mut naive = Vec::new();
            for (index, length) in (0u32..).zip(&lengths) {
                by_length.insert(index, *length);
                naive.push((*length, index));
            }
            for index in removed.into_iter().filter(|index| (*index as usize) < lengths.len()) {
                by_length.remove(index, lengths[index as usize]);
                naive.retain(|(_, other)| *other != index);
            }
            naive.sort_unstable();
            let upwards: Vec<_> = by_length.upwards().collect();
            prop_assert_eq!(upwards, naive.iter().map(|(_, index)| *index).collect::<Vec<_>>());
            naive.retain(|(length, _)| *length <= from);
            naive.sort_unstable_by_key(|(length, index)| (std::cmp::Reverse(*length), *index));
            let downwards: Vec<_> = by_length.downwards(from).collect();
            prop_assert_eq!(downwards, naive.iter().map(|(_, index)| *index).collect::<Vec<_>>());
        }
    }
}
