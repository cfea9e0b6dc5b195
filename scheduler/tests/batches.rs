//! What each strategy does with small queues, case by case.

use std::time::Duration;

use ringyard_scheduler::{
    Batch, CompositionKind, CustomerId, JobSpec, Scheduler, SchedulerConfig, Slot, StrategyKind,
};
use ringyard_time::Time;

/// A job for a table of cases: customer, sequences, longest. Its tag is its position.
type Row = (u32, u32, u32);

fn queue(scheduler: &mut Scheduler, rows: &[Row]) {
    for (tag, (customer, sequences, longest)) in rows.iter().enumerate() {
        let spec = JobSpec::new(CustomerId(*customer), *sequences, *longest, tag as u64);
        scheduler.push(spec, Time::ZERO).expect("there is room");
    }
}

/// All batches of at most `sequences_max`, as tags, held ones included.
fn drain(scheduler: &mut Scheduler, sequences_max: u32) -> Vec<Vec<u64>> {
    let mut batch = Batch::default();
    let mut batches = Vec::new();
    while scheduler.pop_batch(Time::FAR_FUTURE, &Slot { sequences_max }, &mut batch) {
        batches.push(batch.jobs.iter().map(|job| job.spec.tag).collect());
    }
    batches
}

fn check(strategy: StrategyKind, sequences_max: u32, rows: &[Row], batches: &[&[u64]]) {
    check_composed(CompositionKind::Fill, strategy, sequences_max, rows, batches);
}

fn check_composed(
    composition: CompositionKind,
    strategy: StrategyKind,
    sequences_max: u32,
    rows: &[Row],
    batches: &[&[u64]],
) {
    let config = SchedulerConfig { strategy, composition, ..SchedulerConfig::default() };
    let mut scheduler = Scheduler::new(config);
    queue(&mut scheduler, rows);
    assert_eq!(drain(&mut scheduler, sequences_max), batches);
}

#[test]
fn fcfs_serves_by_arrival() {
    check(
        StrategyKind::Fcfs,
        5,
        &[(0, 2, 9), (1, 2, 1), (0, 1, 5), (0, 1, 1)],
        &[&[0, 1, 2], &[3]],
    );
}

#[test]
fn sjf_serves_by_longest_sequence_then_by_arrival() {
    check(
        StrategyKind::Sjf,
        3,
        &[(0, 1, 9), (0, 1, 4), (0, 1, 9), (0, 1, 1), (0, 1, 4)],
        &[&[3, 1, 4], &[0, 2]],
    );
}

#[test]
fn fair_serves_customers_in_turn() {
    check(
        StrategyKind::Fair,
        2,
        &[(7, 1, 1), (7, 1, 1), (7, 1, 1), (3, 1, 1), (5, 1, 1), (3, 1, 1)],
        &[&[0, 3], &[4, 1], &[5, 2]],
    );
}

#[test]
fn the_first_job_that_does_not_fit_ends_the_batch() {
    check(StrategyKind::Fcfs, 5, &[(0, 3, 1), (0, 3, 1), (0, 2, 1)], &[&[0], &[1, 2]]);
    check(StrategyKind::Sjf, 5, &[(0, 3, 1), (0, 3, 2), (0, 2, 3)], &[&[0], &[1, 2]]);
}

#[test]
fn a_customer_whose_job_did_not_fit_keeps_its_turn() {
    check(
        StrategyKind::Fair,
        5,
        &[(0, 3, 1), (1, 3, 1), (2, 1, 1), (0, 1, 1)],
        &[&[0], &[1, 2, 3]],
    );
}

#[test]
fn a_job_too_large_for_the_slot_goes_alone() {
    check(StrategyKind::Fcfs, 1, &[(0, 3, 1), (0, 1, 1), (0, 2, 1)], &[&[0], &[1], &[2]]);
    check(
        StrategyKind::Fcfs,
        4,
        &[(0, 1, 1), (0, 9, 1), (0, 1, 1), (0, 1, 1)],
        &[&[0], &[1], &[2, 3]],
    );
}

#[test]
fn an_anchor_takes_the_longest_that_cost_it_nothing() {
    let check = |strategy, sequences_max, rows: &[Row], batches: &[&[u64]]| {
        check_composed(CompositionKind::Anchor, strategy, sequences_max, rows, batches);
    };
    // 9 rides with nobody shorter; of those no longer than 5, the longest and of equals the oldest.
    let rows = [(0, 1, 5), (0, 1, 9), (0, 1, 2), (1, 1, 5), (1, 1, 5), (1, 1, 1)];
    check(StrategyKind::Fcfs, 3, &rows, &[&[0, 3, 4], &[1, 2, 5]]);
    // One that does not fit is passed over.
    check(StrategyKind::Fcfs, 3, &[(0, 2, 5), (0, 2, 4), (0, 1, 3)], &[&[0, 2], &[1]]);
    // Riding along is not a turn: customer 1 is still next.
    check(
        StrategyKind::Fair,
        2,
        &[(0, 1, 9), (1, 1, 9), (1, 1, 8), (0, 1, 8)],
        &[&[0, 1], &[2, 3]],
    );
    // One too large for the slot takes nobody along.
    check(StrategyKind::Fcfs, 3, &[(0, 4, 9), (0, 1, 1)], &[&[0], &[1]]);
}

#[test]
fn a_plan_mixes_no_lengths_that_are_better_apart() {
    let rows = [(0, 1, 100), (0, 1, 10), (0, 1, 99), (0, 1, 11)];
    check_composed(CompositionKind::Plan, StrategyKind::Sjf, 4, &rows, &[&[1, 3], &[2, 0]]);
    // Any other strategy says whose turn it is.
    check_composed(CompositionKind::Plan, StrategyKind::Fcfs, 4, &rows, &[&[0, 2, 3, 1]]);
}

#[test]
fn a_customer_that_comes_back_joins_at_the_end() {
    let mut scheduler = Scheduler::new(SchedulerConfig {
        strategy: StrategyKind::Fair,
        ..SchedulerConfig::default()
    });
    let push = |scheduler: &mut Scheduler, customer, tag| {
        scheduler.push(JobSpec::new(CustomerId(customer), 1, 1, tag), Time::ZERO).unwrap()
    };
    let only = push(&mut scheduler, 0, 0);
    let first_of_two = push(&mut scheduler, 1, 1);
    push(&mut scheduler, 1, 2);
    push(&mut scheduler, 2, 3);
    // The ring is 0, 1, 2. Customer 0 leaves it and comes back; customer 1 keeps its place.
    scheduler.cancel(only).unwrap();
    scheduler.cancel(first_of_two).unwrap();
    push(&mut scheduler, 0, 4);
    assert_eq!(drain(&mut scheduler, 1), [[2], [3], [4]]);
}

#[test]
fn switching_keeps_the_order_of_arrival() {
    let mut scheduler = Scheduler::new(SchedulerConfig::default());
    queue(&mut scheduler, &[(0, 1, 3), (1, 1, 2), (0, 1, 1)]);
    for strategy in [StrategyKind::Sjf, StrategyKind::Fair, StrategyKind::Fcfs] {
        scheduler.set_strategy(strategy, Time::ZERO);
    }
    assert_eq!(drain(&mut scheduler, 1), [[0], [1], [2]]);
}

/// What `check_linger` asks for: whether a batch leaves after so many milliseconds.
fn check_linger(config: SchedulerConfig, rows: &[Row], elapsed_ms: u64, leaves: bool) {
    let mut scheduler = Scheduler::new(config);
    queue(&mut scheduler, rows);
    let now = Time::ZERO + Duration::from_millis(elapsed_ms);
    let popped = scheduler.pop_batch(now, &Slot { sequences_max: 5 }, &mut Batch::default());
    assert_eq!(popped, leaves);
}

#[test]
fn fcfs_holds_an_incomplete_batch_for_its_linger() {
    let config = SchedulerConfig::default;
    check_linger(config(), &[(0, 4, 1)], 49, false);
    check_linger(config(), &[(0, 4, 1)], 50, true);
    check_linger(config(), &[(0, 4, 1), (0, 1, 1)], 0, true);
    check_linger(config(), &[(0, 4, 1), (0, 2, 1)], 0, true);
    check_linger(config(), &[], 50, false);
}

#[test]
fn the_linger_given_goes_before_the_strategys_own() {
    let config = |strategy, ms| SchedulerConfig {
        strategy,
        linger: Some(Duration::from_millis(ms)),
        ..SchedulerConfig::default()
    };
    check_linger(config(StrategyKind::Fcfs, 0), &[(0, 1, 1)], 0, true);
    check_linger(config(StrategyKind::Sjf, 10), &[(0, 1, 1)], 9, false);
    check_linger(config(StrategyKind::Sjf, 10), &[(0, 1, 1)], 10, true);
}

#[test]
fn only_fcfs_holds_by_default() {
    for strategy in [StrategyKind::Sjf, StrategyKind::Fair] {
        let config = SchedulerConfig { strategy, ..SchedulerConfig::default() };
        check_linger(config, &[(0, 1, 1)], 0, true);
    }
}
