//! How connections end: from either side, in halves, in anger.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ringyard_runtime::app::{ConnError, Event};
use ringyard_runtime::plan::{EngineKind, Plan};

use crate::harness::{
    ask, connect, finish, next, noise, opened, plan, read, read_to_end, start, wait_until_idle,
};

pub(crate) fn a_client_that_half_closes_still_gets_its_answer(engine: EngineKind) {
    let running = start(plan(engine), |_| {
        let mut received = 0;
        move |_, event, commands| match event {
            Event::Received { bytes, .. } => received += bytes.len(),
            Event::PeerClosed { conn } => {
                commands.send(conn, received.to_string().as_bytes());
                commands.close(conn);
            }
            _ => {}
        }
    });
    let mut client = connect(&running);
    client.write_all(&[7; 12_345]).unwrap();
    assert_eq!(finish(&mut client), b"12345");
    wait_until_idle(&running);
}

pub(crate) fn a_server_that_half_closes_still_hears_its_client(engine: EngineKind) {
    let (report, reports) = mpsc::channel();
    let running = start(plan(engine), move |_| {
        let report = report.clone();
        move |_, event, commands| match event {
            Event::Opened { conn, .. } => {
                commands.send(conn, b"that is all");
                commands.finish(conn);
                commands.send(conn, b"ignored");
            }
            Event::Received { bytes, .. } => report.send(bytes.to_vec()).unwrap(),
            Event::PeerClosed { conn } => {
                report.send(Vec::new()).unwrap();
                commands.close(conn);
            }
            _ => {}
        }
    });
    let mut client = connect(&running);
    assert_eq!(read_to_end(&mut client), b"that is all");
    client.write_all(b"I see").unwrap();
    assert_eq!(next(&reports), b"I see");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(next(&reports), b"");
    wait_until_idle(&running);
}

pub(crate) fn an_abort_is_seen_as_a_reset(engine: EngineKind) {
    let running = start(plan(engine), |_| {
        |_, event, commands| {
            if let Event::Received { conn, .. } = event {
                commands.send(conn, b"lost");
                commands.abort(conn);
                commands.send(conn, b"ignored");
            }
        }
    });
    let mut client = connect(&running);
    client.write_all(b"x").unwrap();
    let error = client.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    wait_until_idle(&running);
}

pub(crate) fn a_close_does_not_lose_the_answer_to_a_peer_that_still_sends(engine: EngineKind) {
    let answer = noise(3, 100_000);
    let sent = answer.clone();
    // Answers the first bytes of a long request and closes, as a server does that refuses it.
    let running = start(plan(engine), move |_| {
        let sent = sent.clone();
        move |_, event, commands| {
            if let Event::Received { conn, .. } = event {
                commands.send(conn, &sent);
                commands.close(conn);
            }
        }
    });
    for _ in 0..10 {
        let mut client = connect(&running);
        let sender = {
            let mut client = client.try_clone().unwrap();
            thread::spawn(move || {
                client.write_all(&[0; 3_000_000]).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
            })
        };
        sender.join().unwrap();
        assert!(read_to_end(&mut client) == answer, "the answer is lost or cut");
    }
    wait_until_idle(&running);
}

pub(crate) fn a_closed_connection_whose_peer_stays_is_cut_off(engine: EngineKind) {
    let mut plan = plan(engine);
    plan.limits.linger = Duration::from_millis(50);
    plan.limits.flush_stall = Duration::from_millis(200);
    // Closes at once, with an answer that fits for those who say hello, else with one that never will.
    let running = start(plan, |_| {
        |_, event, commands| {
            if let Event::Received { conn, bytes } = event {
                let length = if bytes == b"hello" { 10 } else { 100_000_000 };
                commands.send_with(conn, |out| out.resize(out.len() + length, 0));
                commands.close(conn);
            }
        }
    });
    let mut lingerer = connect(&running);
    assert_eq!(ask(&mut lingerer, b"hello", 10), [0; 10]);
    assert_eq!(read_to_end(&mut lingerer), b"");
    let mut idler = connect(&running);
    idler.write_all(b"give me more than I will take").unwrap();
    assert_eq!(read(&mut idler, 1), [0]);
    // Neither closes, yet both are gone.
    wait_until_idle(&running);
    drop((lingerer, idler));
}

pub(crate) fn a_reset_is_reported_once(engine: EngineKind) {
    let (report, reports) = mpsc::channel();
    let running = start(plan(engine), move |_| {
        let report = report.clone();
        move |_, event, commands| match event {
            Event::Opened { conn, .. } => commands.send(conn, b"hello"),
            Event::Failed { error, conn } => {
                report.send(Some(error)).unwrap();
                // Commands for what is gone are ignored.
                commands.send(conn, b"?");
                commands.pause(conn);
                commands.close(conn);
            }
            Event::PeerClosed { .. } => report.send(None).unwrap(),
            _ => {}
        }
    });
    for _ in 0..20 {
        let client = connect(&running);
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(next(&reports), Some(ConnError::Reset));
    }
    wait_until_idle(&running);
    assert!(reports.try_recv().is_err(), "nothing more is said");
}

pub(crate) fn no_id_is_used_twice(engine: EngineKind) {
    const CONNECTIONS: usize = 300;
    let (report, reports) = mpsc::channel();
    let running = start(Plan { drain_limit: Duration::ZERO, ..plan(engine) }, move |_| {
        let report = report.clone();
        move |_, event, commands| {
            if let Some(conn) = opened(&event) {
                report.send(conn).unwrap();
                if conn.generation % 2 == 0 { commands.close(conn) } else { commands.abort(conn) }
            }
        }
    });
    for _ in 0..CONNECTIONS {
        let mut client = connect(&running);
        // Closed or reset.
        let _ = client.read(&mut [0; 1]);
    }
    let ids: HashSet<_> = (0..CONNECTIONS).map(|_| next(&reports)).collect();
    assert_eq!(ids.len(), CONNECTIONS);
    let slots = ids.iter().map(|id| id.slot).max().unwrap();
    assert!(slots < 50, "slots are dense, not {slots}");
}
