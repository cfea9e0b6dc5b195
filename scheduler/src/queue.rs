//! The queued jobs together with the order in force: what a composition chooses from.

use ringyard_time::Time;

use crate::batch::{Batch, Extent};
use crate::by_length::ByLength;
use crate::config::SchedulerConfig;
use crate::cost::share::Divider;
use crate::cost::{BatchShape, Cost, CostModel};
use crate::job::{CustomerId, CustomerTerms, Job, JobId, JobSpec};
use crate::jobs::{JobIndex, Jobs};
use crate::order::{self, Order, Patience};
use crate::strategy::StrategyKind;

/// Jobs and their order, kept in step.
#[derive(Debug)]
pub(crate) struct Queue {
    jobs: Jobs,
    order: Box<dyn Order>,
    /// Kept only for compositions that ask for it.
    by_length: Option<ByLength>,
    divider: Divider,
    patience: Patience,
    /// Up to which length what batches cost is known.
    known_longest: Option<u32>,
    /// Jobs served, as opposed to removed, since the last batch was settled.
    turns: usize,
    /// Counts the jobs that came and went, and the switches.
    version: u64,
}

impl Queue {
    pub(crate) fn new(kind: StrategyKind, config: &SchedulerConfig) -> Self {
        let mut jobs = Jobs::default();
        jobs.set_cost_model(config.cost_model);
        let order = order::build(kind, config, &jobs, Time::ZERO);
        Self {
            jobs,
            order,
            by_length: None,
            divider: Divider::default(),
            patience: Patience::default(),
            known_longest: None,
            turns: 0,
            version: 0,
        }
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// From now on; jobs already in an order that keeps them by cost stay where they are.
    pub(crate) fn set_cost_model(&mut self, model: CostModel) {
        self.jobs.set_cost_model(model);
    }

    pub(crate) fn set_patience(&mut self, patience: Patience) {
        if patience != self.patience {
            self.patience = patience;
            self.order.set_patience(patience);
        }
    }

    pub(crate) fn set_known_longest(&mut self, longest: Option<u32>) {
        self.known_longest = longest;
    }

    /// Whether a batch that leaves now is done when it must be, as far as is known.
    pub(crate) fn is_in_time(&self, now: Time, batch: &Extent) -> bool {
        let (Some(deadline), Some(known)) = (batch.deadline, self.known_longest) else {
            return true;
        };
        let took = self.jobs.cost_model().cost(&batch.shape).duration();
        batch.shape.longest > known || now + took <= deadline
    }

    /// Whether a job would come too late even if it left now and alone.
    pub(crate) fn is_late(&self, index: JobIndex, now: Time) -> bool {
        !self.is_in_time(now, &Extent::default().with(&self.jobs.job(index).spec))
    }

    pub(crate) fn set_terms(&mut self, customer: CustomerId, terms: CustomerTerms) {
        self.jobs.set_terms(customer, terms);
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
    pub(crate) fn reorder(&mut self, kind: StrategyKind, config: &SchedulerConfig, now: Time) {
        self.order = order::build(kind, config, &self.jobs, now);
        self.order.set_patience(self.patience);
        self.version += 1;
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

    /// Whose turn it is, once those who would come too late are out of the queue and among the batch's late ones.
    pub(crate) fn first_in_time(&mut self, now: Time, batch: &mut Batch) -> Option<JobIndex> {
        loop {
            let index = self.first(now)?;
            if !self.is_late(index, now) {
                return Some(index);
            }
            batch.late.push(self.remove(index));
        }
    }

    /// Takes out the job whose turn it is, and passes the turn on.
    pub(crate) fn serve(&mut self, index: JobIndex) -> Job {
        self.order.serve(&self.jobs, index);
        self.turns += 1;
        self.take(index)
    }

    /// Takes out any job without passing the turn on.
    pub(crate) fn remove(&mut self, index: JobIndex) -> Job {
        self.order.remove(&self.jobs, index);
        self.take(index)
    }

    /// Divides what a batch costs among its members, now that it is composed. Those served stand first in
    /// it; the others rode along.
    pub(crate) fn settle(&mut self, batch: &Batch) {
        let turns = std::mem::take(&mut self.turns);
        if !self.order.is_charged() {
            return;
        }
        let model = *self.jobs.cost_model();
        let shapes = batch.jobs.iter().map(|job| BatchShape::of(&job.spec));
        let shares = self.divider.divide(&model, shapes.clone());
        for (position, ((job, shape), share)) in
            batch.jobs.iter().zip(shapes).zip(shares).enumerate()
        {
            let advance = if position < turns { model.cost(&shape) } else { Cost::default() };
            self.order.charge(&self.jobs, job.spec.customer, advance, *share);
        }
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
        self.divider.capacities(into);
        if let Some(by_length) = &self.by_length {
            by_length.capacities(into);
        }
    }
}
