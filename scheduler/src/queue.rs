//! The queued jobs together with the order in force: what a composition chooses from.

use ringyard_time::Time;

use crate::job::{Job, JobId, JobSpec};
use crate::jobs::{JobIndex, Jobs};
use crate::order::{self, Order};
use crate::strategy::StrategyKind;

/// Jobs and their order, kept in step.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: Jobs,
    order: Box<dyn Order>,
}

impl Queue {
    pub(crate) fn new(kind: StrategyKind, now: Time) -> Self {
        let jobs = Jobs::default();
        let order = order::build(kind, &jobs, now);
        Self { jobs, order }
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Puts another order in force over the same jobs.
    pub(crate) fn reorder(&mut self, kind: StrategyKind, now: Time) {
        self.order = order::build(kind, &self.jobs, now);
    }

    pub(crate) fn insert(&mut self, spec: JobSpec, now: Time) -> JobId {
        let index = self.jobs.insert(spec, now);
        self.order.insert(&self.jobs, index, now);
        self.jobs.job(index).id
    }

    /// Whose turn it is.
    pub(crate) fn first(&mut self, now: Time) -> Option<JobIndex> {
        self.order.first(&self.jobs, now)
    }

    /// Takes out the job whose turn it is, and passes the turn on.
    pub(crate) fn serve(&mut self, index: JobIndex) -> Job {
        self.order.serve(&self.jobs, index);
        self.jobs.remove(index)
    }

    /// Takes out any job without passing the turn on.
    pub(crate) fn remove(&mut self, index: JobIndex) -> Job {
        self.order.remove(&self.jobs, index);
        self.jobs.remove(index)
    }

    #[cfg(test)]
    pub(crate) fn capacities(&self) -> Vec<usize> {
        let mut capacities = Vec::new();
        self.jobs.capacities(&mut capacities);
        self.order.capacities(&mut capacities);
        capacities
    }
}
