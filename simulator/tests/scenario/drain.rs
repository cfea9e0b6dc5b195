//! SIGTERM: what is in flight is answered, then the process ends.

use std::time::Duration;

use ringyard_simulator::world::client::CustomerPlan;
use ringyard_simulator::world::{Action, Exit, Faults, HostPlan, Phase, Random, Span};

use crate::raw::{Do, End, Raw};
use crate::yard::{BackendKind, FIRST, YardPlan, at_ms};

#[test]
fn all_that_is_in_flight_is_answered_before_the_end() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let mut plan = YardPlan::new(seed);
        plan.network = Faults::swarm(&mut random).harmless().network;
        plan.cores = [1, 2, 3][random.index(3)];
        plan.backend = BackendKind::Echo { delay: Duration::from_millis(150) };
        plan.proxy.queue_wait_max = Duration::MAX;
        let slow = plan.network.mailbox_messages < 100
            || plan.network.window_bytes != Faults::none().network.window_bytes;
        if slow {
            // Not every question would be at the proxy by then.
            continue;
        }
        let mut yard = plan.build();
        let answers = yard.answers();
        for _ in 0..32 {
            let plan = CustomerPlan {
                questions: 1,
                pause: Span::milliseconds(0, 300),
                ..yard.customer_plan(answers)
            };
            yard.add_customer(plan, random.fork());
        }
        yard.world.act_at(at_ms(900), Action::Drain(yard.proxy));
        yard.world.run_until(at_ms(899));
        assert!(yard.queued() > 0, "seed {seed}: something is in the queue");
        yard.world.run_until(at_ms(5_900));
        assert_eq!(yard.world.phase(yard.proxy), Phase::Exited(Exit::Finished), "seed {seed}");
        let tally = yard.tally();
        assert_eq!(tally.answered, 32, "seed {seed}: {tally:?}");
        yard.world.run_for(Duration::from_secs(200));
        let left: usize =
            yard.customers.iter().map(|&customer| yard.world.connections(customer)).sum();
        assert_eq!(left, 0, "seed {seed}: connections of the customers");
    }
}

#[test]
fn a_drain_amid_faults_ends_within_its_time() {
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let mut plan = YardPlan::new(seed);
        plan.network = Faults::swarm(&mut random).network;
        plan.cores = [1, 2, 3][random.index(3)];
        let deadline = plan.proxy.deadline;
        let mut yard = plan.build();
        let answers = yard.answers();
        for _ in 0..30 {
            let plan = CustomerPlan {
                questions: 20,
                pipelined: 1..=4,
                patience: Duration::from_secs(20),
                ..yard.customer_plan(answers)
            };
            yard.add_customer(plan, random.fork());
        }
        let start = random.between(0..=3_000);
        yard.world.act_at(at_ms(start), Action::Drain(yard.proxy));
        // A question that was on its way at the drain may still come, and then has its own deadline.
        let latest = deadline + Duration::from_secs(10);
        yard.world.run_until(at_ms(start) + latest);
        let phase = yard.world.phase(yard.proxy);
        assert_eq!(phase, Phase::Exited(Exit::Finished), "seed {seed}, drain at {start} ms");
        assert_eq!((yard.queued(), yard.in_flight()), (0, 0), "seed {seed}");
    }
}

#[test]
fn a_request_on_its_way_on_a_new_connection_is_answered() {
    let mut yard = YardPlan::new(1).build();
    let server = yard.proxy_address();
    let request = b"GET /healthz HTTP/1.1\r\nHost: proxy\r\n\r\n".to_vec();
    let raw = yard.world.add_host(&HostPlan::new("raw"), move |_| {
        Raw::new(server, &[(300, Do::Send(request.clone()))])
    });
    yard.world.act_at(at_ms(100), Action::Drain(yard.proxy));
    yard.world.run_until(at_ms(2_000));
    let raw = yard.world.app::<Raw>(raw, FIRST);
    let text = raw.text();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("connection: close"), "{text}");
    assert!(matches!(raw.end, Some((_, End::Closed))), "{:?}", raw.end);
    assert_eq!(yard.world.phase(yard.proxy), Phase::Exited(Exit::Finished));
}

#[test]
fn an_idle_connection_does_not_hold_a_drain_up() {
    let mut yard = YardPlan::new(1).build();
    let answers = yard.answers();
    let plan = CustomerPlan {
        questions: 2,
        pause: Span::milliseconds(60_000, 60_000),
        ..yard.customer_plan(answers)
    };
    yard.add_customer(plan, Random::new(1));
    yard.world.run_until(at_ms(70_000));
    assert_eq!(yard.client_connections(), 1);
    yard.world.act(Action::Drain(yard.proxy));
    yard.world.run_for(Duration::from_millis(100));
    assert_eq!(yard.world.phase(yard.proxy), Phase::Exited(Exit::Finished));
}
