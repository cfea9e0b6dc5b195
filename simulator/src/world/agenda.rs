//! What is going to happen, and when.
//!
//! Two structures, because there are two kinds of future. What was sent will arrive: [`Agenda`] is a heap of
//! such things. When a core turns next, though, changes with every event and deadline, so [`Turns`] keeps one
//! time a core in a tournament tree, where moving it leaves nothing stale behind.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ringyard_time::Time;

/// One thing that will happen. Ties are broken by the order in which they were put down.
#[derive(Debug)]
struct Entry<T> {
    time: Time,
    number: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    /// Reversed: the heap gives the greatest first, and the earliest is wanted.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.time, other.number).cmp(&(self.time, self.number))
    }
}

/// Things that will happen, earliest first.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    heap: BinaryHeap<Entry<T>>,
    next_number: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), next_number: 0 }
    }
}

impl<T> Agenda<T> {
    pub(super) fn push(&mut self, time: Time, what: T) {
        self.heap.push(Entry { time, number: self.next_number, what });
        self.next_number += 1;
    }

    /// When the next thing happens.
    pub(super) fn next_time(&self) -> Time {
        self.heap.peek().map_or(Time::FAR_FUTURE, |entry| entry.time)
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|entry| entry.what)
    }
}

/// The next turn of every core. A binary tree in an array: leaves are cores, each inner node holds the
/// earlier of its children, the root stands at index 1.
#[derive(Debug)]
pub(super) struct Turns {
    tree: Vec<Time>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { tree: vec![Time::FAR_FUTURE; 2] }
    }
}

impl Turns {
    fn leaves(&self) -> usize {
        self.tree.len() / 2
    }

    /// Makes room for `count` cores.
    pub(super) fn grow(&mut self, count: usize) {
        let old = self.leaves();
        if count <= old {
            return;
        }
        let leaves = count.next_power_of_two();
        let mut tree = vec![Time::FAR_FUTURE; 2 * leaves];
        tree[leaves..leaves + old].copy_from_slice(&self.tree[old..]);
        for node in (1..leaves).rev() {
            tree[node] = tree[2 * node].min(tree[2 * node + 1]);
        }
        self.tree = tree;
    }

    pub(super) fn get(&self, core: usize) -> Time {
        self.tree[self.leaves() + core]
    }

    pub(super) fn set(&mut self, core: usize, time: Time) {
        let mut node = self.leaves() + core;
        self.tree[node] = time;
        while node > 1 {
            node /= 2;
            let earlier = self.tree[2 * node].min(self.tree[2 * node + 1]);
            if self.tree[node] == earlier {
                return;
            }
            self.tree[node] = earlier;
        }
    }

    /// When the next core turns.
    pub(super) fn next_time(&self) -> Time {
        self.tree[1]
    }

    /// The core that turns next; of several at one time, the first.
    pub(super) fn next_core(&self) -> usize {
        let leaves = self.leaves();
        let mut node = 1;
        while node < leaves {
            node *= 2;
            if self.tree[node] > self.tree[node / 2] {
                node += 1;
            }
        }
        node - leaves
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    fn at(nanoseconds: u64) -> Time {
        Time::from_nanoseconds(nanoseconds)
    }

    #[test]
    fn the_agenda_is_ordered_by_time_and_then_by_arrival() {
        let mut agenda = Agenda::default();
        for (time, name) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            agenda.push(at(time), name);
        }
        assert_eq!(agenda.next_time(), at(3));
        let order: String = std::iter::from_fn(|| agenda.pop()).collect();
        assert_eq!(order, "abcd");
        assert_eq!(agenda.next_time(), Time::FAR_FUTURE);
    }

    #[test]
    fn turns_agree_with_a_plain_search() {
        let mut random = Random::new(1);
        let mut turns = Turns::default();
        let mut plain: Vec<Time> = Vec::new();
        for step in 0..2_000 {
            if step % 100 == 0 {
                plain.push(Time::FAR_FUTURE);
                turns.grow(plain.len());
            }
            let core = random.index(plain.len());
            plain[core] = at(random.below(20));
            turns.set(core, plain[core]);
            let earliest = plain.iter().min().copied().unwrap();
            assert_eq!(turns.next_time(), earliest);
            assert_eq!(
                Some(turns.next_core()),
                plain.iter().position(|&time| time == earliest),
                "the first of the earliest"
            );
            assert!(plain.iter().enumerate().all(|(core, &time)| turns.get(core) == time));
        }
    }
}
