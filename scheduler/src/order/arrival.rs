//! First come, first served: the table of jobs already keeps that order, so there is nothing to keep here.

use ringyard_time::Time;

use super::Order;
use crate::jobs::{JobIndex, Jobs};

#[derive(Debug)]
pub(super) struct Arrival;

impl Order for Arrival {
    fn insert(&mut self, _jobs: &Jobs, _index: JobIndex, _now: Time) {}

    fn first(&mut self, jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        jobs.oldest()
    }

    fn serve(&mut self, _jobs: &Jobs, _index: JobIndex) {}

    fn remove(&mut self, _jobs: &Jobs, _index: JobIndex) {}

    #[cfg(test)]
    fn capacities(&self, _into: &mut Vec<usize>) {}
}
