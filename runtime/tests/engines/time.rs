//! Deadlines.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use ringyard_runtime::app::{Event, Time};
use ringyard_runtime::plan::{EngineKind, Plan};

use crate::harness::{HANG, ask, connect, echo, next, plan, start};

pub(crate) fn the_first_turn_ends_with_a_deadline(engine: EngineKind) {
    let (report, reports) = mpsc::channel();
    let _running = start(plan(engine), move |_| {
        let report = report.clone();
        move |_, event, _| report.send(matches!(event, Event::Deadline)).unwrap()
    });
    assert!(next(&reports));
}

pub(crate) fn a_deadline_fires_once_and_not_before_its_time(engine: EngineKind) {
    const STEPS: [u64; 6] = [1, 1000, 100_000, 3_000_000, 0, 20_000_000];
    let (report, reports) = mpsc::channel();
    let _running = start(plan(engine), move |_| {
        let report = report.clone();
        let mut steps = STEPS.into_iter();
        let mut due = Time::ZERO;
        move |now, event, commands| {
            assert!(matches!(event, Event::Deadline), "{event:?}");
            assert!(now.time >= due, "{} before {due}", now.time);
            assert_eq!(commands.deadline(), None, "firing clears it");
            let Some(step) = steps.next() else { return report.send(()).unwrap() };
            due = now.time + Duration::from_nanos(step);
            commands.set_deadline(Some(due));
        }
    });
    next(&reports);
}

pub(crate) fn a_deadline_at_now_ends_the_same_turn(engine: EngineKind) {
    let (report, reports) = mpsc::channel();
    // Answers once per turn, with the number of bytes that the turn brought.
    let running = start(plan(engine), move |_| {
        let report = report.clone();
        let (mut turn, mut received) = (Time::ZERO, 0);
        move |now, event, commands| match event {
            Event::Received { bytes, .. } => {
                assert!(received == 0 || turn == now.time, "a turn ended without its deadline");
                turn = now.time;
                received += bytes.len();
                commands.set_deadline(Some(now.time));
            }
            Event::Deadline if received > 0 => {
                assert_eq!(now.time, turn, "the deadline belongs to a later turn");
                report.send(received).unwrap();
                received = 0;
            }
            _ => {}
        }
    });
    let mut clients: Vec<_> = (0..20).map(|_| connect(&running)).collect();
    for _ in 0..50 {
        for client in &mut clients {
            client.write_all(b"tick").unwrap();
        }
    }
    let mut left = 20 * 50 * 4;
    while left > 0 {
        left -= next(&reports);
    }
}

pub(crate) fn a_core_that_never_sleeps_hears_everything(engine: EngineKind) {
    let mut plan = plan(engine);
    plan.limits.spin = HANG;
    hears_clients_and_the_clock(plan);
}

pub(crate) fn a_core_that_wakes_early_hears_everything(engine: EngineKind) {
    let mut plan = plan(engine);
    plan.limits.wake_early = PERIOD / 2;
    hears_clients_and_the_clock(plan);
}

const PERIOD: Duration = Duration::from_millis(1);

fn hears_clients_and_the_clock(plan: Plan) {
    let (report, reports) = mpsc::channel();
    let running = start(plan, move |_| {
        let report = report.clone();
        let mut due = Time::ZERO;
        move |now, event, commands| {
            if matches!(event, Event::Deadline) {
                assert!(now.time >= due, "{} before {due}", now.time);
                report.send(now.time).unwrap();
                due = now.time + PERIOD;
                commands.set_deadline(Some(due));
            }
            echo(event, commands);
        }
    });
    let mut client = connect(&running);
    for _ in 0..10 {
        assert_eq!(ask(&mut client, b"here", 4), b"here");
        let first = next(&reports);
        assert!(next(&reports) >= first + PERIOD);
    }
    running.drain();
    assert!(running.wait().unwrap().is_clean());
}
