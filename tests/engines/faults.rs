//! What a proxy promises when its backends fail or it is told to stop.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use ringyard_scheduler::StrategyKind;
use ringyard_servers::classifier::ClassifierConfig;
use ringyard_servers::proxy::ProxyConfig;
use ringyard_tests::client::{Client, get, proxy_classify};
use ringyard_tests::servers::{Engine, backend, classifier, plan, proxy};

const CLIENTS: usize = 32;

fn config(backends: &[SocketAddr]) -> ProxyConfig {
    ProxyConfig {
        strategy: StrategyKind::Sjf,
        ..ProxyConfig::new(backends.iter().map(|address| backend(*address)).collect())
    }
}

/// Waits until the proxy says that a backend is there.
fn wait_until_ready(address: SocketAddr) {
    let mut client = Client::connect(address);
    while client.ask(&get("/readyz")).status != 200 {
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// A backend that is killed under load fails the requests of its batch with 502 and no others; once it is
/// back on its port all is well.
pub(crate) fn backend_killed(engine: Engine) {
    let slow = ClassifierConfig { cost_scale: 50.0, ..ClassifierConfig::default() };
    let behind = classifier(plan(engine, 1), slow);
    let port = behind.address;
    let server = proxy(plan(engine, 1), config(&[port]));
    wait_until_ready(server.address);
    let text = "x".repeat(100);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(server.address)).collect();
    for client in &mut clients {
        client.send(&proxy_classify("A", &[&text])).expect("the connection holds");
    }
    // The first batch takes half a second; it is certainly at the backend once the queue is there.
    let mut watcher = Client::connect(server.address);
    while !watcher.ask(&get("/metrics")).body.contains("ringyard_batches_in_flight 1") {
        thread::park_timeout(Duration::from_millis(1));
    }
    behind.stop();
    let instant = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    let behind = classifier(plan(engine, 1).at(port), instant);
    let mut failed = 0;
    for client in &mut clients {
        let answer = client.answer();
        assert!(matches!(answer.status, 200 | 502), "{answer:?}");
        failed += usize::from(answer.status == 502);
    }
    assert!((1..=5).contains(&failed), "{failed} requests failed; a batch has at most 5");
    assert_eq!(clients[0].ask(&proxy_classify("A", &["x"])).status, 200);
    server.drain();
    behind.drain();
}

/// A backend that accepts and never answers: everyone gets 504 by the deadline, and service is normal once
/// another backend is there.
pub(crate) fn backend_frozen(engine: Engine) {
    let frozen =
        TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    let address = frozen.local_addr().expect("an address");
    let deadline = Duration::from_millis(500);
    let server = proxy(plan(engine, 1), ProxyConfig { deadline, ..config(&[address]) });
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(server.address)).collect();
    for client in &mut clients {
        client.send(&proxy_classify("A", &["x"])).expect("the connection holds");
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 504);
    }
    drop(frozen);
    let behind = classifier(plan(engine, 1).at(address), ClassifierConfig::default());
    let mut client = Client::connect(server.address);
    while client.ask(&proxy_classify("A", &["x"])).status != 200 {
        thread::park_timeout(Duration::from_millis(5));
    }
    for client in &mut clients {
        assert_eq!(client.ask(&proxy_classify("A", &["x"])).status, 200);
    }
    server.drain();
    behind.drain();
}

/// A proxy that is told to stop with requests in flight answers all of them.
pub(crate) fn drained_in_flight(engine: Engine) {
    let large = ClassifierConfig { cost_scale: 0.0, items_max: 64, ..ClassifierConfig::default() };
    let behind = classifier(plan(engine, 1), large);
    let held = ProxyConfig {
        strategy: StrategyKind::Fcfs,
        linger: Some(Duration::from_millis(500)),
        batch_sequences_max: 64,
        ..config(&[behind.address])
    };
    let server = proxy(plan(engine, 1), held);
    wait_until_ready(server.address);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(server.address)).collect();
    for client in &mut clients {
        client.send(&proxy_classify("A", &["x"])).expect("the connection holds");
    }
    let mut watcher = Client::connect(server.address);
    while !watcher
        .ask(&get("/metrics"))
        .body
        .contains(&format!("ringyard_queue_requests {CLIENTS}"))
    {
        thread::park_timeout(Duration::from_millis(1));
    }
    server.drain();
    for client in &mut clients {
        let answer = client.answer();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        assert!(client.closed());
    }
}
