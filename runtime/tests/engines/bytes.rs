//! Bytes arrive whole and in order, and back-pressure reaches the peer.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ringyard_runtime::app::{ConnId, Event, SEND_QUEUE_HIGH_BYTES};
use ringyard_runtime::plan::EngineKind;

use crate::harness::{
    ask, connect, finish, next, noise, pause, plan, read, read_to_end, start, start_echo,
    wait_until, wait_until_idle,
};

pub(crate) fn large_data_is_echoed_however_it_is_cut(engine: EngineKind) {
    let running = start_echo(plan(engine));
    let mut client = connect(&running);
    let data = noise(1, 5_000_000);
    let sender = {
        let (mut client, data) = (client.try_clone().unwrap(), data.clone());
        thread::spawn(move || {
            let (mut rest, mut cut) = (&data[..], 1);
            while !rest.is_empty() {
                let length = cut.min(rest.len());
                client.write_all(&rest[..length]).unwrap();
                rest = &rest[length..];
                cut = cut * 7 % 65_521;
            }
        })
    };
    assert!(read(&mut client, data.len()) == data, "the echo differs");
    sender.join().unwrap();
    assert_eq!(finish(&mut client), b"");
    wait_until_idle(&running);
    let counters = &running.counters()[0];
    assert_eq!(counters.bytes_received.get(), data.len() as u64);
    assert_eq!(counters.bytes_sent.get(), data.len() as u64);
}

pub(crate) fn pipelined_requests_are_answered_in_order(engine: EngineKind) {
    // Answers each line, in an order that shows, with a send for each.
    let running = start(plan(engine), |_| {
        let mut partial = Vec::new();
        move |_, event, commands| {
            if let Event::Received { conn, bytes } = event {
                partial.extend_from_slice(bytes);
                while let Some(end) = partial.iter().position(|byte| *byte == b'\n') {
                    commands.send(conn, b"answer to ");
                    commands.send_with(conn, |out| out.extend(partial.drain(..=end)));
                }
            }
        }
    });
    let requests: String = (0..2000).map(|number| format!("{number}\n")).collect();
    let answers: String = (0..2000).map(|number| format!("answer to {number}\n")).collect();
    let answered = ask(&mut connect(&running), requests.as_bytes(), answers.len());
    assert_eq!(String::from_utf8(answered).unwrap(), answers);
}

pub(crate) fn many_connections_at_once_do_not_mix(engine: EngineKind) {
    const CLIENTS: u64 = 8;
    const ROUNDS: u64 = 40;
    let running = start_echo(plan(engine));
    let address = running.addresses()[0];
    // Clients come and go, some without waiting for all of their answer, so that slots are used again while
    // operations of those before are still being ended.
    let client = move |client: u64| {
        for round in 0..ROUNDS {
            let mut stream = crate::harness::connect_to(address);
            let data = noise(client * ROUNDS + round, 20_000);
            let is_hasty = round % 3 == 1;
            stream.write_all(&data).unwrap();
            let length = if is_hasty { data.len() / 2 } else { data.len() };
            assert!(read(&mut stream, length) == data[..length], "a stranger's bytes");
            if round % 3 == 0 {
                assert_eq!(finish(&mut stream), b"");
            }
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|id| thread::spawn(move || client(id))).collect();
    for client in clients {
        client.join().unwrap();
    }
    wait_until_idle(&running);
    assert_eq!(running.counters()[0].accepted.get(), CLIENTS * ROUNDS);
}

pub(crate) fn a_paused_connection_stops_its_peer(engine: EngineKind) {
    let (report, reports) = mpsc::channel();
    // The first byte of the first connection pauses it; anything on the second resumes it.
    let running = start(plan(engine), move |_| {
        let report = report.clone();
        let mut paused: Option<ConnId> = None;
        let mut received = 0usize;
        move |_, event, commands| {
            let Event::Received { conn, bytes } = event else { return };
            match paused {
                None => {
                    paused = Some(conn);
                    commands.pause(conn);
                    report.send(0).unwrap();
                }
                Some(first) if first != conn => {
                    report.send(received).unwrap();
                    commands.resume(first);
                }
                Some(_) => {
                    received += bytes.len();
                    if bytes.contains(&b'.') {
                        report.send(received).unwrap();
                    }
                }
            }
        }
    });
    let mut first = connect(&running);
    first.write_all(b"-").unwrap();
    next(&reports);
    // The app has spoken, but the command takes effect after it has.
    let sent = fill(&mut first);
    assert!(sent < 64 << 20, "{sent} bytes found room somewhere");

    let mut second = connect(&running);
    second.write_all(b"go").unwrap();
    let while_paused = next(&reports);
    assert!(while_paused < 2 << 20, "{while_paused} bytes arrived during the pause");
    first.set_nonblocking(false).unwrap();
    first.write_all(b".").unwrap();
    assert_eq!(next(&reports), sent + 1, "nothing is lost");
}

/// Writes until nothing is taken any more.
fn fill(client: &mut TcpStream) -> usize {
    client.set_nonblocking(true).unwrap();
    let (mut sent, mut refusals) = (0, 0);
    while refusals < 20 {
        match client.write(&[b'-'; 64 * 1024]) {
            Ok(count) => {
                sent += count;
                refusals = 0;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refusals += 1;
                pause(Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    sent
}

pub(crate) fn a_slow_reader_congests_and_drains(engine: EngineKind) {
    /// More than the sockets of both sides can hold.
    const PARTS: usize = 100;
    const PART_BYTES: usize = SEND_QUEUE_HIGH_BYTES + 1;
    let (report, reports) = mpsc::channel();
    // Sends a part whenever there is room, and says when it is told to hold back or to go on.
    let running = start(plan(engine), move |_| {
        let report = report.clone();
        let mut left = PARTS;
        move |_, event, commands| {
            let conn = match event {
                Event::Opened { conn, .. } => conn,
                Event::Drained { conn } => {
                    report.send("drained").unwrap();
                    conn
                }
                Event::Congested { .. } => return report.send("congested").unwrap(),
                _ => return,
            };
            if left == 0 {
                return commands.close(conn);
            }
            left -= 1;
            commands.send(conn, &noise(left as u64, PART_BYTES));
        }
    });
    let mut client = connect(&running);
    // Each part is one byte too many. Some go out at once, until the peer's window is full.
    let mut told = Vec::new();
    wait_until("the queue is stuck", || {
        told.extend(reports.try_iter());
        pause(Duration::from_millis(100));
        told.last() == Some(&"congested") && reports.try_recv().is_err()
    });
    assert!(told.len() < 2 * PARTS, "the peer reads nothing, yet all went out");

    let received = read_to_end(&mut client);
    let sent: Vec<u8> = (0..PARTS).rev().flat_map(|part| noise(part as u64, PART_BYTES)).collect();
    assert!(received == sent, "{} bytes of {}", received.len(), sent.len());
    told.extend(reports.iter().take(2 * PARTS - told.len()));
    let alternating = ["congested", "drained"].repeat(PARTS);
    assert_eq!(told, alternating, "each part congests once and drains once");
    wait_until("closed", || running.counters()[0].bytes_sent.get() == sent.len() as u64);
}
