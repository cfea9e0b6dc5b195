//! The contract's watch, held against drivers and apps that break it in each way there is.

use ringyard_runtime::app::{
    Command, Commands, ConnError, ConnId, ConnectToken, CoreIndex, Event, Now, Origin,
    SEND_QUEUE_HIGH_BYTES, Time,
};
use ringyard_simulator::world::{Violation, Watch};

const CONN: ConnId = ConnId { slot: 0, generation: 0 };
const NEXT: ConnId = ConnId { slot: 0, generation: 1 };
const TOKEN: ConnectToken = ConnectToken(3);
const OTHER_CORE: CoreIndex = CoreIndex(1);

fn at(nanoseconds: u64) -> Now {
    Now { time: Time::from_nanoseconds(nanoseconds), unix_seconds: 0 }
}

/// What happens between the two sides, one after the other, at one time.
enum Said {
    Event(Event<'static, ()>),
    Command(Command<()>),
}

use Said::{Command as App, Event as Driver};

fn accepted(conn: ConnId) -> Said {
    Driver(Event::Opened { conn, origin: Origin::Accepted { listener: 0 } })
}

fn connected(conn: ConnId) -> Said {
    Driver(Event::Opened { conn, origin: Origin::Connected { token: TOKEN } })
}

fn connect() -> Said {
    App(Command::Connect { token: TOKEN, address: "10.0.0.1:1".parse().expect("an address") })
}

fn send(bytes: usize) -> Said {
    App(Command::Send { conn: CONN, range: 0..bytes })
}

fn mail(to: CoreIndex) -> Said {
    App(Command::Mail { to, message: () })
}

fn received(bytes: &'static [u8]) -> Said {
    Driver(Event::Received { conn: CONN, bytes })
}

const PEER_CLOSED: Said = Driver(Event::PeerClosed { conn: CONN });
const CLOSE: Said = App(Command::Close { conn: CONN });
const CONGESTED: Said = Driver(Event::Congested { conn: CONN });
const DRAINED: Said = Driver(Event::Drained { conn: CONN });
const DRAIN: Said = Driver(Event::Drain);
const FINISHED: Said = App(Command::Finished);

/// The watch takes all of `story` but the last, and of that says `expected`.
#[track_caller]
fn check(story: Vec<Said>, expected: Result<(), Violation>) {
    let mut watch = Watch::new(CoreIndex(0), 2);
    let commands = Commands::default();
    let last = story.len() - 1;
    for (index, said) in story.into_iter().enumerate() {
        let result = match said {
            Driver(event) => watch.event(at(0), &event, &commands),
            App(command) => watch.command(&command),
        };
        assert_eq!(result, if index < last { Ok(()) } else { expected }, "step {index}");
    }
}

#[test]
fn what_the_contract_allows_passes() {
    let failed = || Driver(Event::Failed { conn: NEXT, error: ConnError::Reset });
    check(
        vec![
            accepted(CONN),
            received(b"x"),
            send(SEND_QUEUE_HIGH_BYTES + 1),
            CONGESTED,
            DRAINED,
            send(SEND_QUEUE_HIGH_BYTES),
            CONGESTED,
            PEER_CLOSED,
            App(Command::Finish { conn: CONN }),
            CLOSE,
            CLOSE,
            send(1),
            connect(),
            connected(NEXT),
            failed(),
            connect(),
            Driver(Event::ConnectFailed { token: TOKEN, error: ConnError::Refused }),
            mail(OTHER_CORE),
            Driver(Event::MailReturned { to: OTHER_CORE, message: () }),
            Driver(Event::Mail { from: OTHER_CORE, message: () }),
            DRAIN,
            FINISHED,
        ],
        Ok(()),
    );
}

#[test]
fn drivers_are_held_to_the_life_of_a_connection() {
    let not_open = Err(Violation::NotOpen { conn: CONN });
    let after = Err(Violation::AfterPeerClosed { conn: CONN });
    check(vec![received(b"x")], not_open);
    check(vec![accepted(CONN), CLOSE, received(b"x")], not_open);
    check(vec![accepted(CONN), CLOSE, Driver(Event::Drained { conn: CONN })], not_open);
    let failed = || Driver(Event::Failed { conn: CONN, error: ConnError::Reset });
    check(vec![accepted(CONN), failed(), failed()], not_open);
    check(vec![accepted(CONN), PEER_CLOSED, PEER_CLOSED], after);
    check(vec![accepted(CONN), PEER_CLOSED, received(b"x")], after);
    check(vec![accepted(CONN), received(b"")], Err(Violation::NothingReceived { conn: CONN }));
    check(vec![accepted(CONN), accepted(NEXT)], Err(Violation::SlotHeld { conn: NEXT }));
    check(
        vec![accepted(CONN), CLOSE, accepted(CONN)],
        Err(Violation::NameReused { conn: CONN, held: 1 }),
    );
    check(vec![accepted(NEXT)], Err(Violation::NameReused { conn: NEXT, held: 0 }));
    check(vec![DRAIN, accepted(CONN)], Err(Violation::AcceptedAfterDrain { conn: CONN }));
    check(vec![DRAIN, DRAIN], Err(Violation::DrainedTwice));
}

#[test]
fn drivers_are_held_to_pauses() {
    const PIECE: &[u8] = &[0; 1024 * 1024];
    let pause = || App(Command::Pause { conn: CONN });
    let story = |middle: Vec<Said>| {
        let mut story = vec![accepted(CONN), pause()];
        story.extend(middle);
        story.extend((0..4).map(|_| received(PIECE)));
        story
    };
    check(story(vec![]), Ok(()));
    let bytes = 5 * PIECE.len();
    let broken = Err(Violation::ReceivedWhilePaused { conn: CONN, bytes });
    check(story(vec![received(PIECE)]), broken);
    check(story(vec![received(PIECE), pause()]), broken);
    check(story(vec![received(PIECE), App(Command::Resume { conn: CONN })]), Ok(()));
}

#[test]
fn drivers_are_held_to_the_marks_of_congestion() {
    let unfounded = Err(Violation::UnfoundedCongested { conn: CONN });
    let too_much = || send(SEND_QUEUE_HIGH_BYTES + 1);
    check(vec![accepted(CONN), CONGESTED], unfounded);
    check(vec![accepted(CONN), send(SEND_QUEUE_HIGH_BYTES), CONGESTED], unfounded);
    check(vec![accepted(CONN), too_much(), CONGESTED, CONGESTED], unfounded);
    check(vec![accepted(CONN), too_much(), CONGESTED, DRAINED, CONGESTED], unfounded);
    let unfounded = Err(Violation::UnfoundedDrained { conn: CONN });
    check(vec![accepted(CONN), too_much(), DRAINED], unfounded);
    check(vec![accepted(CONN), too_much(), CONGESTED, DRAINED, DRAINED], unfounded);
}

#[test]
fn drivers_settle_each_attempt_once() {
    let failed = |error| Driver(Event::ConnectFailed { token: TOKEN, error });
    let none = Err(Violation::NoSuchAttempt { token: TOKEN });
    let cancel = || App(Command::CancelConnect { token: TOKEN });
    check(vec![failed(ConnError::Refused)], none);
    check(vec![connected(CONN)], none);
    check(vec![connect(), connected(CONN), failed(ConnError::Cancelled)], none);
    check(vec![connect(), cancel(), failed(ConnError::Cancelled), connected(CONN)], none);
    check(
        vec![connect(), failed(ConnError::Cancelled)],
        Err(Violation::CancelledUnasked { token: TOKEN }),
    );
    check(vec![connect(), cancel(), failed(ConnError::Cancelled)], Ok(()));
    check(vec![connect(), cancel(), connected(CONN)], Ok(()));
}

#[test]
fn drivers_return_only_what_was_sent_in_the_turn() {
    let returned = || Driver(Event::MailReturned { to: OTHER_CORE, message: () });
    let unsent = Err(Violation::ReturnedUnsent { to: OTHER_CORE });
    check(vec![returned()], unsent);
    check(vec![mail(OTHER_CORE), returned(), returned()], unsent);
    let stranger = CoreIndex(0);
    check(
        vec![Driver(Event::Mail { from: stranger, message: () })],
        Err(Violation::StrangeSender { from: stranger }),
    );
    let mut watch = Watch::new(CoreIndex(0), 2);
    let commands = Commands::default();
    watch.event::<()>(at(1), &Event::Drain, &commands).unwrap();
    watch.command(&Command::Mail { to: OTHER_CORE, message: () }).unwrap();
    let late = watch.event(at(2), &Event::MailReturned { to: OTHER_CORE, message: () }, &commands);
    assert_eq!(late, unsent, "a turn later");
}

#[test]
fn apps_are_held_to_what_they_may_ask_for() {
    check(vec![send(1)], Err(Violation::NeverOpened { conn: CONN }));
    let finish = || App(Command::Finish { conn: CONN });
    check(vec![accepted(CONN), finish(), send(1)], Err(Violation::SendAfterFinish { conn: CONN }));
    check(vec![connect(), connect()], Err(Violation::TokenInUse { token: TOKEN }));
    for to in [CoreIndex(0), CoreIndex(2)] {
        check(vec![mail(to)], Err(Violation::StrangeAddressee { to }));
    }
    check(vec![FINISHED], Err(Violation::FinishedUnasked));
    check(vec![DRAIN, FINISHED, FINISHED], Err(Violation::FinishedTwice));
    check(vec![accepted(CONN), DRAIN, FINISHED, send(1), connect()], Ok(()));
    let bytes = 2 * 1024 * 1024;
    check(
        vec![accepted(CONN), send(SEND_QUEUE_HIGH_BYTES + 1), CONGESTED, send(bytes)],
        Err(Violation::SendWhileCongested { conn: CONN, bytes }),
    );
}

#[test]
fn time_commands_and_deadlines_are_watched() {
    let mut watch = Watch::new(CoreIndex(0), 1);
    let mut commands: Commands<()> = Commands::default();
    let (early, late) = (at(5), at(6));
    let zero = Some(Time::ZERO);
    assert_eq!(
        watch.event(late, &Event::Deadline, &commands),
        Err(Violation::DeadlineChanged { left: None, found: zero }),
        "firing clears the deadline"
    );
    commands.set_deadline(None);
    assert_eq!(watch.event(late, &Event::Deadline, &commands), Ok(()));
    assert_eq!(
        watch.event(late, &Event::Deadline, &commands),
        Err(Violation::DeadlineNotDue { now: late.time, deadline: None })
    );
    assert_eq!(
        watch.event(early, &Event::Drain, &commands),
        Err(Violation::TimeWentBack { before: late.time, now: early.time })
    );
    let due = Some(late.time + std::time::Duration::from_nanos(1));
    watch.deadline_left(due).unwrap();
    assert_eq!(
        watch.event(late, &Event::Drain, &commands),
        Err(Violation::DeadlineChanged { left: due, found: None })
    );
    assert_eq!(
        watch.event(late, &Event::Deadline, &commands),
        Err(Violation::DeadlineNotDue { now: late.time, deadline: due })
    );
    commands.set_deadline(due);
    commands.finished();
    assert_eq!(watch.event(late, &Event::Drain, &commands), Err(Violation::CommandsNotCarriedOut));
}

#[test]
fn an_app_whose_deadline_is_always_due_spins() {
    let mut watch = Watch::new(CoreIndex(0), 1);
    let mut commands: Commands<()> = Commands::default();
    commands.set_deadline(None);
    let mut result = Ok(());
    for time in 0..2_000 {
        watch.event(at(time), &Event::Deadline, &commands).unwrap();
        result = watch.deadline_left(Some(Time::ZERO));
        if result.is_err() {
            break;
        }
    }
    assert_eq!(result, Err(Violation::Spinning { count: 1_001 }));
}
