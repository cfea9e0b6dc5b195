//! A binary heap over a table that knows where each element is, so that any element leaves in O(log n).
//!
//! The heap holds the keys itself: comparing does not follow an index into the table. It does not know what
//! its elements or keys mean.

/// Position of an element that is not in the heap.
const ABSENT: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    key: K,
    element: u32,
}

/// Elements with the least key first. Keys of elements in the heap must differ, or which of two equals comes
/// first is left open.
#[derive(Debug)]
pub(super) struct Heap<K> {
    entries: Vec<Entry<K>>,
    /// Where in `entries` each element is, by its index.
    positions: Vec<u32>,
}

impl<K> Default for Heap<K> {
    fn default() -> Self {
        Self { entries: Vec::new(), positions: Vec::new() }
    }
}

impl<K: Copy + Ord> Heap<K> {
    /// The element with the least key.
    pub(super) fn first(&self) -> Option<u32> {
        self.entries.first().map(|entry| entry.element)
    }

    /// Adds an element that is not in the heap.
    pub(super) fn insert(&mut self, element: u32, key: K) {
        let place = element as usize;
        if place >= self.positions.len() {
            self.positions.resize(place + 1, ABSENT);
        }
        assert_eq!(self.positions[place], ABSENT, "an element is in the heap once");
        self.entries.push(Entry { key, element });
        self.sift_up(self.entries.len() - 1);
    }

    /// Removes an element of the heap.
    pub(super) fn remove(&mut self, element: u32) {
        let position = self.positions[element as usize];
        assert_ne!(position, ABSENT, "only an element of the heap is removed");
        self.positions[element as usize] = ABSENT;
        let position = position as usize;
        self.entries.swap_remove(position);
        if position < self.entries.len() {
            // What was last may belong above or below the gap that it fills.
            self.sift_down(position);
            self.sift_up(position);
        }
    }

    /// Gives an element of the heap another key.
    pub(super) fn change(&mut self, element: u32, key: K) {
        let position = self.positions[element as usize];
        assert_ne!(position, ABSENT, "only an element of the heap has a key");
        let position = position as usize;
        let before = std::mem::replace(&mut self.entries[position].key, key);
        if key < before {
            self.sift_up(position);
        } else {
            self.sift_down(position);
        }
    }

    fn sift_up(&mut self, mut position: usize) {
        let entry = self.entries[position];
        while position > 0 {
            let parent = (position - 1) / 2;
            if self.entries[parent].key <= entry.key {
                break;
            }
            self.place(position, self.entries[parent]);
            position = parent;
        }
        self.place(position, entry);
    }

    fn sift_down(&mut self, mut position: usize) {
        let entry = self.entries[position];
        loop {
            let left = 2 * position + 1;
            let Some(mut least) = self.entries.get(left) else { break };
            let mut child = left;
            if let Some(right) = self.entries.get(left + 1)
                && right.key < least.key
            {
                least = right;
                child = left + 1;
            }
            if entry.key <= least.key {
                break;
            }
            self.place(position, *least);
            position = child;
        }
        self.place(position, entry);
    }

    fn place(&mut self, position: usize, entry: Entry<K>) {
        self.entries[position] = entry;
        self.positions[entry.element as usize] =
            u32::try_from(position).expect("there are fewer than 2^32 elements");
    }

    #[cfg(test)]
    pub(super) fn capacities(&self, into: &mut Vec<usize>) {
        into.extend([self.entries.capacity(), self.positions.capacity()]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a sorted list: `Some(key)` inserts or, now and then, changes a key; `None` removes whichever element
        /// `pick` falls on.
        #[test]
        fn behaves_as_a_sorted_list(
            steps in prop::collection::vec(
                (prop::option::weighted(0.6, 0u32..50), any::<prop::sample::Index>(), 0..3),
                0..200,
            ),
        ) {
            let mut heap = Heap::default();
            let mut naive: Vec<(u32, u32)> = Vec::new();
            let mut unused: Vec<u32> = (0..200).rev().collect();
            for (key, pick, kind) in steps {
                match key {
                    Some(key) if kind == 0 && !naive.is_empty() => {
                        let position = pick.index(naive.len());
                        let (old, element) = &mut naive[position];
                        *old = key;
                        heap.change(*element, (key, *element));
                    }
                    Some(key) => {
                        let element = unused.pop().unwrap();
                        heap.insert(element, (key, element));
                        naive.push((key, element));
                    }
                    None if !naive.is_empty() => {
                        let (_, element) = naive.swap_remove(pick.index(naive.len()));
                        heap.remove(element);
                        unused.push(element);
                    }
                    None => {}
                }
                naive.sort_unstable();
                prop_assert_eq!(heap.first(), naive.first().map(|(_, element)| *element));
            }
        }
    }
}
