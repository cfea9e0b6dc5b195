//! What each strategy promises, checked from outside: by who was served when, not by how.

use std::time::Duration;

use proptest::prelude::*;
use ringyard_scheduler::cost::share::Divider;
use ringyard_scheduler::cost::{BatchShape, CostModel};
use ringyard_scheduler::{
    Ageing, AutoReason, Batch, CompositionKind, CustomerId, CustomerTerms, FairRule, Job, JobSpec,
    Scheduler, SchedulerConfig, Slot, StrategyKind,
};
use ringyard_time::Time;

/// Jobs that every customer always has queued where it is to be backlogged throughout.
const BACKLOG: usize = 12;

fn cost_ns(job: &Job) -> f64 {
    CostModel::default().cost(&BatchShape::of(&job.spec)).duration().as_secs_f64() * 1e9
}

/// What became of customers that were backlogged all the time.
struct Contest {
    scheduler: Scheduler,
    terms: Vec<CustomerTerms>,
    /// Lengths of the jobs to come, used again and again.
    lengths: Vec<u32>,
    next: usize,
    /// Nanoseconds of cost that each customer was charged, over its weight.
    charged: Vec<f64>,
    batch: Batch,
    divider: Divider,
}

impl Contest {
    fn new(
        strategy: StrategyKind,
        composition: CompositionKind,
        terms: Vec<CustomerTerms>,
        lengths: Vec<u32>,
    ) -> Self {
        let fair = FairRule::Deficit;
        let config = SchedulerConfig { strategy, composition, fair, ..SchedulerConfig::default() };
        let mut contest = Self {
            scheduler: Scheduler::new(config),
            charged: vec![0.0; terms.len()],
            terms,
            lengths,
            next: 0,
            batch: Batch::default(),
            divider: Divider::default(),
        };
        for (customer, terms) in (0..).map(CustomerId).zip(&contest.terms) {
            contest.scheduler.set_customer(customer, *terms, Time::ZERO);
        }
        contest
    }

    /// Serves one batch, with everybody backlogged before it.
    fn step(&mut self, sequences_max: u32) {
        for customer in (0..).map(CustomerId).take(self.terms.len()) {
            while self.scheduler.backlog(customer).jobs < BACKLOG {
                let longest = self.lengths[self.next % self.lengths.len()];
                self.next += 1;
                let spec = JobSpec::new(customer, 1, longest, 0);
                self.scheduler.push(spec, Time::ZERO).expect("there is room");
            }
        }
        let slot = Slot { sequences_max };
        assert!(self.scheduler.pop_batch(Time::FAR_FUTURE, &slot, &mut self.batch));
        let shapes = self.batch.jobs.iter().map(|job| BatchShape::of(&job.spec));
        let shares = self.divider.divide(&CostModel::default(), shapes);
        for (job, share) in self.batch.jobs.iter().zip(shares) {
            let customer = job.spec.customer.0 as usize;
            self.charged[customer] +=
                share.duration().as_secs_f64() * 1e9 / f64::from(self.terms[customer].weight);
        }
    }

    /// Over any stretch of a long contest, the most by which what one customer was charged, by weight,
    /// fell behind another's, in costs of the costliest job.
    fn greatest_lead(mut self, sequences_max: u32) -> f64 {
        let pairs = self.terms.len() * self.terms.len();
        let mut range = vec![(0.0f64, 0.0f64); pairs];
        for _ in 0..400 {
            self.step(sequences_max);
            for (pair, (low, high)) in range.iter_mut().enumerate() {
                let (one, other) = (pair / self.terms.len(), pair % self.terms.len());
                let lead = self.charged[one] - self.charged[other];
                (*low, *high) = (low.min(lead), high.max(lead));
            }
        }
        let greatest = range.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
        let longest = f64::from(*self.lengths.iter().max().expect("there are jobs"));
        greatest / (1_000.0 * longest * longest)
    }
}

fn contestants() -> impl Strategy<Value = (Vec<CustomerTerms>, Vec<u32>)> {
    let terms = (1u32..4).prop_map(|weight| CustomerTerms::new(weight, 0));
    let length = prop_oneof![9 => 16u32..64, 1 => 256u32..512];
    (prop::collection::vec(terms, 2..5), prop::collection::vec(length, 7..90))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The bounds of the papers, for jobs served one by one: with a quantum of the greatest cost, deficit round
    /// robin keeps any two customers within three greatest costs of each other; start-time fair
    /// queueing within one of each; the token counter within two.
    #[test]
    fn no_customer_gets_ahead((terms, lengths) in contestants()) {
        for (strategy, bound) in
            [(StrategyKind::Fair, 3.0), (StrategyKind::Wfq, 2.0), (StrategyKind::Vtc, 2.0)]
        {
            let contest =
                Contest::new(strategy, CompositionKind::Fill, terms.clone(), lengths.clone());
            let lead = contest.greatest_lead(1);
            prop_assert!(lead <= bound + 1e-6, "{strategy}: {lead}");
        }
    }

    /// Where batches are shared, what is due is known only afterwards, so leads are greater, but they do not
    /// grow with time.
    #[test]
    fn sharing_batches_is_fair_too((terms, lengths) in contestants()) {
        for strategy in [StrategyKind::Fair, StrategyKind::Wfq, StrategyKind::Vtc] {
            let contest =
                Contest::new(strategy, CompositionKind::Fill, terms.clone(), lengths.clone());
            let lead = contest.greatest_lead(4);
            prop_assert!(lead <= 6.0, "{strategy}: {lead}");
        }
    }

    /// Those below get their trickle: a sixteenth of what the first tier gets, but for the job that they are
    /// being owed and a sixteenth of the one that made it due.
    #[test]
    fn lower_tiers_get_their_trickle(lengths in prop::collection::vec(16u32..512, 7..90)) {
        let terms: Vec<_> = (0..3).map(|tier| CustomerTerms::new(1, tier)).collect();
        let mut contest = Contest::new(StrategyKind::Tiers, CompositionKind::Fill, terms, lengths);
        for _ in 0..2_000 {
            contest.step(1);
        }
        let [first, rest @ ..] = &contest.charged[..] else { unreachable!("there are three") };
        let longest = f64::from(*contest.lengths.iter().max().unwrap());
        let greatest = 1_000.0 * longest * longest;
        for tier in rest {
            prop_assert!(*tier >= first / 16.0 - greatest * 17.0 / 16.0 - 1.0);
            prop_assert!(*tier <= first / 16.0 + 1.0, "priority is strict but for the trickle");
        }
    }

    /// A job is overtaken only by jobs that arrived within the difference of costs over the rate of ageing,
    /// and once it has waited for the maximum by none that has not.
    #[test]
    fn ageing_bounds_overtaking(
        arrivals in prop::collection::vec((0u64..60, 1u32..120), 1..80),
    ) {
        let ageing = Ageing { cost_per_wait: 0.05, wait_max: Duration::from_millis(700) };
        let mut scheduler = Scheduler::new(SchedulerConfig {
            strategy: StrategyKind::SjfAgeing,
            ageing,
            ..SchedulerConfig::default()
        });
        let mut waiting: Vec<Job> = Vec::new();
        let (mut now, mut batch) = (Time::ZERO, Batch::default());
        for (pause_ms, longest) in arrivals {
            let id = scheduler.push(JobSpec::new(CustomerId(0), 1, longest, 0), now).unwrap();
            waiting.push(*scheduler.job(id).unwrap());
            now += Duration::from_millis(pause_ms);
            if pause_ms % 3 > 0 {
                continue;
            }
            scheduler.pop_batch(now, &Slot { sequences_max: 1 }, &mut batch);
            let served = batch.jobs[0];
            waiting.retain(|job| job.id != served.id);
            for overtaken in waiting.iter().filter(|job| job.arrived < served.arrived) {
                let overdue = now.since(overtaken.arrived) >= ageing.wait_max;
                prop_assert!(!overdue, "{overtaken:?} was to go first");
                let lead_ns = served.arrived.since(overtaken.arrived).as_secs_f64() * 1e9;
                let allowed_ns = (cost_ns(overtaken) - cost_ns(&served)) / ageing.cost_per_wait;
                // The rate is kept to sixteen binary places.
                prop_assert!(lead_ns <= allowed_ns * 1.001 + 1e4, "{overtaken:?}, {served:?}");
            }
        }
    }
}

/// Three phases of one backend under `auto`: one customer with equal jobs, one with unequal jobs, and many.
#[test]
fn auto_follows_what_is_going_on() {
    let mut scheduler = Scheduler::new(SchedulerConfig {
        strategy: StrategyKind::Auto,
        ..SchedulerConfig::default()
    });
    let (mut now, mut batch) = (Time::ZERO, Batch::default());
    let (mut pushed, mut popped) = (0, 0);
    for (customers, lengths, strategy, reason) in [
        (1, [40, 41], StrategyKind::Fcfs, None),
        (1, [10, 200], StrategyKind::Sjf, Some(AutoReason::LengthsDiffer)),
        (6, [10, 200], StrategyKind::Fair, Some(AutoReason::Crowded)),
    ] {
        for step in 0..3_000usize {
            now += Duration::from_millis(10);
            let customer = CustomerId(u32::try_from(step % customers).unwrap());
            let longest = lengths[usize::from(step % 8 == 0)];
            let spec = JobSpec::new(customer, 1, longest, 0);
            pushed += usize::from(scheduler.push(spec, now).is_ok());
            if step % customers == customers - 1 {
                while scheduler.pop_batch(now, &Slot { sequences_max: 5 }, &mut batch) {
                    popped += batch.jobs.len();
                }
            }
        }
        assert_eq!(scheduler.strategy(), StrategyKind::Auto);
        assert_eq!(scheduler.active_strategy(), strategy);
        assert_eq!(scheduler.last_switch().map(|switch| switch.reason), reason);
    }
    while scheduler.pop_batch(Time::FAR_FUTURE, &Slot { sequences_max: 5 }, &mut batch) {
        popped += batch.jobs.len();
    }
    assert_eq!(pushed, popped, "no switch loses a job");
}

/// A customer's tier can change while its jobs are queued.
#[test]
fn a_promoted_customer_goes_first() {
    let mut scheduler = Scheduler::new(SchedulerConfig {
        strategy: StrategyKind::Tiers,
        ..SchedulerConfig::default()
    });
    for (customer, tier) in [(0, 1), (1, 2)] {
        scheduler.set_customer(CustomerId(customer), CustomerTerms::new(1, tier), Time::ZERO);
        scheduler.push(JobSpec::new(CustomerId(customer), 1, 9, 0), Time::ZERO).unwrap();
    }
    scheduler.set_customer(CustomerId(1), CustomerTerms::new(1, 0), Time::ZERO);
    let mut batch = Batch::default();
    scheduler.pop_batch(Time::ZERO, &Slot { sequences_max: 1 }, &mut batch);
    assert_eq!(batch.jobs[0].spec.customer, CustomerId(1));
}
