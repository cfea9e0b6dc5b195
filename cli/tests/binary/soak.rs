//! Promises that take long or an idle machine to show: memory, idle connections, slow clients.
//!
//! Ignored in the ordinary test run; `bench/soak.sh` runs them and prints the figures.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use ringyard_tests::client::{Client, classify, proxy_classify};

use crate::ENGINES;
use crate::process::Process;

const MILLION: usize = 1_000_000;

/// Requests after which buffers and tables have their size.
const WARM_UP: usize = 100_000;

/// Requests that a client sends before it reads the answers.
const DEPTH: usize = 16;

const CONNECTIONS: usize = 8;

/// By how much memory may grow over a million requests.
const GROWTH_KIB_MAX: u64 = 8 * 1024;

const IDLE_CONNECTIONS: usize = 10_000;

const IDLE_KIB_PER_CONNECTION_MAX: u64 = 16;

/// How long idle connections are watched.
const IDLE_WATCH: Duration = Duration::from_secs(5);

/// What part of a core idle connections may take.
const IDLE_SHARE_MAX: f64 = 0.01;

const SLOW_CLIENTS: usize = 500;

fn classifier(engine: &str) -> Process {
    let listen = "127.0.0.1:0";
    Process::start(&["classifier", "--listen", listen, "--cost-scale", "0", "--engine", engine])
}

fn proxy(engine: &str, backend: SocketAddr) -> Process {
    let backend = format!("http://{backend}");
    let flags = ["proxy", "--listen", "127.0.0.1:0", "--backend", &backend, "--linger", "0s"];
    Process::start(&[&flags[..], &["--engine", engine]].concat())
}

/// Has `count` requests answered over some connections.
fn load(address: SocketAddr, request: &[u8], count: usize) {
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| Client::connect(address)).collect();
    let burst = request.repeat(DEPTH);
    for _ in 0..count / DEPTH / CONNECTIONS {
        for client in &mut clients {
            client.send(&burst).expect("the connection holds");
        }
        for client in &mut clients {
            for _ in 0..DEPTH {
                assert_eq!(client.answer().status, 200);
            }
        }
    }
}

#[track_caller]
fn check_memory(name: &str, process: &Process, request: &[u8]) {
    load(process.address, request, WARM_UP);
    let before = process.resident_kib();
    load(process.address, request, MILLION);
    let after = process.resident_kib();
    println!("{name}: {before} KiB before a million requests, {after} KiB after");
    assert!(after <= before + GROWTH_KIB_MAX, "{name} grew from {before} to {after} KiB");
}

#[test]
#[ignore = "a million requests each take minutes; run by bench/soak.sh"]
fn a_million_requests_leave_memory_as_it_was() {
    for engine in ENGINES {
        let classifier = classifier(engine);
        check_memory(&format!("classifier, {engine}"), &classifier, &classify(&["def f(): pass"]));
        let proxy = proxy(engine, classifier.address);
        let request = proxy_classify("A", &["def f(): pass"]);
        check_memory(&format!("proxy, {engine}"), &proxy, &request);
    }
}

#[test]
#[ignore = "needs 10,000 descriptors on both sides; run by bench/soak.sh"]
fn idle_connections_cost_next_to_nothing() {
    for engine in ENGINES {
        let process = classifier(engine);
        load(process.address, &classify(&["a"]), WARM_UP / 10);
        let before = process.resident_kib();
        let mut clients: Vec<_> =
            (0..IDLE_CONNECTIONS).map(|_| Client::connect(process.address)).collect();
        for client in &mut clients {
            assert_eq!(client.ask(&classify(&["a"])).status, 200);
        }
        let held = process.resident_kib().saturating_sub(before);
        let cpu = process.cpu_time();
        thread::park_timeout(IDLE_WATCH);
        let share = (process.cpu_time() - cpu).as_secs_f64() / IDLE_WATCH.as_secs_f64();
        println!(
            "{engine}: {IDLE_CONNECTIONS} idle connections hold {held} KiB, take {:.3} % of a core",
            share * 100.0
        );
        assert!(held <= IDLE_KIB_PER_CONNECTION_MAX * IDLE_CONNECTIONS as u64);
        assert!(share <= IDLE_SHARE_MAX);
        assert_eq!(clients[IDLE_CONNECTIONS / 2].ask(&classify(&["a"])).status, 200);
    }
}

/// The time that 99 of 100 requests of one client stay below.
fn p99(address: SocketAddr) -> Duration {
    let mut client = Client::connect(address);
    let mut times: Vec<_> = (0..2_000)
        .map(|_| {
            #[expect(
                clippy::disallowed_methods,
                reason = "a client from outside measures by the clock"
            )]
            let start = Instant::now();
            assert_eq!(client.ask(&classify(&["a"])).status, 200);
            #[expect(
                clippy::disallowed_methods,
                reason = "a client from outside measures by the clock"
            )]
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

#[test]
#[ignore = "measures time, which needs an idle machine; run by bench/soak.sh"]
fn slow_clients_do_not_slow_others_down() {
    for engine in ENGINES {
        let process = classifier(engine);
        let base = p99(process.address);
        let request = classify(&["a"]);
        let _slow: Vec<_> = (0..SLOW_CLIENTS)
            .map(|index| {
                let mut client = Client::connect(process.address);
                client.send(&request[..index % 40 + 1]).expect("the connection holds");
                client
            })
            .collect();
        let beside = p99(process.address);
        println!("{engine}: p99 {base:?} alone, {beside:?} beside {SLOW_CLIENTS} slow clients");
        assert!(beside <= (base * 3).max(Duration::from_millis(10)));
    }
}
