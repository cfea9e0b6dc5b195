//! Turns and deadlines: what comes when within a turn of a driver's loop.

use std::time::Duration;

use ringyard_runtime::app::{Commands, CoreIndex, Event, Now, Time};
use ringyard_simulator::world::{Chance, Faults, HostPlan, NetworkConfig, Random, Span, World};

use crate::toys::{Do, Probe, Toy};

const FIRST: CoreIndex = CoreIndex(0);

/// Writes down its events, and asks for a deadline "when this turn's events are all in" at each but that.
#[derive(Default)]
struct Diary {
    entries: Vec<(Time, bool)>,
}

fn keep(diary: &mut Diary, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
    let deadline = matches!(event, Event::Deadline);
    diary.entries.push((now.time, deadline));
    if !deadline {
        commands.set_deadline(Some(Time::ZERO));
    }
}

#[test]
fn every_turn_with_events_ends_with_the_deadline_they_asked_for() {
    let mut events_together = 0;
    for seed in 0..30 {
        let mut faults = Faults::swarm(&mut Random::new(seed)).harmless();
        faults.network.turn = Span::microseconds(100, 2_000);
        let mut world = World::new(seed, faults.network);
        let server =
            world.add_host(&HostPlan::new("diary").listen(1), |_| Toy::new(Diary::default(), keep));
        for _ in 0..10 {
            let address = server.address(1);
            world.add_host(&HostPlan::new("client"), move |_| {
                let script = [
                    (0, Do::Connect),
                    (20, Do::Send(10)),
                    (21, Do::Send(20_000)),
                    (400, Do::Send(1)),
                    (500, Do::Abort),
                ];
                Probe::new(Some(address), &script)
            });
        }
        world.run_for(Duration::from_secs(60));
        let entries = &world.app::<Toy<Diary>>(server, FIRST).state.entries;
        assert!(entries.len() > 20, "seed {seed}: {} entries", entries.len());
        assert_eq!(entries[0].0, Time::ZERO, "the first turn comes at once");
        for turn in entries.chunk_by(|one, next| one.0 == next.0) {
            let deadlines = turn.iter().filter(|&&(_, deadline)| deadline).count();
            assert_eq!(deadlines, 1, "seed {seed}, at {}", turn[0].0);
            assert!(turn[turn.len() - 1].1, "seed {seed}: the deadline of a turn comes last");
            events_together += usize::from(turn.len() > 2);
        }
    }
    assert!(events_together > 100, "turns gather events: {events_together}");
}

/// Sets a deadline, then another in its place, then none, and notes what fires.
#[derive(Default)]
struct Alarm {
    fired: Vec<Time>,
}

const FIRST_ALARM: Time = Time::from_nanoseconds(3_000_000);
const SECOND_ALARM: Time = Time::from_nanoseconds(5_000_000_000);

fn wake(alarm: &mut Alarm, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
    assert!(matches!(event, Event::Deadline), "nothing else happens here");
    alarm.fired.push(now.time);
    match alarm.fired.len() {
        1 => commands.set_deadline(Some(FIRST_ALARM)),
        2 => {
            commands.set_deadline(Some(FIRST_ALARM + Duration::from_secs(1)));
            commands.set_deadline(Some(SECOND_ALARM));
        }
        _ => commands.set_deadline(None),
    }
}

#[test]
fn a_deadline_fires_once_and_never_early() {
    for seed in 0..20 {
        let slack = Duration::from_millis(10);
        let config = NetworkConfig {
            timer_slack: Span::between(Duration::ZERO, slack),
            ..NetworkConfig::default()
        };
        let mut world = World::new(seed, config);
        let host = world.add_host(&HostPlan::new("alarm"), |_| Toy::new(Alarm::default(), wake));
        world.run_for(Duration::from_secs(3_600));
        let fired = &world.app::<Toy<Alarm>>(host, FIRST).state.fired;
        assert_eq!(fired.len(), 3, "{fired:?}");
        for (fired, due) in fired.iter().zip([Time::ZERO, FIRST_ALARM, SECOND_ALARM]) {
            assert!(*fired >= due && *fired <= due + slack, "{fired} for {due}");
        }
    }
}

#[test]
fn an_idle_world_costs_nothing() {
    let mut world =
        World::new(1, NetworkConfig { split: Chance::ALWAYS, ..NetworkConfig::default() });
    world.add_host(&HostPlan::new("alarm"), |_| Toy::new(Alarm::default(), wake));
    // A year of virtual time: only a world that skips what is empty gets through it.
    world.run_for(Duration::from_secs(365 * 24 * 3_600));
    assert_eq!(world.time(), Time::ZERO + Duration::from_secs(365 * 24 * 3_600));
}
