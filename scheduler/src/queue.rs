//! The queued jobs together with the order in force: what a composition chooses from.

use ringyard_time::Time;

use crate::by_length::ByLength;
use crate::cost::CostModel;
use crate::job::{Job, JobId, JobSpec};
use crate::jobs::{JobIndex, Jobs};
use crate::order::{self, Order};
use crate::strategy::StrategyKind;

/// Jobs and their order, kept in step.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: Jobs,
    order: Box<dyn Order>,
    /// Kept only for compositions that ask for it.
    by_length: Option<ByLength>,
    cost_model: CostModel,
    /// Counts the jobs that came and went.
    version: u64,
}

impl Queue {
    pub(crate) fn new(kind: StrategyKind, cost_model: CostModel) -> Self {
        let jobs = Jobs::default();
        let order = order::build(kind, &jobs, Time::ZERO);
        Self { jobs, order, by_length: None, cost_model, version: 0 }
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    pub(crate) fn cost_model(&self) -> &CostModel {
        &self.cost_model
    }

    pub(crate) fn set_cost_model(&mut self, model: CostModel) {
        self.cost_model = model;
    }

    /// Differs from what it was whenever the queued jobs do.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The jobs by length, for a composition that asked for them.
    pub(crate) fn by_length(&self) -> &ByLength {
        self.by_length.as_ref().expect("the composition said that it needs lengths")
    }

    /// Puts another order in force over the same jobs.
    pub(crate) fn reorder(&mut self, kind: StrategyKind, now: Time) {
        self.order = order::build(kind, &self.jobs, now);
    }

    /// Begins or ceases to keep jobs by length.
    pub(crate) fn keep_lengths(&mut self, keep: bool) {
        if keep == self.by_length.is_some() {
            return;
        }
        self.by_length = keep.then(|| {
            let mut by_length = ByLength::default();
            for index in self.jobs.by_arrival() {
                by_length.insert(index, self.jobs.job(index).spec.longest);
            }
            by_length
        });
    }

    pub(crate) fn insert(&mut self, spec: JobSpec, now: Time) -> JobId {
        let index = self.jobs.insert(spec, now);
        self.order.insert(&self.jobs, index, now);
        if let Some(by_length) = &mut self.by_length {
            by_length.insert(index, spec.longest);
        }
        self.version += 1;
        self.jobs.job(index).id
    }

    /// Whose turn it is.
    pub(crate) fn first(&mut self, now: Time) -> Option<JobIndex> {
        self.order.first(&self.jobs, now)
    }

    /// Takes out the job whose turn it is, and passes the turn on.
    pub(crate) fn serve(&mut self, index: JobIndex) -> Job {
        self.order.serve(&self.jobs, index);
        self.take(index)
    }

    /// Takes out any job without passing the turn on.
    pub(crate) fn remove(&mut self, index: JobIndex) -> Job {
        self.order.remove(&self.jobs, index);
        self.take(index)
    }

    fn take(&mut self, index: JobIndex) -> Job {
        let job = self.jobs.remove(index);
        if let Some(by_length) = &mut self.by_length {
            by_length.remove(index, job.spec.longest);
        }
        self.version += 1;
        job
    }

    #[cfg(test)]
    pub(crate) fn capacities(&self, into: &mut Vec<usize>) {
        self.jobs.capacities(into);
        self.order.capacities(into);
        if let Some(by_length) = &self.by_length {
            by_length.capacities(into);
        }
    }
}
