//! How engines end: drained, stopped, dropped, or by a bug.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use ringyard_runtime::app::{ConnId, CoreIndex, Event};
use ringyard_runtime::plan::{EngineKind, Plan};
use ringyard_runtime::running::{Ended, RunError, Running};
use ringyard_runtime::signals::Signals;

use crate::harness::{
    ask, connect, cpus, is_alone, next, plan, read_to_end, start, start_echo, wait_until,
};

/// Answers each request, of any number of bytes, 100 ms after it came, and says when one comes. Once told to
/// drain it has finished when all are answered.
fn start_slow(plan: Plan) -> (Running, mpsc::Receiver<ConnId>) {
    let (report, reports) = mpsc::channel();
    let running = start(plan, move |_| {
        let report = report.clone();
        let mut waiting = Vec::new();
        let mut is_draining = false;
        move |now, event, commands| {
            match event {
                Event::Received { conn, .. } => {
                    waiting.push(conn);
                    report.send(conn).unwrap();
                    if commands.deadline().is_none() {
                        commands.set_deadline(Some(now.time + Duration::from_millis(100)));
                    }
                }
                Event::Deadline => {
                    for conn in waiting.drain(..) {
                        commands.send(conn, b"at last");
                        commands.close(conn);
                    }
                }
                Event::Drain => is_draining = true,
                _ => {}
            }
            if is_draining && waiting.is_empty() {
                commands.finished();
            }
        }
    });
    (running, reports)
}

pub(crate) fn a_drain_answers_what_is_in_flight(engine: EngineKind) {
    let (running, requests) = start_slow(Plan { cores: cpus(2), ..plan(engine) });
    let address = running.addresses()[0];
    let mut clients: Vec<_> = (0..32).map(|_| connect(&running)).collect();
    for client in &mut clients {
        client.write_all(b"?").unwrap();
    }
    for _ in 0..32 {
        next(&requests);
    }
    running.drain();
    for client in &mut clients {
        assert_eq!(read_to_end(client), b"at last");
    }
    drop(clients);
    assert_eq!(running.wait().unwrap(), Ended::default());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

pub(crate) fn a_drain_hears_those_who_connected_before_it(engine: EngineKind) {
    for _ in 0..10 {
        let (running, _requests) = start_slow(plan(engine));
        let mut clients: Vec<_> = (0..8).map(|_| connect(&running)).collect();
        for client in &mut clients {
            client.write_all(b"?").unwrap();
        }
        // Some of them are still in the kernel's queue now.
        running.drain();
        for client in &mut clients {
            assert_eq!(read_to_end(client), b"at last");
        }
        drop(clients);
        assert!(running.wait().unwrap().is_clean());
    }
}

pub(crate) fn a_drain_ends_at_its_limit_and_says_what_it_cut(engine: EngineKind) {
    let limits = Plan { drain_limit: Duration::from_millis(50), ..plan(engine) };
    // Never finishes.
    let running = start(limits, |_| {
        |_, event, commands| {
            if let Event::Received { conn, bytes } = event {
                commands.send(conn, bytes);
            }
        }
    });
    let mut client = connect(&running);
    assert_eq!(ask(&mut client, b"hello", 5), b"hello");
    running.drain();
    assert_eq!(read_to_end(&mut client), b"");
    drop(client);
    let ended = running.wait().unwrap();
    assert_eq!(ended, Ended { unfinished_cores: 1, connections_cut: 1, connections_unsent: 0 });
}

pub(crate) fn a_drain_flushes_what_is_queued(engine: EngineKind) {
    const BYTES: usize = 30_000_000;
    // Sends far more than sockets hold and says at once that it has finished.
    let running = start(plan(engine), |_| {
        |_, event, commands| match event {
            Event::Received { conn, .. } => {
                commands.send_with(conn, |out| out.resize(out.len() + BYTES, 1));
            }
            Event::Drain => commands.finished(),
            _ => {}
        }
    });
    let mut client = connect(&running);
    assert_eq!(ask(&mut client, b"?", 1), [1]);
    running.drain();
    assert_eq!(read_to_end(&mut client).len(), BYTES - 1);
    drop(client);
    assert!(running.wait().unwrap().is_clean());
}

pub(crate) fn dropping_the_handle_ends_at_once(engine: EngineKind) {
    let running = start_echo(Plan { cores: cpus(2), ..plan(engine) });
    let mut client = connect(&running);
    assert_eq!(ask(&mut client, b"hello", 5), b"hello");
    let address = running.addresses()[0];
    drop(running);
    assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

pub(crate) fn a_panic_stops_all_cores_and_is_reported(engine: EngineKind) {
    let plan = Plan { cores: cpus(3), listen: Vec::new(), ..plan(engine) };
    let running = start(plan, |context| {
        move |_, event, _| {
            if let (Event::Deadline, CoreIndex(1)) = (event, context.core) {
                panic!("core {} has a bug", context.core.0);
            }
        }
    });
    match running.wait().unwrap_err() {
        RunError::Panicked { core, message } => {
            assert_eq!((core, message.as_str()), (CoreIndex(1), "core 1 has a bug"));
        }
        error @ RunError::Os { .. } => panic!("{error}"),
    }
}

/// Sends this process a signal.
#[expect(unsafe_code, reason = "calls kill")]
fn send(signal: i32) {
    let own = i32::try_from(std::process::id()).unwrap();
    // SAFETY: takes two integers and touches no memory of ours.
    assert_eq!(unsafe { libc::kill(own, signal) }, 0);
}

pub(crate) fn signals_drain_and_then_stop(engine: EngineKind) {
    if !is_alone() {
        return;
    }
    // The first signal drains.
    let (running, requests) = start_slow(plan(engine));
    let signals = Signals::handle(vec![running.stopper()]).unwrap();
    assert!(Signals::handle(Vec::new()).is_err(), "one at a time");
    let mut client = connect(&running);
    client.write_all(b"?").unwrap();
    next(&requests);
    send(libc::SIGTERM);
    assert_eq!(read_to_end(&mut client), b"at last");
    drop(client);
    assert!(running.wait().unwrap().is_clean());
    drop(signals);

    // The second stops, though nobody has finished.
    let running = start(plan(engine), |_| |_, _, _| {});
    let signals = Signals::handle(vec![running.stopper()]).unwrap();
    let address = running.addresses()[0];
    send(libc::SIGINT);
    wait_until("draining", || TcpStream::connect(address).is_err());
    send(libc::SIGINT);
    assert_eq!(running.wait().unwrap().unfinished_cores, 1);
    drop(signals);
}
