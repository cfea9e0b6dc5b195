//! Twenty thousand questions, no two alike, one in twenty abandoned, the strategy switched five times a second:
//! nothing wrong, nothing lost.

use std::time::Duration;

use ringyard_simulator::world::client::{CustomerPlan, Habits};
use ringyard_simulator::world::{Chance, Faults, Random, Span};

use crate::yard::{BackendKind, YardPlan};

const CUSTOMERS: u32 = 50;
const QUESTIONS: u32 = 400;

fn check(seed: u64, cores: u16) {
    let mut plan = YardPlan::new(seed);
    plan.network = Faults::mild().harmless().network;
    plan.cores = cores;
    plan.backend = BackendKind::Echo { delay: Duration::from_millis(3) };
    plan.proxy.queue_wait_max = Duration::MAX;
    let mut yard = plan.build();
    let mut random = Random::new(seed);
    let answers = yard.answers();
    for _ in 0..CUSTOMERS {
        let plan = CustomerPlan {
            questions: QUESTIONS,
            pause: Span::milliseconds(0, 50),
            habits: Habits { leaves: Chance::percent(20), ..Habits::PLAIN },
            ..yard.customer_plan(answers)
        };
        yard.add_customer(plan, random.fork());
    }
    let switcher = CustomerPlan {
        questions: 100,
        pause: Span::milliseconds(200, 200),
        habits: Habits { switches: Chance::ALWAYS, ..Habits::PLAIN },
        ..yard.customer_plan(answers)
    };
    yard.add_customer(switcher, random.fork());
    yard.run_to_the_end(Duration::from_secs(600));
    let tally = yard.tally();
    assert_eq!(tally.answered + tally.left, CUSTOMERS * QUESTIONS + 100, "{tally:?}");
    // Of those who mean to leave, many have their answer before they do.
    let share = f64::from(tally.left) / f64::from(tally.ended());
    assert!((0.03..0.08).contains(&share), "{share} of all were left");
    yard.check_nothing_is_left();
    yard.shut_down();
}

#[test]
fn on_one_core() {
    check(1, 1);
}

#[test]
fn on_three_cores() {
    check(2, 3);
}
