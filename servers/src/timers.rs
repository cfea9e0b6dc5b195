//! Deadlines of many things that mostly never come due.
//!
//! A connection's deadline moves with each request, nearly always later. So moving one is a plain store: the
//! heap keeps one entry a key at the earliest time at which a look is needed, and an entry that comes
//! up too early is put back at the deadline as it stands by then. The cost is about one heap operation a key
//! and time-out period, whatever the rate of requests. This module does not know what a deadline means.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ringyard_time::Time;

/// One key's deadline and what the heap knows of it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    deadline: Time,
    /// The earliest heap entry of this key; later ones are stale and dropped when they come up.
    scheduled: Time,
}

const UNSET: Entry = Entry { deadline: Time::FAR_FUTURE, scheduled: Time::FAR_FUTURE };

/// Deadlines by small dense keys (a connection's slot).
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: Vec<Entry>,
    heap: BinaryHeap<Reverse<(Time, u32)>>,
}

impl Timers {
    /// Sets the deadline of `key`, in place of the one before; [`Time::FAR_FUTURE`] clears it.
    pub(crate) fn set(&mut self, key: u32, deadline: Time) {
        let index = key as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, UNSET);
        }
        let entry = &mut self.entries[index];
        entry.deadline = deadline;
        if deadline < entry.scheduled {
            entry.scheduled = deadline;
            self.heap.push(Reverse((deadline, key)));
        }
    }

    /// When to look next; perhaps too early, never too late.
    pub(crate) fn next(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse((time, _))| *time)
    }

    /// Takes one key whose deadline is at or before `now`, clearing it.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<u32> {
        while let Some(&Reverse((time, key))) = self.heap.peek() {
            if time > now {
                return None;
            }
            self.heap.pop();
            let entry = &mut self.entries[key as usize];
            if entry.scheduled != time {
                continue;
            }
            entry.scheduled = Time::FAR_FUTURE;
            if entry.deadline <= now {
                entry.deadline = Time::FAR_FUTURE;
                return Some(key);
            }
            let deadline = entry.deadline;
            if deadline != Time::FAR_FUTURE {
                self.set(key, deadline);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(nanoseconds: u64) -> Time {
        Time::from_nanoseconds(nanoseconds)
    }

    #[test]
    fn a_deadline_moved_later_fires_once_at_its_new_time() {
        let mut timers = Timers::default();
        timers.set(3, at(10));
        timers.set(3, at(20));
        assert_eq!(timers.pop_due(at(15)), None);
        assert_eq!(timers.pop_due(at(20)), Some(3));
        assert_eq!(timers.pop_due(at(100)), None);
        assert_eq!(timers.next(), None);
    }

    proptest! {
        /// Against the plainest oracle: a table of deadlines, searched whole.
        #[test]
        fn agrees_with_a_plain_table(steps in prop::collection::vec((0u32..6, 0u64..50, 0u64..4), 0..200)) {
            let mut timers = Timers::default();
            let mut table = [Time::FAR_FUTURE; 6];
            let mut now = 0;
            for (key, delay, advance) in steps {
                let deadline = if delay == 0 { Time::FAR_FUTURE } else { at(now + delay) };
                timers.set(key, deadline);
                table[key as usize] = deadline;
                now += advance;
                let mut fired = Vec::new();
                while let Some(key) = timers.pop_due(at(now)) {
                    fired.push(key);
                }
                fired.sort_unstable();
                let mut expected = Vec::new();
                for (key, deadline) in table.iter_mut().enumerate() {
                    if *deadline <= at(now) {
                        *deadline = Time::FAR_FUTURE;
                        expected.push(u32::try_from(key).unwrap());
                    }
                }
                prop_assert_eq!(fired, expected);
                let earliest = table.iter().min().copied().unwrap();
                prop_assert!(timers.next().unwrap_or(Time::FAR_FUTURE) <= earliest);
            }
        }
    }
}
