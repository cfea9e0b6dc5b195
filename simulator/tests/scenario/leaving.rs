//! Clients that leave while their questions wait leave the queue.

use std::time::Duration;

use ringyard_simulator::world::client::{CustomerPlan, Habits};
use ringyard_simulator::world::{Chance, Random, Span};

use crate::yard::{BackendKind, YardPlan, at_ms};

#[test]
fn whoever_leaves_leaves_the_queue_at_once() {
    for (seed, cores) in (0..30).map(|seed| (seed, [1, 3][usize::from(seed % 2 == 0)])) {
        let mut plan = YardPlan::new(seed);
        plan.cores = cores;
        plan.backends = 1;
        plan.backend = BackendKind::Echo { delay: Duration::from_secs(4) };
        let mut yard = plan.build();
        let answers = yard.answers();
        let mut random = Random::new(seed);
        for number in 0..40 {
            let leaves = if number % 2 == 0 { Chance::ALWAYS } else { Chance::NEVER };
            let plan = CustomerPlan {
                questions: 1,
                sequences: 5..=5,
                pause: Span::milliseconds(500, 500),
                patience: Duration::from_secs(100),
                habits: Habits { leaves, ..Habits::PLAIN },
                ..yard.customer_plan(answers)
            };
            yard.add_customer(plan, random.fork());
        }
        // All have asked at half a second; half of them leave within 100 ms of that.
        yard.world.run_until(at_ms(650));
        let waiting = yard.queued() + yard.in_flight();
        assert_eq!(waiting, 20, "seed {seed}: one request makes a batch");
        yard.run_to_the_end(Duration::from_secs(200));
        let tally = yard.tally();
        assert_eq!(tally.left, 20, "seed {seed}: {tally:?}");
        assert_eq!(tally.answered + tally.too_slow, 20, "seed {seed}: {tally:?}");
        yard.check_nothing_is_left();
    }
}

#[test]
fn a_half_close_counts_as_leaving() {
    let mut plan = YardPlan::new(5);
    plan.backends = 1;
    plan.backend = BackendKind::Echo { delay: Duration::from_secs(4) };
    let mut yard = plan.build();
    let answers = yard.answers();
    let mut random = Random::new(5);
    for _ in 0..10 {
        let plan = CustomerPlan {
            questions: 1,
            habits: Habits { half_closes: Chance::ALWAYS, ..Habits::PLAIN },
            ..yard.customer_plan(answers)
        };
        yard.add_customer(plan, random.fork());
    }
    yard.world.run_until(at_ms(1_000));
    assert_eq!((yard.queued(), yard.in_flight(), yard.client_connections()), (0, 0, 0));
    assert_eq!(yard.tally().left, 10);
}
