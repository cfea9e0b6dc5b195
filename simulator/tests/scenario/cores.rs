//! A proxy of several cores: clients on all of them, the queue on one.

use std::time::Duration;

use ringyard_runtime::app::CoreIndex;
use ringyard_servers::proxy::ProxyServer;
use ringyard_simulator::world::client::{CustomerPlan, Habits};
use ringyard_simulator::world::{Chance, Random, Span};

use crate::yard::{Yard, YardPlan, at_ms};

fn add_customers(yard: &mut Yard, seed: u64, count: u32, habits: Habits) {
    let answers = yard.answers();
    let mut random = Random::new(seed);
    for _ in 0..count {
        let plan = CustomerPlan {
            questions: 30,
            pipelined: 1..=8,
            pause: Span::milliseconds(0, 300),
            habits,
            ..yard.customer_plan(answers)
        };
        yard.add_customer(plan, random.fork());
    }
}

#[test]
fn connections_spread_and_every_core_has_its_clients_answered() {
    for cores in [2, 3] {
        let mut plan = YardPlan::new(u64::from(cores));
        plan.cores = cores;
        plan.proxy.queue_wait_max = Duration::MAX;
        let mut yard = plan.build();
        let habits =
            Habits { strays: Chance::percent(20), switches: Chance::percent(10), ..Habits::PLAIN };
        add_customers(&mut yard, 1, 60, habits);
        yard.world.run_until(at_ms(400));
        for core in (0..cores).map(CoreIndex) {
            let count = yard.world.app::<ProxyServer>(yard.proxy, core).connections();
            assert!(count > 5, "{count} of 60 connections at {core:?} of {cores}");
        }
        yard.run_to_the_end(Duration::from_secs(100));
        let tally = yard.tally();
        assert_eq!(tally.answered, tally.ended(), "{tally:?}");
        yard.check_nothing_is_left();
        yard.shut_down();
    }
}

#[test]
fn full_mailboxes_refuse_but_never_lose() {
    let (mut answered, mut overloaded) = (0, 0);
    for seed in 0..30 {
        let mut plan = YardPlan::new(seed);
        plan.cores = 3;
        plan.network.mailbox_messages = 1;
        plan.network.mail_delay = Span::microseconds(1, 2_000);
        plan.proxy.queue_wait_max = Duration::MAX;
        let mut yard = plan.build();
        let habits = Habits { leaves: Chance::percent(10), ..Habits::PLAIN };
        add_customers(&mut yard, seed, 30, habits);
        yard.run_to_the_end(Duration::from_secs(600));
        let tally = yard.tally();
        let explained = tally.answered + tally.overloaded + tally.left;
        assert_eq!(explained, tally.ended(), "seed {seed}: {tally:?}");
        answered += tally.answered;
        overloaded += tally.overloaded;
        yard.check_nothing_is_left();
        yard.shut_down();
    }
    assert!(answered > 0 && overloaded > 0, "{answered} answered, {overloaded} refused");
}
