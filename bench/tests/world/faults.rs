//! What goes wrong is counted once, by its kind, and the generator goes on.

use std::sync::mpsc;
use std::time::Duration;

use ringyard_bench::generator::Generator;
use ringyard_bench::generator::plan::Pace;
use ringyard_bench::outcome::{ErrorCounts, ErrorKind};
use ringyard_runtime::app::{
    App, Command, Commands, ConnError, ConnId, ConnectToken, Event, Now, Origin, Time,
};
use ringyard_simulator::world::{Action, Faults, Random};

use crate::fake::{Habits, Law};
use crate::probe::{Probe, Trial, plan};

const LAW: Law = Law::Constant(Duration::from_millis(1));

/// Clients that pause a little, so that errors do not come by the million.
const PAUSE: Duration = Duration::from_millis(10);

fn trial(seats: u32, seconds: u64, habits: Habits) -> Trial {
    Trial::new(plan(seats, 1, Pace::Closed, seconds), PAUSE, LAW, habits)
}

fn only(kind: ErrorKind, counts: &ErrorCounts) -> u64 {
    assert_eq!(counts.total(), counts.of(kind), "{}", counts.describe());
    counts.total()
}

#[test]
fn a_mute_server_is_timed_out_and_asked_again() {
    let habits = Habits { mute: true, ..Habits::default() };
    let (figures, vitals) = trial(2, 7, habits).finish();
    // After 2, 4 and 6 s; the fourth round is still under way at the end, and is waited for.
    let timeouts = only(ErrorKind::Timeout, &figures.errors);
    assert_eq!(timeouts, 8);
    assert_eq!(figures.corrected.count(), 0);
    assert_eq!(vitals.asked, timeouts + figures.unfinished);
    assert_eq!(vitals.in_flight, 0);
}

#[test]
fn a_babbling_server_is_malformed_and_not_asked_in_a_frenzy() {
    let habits = Habits { babbles: true, ..Habits::default() };
    let (figures, vitals) = trial(1, 10, habits).finish();
    let malformed = only(ErrorKind::Malformed, &figures.errors);
    assert_eq!(malformed, vitals.asked);
    // The waits double from 5 ms to 1 s: eight of them take 1.3 s, and then one comes each second.
    assert!((14..=20).contains(&malformed), "{malformed}");
}

#[test]
fn a_server_that_closes_between_answers_costs_no_request() {
    let habits = Habits { closes_after: Some(5), ..Habits::default() };
    let (figures, vitals) = trial(3, 10, habits).finish();
    assert_eq!(figures.errors.total(), 0, "{}", figures.errors.describe());
    let answered = figures.corrected.count();
    assert!(answered > 2_000, "{answered}");
    assert!(vitals.connections_opened >= answered / 5, "{}", vitals.connections_opened);
}

#[test]
fn nobody_at_the_address_ends_the_run_at_once() {
    let mut trial = trial(4, 60, Habits::default());
    trial.world.act(Action::Kill(trial.server));
    let (figures, vitals) = trial.finish();
    assert_eq!(only(ErrorKind::ConnectRefused, &figures.connect_errors), 4);
    assert_eq!(vitals.asked, 0);
    assert!(trial.world.time() < Time::ZERO + Duration::from_secs(1));
}

#[test]
fn a_killed_server_fails_what_was_under_way_and_is_found_again() {
    let mut trial = trial(8, 20, Habits::default());
    let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
    trial.world.act_at(at(5), Action::Kill(trial.server));
    trial.world.act_at(at(7), Action::Boot(trial.server));
    let (figures, vitals) = trial.finish();
    assert!(only(ErrorKind::ConnectionLost, &figures.errors) <= 8);
    assert!(only(ErrorKind::ConnectRefused, &figures.connect_errors) > 8);
    assert_eq!(vitals.connections_opened, 16);
    let late = figures.intended.iter().filter(|intended| **intended > at(8)).count();
    assert!(late > 5_000, "{late}");
}

#[test]
fn told_to_drain_it_waits_for_answers_and_finishes() {
    let mut trial = trial(8, 3_600, Habits::default());
    trial.world.act_at(Time::ZERO + Duration::from_secs(3), Action::Drain(trial.client));
    let (figures, vitals) = trial.finish();
    assert_eq!(figures.unfinished + figures.errors.total(), 0);
    assert_eq!(vitals.asked, figures.corrected.count());
    assert!(vitals.elapsed < Duration::from_millis(3_100), "{:?}", vitals.elapsed);
}

#[test]
fn whatever_goes_wrong_every_request_is_settled_exactly_once() {
    for seed in 0..100 {
        let faults = Faults::swarm(&mut Random::new(seed)).network;
        let pace = Pace::Closed;
        let mut plan = plan(20, 3, pace, 20);
        plan.timeout = Duration::from_millis(800);
        plan.connect_ramp = Duration::from_secs(seed % 2);
        let habits = Habits { closes_after: Some(50), ..Habits::default() };
        let (figures, vitals) = Trial::on(faults, plan, PAUSE, LAW, habits).finish();
        let settled = figures.corrected.count() + figures.errors.total() + figures.unfinished;
        assert_eq!(vitals.asked, settled, "seed {seed}");
        assert_eq!((vitals.in_flight, vitals.connections), (0, 0), "seed {seed}");
    }
}

#[test]
fn a_run_begins_when_every_client_has_tried_and_not_when_some_have_tried_often() {
    let (sender, news) = mpsc::channel();
    let mut generator = Generator::new(plan(3, 1, Pace::Closed, 1), Probe::default(), sender);
    let mut commands = Commands::default();
    let mut tell = |milliseconds, event: Event<'_, ()>| {
        let time = Time::ZERO + Duration::from_millis(milliseconds);
        generator.on_event(Now { time, unix_seconds: 0 }, event, &mut commands);
        let (mut connects, mut sends) = (Vec::new(), 0);
        commands.take(|command, _| match command {
            Command::Connect { token, .. } => connects.push(token),
            Command::Send { .. } => sends += 1,
            _ => {}
        });
        (connects, sends)
    };
    let fails = |token| Event::ConnectFailed { token, error: ConnError::Refused };
    let (first, _) = tell(0, Event::Deadline);
    assert_eq!(first, [0, 1, 2].map(ConnectToken));
    tell(0, fails(first[0]));
    let mut tries = 0;
    for milliseconds in 1..200 {
        let (again, _) = tell(milliseconds, Event::Deadline);
        for token in again {
            tell(milliseconds, fails(token));
            tries += 1;
        }
    }
    assert!(tries >= 3, "{tries}");
    let opened = |slot, token| Event::Opened {
        conn: ConnId { slot, generation: 0 },
        origin: Origin::Connected { token },
    };
    assert_eq!(tell(200, opened(0, first[1])).1, 0, "one has not tried yet");
    assert_eq!(tell(201, opened(1, first[2])).1, 2, "all have: both ask");
    assert!(news.try_recv().is_err(), "the run is not over");
}
