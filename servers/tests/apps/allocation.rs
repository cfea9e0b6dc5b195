//! In its steady state a classifier allocates nothing per request.

use ringyard_runtime::app::{App, Command, Commands, ConnId, CoreIndex, Event, Now, Origin, Time};
use ringyard_runtime::counters::CoreContext;
use ringyard_servers::classifier::{ClassifierConfig, factory, front_default};

use crate::driver::post;

const WARM_UP: u64 = 100;

const ROUNDS: u64 = 2_000;

/// Serves `pieces` again and again on one connection; the heap allocations after the warm-up.
fn allocations(pieces: &[&[u8]]) -> u64 {
    let config = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    let mut app = factory(front_default(), config, 1)(CoreContext::detached(CoreIndex(0), 1));
    let mut commands = Commands::default();
    let conn = ConnId { slot: 0, generation: 0 };
    let mut now = Now { time: Time::ZERO, unix_seconds: 0 };
    app.on_event(
        now,
        Event::Opened { conn, origin: Origin::Accepted { listener: 0 } },
        &mut commands,
    );
    let mut sends = 0;
    let mut serve = |round: u64| {
        now = Now { time: Time::from_nanoseconds(round * 1_000_000), unix_seconds: round / 1000 };
        for bytes in pieces {
            app.on_event(now, Event::Received { conn, bytes }, &mut commands);
            commands.take(|command, _| sends += u64::from(matches!(command, Command::Send { .. })));
        }
        if commands.take_due_deadline(now.time).is_some() {
            app.on_event(now, Event::Deadline, &mut commands);
        }
    };
    (0..WARM_UP).for_each(&mut serve);
    let counted = allocation_counter::measure(|| (WARM_UP..WARM_UP + ROUNDS).for_each(&mut serve));
    assert!(sends >= WARM_UP + ROUNDS, "requests were answered");
    counted.count_total
}

#[test]
fn a_request_that_lies_whole_in_the_buffer_allocates_nothing() {
    let request = post("/classify", "", r#"{"sequences":["def f(): pass","\u0041 hello"]}"#);
    assert_eq!(allocations(&[&request]), 0);
}

#[test]
fn a_request_that_comes_in_pieces_allocates_nothing() {
    let request = post("/classify", "", r#"{"sequences":["def f(): pass","hello"]}"#);
    let (head, rest) = request.split_at(30);
    let (middle, tail) = rest.split_at(request.len() - 40);
    assert_eq!(allocations(&[head, middle, tail]), 0);
}

#[test]
fn pipelined_requests_allocate_nothing() {
    let request = post("/classify", "", r#"{"sequences":["def f(): pass","hello"]}"#).repeat(16);
    assert_eq!(allocations(&[&request]), 0);
}
