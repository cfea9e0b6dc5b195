//! The bounds on fairness as the papers state them, for jobs served one by one: over every stretch of time in which two
//! customers are both backlogged, whatever they and others did before.
//!
//! W is what a customer was served, in cost, w its weight, l the cost of its costliest job, L that of anybody's:
//!
//! - deficit round robin (Shreedhar and Varghese 1996, theorem on fairness: FM <= 2 Max + Q): W/w of two customers differ by at most
//!   L/w + L/w' + Q, where the quantum Q of weight 1 is L, the least that lets every turn serve a job;
//! - start-time fair queueing (Goyal, Vin and Cheng 1996, theorem 1): by at most l/w + l'/w';
//! - virtual token counter (Sheng et al. 2024, bound between backlogged clients): by at most 2 U, where U is the greatest l/w.

use proptest::prelude::*;
use ringyard_scheduler::cost::{BatchShape, CostModel};
use ringyard_scheduler::{
    Batch, CustomerId, CustomerTerms, FairRule, JobSpec, Scheduler, SchedulerConfig, Slot,
    StrategyKind,
};
use ringyard_time::Time;

const CUSTOMERS: usize = 4;

/// Nanoseconds that a tag may be off for each job: divisions by the weight leave a rest.
const ROUNDING: f64 = 1.0;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many jobs of one customer.
    Push { customer: usize, count: usize, longest: u32 },
    /// So many jobs served.
    Serve(usize),
}

fn cost_ns(spec: &JobSpec) -> f64 {
    CostModel::default().cost(&BatchShape::of(spec)).duration().as_secs_f64() * 1e9
}

/// What everybody was served, and for each two customers how far apart they came while both were backlogged.
struct Account {
    scheduler: Scheduler,
    weights: [f64; CUSTOMERS],
    /// By weight.
    served: [f64; CUSTOMERS],
    costliest: [f64; CUSTOMERS],
    /// The lead of one over the other, least and greatest since both are backlogged.
    range: [[Option<(f64, f64)>; CUSTOMERS]; CUSTOMERS],
    greatest: [[f64; CUSTOMERS]; CUSTOMERS],
    batch: Batch,
    jobs: f64,
}

impl Account {
    fn new(strategy: StrategyKind, weights: [u32; CUSTOMERS]) -> Self {
        let fair = FairRule::Deficit;
        let config = SchedulerConfig { strategy, fair, ..SchedulerConfig::default() };
        let mut scheduler = Scheduler::new(config);
        for (customer, weight) in (0..).map(CustomerId).zip(weights) {
            scheduler.set_customer(customer, CustomerTerms::new(weight, 0), Time::ZERO);
        }
        Self {
            scheduler,
            weights: weights.map(f64::from),
            served: [0.0; CUSTOMERS],
            costliest: [0.0; CUSTOMERS],
            range: Default::default(),
            greatest: Default::default(),
            batch: Batch::default(),
            jobs: 0.0,
        }
    }

    fn play(mut self, steps: &[Step]) -> Self {
        for step in steps {
            match *step {
                Step::Push { customer, count, longest } => {
                    let id = CustomerId(u32::try_from(customer).expect("a few"));
                    let spec = JobSpec::new(id, 1, longest, 0);
                    self.costliest[customer] = self.costliest[customer].max(cost_ns(&spec));
                    for _ in 0..count {
                        self.scheduler.push(spec, Time::ZERO).expect("there is room");
                    }
                    self.look();
                }
                Step::Serve(count) => (0..count).for_each(|_| self.serve()),
            }
        }
        self
    }

    fn serve(&mut self) {
        if self.scheduler.pop_batch(Time::FAR_FUTURE, &Slot { sequences_max: 1 }, &mut self.batch) {
            let spec = self.batch.jobs[0].spec;
            let customer = spec.customer.0 as usize;
            self.served[customer] += cost_ns(&spec) / self.weights[customer];
            self.jobs += 1.0;
            self.look();
        }
    }

    /// Notes who leads whom by how much. A stretch ends with the job that leaves one of the two with none.
    fn look(&mut self) {
        let is_backlogged: [bool; CUSTOMERS] = std::array::from_fn(|customer| {
            let id = CustomerId(u32::try_from(customer).expect("a few"));
            self.scheduler.backlog(id).jobs > 0
        });
        for one in 0..CUSTOMERS {
            for other in 0..CUSTOMERS {
                let lead = self.served[one] - self.served[other];
                let both = is_backlogged[one] && is_backlogged[other];
                let range = &mut self.range[one][other];
                if both {
                    let (low, high) = range.get_or_insert((lead, lead));
                    (*low, *high) = (low.min(lead), high.max(lead));
                    let greatest = &mut self.greatest[one][other];
                    *greatest = greatest.max(*high - *low);
                } else {
                    *range = None;
                }
            }
        }
    }

    /// Holds every two customers against their bound.
    fn check(&self, bound: impl Fn(&Self, usize, usize) -> f64) -> Result<(), TestCaseError> {
        for one in 0..CUSTOMERS {
            for other in (0..CUSTOMERS).filter(|other| *other != one) {
                let (apart, bound) = (self.greatest[one][other], bound(self, one, other));
                prop_assert!(apart <= bound + ROUNDING * self.jobs, "{apart} > {bound}");
            }
        }
        Ok(())
    }

    fn costliest_by_weight(&self, customer: usize) -> f64 {
        self.costliest[customer] / self.weights[customer]
    }

    fn costliest_of_all(&self) -> f64 {
        self.costliest.iter().copied().fold(0.0, f64::max)
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let longest = prop_oneof![3 => 1u32..64, 1 => 64u32..512];
    let push = (0..CUSTOMERS, 1usize..12, longest)
        .prop_map(|(customer, count, longest)| Step::Push { customer, count, longest });
    let serve = (1usize..16).prop_map(Step::Serve);
    prop::collection::vec(prop_oneof![3 => push, 2 => serve], 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn deficit_round_robin_keeps_its_theorem(
        weights in prop::array::uniform4(1u32..5),
        steps in steps(),
    ) {
        let account = Account::new(StrategyKind::Fair, weights).play(&steps);
        account.check(|account, one, other| {
            let greatest = account.costliest_of_all();
            greatest + greatest / account.weights[one] + greatest / account.weights[other]
        })?;
    }

    #[test]
    fn start_time_fair_queueing_keeps_its_theorem(
        weights in prop::array::uniform4(1u32..5),
        steps in steps(),
    ) {
        let account = Account::new(StrategyKind::Wfq, weights).play(&steps);
        account.check(|account, one, other| {
            account.costliest_by_weight(one) + account.costliest_by_weight(other)
        })?;
    }

    #[test]
    fn the_token_counter_keeps_its_bound(
        weights in prop::array::uniform4(1u32..5),
        steps in steps(),
    ) {
        let account = Account::new(StrategyKind::Vtc, weights).play(&steps);
        account.check(|account, _, _| {
            2.0 * (0..CUSTOMERS).map(|c| account.costliest_by_weight(c)).fold(0.0, f64::max)
        })?;
    }
}
