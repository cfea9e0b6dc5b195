//! Orders by a key that a job gets when it arrives and keeps: the least key first.
//!
//! Keys end in the order of arrival, so that no two are equal and of equals the older goes first.

use std::fmt::Debug;
use std::time::Duration;

use ringyard_time::Time;

use super::Order;
use super::heap::Heap;
use crate::jobs::{JobIndex, Jobs};

/// What a job's key is.
pub(super) trait Rule: Debug + Send {
    /// Least first; no two jobs have the same.
    type Key: Copy + Ord + Debug + Send;

    /// The key of a queued job.
    fn key(&self, jobs: &Jobs, index: JobIndex) -> Self::Key;

    /// A job that goes first whatever its key.
    fn urgent(&self, _jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        None
    }
}

/// Jobs by the keys of a rule.
#[derive(Debug)]
pub(super) struct Keyed<R: Rule> {
    rule: R,
    heap: Heap<R::Key>,
}

impl<R: Rule> Keyed<R> {
    pub(super) fn new(rule: R) -> Self {
        Self { rule, heap: Heap::default() }
    }
}

impl<R: Rule> Order for Keyed<R> {
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, _now: Time) {
        self.heap.insert(index, self.rule.key(jobs, index));
    }

    fn first(&mut self, jobs: &Jobs, now: Time) -> Option<JobIndex> {
        self.rule.urgent(jobs, now).or_else(|| self.heap.first())
    }

    fn serve(&mut self, jobs: &Jobs, index: JobIndex) {
        self.remove(jobs, index);
    }

    fn remove(&mut self, _jobs: &Jobs, index: JobIndex) {
        self.heap.remove(index);
    }

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>) {
        self.heap.capacities(into);
    }
}

/// Shortest job first: by the longest sequence, which is what a job costs.
#[derive(Debug)]
pub(super) struct Shortest;

impl Rule for Shortest {
    type Key = (u32, u64);

    fn key(&self, jobs: &Jobs, index: JobIndex) -> Self::Key {
        (jobs.job(index).spec.longest, jobs.rank(index))
    }
}

/// Shortest job first by cost, where waiting makes a job cheaper: at `gamma` nanoseconds of cost per
/// nanosecond of waiting. All jobs age alike, so the key `cost + gamma x arrival` need never change: of two
/// jobs the later goes first only if it arrived within `difference of costs / gamma` of the other. Besides, no
/// job waits longer than `wait_max` behind jobs that have not.
#[derive(Debug)]
pub(super) struct Ageing {
    pub(super) gamma: f64,
    pub(super) wait_max: Duration,
}

impl Rule for Ageing {
    type Key = (u128, u64);

    fn key(&self, jobs: &Jobs, index: JobIndex) -> Self::Key {
        /// Sixteen binary places of `gamma` are enough, and make keys whole numbers.
        const ONE: f64 = 65_536.0;
        #[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
        #[expect(clippy::cast_sign_loss, reason = "the cast saturates")]
        let gamma = (self.gamma * ONE) as u64;
        let arrived = jobs.job(index).arrived.nanoseconds();
        let aged = u128::from(arrived) * u128::from(gamma);
        ((u128::from(jobs.cost(index).0) << 16) + aged, jobs.rank(index))
    }

    fn urgent(&self, jobs: &Jobs, now: Time) -> Option<JobIndex> {
        let oldest = jobs.oldest()?;
        (now.since(jobs.job(oldest).arrived) >= self.wait_max).then_some(oldest)
    }
}

/// Weighted shortest processing time: the least cost per weight first.
#[derive(Debug)]
pub(super) struct CostPerWeight;

impl Rule for CostPerWeight {
    type Key = (u128, u64);

    fn key(&self, jobs: &Jobs, index: JobIndex) -> Self::Key {
        let weight = u128::from(jobs.job(index).spec.weight);
        // Thirty-two binary places tell any two ratios of like size apart.
        ((u128::from(jobs.cost(index).0) << 32) / weight, jobs.rank(index))
    }
}

/// Earliest deadline first; a job without one comes after all that have one.
#[derive(Debug)]
pub(super) struct Deadline;

impl Rule for Deadline {
    type Key = (Time, u64);

    fn key(&self, jobs: &Jobs, index: JobIndex) -> Self::Key {
        let deadline = jobs.job(index).spec.deadline.unwrap_or(Time::FAR_FUTURE);
        (deadline, jobs.rank(index))
    }
}
