//! Too little of everything: buffers, queues, connections, descriptors.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;

use ringyard_runtime::app::Event;
use ringyard_runtime::plan::EngineKind;
use ringyard_runtime::running::Running;
use socket2::{Domain, Socket, Type};

use crate::harness::{
    HANG, ask, connect, finish, is_alone, next, noise, open_connections, plan, start, start_echo,
    wait_until, wait_until_idle,
};

/// Has `clients` connections send all at once, tells when they have, and checks that each gets its own bytes back.
fn echo_everywhere(running: &Running, clients: u64, length: usize, all_sent: impl FnOnce()) {
    let mut streams: Vec<_> = (0..clients).map(|_| connect(running)).collect();
    for (stream, seed) in streams.iter_mut().zip(0..) {
        stream.write_all(&noise(seed, length)).unwrap();
    }
    all_sent();
    for (stream, seed) in streams.iter_mut().zip(0..) {
        let mut echo = vec![0; length];
        stream.read_exact(&mut echo).unwrap();
        assert!(echo == noise(seed, length), "a stranger's bytes");
    }
    for stream in &mut streams {
        assert_eq!(finish(stream), b"");
    }
    wait_until_idle(running);
}

pub(crate) fn a_few_small_buffers_serve_many_connections(engine: EngineKind) {
    let mut plan = plan(engine);
    plan.limits.receive_buffers = 2;
    plan.limits.receive_buffer_bytes = 64;
    let running = start_echo(plan);
    echo_everywhere(&running, 100, 5_000, || ());
    if engine == EngineKind::Ring {
        assert!(running.counters()[0].receive_buffers_exhausted.get() > 0, "there were enough");
    }
}

pub(crate) fn small_queues_serve_many_connections(engine: EngineKind) {
    let mut plan = plan(engine);
    plan.limits.ring_entries = 8;
    let (report, reports) = mpsc::channel();
    // The app sleeps through the arrival of everything, so that it all comes at once.
    let running = start(plan, move |_| {
        let (wake, woken) = mpsc::channel();
        report.send(wake).unwrap();
        let mut woken = Some(woken);
        move |_, event, commands| {
            if let Event::Received { .. } = event
                && let Some(woken) = woken.take()
            {
                woken.recv_timeout(HANG).unwrap();
            }
            crate::harness::echo(event, commands);
        }
    });
    let wake = next(&reports);
    echo_everywhere(&running, 300, 3_000, || wake.send(()).unwrap());
    if engine == EngineKind::Ring {
        assert!(running.counters()[0].completion_overflows.get() > 0, "there was room enough");
    }
}

pub(crate) fn connections_beyond_the_limit_wait_their_turn(engine: EngineKind) {
    const LIMIT: u32 = 3;
    let mut plan = plan(engine);
    plan.limits.connections = LIMIT;
    let running = start_echo(plan);
    let mut waiting: Vec<_> = (0..20u8).map(|_| connect(&running)).collect();
    for (client, byte) in waiting.iter_mut().zip(0..) {
        client.write_all(&[byte]).unwrap();
    }
    for (mut client, byte) in waiting.into_iter().zip(0..) {
        let mut echo = [0];
        client.read_exact(&mut echo).unwrap();
        assert_eq!(echo, [byte]);
        assert!(open_connections(&running) <= u64::from(LIMIT));
    }
    wait_until_idle(&running);
    assert_eq!(running.counters()[0].accepted.get(), 20);
}

/// Descriptors that this process has open.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Lowers this process's limit of descriptors, both the soft one, which a launch raises, and the hard one.
#[expect(unsafe_code, reason = "calls setrlimit")]
fn limit_descriptors(limit: usize) {
    let limit = libc::rlimit { rlim_cur: limit as u64 / 2, rlim_max: limit as u64 };
    // SAFETY: the pointer is valid for the call.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0);
}

pub(crate) fn descriptors_that_run_out_stop_nobody_else(engine: EngineKind) {
    if !is_alone() {
        return;
    }
    // Lowered first: an accept that waits for connections keeps the limit that it was submitted under.
    let limit = descriptors() + 60;
    limit_descriptors(limit);
    let last = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let running = start_echo(plan(engine));
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let raised = format!("Max open files            {limit:<20} {limit:<20}");
    assert!(limits.contains(&raised), "the launch raises the soft limit: {limits}");
    let echo = |client: &mut TcpStream| assert_eq!(ask(client, b"here", 4), b"here");
    let mut served: Vec<_> = (0..10).map(|_| connect(&running)).collect();
    served.iter_mut().for_each(echo);
    // More clients, until not even they get a descriptor, and one that has had its own from the start. The
    // kernel completes the connections for which the server has none; they wait in its queue.
    let mut waiting: Vec<_> = Vec::new();
    while let Ok(client) = TcpStream::connect(running.addresses()[0]) {
        waiting.push(client);
    }
    last.connect(&running.addresses()[0].into()).unwrap();
    waiting.push(last.into());
    let counters = &running.counters()[0];
    wait_until("accepting fails", || counters.accept_failures.get() > 1);
    let turns = counters.turns.get();
    for _ in 0..100 {
        served.iter_mut().for_each(echo);
    }
    assert!(counters.turns.get() - turns < 10_000, "it spins");
    // Room for those who wait, one by one: a client that leaves frees its own descriptor and the server's.
    served.truncate(5);
    for mut client in waiting {
        client.set_read_timeout(Some(HANG)).unwrap();
        echo(&mut client);
    }
    served.iter_mut().for_each(echo);
    drop(served);
    wait_until_idle(&running);
}

pub(crate) fn a_thousand_connections_leave_nothing_behind(engine: EngineKind) {
    if !is_alone() {
        return;
    }
    let running = start_echo(plan(engine));
    let round = |round: u64| {
        let mut clients: Vec<_> = (0..20).map(|_| connect(&running)).collect();
        for (client, number) in clients.iter_mut().zip(0..) {
            let data = noise(round * 20 + number, 100);
            assert_eq!(ask(client, &data, 100), data);
        }
    };
    round(0);
    wait_until_idle(&running);
    let before = descriptors();
    (1..=50).for_each(round);
    wait_until_idle(&running);
    // The last close may be submitted and not yet carried out.
    wait_until("as many descriptors as before", || descriptors() <= before);
    let counters = &running.counters()[0];
    assert_eq!((counters.connections.get(), counters.accepted.get()), (0, 51 * 20));
    assert_eq!(counters.bytes_sent.get(), counters.bytes_received.get());
}
