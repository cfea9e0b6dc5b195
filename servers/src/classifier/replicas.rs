//! The accelerators of the classifier: which requests compute now, and when each is done.
//!
//! Pure bookkeeping of time: nothing computes. Without a limit any number of requests compute at the same
//! time; with `replicas` set, so many do and the rest wait in order of arrival.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use ringyard_runtime::app::Time;

use crate::front::Ticket;
use crate::id_hash::BuildIdHasher;

/// Entries of abandoned work kept beyond one for each live entry, before they are cleared away.
const STALE_ENTRIES_MAX: usize = 64;

/// One request's work: the labels that it will answer, as bits, first sequence lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) ticket: Ticket,
    pub(super) labels: u64,
    pub(super) sequences: u32,
    pub(super) duration: Duration,
}

/// Orders work that computes: by its end, and at one end by its start.
type Running = Reverse<(Time, u64)>;

/// Where the work of a ticket stands. A ticket that is not in the table has been abandoned or is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    Running,
}

/// The accelerators.
#[derive(Debug)]
pub(super) struct Replicas {
    limit: usize,
    places: HashMap<Ticket, Place, BuildIdHasher>,
    /// What computes and what computed for a client that has left: stale, dropped when it comes up.
    running: BinaryHeap<Running>,
    running_count: usize,
    work: HashMap<u64, Work, BuildIdHasher>,
    started: u64,
    /// What waits, and what waited for a client that has left.
    waiting: VecDeque<Work>,
    waiting_count: usize,
}

impl Replicas {
    /// `limit` accelerators, or as many as there is work.
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self {
            limit: limit.map_or(usize::MAX, |limit| limit as usize),
            places: HashMap::default(),
            running: BinaryHeap::new(),
            running_count: 0,
            work: HashMap::default(),
            started: 0,
            waiting: VecDeque::new(),
            waiting_count: 0,
        }
    }

    /// Starts `work`, or has it wait.
    pub(super) fn push(&mut self, now: Time, work: Work) {
        if self.running_count < self.limit {
            self.start(now, work);
        } else {
            self.places.insert(work.ticket, Place::Waiting);
            self.waiting.push_back(work);
            self.waiting_count += 1;
        }
    }

    /// Gives up the work of a client that left. What computed for it is free at once.
    pub(super) fn abandon(&mut self, now: Time, ticket: Ticket) {
        match self.places.remove(&ticket) {
            Some(Place::Running) => {
                self.running_count -= 1;
                self.start_waiting(now);
            }
            Some(Place::Waiting) => self.waiting_count -= 1,
            None => {}
        }
        // Stale entries must not outgrow live ones, or clients that come and go would fill the memory.
        if self.waiting.len() > 2 * self.waiting_count + STALE_ENTRIES_MAX {
            let places = &self.places;
            self.waiting.retain(|work| places.contains_key(&work.ticket));
        }
        if self.work.len() > 2 * self.running_count + STALE_ENTRIES_MAX {
            let Self { places, work, running, .. } = self;
            work.retain(|_, work| places.contains_key(&work.ticket));
            running.retain(|Reverse((_, number))| work.contains_key(number));
        }
    }

    /// Takes one piece of work that is done by `now`.
    pub(super) fn pop_done(&mut self, now: Time) -> Option<Work> {
        loop {
            let &Reverse((end, number)) = self.running.peek()?;
            if end > now {
                return None;
            }
            self.running.pop();
            let work = self.work.remove(&number).expect("each heap entry has its work");
            if self.places.remove(&work.ticket).is_none() {
                continue;
            }
            self.running_count -= 1;
            // The accelerator was free at the end of this work, not at the time we were told.
            self.start_waiting(end);
            return Some(work);
        }
    }

    /// When to look for finished work; perhaps too early, never too late.
    pub(super) fn next_end(&self) -> Option<Time> {
        self.running.peek().map(|Reverse((end, _))| *end)
    }

    /// Whether nothing computes or waits.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Requests that compute, and requests that wait.
    pub(super) fn occupancy(&self) -> (usize, usize) {
        (self.running_count, self.waiting_count)
    }

    fn start_waiting(&mut self, now: Time) {
        while self.running_count < self.limit
            && let Some(work) = self.waiting.pop_front()
        {
            if self.places.contains_key(&work.ticket) {
                self.waiting_count -= 1;
                self.start(now, work);
            }
        }
    }

    fn start(&mut self, now: Time, work: Work) {
        self.places.insert(work.ticket, Place::Running);
        self.running.push(Reverse((now + work.duration, self.started)));
        self.work.insert(self.started, work);
        self.started += 1;
        self.running_count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(number: u32, milliseconds: u64) -> Work {
        Work {
            ticket: Ticket::for_test(number),
            labels: 0,
            sequences: 1,
            duration: Duration::from_millis(milliseconds),
        }
    }

    fn at(milliseconds: u64) -> Time {
        Time::ZERO + Duration::from_millis(milliseconds)
    }

    /// Pushes all at time zero and lists (number, end) as they finish.
    fn finish(limit: Option<u32>, list: &[(u32, u64)], abandoned: &[u32]) -> Vec<(Ticket, Time)> {
        let mut replicas = Replicas::new(limit);
        for &(number, milliseconds) in list {
            replicas.push(Time::ZERO, work(number, milliseconds));
        }
        for &number in abandoned {
            replicas.abandon(Time::ZERO, Ticket::for_test(number));
        }
        let mut done = Vec::new();
        while let Some(end) = replicas.next_end() {
            while let Some(work) = replicas.pop_done(end) {
                done.push((work.ticket, end));
            }
        }
        assert!(replicas.is_empty());
        assert_eq!(replicas.occupancy(), (0, 0));
        done
    }

    #[track_caller]
    fn check(limit: Option<u32>, list: &[(u32, u64)], abandoned: &[u32], ends: &[(u32, u64)]) {
        let expected: Vec<_> =
            ends.iter().map(|&(number, end)| (Ticket::for_test(number), at(end))).collect();
        assert_eq!(finish(limit, list, abandoned), expected);
    }

    #[test]
    fn without_a_limit_all_compute_at_once() {
        check(None, &[(0, 30), (1, 10), (2, 20)], &[], &[(1, 10), (2, 20), (0, 30)]);
    }

    #[test]
    fn one_replica_works_in_order_of_arrival() {
        check(Some(1), &[(0, 30), (1, 10), (2, 20)], &[], &[(0, 30), (1, 40), (2, 60)]);
    }

    #[test]
    fn abandoned_work_frees_its_replica_at_once() {
        check(Some(1), &[(0, 30), (1, 10), (2, 20)], &[0, 2], &[(1, 10)]);
        check(Some(2), &[(0, 30), (1, 10), (2, 20)], &[1], &[(2, 20), (0, 30)]);
    }

    #[test]
    fn abandoned_work_does_not_pile_up() {
        let mut replicas = Replicas::new(Some(1));
        replicas.push(Time::ZERO, work(0, 1_000_000));
        for number in 1..10_000 {
            replicas.push(Time::ZERO, work(number, 1));
            replicas.abandon(Time::ZERO, Ticket::for_test(number));
        }
        assert!(replicas.waiting.len() <= 2 * STALE_ENTRIES_MAX);
        let mut replicas = Replicas::new(None);
        for number in 0..10_000 {
            replicas.push(Time::ZERO, work(number, 1));
            replicas.abandon(Time::ZERO, Ticket::for_test(number));
        }
        assert!(replicas.running.len() <= 2 * STALE_ENTRIES_MAX);
        assert!(replicas.is_empty());
    }
}
