//! Every strategy against the naive scheduler, over random sequences of whatever can happen.

mod naive;

use std::time::Duration;

use naive::{CUSTOMERS, Naive, Settings};
use proptest::prelude::*;
use proptest::sample::Index;
use ringyard_scheduler::{
    Ageing, Batch, CompositionKind, CustomerId, CustomerTerms, FairRule, JobId, JobSpec, QueueFull,
    Scheduler, SchedulerConfig, Slot, StrategyKind,
};
use ringyard_time::Time;

/// Small enough that a random sequence of steps fills it now and then.
const QUEUE_JOBS_MAX: usize = 24;

#[derive(Clone, Debug)]
enum Step {
    Push {
        customer: u32,
        sequences: u32,
        longest: u32,
        weight: u32,
        deadline_ms: Option<u64>,
    },
    /// Cancels one of all jobs there ever were, so most are stale.
    Cancel(Index),
    Pop {
        sequences_max: u32,
    },
    /// Asks a nanosecond before the deadline, and at it.
    PopAtDeadline {
        sequences_max: u32,
    },
    Switch(StrategyKind),
    Recompose(CompositionKind),
    Wait(Duration),
}

/// Every strategy but `auto`, which only chooses among the others.
fn strategy_kind() -> impl Strategy<Value = StrategyKind> {
    prop::sample::select(StrategyKind::ALL)
        .prop_filter("chooses among the others", |kind| *kind != StrategyKind::Auto)
}

fn composition_kind() -> impl Strategy<Value = CompositionKind> {
    prop::sample::select(CompositionKind::ALL)
}

fn push() -> impl Strategy<Value = Step> {
    let customer = 0..u32::try_from(CUSTOMERS).expect("a few");
    let deadline_ms = prop::option::of(0u64..100);
    (customer, 1u32..8, 0u32..6, 1u32..5, deadline_ms).prop_map(
        |(customer, sequences, longest, weight, deadline_ms)| Step::Push {
            customer,
            sequences,
            longest,
            weight,
            deadline_ms,
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let terms = (1u32..4, 0u8..3).prop_map(|(weight, tier)| CustomerTerms::new(weight, tier));
    (
        strategy_kind(),
        composition_kind(),
        prop::option::of((0u64..100).prop_map(Duration::from_millis)),
        prop::sample::select(vec![FairRule::RoundRobin, FairRule::Deficit]),
        prop::array::uniform4(terms),
    )
        .prop_map(|(strategy, composition, linger, fair, terms)| Settings {
            strategy,
            composition,
            linger,
            fair,
            // Costs here are microseconds and waits milliseconds.
            ageing: Ageing {
                cost_per_wait: 0.000_244_140_625,
                wait_max: Duration::from_millis(60),
            },
            terms,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => push(),
        3 => any::<Index>().prop_map(Step::Cancel),
        2 => (0u32..8).prop_map(|sequences_max| Step::Pop { sequences_max }),
        1 => (0u32..8).prop_map(|sequences_max| Step::PopAtDeadline { sequences_max }),
        1 => strategy_kind().prop_map(Step::Switch),
        1 => composition_kind().prop_map(Step::Recompose),
        2 => (0u64..40).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
    ]
}

/// The real scheduler and the naive one, side by side.
struct Pair {
    real: Scheduler,
    naive: Naive,
    now: Time,
    batch: Batch,
    /// Every id ever given out, by tag, and how often its job has left.
    issued: Vec<(JobId, u32)>,
}

impl Pair {
    fn new(settings: Settings) -> Self {
        let mut real = Scheduler::new(SchedulerConfig {
            strategy: settings.strategy,
            composition: settings.composition,
            linger: settings.linger,
            fair: settings.fair,
            ageing: settings.ageing,
            queue_jobs_max: QUEUE_JOBS_MAX,
            ..SchedulerConfig::default()
        });
        for (customer, terms) in (0..).map(CustomerId).zip(settings.terms) {
            real.set_customer(customer, terms, Time::ZERO);
        }
        Self {
            real,
            naive: Naive::new(settings),
            now: Time::ZERO + Duration::from_secs(1),
            batch: Batch::default(),
            issued: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Push { customer, sequences, longest, weight, deadline_ms } => {
                let tag = self.issued.len() as u64;
                let mut spec =
                    JobSpec::new(CustomerId(customer), sequences, longest, tag).with_weight(weight);
                spec.deadline = deadline_ms.map(|ms| self.now + Duration::from_millis(ms));
                self.push(spec);
            }
            Step::Cancel(pick) if !self.issued.is_empty() => {
                let (id, _) = self.issued[pick.index(self.issued.len())];
                self.cancel(id);
            }
            Step::Cancel(_) => {}
            Step::Pop { sequences_max } => self.pop(Slot { sequences_max }),
            Step::PopAtDeadline { sequences_max } => self.pop_at_deadline(Slot { sequences_max }),
            Step::Switch(kind) => {
                self.real.set_strategy(kind, self.now);
                self.naive.set_strategy(kind);
                assert_eq!(self.real.strategy(), kind);
            }
            Step::Recompose(kind) => {
                self.real.set_composition(kind);
                self.naive.settings.composition = kind;
                assert_eq!(self.real.composition(), kind);
            }
            Step::Wait(duration) => self.now += duration,
        }
        self.compare();
    }

    fn push(&mut self, spec: JobSpec) {
        match self.real.push(spec, self.now) {
            Ok(id) => {
                let job = *self.real.job(id).expect("a job just queued is there");
                assert_eq!((job.id, job.spec, job.arrived), (id, spec, self.now));
                assert!(self.issued.iter().all(|(issued, _)| *issued != id), "an id is new");
                self.issued.push((id, 0));
                self.naive.push(job);
            }
            Err(full) => {
                assert_eq!(full, QueueFull { jobs_max: QUEUE_JOBS_MAX });
                assert_eq!(self.naive.queued.len(), QUEUE_JOBS_MAX);
            }
        }
    }

    fn cancel(&mut self, id: JobId) {
        let job = self.real.cancel(id);
        assert_eq!(job, self.naive.cancel(id));
        if let Some(job) = job {
            self.left(job.spec.tag);
        }
    }

    fn pop(&mut self, slot: Slot) {
        let due = self.real.next_deadline(&slot).is_some_and(|due| due <= self.now);
        let popped = self.real.pop_batch(self.now, &slot, &mut self.batch);
        assert_eq!(popped, due, "a batch leaves from its deadline on, and not before");
        assert_eq!(popped, !self.batch.is_empty());
        self.naive.pop_batch(self.now, &slot, &self.batch.jobs);
        let specs = self.batch.jobs.iter().map(|job| job.spec);
        assert_eq!(self.batch.sequences, specs.clone().map(|spec| spec.sequences).sum::<u32>());
        assert_eq!(self.batch.longest, specs.map(|spec| spec.longest).max().unwrap_or(0));
        for job in std::mem::take(&mut self.batch.jobs) {
            self.left(job.spec.tag);
        }
    }

    fn pop_at_deadline(&mut self, slot: Slot) {
        let Some(due) = self.real.next_deadline(&slot) else {
            assert!(self.naive.queued.is_empty(), "what is queued has a deadline");
            return;
        };
        let just_before = due - Duration::from_nanos(1);
        if just_before >= self.now {
            self.now = just_before;
            self.pop(slot);
            assert_eq!(self.real.next_deadline(&slot), Some(due), "nothing left, nothing changed");
        }
        self.now = self.now.max(due);
        let queued = self.naive.queued.len();
        self.pop(slot);
        assert!(self.naive.queued.len() < queued, "at its deadline a batch leaves");
    }

    fn left(&mut self, tag: u64) {
        let (_, times) = &mut self.issued[usize::try_from(tag).expect("tags count ids")];
        *times += 1;
    }

    fn compare(&self) {
        let queued = &self.naive.queued;
        assert_eq!(self.real.len(), queued.len());
        assert_eq!(self.real.is_empty(), queued.is_empty());
        assert_eq!(self.real.oldest_arrived(), queued.first().map(|job| job.arrived));
        let sum = |of: &dyn Fn(CustomerId) -> bool| {
            let jobs = queued.iter().filter(|job| of(job.spec.customer));
            (jobs.clone().count(), jobs.map(|job| u64::from(job.spec.sequences)).sum::<u64>())
        };
        assert_eq!(self.real.sequences(), sum(&|_| true).1);
        for (customer, backlog) in self.real.backlogs() {
            assert_eq!((backlog.jobs, backlog.sequences), sum(&|other| other == customer));
            assert_eq!(self.real.backlog(customer), backlog);
        }
        for (id, _) in &self.issued {
            let naive = queued.iter().find(|job| job.id == *id);
            assert_eq!(self.real.job(*id), naive, "an id finds its job until it leaves");
        }
    }

    /// Empties both, and sees that every job has left exactly once.
    fn finish(mut self) {
        self.now += Duration::from_secs(3_600);
        while !self.real.is_empty() {
            self.pop(Slot { sequences_max: 5 });
        }
        assert!(self.naive.queued.is_empty());
        assert!(self.issued.iter().all(|(_, times)| *times == 1), "{:?}", self.issued);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_naive_scheduler(
        settings in settings(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut pair = Pair::new(settings);
        for step in steps {
            pair.take(step);
        }
        pair.finish();
    }
}
