//! By arrival: the table of jobs already keeps that order, so there is nothing to keep here.

use ringyard_time::Time;

use super::{Order, Patience};
use crate::jobs::{JobIndex, Jobs};

#[derive(Debug, Default)]
pub(super) struct Arrival {
    patience: Patience,
}

impl Order for Arrival {
    fn insert(&mut self, _jobs: &Jobs, _index: JobIndex, _now: Time) {}

    fn first(&mut self, jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        match self.patience {
            Patience::OldestFirst => jobs.oldest(),
            Patience::NewestFirst => jobs.newest(),
        }
    }

    fn serve(&mut self, _jobs: &Jobs, _index: JobIndex) {}

    fn remove(&mut self, _jobs: &Jobs, _index: JobIndex) {}

    fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    #[cfg(test)]
    fn capacities(&self, _into: &mut Vec<usize>) {}
}
