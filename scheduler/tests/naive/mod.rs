//! The scheduler written again in the plainest way: one `Vec` of jobs, sorted anew for every question.
//!
//! It shares no code with the real one and keeps no index. Batches are decided by trying: fill one, then see
//! whether anything stopped it.

use std::time::Duration;

use ringyard_scheduler::{CompositionKind, CustomerId, Job, JobId, Slot, StrategyKind};
use ringyard_time::Time;

/// A queue in order of arrival, and for each customer the moment from which its turn counts.
pub(crate) struct Naive {
    pub(crate) strategy: StrategyKind,
    pub(crate) composition: CompositionKind,
    pub(crate) linger: Option<Duration>,
    pub(crate) queued: Vec<Job>,
    /// For each customer with queued jobs, the count of events when it joined or was last served.
    waiting_since: Vec<(CustomerId, u64)>,
    events: u64,
}

impl Naive {
    pub(crate) fn new(
        strategy: StrategyKind,
        composition: CompositionKind,
        linger: Option<Duration>,
    ) -> Self {
        Self {
            strategy,
            composition,
            linger,
            queued: Vec::new(),
            waiting_since: Vec::new(),
            events: 0,
        }
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.queued.push(job);
        self.note_customers();
    }

    pub(crate) fn cancel(&mut self, id: JobId) -> Option<Job> {
        let position = self.queued.iter().position(|job| job.id == id)?;
        let job = self.queued.remove(position);
        self.note_customers();
        Some(job)
    }

    pub(crate) fn set_strategy(&mut self, strategy: StrategyKind) {
        self.strategy = strategy;
        self.waiting_since.clear();
        self.note_customers();
    }

    /// Whether this is a batch that may leave now; if so it leaves.
    pub(crate) fn pop_batch(&mut self, now: Time, slot: &Slot, batch: &[Job]) {
        let Some(oldest) = self.queued.first().copied() else {
            return assert_eq!(batch, [], "nothing comes of nothing");
        };
        let linger = self.linger.unwrap_or(match self.strategy {
            StrategyKind::Fcfs => Duration::from_millis(50),
            _ => Duration::ZERO,
        });
        let before = (self.queued.clone(), self.waiting_since.clone());
        let everything = self.fill(&Slot { sequences_max: u32::MAX });
        (self.queued, self.waiting_since) = before;
        if sequences(&everything) < slot.sequences_max && now.since(oldest.arrived) < linger {
            return assert_eq!(batch, [], "an incomplete batch is held");
        }
        match self.composition {
            CompositionKind::Fill => assert_eq!(batch, self.fill(slot)),
            CompositionKind::Plan if self.strategy == StrategyKind::Sjf => {
                assert!(!batch.is_empty(), "a plan begins with a batch");
                let fits = batch.len() == 1 || sequences(batch) <= slot.sequences_max;
                assert!(fits, "a planned batch fits");
                for job in batch {
                    assert_eq!(self.cancel(job.id).as_ref(), Some(job), "a plan is of queued jobs");
                }
            }
            CompositionKind::Anchor | CompositionKind::Plan => {
                assert_eq!(batch, self.anchor(slot));
            }
            other => unreachable!("no oracle for {other}"),
        }
    }

    /// Jobs by turns until one does not fit.
    fn fill(&mut self, slot: &Slot) -> Vec<Job> {
        let mut batch = Vec::new();
        while let Some(next) = self.next() {
            if !batch.is_empty() && sequences(&batch) + next.spec.sequences > slot.sequences_max {
                break;
            }
            self.serve(&next);
            batch.push(next);
        }
        batch
    }

    /// The job whose turn it is, and what fits of those no longer, longest first.
    fn anchor(&mut self, slot: &Slot) -> Vec<Job> {
        let anchor = self.next().expect("something is queued");
        self.serve(&anchor);
        let mut batch = vec![anchor];
        let mut riders = self.queued.clone();
        riders.retain(|job| job.spec.longest <= anchor.spec.longest);
        riders.sort_by_key(|job| std::cmp::Reverse(job.spec.longest));
        for rider in riders {
            if sequences(&batch) + rider.spec.sequences <= slot.sequences_max {
                self.cancel(rider.id);
                batch.push(rider);
            }
        }
        batch
    }

    /// Whose turn it is.
    fn next(&self) -> Option<Job> {
        let mut ordered: Vec<(usize, Job)> = self.queued.iter().copied().enumerate().collect();
        ordered.sort_by_key(|(position, job)| match self.strategy {
            StrategyKind::Fcfs => (0, *position),
            StrategyKind::Sjf => (u64::from(job.spec.longest), *position),
            StrategyKind::Fair => (self.turn_of(job.spec.customer), *position),
            other => unreachable!("no oracle for {other}"),
        });
        ordered.first().map(|(_, job)| *job)
    }

    fn turn_of(&self, customer: CustomerId) -> u64 {
        let found = self.waiting_since.iter().find(|(waiting, _)| *waiting == customer);
        found.expect("a customer with jobs waits").1
    }

    fn serve(&mut self, job: &Job) {
        self.queued.retain(|queued| queued.id != job.id);
        self.waiting_since.retain(|(customer, _)| *customer != job.spec.customer);
        self.note_customers();
    }

    /// Forgets the customers that have nothing queued and adds those that do, by their oldest job.
    fn note_customers(&mut self) {
        let queued = &self.queued;
        self.waiting_since
            .retain(|(customer, _)| queued.iter().any(|job| job.spec.customer == *customer));
        for job in &self.queued {
            if self.waiting_since.iter().all(|(customer, _)| *customer != job.spec.customer) {
                self.waiting_since.push((job.spec.customer, self.events));
                self.events += 1;
            }
        }
    }
}

fn sequences(jobs: &[Job]) -> u32 {
    jobs.iter().map(|job| job.spec.sequences).sum()
}
