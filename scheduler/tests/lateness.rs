//! Who is not served any more because the answer would come too late, and who goes first in a crowd.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use ringyard_scheduler::cost::{BatchShape, Cost, CostKind, CostModel};
use ringyard_scheduler::{
    Batch, CompositionKind, CustomerId, FairRule, Job, JobSpec, Scheduler, SchedulerConfig, Slot,
    StrategyKind,
};
use ringyard_time::Time;

fn at_ms(milliseconds: u64) -> Time {
    Time::ZERO + Duration::from_millis(milliseconds)
}

fn scheduler(strategy: StrategyKind, composition: CompositionKind, model: CostModel) -> Scheduler {
    Scheduler::new(SchedulerConfig {
        strategy,
        composition,
        cost_model: model,
        linger: Some(Duration::ZERO),
        fair: FairRule::Deficit,
        ..SchedulerConfig::default()
    })
}

fn cost(model: &CostModel, jobs: &[Job]) -> Cost {
    let shapes = jobs.iter().map(|job| BatchShape::of(&job.spec));
    model.cost(&shapes.fold(BatchShape::default(), BatchShape::with))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every job leaves once: in a batch that is predicted to be done by the deadline of each of its members, or late,
    /// which it is only if it could not be done in time alone.
    #[test]
    fn nobody_is_served_too_late_and_nobody_given_up_too_soon(
        strategy in select(StrategyKind::ALL),
        composition in select(CompositionKind::ALL),
        kind in select(&CostKind::ALL[..]),
        jobs in prop::collection::vec((0u32..4, 1u32..4, 1u32..60, 0u64..40, 0u64..120), 1..60),
        sequences_max in 1u32..9,
    ) {
        // Ten milliseconds at most for a job of sixty characters, whatever the kind.
        let slope = match kind {
            CostKind::Quadratic => 2_500.0,
            CostKind::Linear => 50_000.0,
            CostKind::Affine => 2e6,
            CostKind::Constant => 0.0,
        };
        let model = CostModel::new(kind, slope, 1e6);
        let mut scheduler = scheduler(strategy, composition, model);
        scheduler.set_known_longest(Some(u32::MAX));
        let mut queued = BTreeSet::new();
        let (mut now, mut batch) = (Time::ZERO, Batch::default());
        let slot = Slot { sequences_max };
        let mut steps = jobs.into_iter();
        loop {
            for (customer, sequences, longest, pause_ms, patience_ms) in steps.by_ref().take(5) {
                now += Duration::from_millis(pause_ms / 4);
                let spec = JobSpec::new(CustomerId(customer), sequences, longest, 0);
                let spec = match patience_ms {
                    0 => spec,
                    _ => spec.with_deadline(now + Duration::from_millis(patience_ms)),
                };
                queued.insert(scheduler.push(spec, now).unwrap());
            }
            let found = scheduler.pop_batch(now, &slot, &mut batch);
            prop_assert_eq!(found, !batch.is_empty());
            let done = now + batch.cost.duration();
            prop_assert!(!found || batch.cost == cost(&model, &batch.jobs));
            for job in &batch.jobs {
                prop_assert!(queued.remove(&job.id), "a job leaves once");
                prop_assert!(job.spec.deadline.is_none_or(|deadline| done <= deadline), "{job:?}");
            }
            for job in &batch.late {
                prop_assert!(queued.remove(&job.id), "a job leaves once");
                let alone = now + cost(&model, std::slice::from_ref(job)).duration();
                prop_assert!(job.spec.deadline.is_some_and(|deadline| alone > deadline), "{job:?}");
            }
            prop_assert_eq!(scheduler.len(), queued.len());
            now = done;
            if !found && queued.is_empty() && steps.len() == 0 {
                break;
            }
        }
    }
}

#[test]
fn where_costs_are_not_known_nobody_is_late() {
    let model = CostModel::new(CostKind::Quadratic, 1e6, 0.0);
    for (known, late) in [(None, 0), (Some(9), 0), (Some(10), 1)] {
        let mut scheduler = scheduler(StrategyKind::Fcfs, CompositionKind::Fill, model);
        scheduler.set_known_longest(known);
        let spec = JobSpec::new(CustomerId(0), 1, 10, 0).with_deadline(at_ms(50));
        scheduler.push(spec, Time::ZERO).unwrap();
        let mut batch = Batch::default();
        let found = scheduler.pop_batch(Time::ZERO, &Slot { sequences_max: 5 }, &mut batch);
        assert_eq!((found, batch.late.len()), (late == 0, late), "{known:?}");
        assert!(scheduler.is_empty());
    }
}

/// The tags of customers 0 and 1, who take turns in asking, in the order in which they are served one by one.
fn order(strategy: StrategyKind, crowded: bool) -> Vec<u64> {
    let model = CostModel::new(CostKind::Constant, 0.0, 1e6);
    let mut scheduler = scheduler(strategy, CompositionKind::Fill, model);
    for tag in 0..6 {
        let customer = CustomerId(u32::try_from(tag % 2).expect("0 or 1"));
        scheduler.push(JobSpec::new(customer, 1, 10, tag), Time::ZERO).expect("there is room");
    }
    scheduler.set_crowded(crowded);
    let mut batch = Batch::default();
    let slot = Slot { sequences_max: 1 };
    std::iter::from_fn(|| {
        let found = scheduler.pop_batch(Time::FAR_FUTURE, &slot, &mut batch);
        found.then(|| batch.jobs[0].spec.tag)
    })
    .collect()
}

#[test]
fn in_a_crowd_the_newest_goes_first_where_arrival_decides() {
    assert_eq!(order(StrategyKind::Fcfs, false), [0, 1, 2, 3, 4, 5]);
    assert_eq!(order(StrategyKind::Fcfs, true), [5, 4, 3, 2, 1, 0]);
    // Customers have their turns as ever; each of them has its newest served first.
    for strategy in [
        StrategyKind::RoundRobin,
        StrategyKind::Fair,
        StrategyKind::Wfq,
        StrategyKind::Vtc,
        StrategyKind::Tiers,
    ] {
        let customers = |tags: Vec<u64>| tags.iter().map(|tag| tag % 2).collect::<Vec<_>>();
        assert_eq!(
            customers(order(strategy, true)),
            customers(order(strategy, false)),
            "{strategy}"
        );
        let of_one: Vec<_> = order(strategy, true).into_iter().filter(|tag| tag % 2 == 0).collect();
        assert_eq!(of_one, [4, 2, 0], "{strategy}");
    }
    // Where something else decides, it goes on deciding.
    assert_eq!(order(StrategyKind::Sjf, true), order(StrategyKind::Sjf, false));
}

#[test]
fn a_crowd_outlives_a_switch_and_ends() {
    let model = CostModel::new(CostKind::Constant, 0.0, 1e6);
    let mut scheduler = scheduler(StrategyKind::Sjf, CompositionKind::Fill, model);
    for tag in 0..3 {
        scheduler.push(JobSpec::new(CustomerId(0), 1, 10, tag), Time::ZERO).unwrap();
    }
    scheduler.set_crowded(true);
    scheduler.set_strategy(StrategyKind::Fcfs, Time::ZERO);
    let mut batch = Batch::default();
    let mut next = |scheduler: &mut Scheduler| {
        assert!(scheduler.pop_batch(Time::FAR_FUTURE, &Slot { sequences_max: 1 }, &mut batch));
        batch.jobs[0].spec.tag
    };
    assert_eq!(next(&mut scheduler), 2);
    scheduler.set_crowded(false);
    assert_eq!(next(&mut scheduler), 0);
}
