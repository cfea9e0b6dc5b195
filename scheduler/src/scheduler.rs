//! The scheduler: the queue, when a batch is due, and the switch of strategy.
//!
//! It decides *when* a batch leaves. Whose turn it is and who rides along it leaves to the order and the
//! composition in force.

use std::time::Duration;

use ringyard_time::Time;

use crate::auto::{Auto, AutoSwitch};
use crate::batch::{Batch, Slot};
use crate::composition::{self, Composition, CompositionKind};
use crate::config::SchedulerConfig;
use crate::cost::{BatchShape, CostModel};
use crate::job::{CustomerId, CustomerTerms, Job, JobId, JobSpec};
use crate::jobs::Backlog;
use crate::limits::JOB_INDICES;
use crate::order::Patience;
use crate::queue::Queue;
use crate::strategy::StrategyKind;

/// The queue holds as many jobs as it may; refuse the request or try again once a batch has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full ({jobs_max} jobs)")]
pub struct QueueFull {
    /// The bound that was reached.
    pub jobs_max: usize,
}

/// A bounded queue of jobs that hands them out in batches.
///
/// `now` must not go back from one call to the next.
#[derive(Debug)]
pub struct Scheduler {
    config: SchedulerConfig,
    /// The strategy asked for; `auto` chooses another to be in force.
    strategy: StrategyKind,
    /// While the strategy asked for is `auto`.
    auto: Option<Auto>,
    queue: Queue,
    composition: Box<dyn Composition>,
}

impl Scheduler {
    /// An empty queue.
    #[must_use]
    pub fn new(config: SchedulerConfig) -> Self {
        let strategy = config.strategy;
        let auto = (strategy == StrategyKind::Auto).then(Auto::new);
        let active = auto.as_ref().map_or(strategy, |auto| auto.active);
        let mut queue = Queue::new(active, &config);
        let composition = composition::build(active, &config);
        queue.keep_lengths(composition.needs_lengths());
        Self { config, strategy, auto, queue, composition }
    }

    /// Queues a job.
    ///
    /// # Errors
    ///
    /// [`QueueFull`], and the queue is as before.
    ///
    /// # Panics
    ///
    /// If the job has no sequence.
    pub fn push(&mut self, spec: JobSpec, now: Time) -> Result<JobId, QueueFull> {
        assert!(spec.sequences > 0, "a job has at least one sequence");
        let jobs_max = self.config.queue_jobs_max.min(JOB_INDICES);
        if self.len() >= jobs_max {
            return Err(QueueFull { jobs_max });
        }
        if let Some(auto) = &mut self.auto {
            auto.arrived(self.queue.jobs().cost_model().cost(&BatchShape::of(&spec)));
        }
        Ok(self.queue.insert(spec, now))
    }

    /// Takes a job out of the queue, in O(log n). `None` if it has already left, in whatever way.
    pub fn cancel(&mut self, id: JobId) -> Option<Job> {
        let index = self.queue.jobs().find(id)?;
        Some(self.queue.remove(index))
    }

    /// Composes the next batch for a free slot, or leaves `batch` empty and returns `false`: nothing is
    /// queued, or an incomplete batch is still being held.
    ///
    /// A batch is incomplete while everything queued would go into the slot and leave room; otherwise it is
    /// full, or the next job would not have fitted. It is held until the oldest queued job has waited for
    /// the linger time. A job with more sequences than the slot takes forms a batch of its own.
    ///
    /// Where costs are known ([`Scheduler::set_known_longest`]), nobody is served who would come too late: those who
    /// would even if they left now and alone are handed out as [`Batch::late`], batch or none, and nobody joins who
    /// would make another member late or be made late himself.
    pub fn pop_batch(&mut self, now: Time, slot: &Slot, batch: &mut Batch) -> bool {
        batch.clear();
        if self.next_deadline(slot).is_none_or(|due| due > now) {
            return false;
        }
        self.consider(now);
        while batch.is_empty() && !self.is_empty() {
            let left = self.len();
            self.composition.compose(&mut self.queue, now, slot, batch);
            assert!(
                self.len() < left,
                "a composition takes at least one job of a queue that has one"
            );
        }
        if batch.is_empty() {
            return false;
        }
        self.queue.settle(batch);
        let model = *self.queue.jobs().cost_model();
        batch.price(&model);
        if let Some(auto) = &mut self.auto {
            for job in &batch.jobs {
                auto.served(job, model.cost(&BatchShape::of(&job.spec)), batch.cost, now);
            }
        }
        true
    }

    /// Lets `auto` choose another strategy.
    fn consider(&mut self, now: Time) {
        let backlogged = self.queue.jobs().backlogged();
        if let Some(auto) = &mut self.auto
            && auto.decide(backlogged, now).is_some()
        {
            self.put_in_force(now);
        }
    }

    /// Makes order and composition those of the strategy in force.
    fn put_in_force(&mut self, now: Time) {
        let active = self.active_strategy();
        self.queue.reorder(active, &self.config, now);
        self.recompose();
    }

    fn recompose(&mut self) {
        self.composition = composition::build(self.active_strategy(), &self.config);
        self.queue.keep_lengths(self.composition.needs_lengths());
    }

    /// From when on [`Scheduler::pop_batch`] has a batch for this slot, although nothing more arrives: a time
    /// gone by if it has one already, `None` if nothing is queued.
    ///
    /// Ask when a slot is free: without one there is nothing to wake up for.
    #[must_use]
    pub fn next_deadline(&self, slot: &Slot) -> Option<Time> {
        let jobs = self.queue.jobs();
        let arrived = jobs.job(jobs.oldest()?).arrived;
        let complete = jobs.total().sequences >= u64::from(slot.sequences_max);
        Some(if complete { arrived } else { arrived + self.linger() })
    }

    /// How long an incomplete batch is held at present.
    #[must_use]
    pub fn linger(&self) -> Duration {
        self.config.linger.unwrap_or(self.active_strategy().linger_default())
    }

    /// Switches the strategy. Every queued job stays queued, under its id and with its time of arrival. What
    /// the strategy before kept of its own, whose turn it was and who has had how much, is forgotten.
    pub fn set_strategy(&mut self, kind: StrategyKind, now: Time) {
        self.strategy = kind;
        self.auto = (kind == StrategyKind::Auto).then(Auto::new);
        self.put_in_force(now);
    }

    /// The strategy asked for.
    #[must_use]
    pub fn strategy(&self) -> StrategyKind {
        self.strategy
    }

    /// The strategy in force: the one asked for, or that which `auto` has chosen.
    #[must_use]
    pub fn active_strategy(&self) -> StrategyKind {
        self.auto.as_ref().map_or(self.strategy, |auto| auto.active)
    }

    /// The last choice that `auto` made, and why, if it is in force and has made one.
    #[must_use]
    pub fn last_switch(&self) -> Option<AutoSwitch> {
        self.auto.as_ref()?.last
    }

    /// Chooses which jobs share a batch from now on.
    pub fn set_composition(&mut self, kind: CompositionKind) {
        self.config.composition = kind;
        self.recompose();
    }

    /// Says what a customer is entitled to from now on.
    pub fn set_customer(&mut self, customer: CustomerId, terms: CustomerTerms, now: Time) {
        let before = self.queue.jobs().terms(customer);
        let moves = before.tier != terms.tier && self.active_strategy() == StrategyKind::Tiers;
        self.queue.set_terms(customer, terms);
        if moves {
            self.queue.reorder(self.active_strategy(), &self.config, now);
        }
    }

    /// The composition asked for.
    #[must_use]
    pub fn composition(&self) -> CompositionKind {
        self.config.composition
    }

    /// Says what a batch is expected to cost from now on: on the backend that is to be served next, if they
    /// differ. Jobs that a strategy keeps in order of cost stay in the order of when they were pushed.
    pub fn set_cost_model(&mut self, model: CostModel) {
        self.queue.set_cost_model(model);
    }

    /// What batches are expected to cost at present.
    #[must_use]
    pub fn cost_model(&self) -> &CostModel {
        self.queue.jobs().cost_model()
    }

    /// Says up to which length what batches cost is known well enough to tell who would come too late; by default
    /// up to none, and nobody is late.
    pub fn set_known_longest(&mut self, longest: Option<u32>) {
        self.queue.set_known_longest(longest);
    }

    /// Says whether there is more to do than can be done. Then, among jobs that a strategy serves by arrival, all of
    /// them or each customer's, the newest goes first: who comes now can still be served in time.
    pub fn set_crowded(&mut self, crowded: bool) {
        let patience = if crowded { Patience::NewestFirst } else { Patience::OldestFirst };
        self.queue.set_patience(patience);
    }

    /// Jobs queued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.jobs().total().jobs
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sequences queued.
    #[must_use]
    pub fn sequences(&self) -> u64 {
        self.queue.jobs().total().sequences
    }

    /// A queued job, if it is still queued.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&Job> {
        let jobs = self.queue.jobs();
        Some(jobs.job(jobs.find(id)?))
    }

    /// When the job that has been queued longest arrived.
    #[must_use]
    pub fn oldest_arrived(&self) -> Option<Time> {
        let jobs = self.queue.jobs();
        Some(jobs.job(jobs.oldest()?).arrived)
    }

    /// What one customer has queued.
    #[must_use]
    pub fn backlog(&self, customer: CustomerId) -> Backlog {
        self.queue.jobs().backlog(customer)
    }

    /// Every customer seen so far, by id, with what it has queued; O(customers).
    pub fn backlogs(&self) -> impl Iterator<Item = (CustomerId, Backlog)> + '_ {
        self.queue.jobs().backlogs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { sequences_max: 5 };
    const JOBS: u64 = 1_000;

    /// Queues many jobs, cancels every third and pops the rest.
    fn churn(scheduler: &mut Scheduler, batch: &mut Batch) {
        let mut ids = Vec::new();
        for tag in 0..JOBS {
            let small = u32::try_from(tag).unwrap();
            let spec = JobSpec::new(CustomerId(small % 7), 1 + small % 5, small * 31 % 97, tag);
            ids.push(scheduler.push(spec, Time::from_nanoseconds(tag)).unwrap());
        }
        for id in ids.into_iter().step_by(3) {
            scheduler.cancel(id).unwrap();
        }
        while scheduler.pop_batch(Time::FAR_FUTURE, &SLOT, batch) {}
        assert!(scheduler.is_empty());
    }

    fn capacities(scheduler: &Scheduler, batch: &Batch) -> Vec<usize> {
        let mut capacities = vec![batch.jobs.capacity()];
        scheduler.queue.capacities(&mut capacities);
        scheduler.composition.capacities(&mut capacities);
        capacities
    }

    fn check_steady_state(strategy: StrategyKind, composition: CompositionKind) {
        let config = SchedulerConfig { strategy, composition, ..SchedulerConfig::default() };
        let mut scheduler = Scheduler::new(config);
        let mut batch = Batch::default();
        churn(&mut scheduler, &mut batch);
        let reached = capacities(&scheduler, &batch);
        for _ in 0..10 {
            churn(&mut scheduler, &mut batch);
        }
        assert_eq!(capacities(&scheduler, &batch), reached, "{strategy}, {composition}");
    }

    #[test]
    fn the_steady_state_grows_nothing() {
        for strategy in StrategyKind::ALL {
            for composition in CompositionKind::ALL {
                check_steady_state(*strategy, *composition);
            }
        }
    }
}
