//! Backends that die, stand still, lose power and come back.

use std::time::Duration;

use ringyard_runtime::app::Time;
use ringyard_scheduler::balance::live::LiveKind;
use ringyard_servers::limits::BACKEND_CONNECT_TIMEOUT;
use ringyard_simulator::world::client::{CustomerPlan, Tally};
use ringyard_simulator::world::{Action, Random, Span};

use crate::yard::{BackendKind, Yard, YardPlan, at_ms};

/// Sequences in a batch, so members of one at most.
const BATCH: u32 = 5;

/// Batches in flight at one backend where they follow one another on one connection.
const PIPELINED: u32 = 4;

/// Twenty customers keep `backends` backends busy for 20 seconds, with a deadline of two.
fn busy_yard(seed: u64, backends: usize) -> Yard {
    busy_yard_of(YardPlan::new(seed), seed, backends)
}

/// The same under this balancing policy.
fn balanced_yard(seed: u64, backends: usize, balance: LiveKind) -> Yard {
    let mut plan = YardPlan::new(seed);
    plan.proxy.balance = balance;
    busy_yard_of(plan, seed, backends)
}

/// The same with up to [`PIPELINED`] batches on the one connection to each backend.
fn pipelined_yard(seed: u64, backends: usize) -> Yard {
    let mut plan = YardPlan::new(seed);
    plan.proxy.backend_concurrency = PIPELINED;
    plan.proxy.backend_pipeline = PIPELINED;
    busy_yard_of(plan, seed, backends)
}

fn busy_yard_of(mut plan: YardPlan, seed: u64, backends: usize) -> Yard {
    plan.backends = backends;
    plan.backend = BackendKind::Echo { delay: Duration::from_millis(20) };
    plan.proxy.deadline = Duration::from_secs(2);
    plan.proxy.queue_wait_max = Duration::MAX;
    let mut yard = plan.build();
    let mut random = Random::new(seed);
    let answers = yard.answers();
    for _ in 0..20 {
        let plan = CustomerPlan {
            questions: 80,
            pause: Span::milliseconds(0, 400),
            ..yard.customer_plan(answers)
        };
        yard.add_customer(plan, random.fork());
    }
    yard
}

/// Runs to the end; everyone was answered in time, and nobody was refused or lost later than `clean_ms`.
#[track_caller]
fn finish(mut yard: Yard, clean_ms: u64) -> Tally {
    yard.run_to_the_end(Duration::from_secs(600));
    let tally = yard.tally();
    let Tally { answered, backend_failed, too_slow, hopeless, .. } = tally;
    assert_eq!(answered + backend_failed + too_slow + hopeless, tally.ended(), "{tally:?}");
    assert!(tally.longest_wait < Duration::from_millis(2_100), "{tally:?}");
    let last = tally.last_unanswered.unwrap_or(Time::ZERO);
    assert!(last <= at_ms(clean_ms), "unanswered as late as {last}: {tally:?}");
    yard.check_nothing_is_left();
    yard.shut_down();
    tally
}

#[test]
fn every_balancing_policy_serves_everyone_and_gets_over_a_killed_backend() {
    for (seed, kind) in (0..).zip(LiveKind::ALL) {
        let mut yard = balanced_yard(seed, 3, kind);
        let backend = yard.backends[0];
        yard.world.act_at(at_ms(5_000), Action::Kill(backend));
        yard.world.act_at(at_ms(9_000), Action::Boot(backend));
        let tally = finish(yard, 6_000);
        assert!(tally.backend_failed <= 2 * BATCH, "{kind}: {tally:?}");
        assert!(tally.answered >= 20 * 80 - 2 * BATCH, "{kind}: {tally:?}");
    }
}

#[test]
fn a_killed_backend_costs_only_the_batch_that_it_had() {
    let mut failed = 0;
    for seed in 0..20 {
        let mut yard = busy_yard(seed, 2);
        let backend = yard.backends[0];
        for second in [2, 4, 6, 8] {
            yard.world.act_at(at_ms(1_000 * second), Action::Kill(backend));
            yard.world.act_at(at_ms(1_000 * second + 900), Action::Boot(backend));
        }
        let tally = finish(yard, 8_010);
        assert!(tally.backend_failed <= 4 * BATCH, "seed {seed}: {tally:?}");
        assert_eq!(tally.too_slow, 0, "seed {seed}: {tally:?}");
        failed += tally.backend_failed;
    }
    assert!(failed > 20, "busy backends have something to lose: {failed}");
}

#[test]
fn a_killed_backend_costs_only_the_batches_on_its_connection() {
    let mut failed = 0;
    for seed in 0..20 {
        let mut yard = pipelined_yard(seed, 2);
        let backend = yard.backends[0];
        for second in [2, 4, 6, 8] {
            yard.world.act_at(at_ms(1_000 * second), Action::Kill(backend));
            yard.world.act_at(at_ms(1_000 * second + 900), Action::Boot(backend));
        }
        let tally = finish(yard, 8_010);
        assert!(tally.backend_failed <= 4 * PIPELINED * BATCH, "seed {seed}: {tally:?}");
        assert_eq!(tally.too_slow, 0, "seed {seed}: {tally:?}");
        failed += tally.backend_failed;
    }
    assert!(failed > 20, "busy backends have something to lose: {failed}");
}

#[test]
fn a_pipelined_backend_that_stands_still_or_is_out_of_sight_is_answered_for() {
    for (seed, backends) in (0..20).map(|seed| (seed, 1 + usize::from(seed % 2 == 0))) {
        let mut yard = pipelined_yard(seed, backends);
        let host = yard.backends[0];
        let length = Duration::from_secs(6);
        let action = match seed % 4 {
            0 | 1 => Action::Freeze { host, length },
            _ => Action::Partition { hosts: [host, yard.proxy], length },
        };
        yard.world.act_at(at_ms(2_000), action);
        let tally = finish(yard, 9_000);
        assert!(tally.too_slow > 0, "seed {seed}: {tally:?}");
    }
}

#[test]
fn the_only_backend_is_killed_and_comes_back() {
    for seed in 0..20 {
        let mut yard = busy_yard(seed, 1);
        let backend = yard.backends[0];
        yard.world.act_at(at_ms(2_000), Action::Kill(backend));
        yard.world.act_at(at_ms(6_000), Action::Boot(backend));
        let tally = finish(yard, 7_000);
        assert!(tally.backend_failed > 20, "four seconds without a backend: {tally:?}");
        assert_eq!(tally.too_slow, 0, "all are told within the grace: {tally:?}");
    }
}

#[test]
fn the_only_backend_restarts_within_the_grace() {
    for seed in 0..20 {
        let mut yard = busy_yard(seed, 1);
        let backend = yard.backends[0];
        yard.world.act_at(at_ms(2_000), Action::Kill(backend));
        yard.world.act_at(at_ms(2_300), Action::Boot(backend));
        let tally = finish(yard, 2_010);
        assert!(tally.backend_failed <= BATCH, "those in the queue wait for it: {tally:?}");
    }
}

#[test]
fn a_frozen_backend_is_answered_for_by_the_deadline() {
    for (seed, backends) in (0..20).map(|seed| (seed, 1 + usize::from(seed % 2 == 0))) {
        let mut yard = busy_yard(seed, backends);
        let host = yard.backends[0];
        let length = Duration::from_secs(6);
        yard.world.act_at(at_ms(2_000), Action::Freeze { host, length });
        let tally = finish(yard, 9_000);
        assert!(tally.too_slow > 0, "seed {seed}: {tally:?}");
        assert_eq!(tally.backend_failed, 0, "seed {seed}: {tally:?}");
    }
}

#[test]
fn a_backend_without_power_is_answered_for_and_comes_back() {
    for (seed, backends) in (0..20).map(|seed| (seed, 1 + usize::from(seed % 2 == 0))) {
        let mut yard = busy_yard(seed, backends);
        let host = yard.backends[0];
        yard.world.act_at(at_ms(2_000), Action::PowerCut(host));
        yard.world.act_at(at_ms(8_000), Action::Boot(host));
        finish(yard, 9_000);
    }
}

#[test]
fn a_backend_out_of_sight_is_answered_for_and_comes_back() {
    for (seed, backends) in (0..20).map(|seed| (seed, 1 + usize::from(seed % 2 == 0))) {
        let mut yard = busy_yard(seed, backends);
        let hosts = [yard.backends[0], yard.proxy];
        let length = Duration::from_secs(6);
        yard.world.act_at(at_ms(2_000), Action::Partition { hosts, length });
        finish(yard, 9_000);
    }
}

#[test]
fn a_connection_that_comes_when_it_was_given_up_is_not_kept() {
    // The answer to an attempt is as long on its way as the proxy waits for it.
    let mut late = 0;
    for seed in 0..50 {
        let mut plan = YardPlan::new(seed);
        plan.network.latency = Span::exactly(BACKEND_CONNECT_TIMEOUT / 2);
        plan.network.jitter = Span::microseconds(0, 300);
        let mut yard = plan.build();
        for _ in 0..30 {
            yard.world.run_for(Duration::from_secs(1));
            let connections = yard.world.connections(yard.proxy);
            assert!(connections <= 2, "seed {seed}: {connections} connections for two lanes");
        }
        late += yard.world.circuits();
    }
    assert!(late > 0, "some attempts were answered");
}

#[test]
fn a_backend_that_closes_an_idle_connection_costs_nobody_an_answer() {
    // The backend closes what was idle for 75 s. A batch that leaves for it in that very moment meets the end
    // of the connection on its way.
    for seed in 0..300 {
        let mut plan = YardPlan::new(seed);
        plan.backends = 1;
        plan.backend = BackendKind::Echo { delay: Duration::ZERO };
        let mut yard = plan.build();
        let moment = Duration::from_secs(75);
        let plan = CustomerPlan {
            questions: 4,
            // A full batch is not held back.
            sequences: 5..=5,
            pause: Span::between(
                moment - Duration::from_micros(500),
                moment + Duration::from_micros(300),
            ),
            ..yard.customer_plan(yard.answers())
        };
        yard.add_customer(plan, Random::new(seed));
        yard.run_to_the_end(Duration::from_secs(600));
        let tally = yard.tally();
        assert_eq!(tally.backend_failed, 0, "seed {seed}: {tally:?}");
    }
}
