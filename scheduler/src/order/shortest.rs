//! Shortest job first: by the longest sequence, which is what a job costs, and among equals by arrival.

use ringyard_time::Time;

use super::Order;
use super::heap::Heap;
use crate::jobs::{JobIndex, Jobs};

#[derive(Debug, Default)]
pub(super) struct Shortest {
    /// By characters, then by arrival.
    heap: Heap<(u32, u64)>,
}

impl Order for Shortest {
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, _now: Time) {
        self.heap.insert(index, (jobs.job(index).spec.longest, jobs.rank(index)));
    }

    fn first(&mut self, _jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        self.heap.first()
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
