//! The scheduler written again in the plainest way: one `Vec` of jobs, gone through anew for every question.
//!
//! It shares no code with the real one but what a job costs and how a cost is divided, which have oracles of
//! their own, and keeps no index. Batches are decided by trying: fill one, then see whether anything stopped
//! it.

mod turns;

use std::time::Duration;

use ringyard_scheduler::cost::share::Divider;
use ringyard_scheduler::cost::{BatchShape, CostModel};
use ringyard_scheduler::{
    Ageing, CompositionKind, CustomerTerms, FairRule, Job, JobId, Slot, StrategyKind,
};
use ringyard_time::Time;

pub(crate) use turns::CUSTOMERS;
use turns::{Turns, cost};

/// What both schedulers are set to.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) strategy: StrategyKind,
    pub(crate) composition: CompositionKind,
    pub(crate) linger: Option<Duration>,
    pub(crate) fair: FairRule,
    pub(crate) ageing: Ageing,
    /// By customer.
    pub(crate) terms: [CustomerTerms; CUSTOMERS],
}

/// A queue in order of arrival.
pub(crate) struct Naive {
    pub(crate) settings: Settings,
    pub(crate) queued: Vec<Job>,
    turns: Turns,
}

impl Naive {
    pub(crate) fn new(settings: Settings) -> Self {
        let turns = Turns::new(settings.strategy, &settings);
        Self { settings, queued: Vec::new(), turns }
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.turns.arrives(&self.queued, &job, &self.settings);
        self.queued.push(job);
    }

    pub(crate) fn cancel(&mut self, id: JobId) -> Option<Job> {
        let job = self.take(id)?;
        self.turns.left(&self.queued, &job, &self.settings);
        Some(job)
    }

    pub(crate) fn set_strategy(&mut self, strategy: StrategyKind) {
        self.settings.strategy = strategy;
        self.turns = Turns::new(strategy, &self.settings);
        for job in std::mem::take(&mut self.queued) {
            self.push(job);
        }
    }

    /// Whether this is a batch that may leave now; if so it leaves.
    pub(crate) fn pop_batch(&mut self, now: Time, slot: &Slot, batch: &[Job]) {
        let Some(oldest) = self.queued.first().copied() else {
            return assert_eq!(batch, [], "nothing comes of nothing");
        };
        let strategy = self.settings.strategy;
        let linger = self.settings.linger.unwrap_or(match strategy {
            StrategyKind::Fcfs => Duration::from_millis(50),
            _ => Duration::ZERO,
        });
        let before = (self.queued.clone(), self.turns.clone());
        let everything = self.fill(now, &Slot { sequences_max: u32::MAX });
        (self.queued, self.turns) = before;
        if sequences(&everything) < slot.sequences_max && now.since(oldest.arrived) < linger {
            return assert_eq!(batch, [], "an incomplete batch is held");
        }
        let overdue = strategy == StrategyKind::SjfAgeing
            && now.since(oldest.arrived) >= self.settings.ageing.wait_max;
        let shortest_first =
            [StrategyKind::Sjf, StrategyKind::SjfAgeing, StrategyKind::Wspt].contains(&strategy);
        match self.settings.composition {
            CompositionKind::Fill => {
                assert_eq!(batch, self.fill(now, slot));
                self.charge(batch, batch.len());
            }
            CompositionKind::Plan if shortest_first && !overdue => self.accept_plan(slot, batch),
            CompositionKind::Anchor | CompositionKind::Plan => {
                assert_eq!(batch, self.anchor(now, slot));
                self.charge(batch, 1);
            }
            other => unreachable!("no oracle for {other}"),
        }
    }

    /// Jobs by turns until one does not fit.
    fn fill(&mut self, now: Time, slot: &Slot) -> Vec<Job> {
        let mut batch = Vec::new();
        while let Some(next) = self.turns.next(&self.queued, now, &self.settings) {
            if !batch.is_empty() && sequences(&batch) + next.spec.sequences > slot.sequences_max {
                break;
            }
            self.serve(&next);
            batch.push(next);
        }
        batch
    }

    /// The job whose turn it is, and what fits of those no longer, longest first.
    fn anchor(&mut self, now: Time, slot: &Slot) -> Vec<Job> {
        let next = self.turns.next(&self.queued, now, &self.settings);
        let anchor = next.expect("something is queued");
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

    /// Which plan is good is tested elsewhere; here it need only be one.
    fn accept_plan(&mut self, slot: &Slot, batch: &[Job]) {
        assert!(!batch.is_empty(), "a plan begins with a batch");
        let fits = batch.len() == 1 || sequences(batch) <= slot.sequences_max;
        assert!(fits, "a planned batch fits");
        for job in batch {
            assert_eq!(self.cancel(job.id).as_ref(), Some(job), "a plan is of queued jobs");
        }
    }

    /// Makes every member pay its share, the first so many of them in place of what they paid in advance.
    fn charge(&mut self, batch: &[Job], served: usize) {
        let shapes = batch.iter().map(|job| BatchShape::of(&job.spec));
        let mut divider = Divider::default();
        let shares = divider.divide(&CostModel::default(), shapes);
        for (position, (job, share)) in batch.iter().zip(shares).enumerate() {
            let advance = if position < served { cost(job) } else { 0 };
            self.turns.charged(&self.queued, job, advance, share.0, &self.settings);
        }
    }

    fn serve(&mut self, job: &Job) {
        self.take(job.id).expect("whose turn it is is queued");
        self.turns.served(&self.queued, job, &self.settings);
    }

    fn take(&mut self, id: JobId) -> Option<Job> {
        let position = self.queued.iter().position(|job| job.id == id)?;
        Some(self.queued.remove(position))
    }
}

fn sequences(jobs: &[Job]) -> u32 {
    jobs.iter().map(|job| job.spec.sequences).sum()
}
