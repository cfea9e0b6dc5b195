//! The proxy against its contract, without an engine: clients and backends are the test's own hands.

use std::time::Duration;

use ringyard_runtime::app::{ConnError, ConnId, CoreIndex, Event};
use ringyard_runtime::counters::CoreContext;
use ringyard_scheduler::StrategyKind;
use ringyard_servers::limits::{BACKEND_IDLE_MAX, BACKEND_RECONNECT_MIN, QUEUE_JOBS_ALWAYS};
use ringyard_servers::proxy::{self, BackendTarget, ProxyConfig, ProxyMail, ProxyServer};

use crate::driver::{Driver, Fate, answers, post};

pub(crate) type Driven = Driver<ProxyServer>;

/// A proxy that keeps to the rules of the original, in all but what a test changes.
pub(crate) fn config() -> ProxyConfig {
    let backend = |port| BackendTarget {
        address: ([127, 0, 0, 1], port).into(),
        host: format!("127.0.0.1:{port}"),
        path: String::from("/classify"),
    };
    ProxyConfig {
        strategy: StrategyKind::Sjf,
        deadline: Duration::from_secs(2),
        ..ProxyConfig::new(vec![backend(9001)]).with_parity()
    }
}

pub(crate) fn server(config: ProxyConfig) -> Driven {
    let make = proxy::factory(proxy::front_default(), config, 1);
    Driver::new(make(CoreContext::detached(CoreIndex(0), 1)))
}

/// A proxy of two cores: the owner of the queue, and the other.
fn two_cores() -> (Driven, Driven) {
    two_cores_of(config())
}

pub(crate) fn two_cores_of(config: ProxyConfig) -> (Driven, Driven) {
    let make = proxy::factory(proxy::front_default(), config, 2);
    let core = |index| Driver::new(make(CoreContext::detached(CoreIndex(index), 2)));
    (core(0), core(1))
}

pub(crate) fn classify(customer: &str, texts: &[&str]) -> Vec<u8> {
    let body = serde_json::json!({ "sequences": texts }).to_string();
    post("/proxy_classify", &format!("x-customer-id: {customer}\r\n"), &body)
}

/// The bodies of the batches that the proxy has sent to a backend since the last call.
pub(crate) fn batches(driver: &mut Driven, backend: ConnId) -> Vec<serde_json::Value> {
    let text = driver.take_sent(backend);
    text.split("POST /classify HTTP/1.1\r\n")
        .skip(1)
        .map(|request| {
            let (head, body) =
                request.split_once("\r\n\r\n").expect("the proxy writes whole requests");
            assert!(head.contains("host: 127.0.0.1:9001"), "{head}");
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            serde_json::from_str(body).expect("the proxy writes whole requests")
        })
        .collect()
}

/// Has the backend answer with these results.
pub(crate) fn reply(driver: &mut Driven, backend: ConnId, results: &[&str]) {
    let body = serde_json::json!({ "results": results }).to_string();
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    driver.receive(backend, reply.as_bytes());
}

/// The one answer that a client has got since the last call: its status and its body.
#[track_caller]
pub(crate) fn answer(driver: &mut Driven, client: ConnId) -> (u16, String) {
    let text = driver.take_sent(client);
    let mut list = answers(&text);
    assert_eq!(list.len(), 1, "{text}");
    let (status, _, body) = list.remove(0);
    (status, body)
}

/// The page of figures.
pub(crate) fn metrics(driver: &mut Driven) -> String {
    let conn = driver.accept();
    driver.receive(conn, b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n");
    answer(driver, conn).1
}

/// A client that has sent one request.
pub(crate) fn client(driver: &mut Driven, customer: &str, texts: &[&str]) -> ConnId {
    let conn = driver.accept();
    driver.receive(conn, &classify(customer, texts));
    conn
}

#[test]
fn requests_share_a_batch_and_each_gets_its_own_results() {
    let mut driver = server(config());
    let backend = driver.connect();
    let first = client(&mut driver, "A", &["12345"]);
    assert_eq!(batches(&mut driver, backend), [serde_json::json!({ "sequences": ["12345"] })]);
    let second = client(&mut driver, "A", &["\u{1f600}\"\\", "x"]);
    let third = client(&mut driver, "B", &["y"]);
    assert_eq!(driver.take_sent(backend), "", "one batch in flight at a time");
    driver.advance(Duration::from_millis(12));
    reply(&mut driver, backend, &["r1"]);
    assert_eq!(
        answer(&mut driver, first),
        (200, String::from(r#"{"results":["r1"],"proxy_latency_ms":12}"#))
    );
    assert_eq!(
        batches(&mut driver, backend),
        [serde_json::json!({ "sequences": ["y", "\u{1f600}\"\\", "x"] })]
    );
    reply(&mut driver, backend, &["r2", "r3", "r4"]);
    assert!(answer(&mut driver, third).1.starts_with(r#"{"results":["r2"],"#));
    assert!(answer(&mut driver, second).1.starts_with(r#"{"results":["r3","r4"],"#));
}

#[test]
fn first_come_first_served_holds_an_incomplete_batch_for_fifty_milliseconds() {
    let mut driver = server(ProxyConfig { strategy: StrategyKind::Fcfs, ..config() });
    let backend = driver.connect();
    client(&mut driver, "A", &["a"]);
    driver.advance(Duration::from_millis(49));
    assert_eq!(driver.take_sent(backend), "");
    client(&mut driver, "B", &["b"]);
    driver.advance(Duration::from_millis(1));
    assert_eq!(batches(&mut driver, backend), [serde_json::json!({ "sequences": ["a", "b"] })]);
}

#[test]
fn refusals_keep_the_contract() {
    let mut driver = server(config());
    driver.connect();
    let conn = driver.accept();
    let mut check = |request: &[u8], status: u16, text: &str| {
        driver.receive(conn, request);
        let (got, body) = answer(&mut driver, conn);
        assert_eq!(got, status, "{body}");
        assert!(body.contains(text), "{body}");
    };
    let need = "{\"detail\":\"Need 1\u{2013}5 sequences\"}";
    check(&classify("A", &[]), 400, need);
    check(&classify("A", &["1", "2", "3", "4", "5", "6"]), 400, need);
    check(&post("/proxy_classify", "", "{}"), 422, r#""loc":["body","sequences"]"#);
    check(&classify("no token", &["a"]), 400, "X-Customer-Id");
    check(&classify(&"x".repeat(129), &["a"]), 400, "X-Customer-Id");
    check(&post("/classify", "", "{}"), 404, r#"{"detail":"Not Found"}"#);
    check(b"GET /proxy_classify HTTP/1.1\r\nhost: a\r\n\r\n", 405, "Method Not Allowed");
    check(&post("/strategy?new_strategy=no", "", ""), 422, "'fcfs', 'sjf', 'fair'");
    check(&post("/strategy", "", ""), 422, r#""loc":["query","new_strategy"]"#);
    check(&post("/strategy", "", "{}"), 422, r#""loc":["body"]"#);
    check(&post("/strategy", "", r#""fair""#), 200, r#"{"active_strategy":"fair"}"#);
    check(&post("/strategy?new_strategy=fcfs", "", ""), 200, r#"{"active_strategy":"fcfs"}"#);
    check(
        b"GET /strategy HTTP/1.1\r\nhost: a\r\n\r\n",
        200,
        r#"{"active_strategy":"fcfs","strategies":["fcfs","sjf","fair""#,
    );
}

#[test]
fn a_switch_of_strategy_keeps_what_is_queued() {
    let mut driver = server(config());
    let backend = driver.connect();
    let blocker = client(&mut driver, "A", &["block"]);
    batches(&mut driver, backend);
    let texts = ["aaaa", "aaa", "aa", "a"];
    let clients: Vec<_> = texts.iter().map(|text| client(&mut driver, text, &[text])).collect();
    for name in ["fair", "fcfs", "sjf"] {
        let conn = driver.accept();
        driver.receive(conn, &post(&format!("/strategy?new_strategy={name}"), "", ""));
        assert_eq!(answer(&mut driver, conn).0, 200);
    }
    reply(&mut driver, backend, &["-"]);
    assert_eq!(answer(&mut driver, blocker).0, 200);
    assert_eq!(
        batches(&mut driver, backend),
        [serde_json::json!({ "sequences": ["a", "aa", "aaa", "aaaa"] })]
    );
    reply(&mut driver, backend, &["1", "2", "3", "4"]);
    for (conn, result) in clients.into_iter().zip(["4", "3", "2", "1"]) {
        assert!(answer(&mut driver, conn).1.contains(&format!(r#"["{result}"]"#)));
    }
}

#[test]
fn a_client_that_leaves_takes_its_request_out_of_the_queue() {
    let mut driver = server(config());
    let backend = driver.connect();
    client(&mut driver, "A", &["block"]);
    batches(&mut driver, backend);
    let leaves = client(&mut driver, "A", &["leaves"]);
    let fails = client(&mut driver, "A", &["fails"]);
    let stays = client(&mut driver, "A", &["stays"]);
    driver.event(Event::PeerClosed { conn: leaves });
    assert_eq!(driver.fate(leaves), Fate::Closed);
    driver.event(Event::Failed { conn: fails, error: ConnError::Reset });
    reply(&mut driver, backend, &["-"]);
    assert_eq!(batches(&mut driver, backend), [serde_json::json!({ "sequences": ["stays"] })]);
    reply(&mut driver, backend, &["-"]);
    assert_eq!(answer(&mut driver, stays).0, 200);
}

#[test]
fn a_batch_that_nobody_awaits_is_aborted_and_the_lane_comes_back() {
    let mut driver = server(config());
    let backend = driver.connect();
    let leaves = client(&mut driver, "A", &["leaves"]);
    batches(&mut driver, backend);
    let stays = client(&mut driver, "A", &["stays"]);
    driver.event(Event::PeerClosed { conn: leaves });
    assert_eq!(driver.fate(backend), Fate::Aborted);
    let backend = driver.connect();
    assert_eq!(batches(&mut driver, backend), [serde_json::json!({ "sequences": ["stays"] })]);
    reply(&mut driver, backend, &["-"]);
    assert_eq!(answer(&mut driver, stays).0, 200);
}

#[test]
fn a_backend_that_dies_fails_its_batch_and_nothing_else() {
    let mut driver = server(config());
    let backend = driver.connect();
    let doomed = client(&mut driver, "A", &["doomed"]);
    let waits = client(&mut driver, "A", &["waits"]);
    driver.event(Event::Failed { conn: backend, error: ConnError::Reset });
    driver.advance(BACKEND_RECONNECT_MIN);
    assert_eq!(
        answer(&mut driver, doomed),
        (502, String::from(r#"{"detail":"Downstream service error: connection reset by peer"}"#))
    );
    assert_eq!(driver.take_sent(waits), "");
    driver.refuse();
    driver.advance(Duration::from_millis(100));
    let backend = driver.connect();
    assert_eq!(batches(&mut driver, backend), [serde_json::json!({ "sequences": ["waits"] })]);
    reply(&mut driver, backend, &["-"]);
    assert_eq!(answer(&mut driver, waits).0, 200);
}

#[test]
fn without_any_backend_requests_fail_after_the_grace_and_then_at_once() {
    let mut driver = server(config());
    driver.refuse();
    let waits = client(&mut driver, "A", &["waits"]);
    for _ in 0..100 {
        driver.advance(Duration::from_millis(20));
        if !driver.connects.is_empty() {
            driver.refuse();
        }
    }
    let (status, body) = answer(&mut driver, waits);
    assert_eq!(status, 502, "{body}");
    let at_once = client(&mut driver, "A", &["at once"]);
    assert_eq!(answer(&mut driver, at_once).0, 502);
    let conn = driver.accept();
    driver.receive(conn, b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(answer(&mut driver, conn).0, 503);
    driver.advance(Duration::from_secs(1));
    let backend = driver.connect();
    driver.receive(conn, b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(answer(&mut driver, conn).0, 200);
    let served = client(&mut driver, "A", &["served"]);
    reply(&mut driver, backend, &["-"]);
    assert_eq!(answer(&mut driver, served).0, 200);
}

#[test]
fn a_frozen_backend_is_answered_for_by_the_deadline() {
    let mut driver = server(config());
    let backend = driver.connect();
    let in_flight = client(&mut driver, "A", &["in flight"]);
    driver.advance(Duration::from_millis(500));
    let queued = client(&mut driver, "A", &["queued"]);
    driver.advance(Duration::from_millis(1499));
    assert_eq!(driver.take_sent(in_flight), "");
    driver.advance(Duration::from_millis(1));
    let (status, body) = answer(&mut driver, in_flight);
    assert_eq!(status, 504, "{body}");
    assert_eq!(driver.fate(backend), Fate::Aborted);
    let backend = driver.connect();
    assert_eq!(batches(&mut driver, backend), [serde_json::json!({ "sequences": ["queued"] })]);
    driver.advance(Duration::from_millis(500));
    assert_eq!(answer(&mut driver, queued).0, 504);
}

#[test]
fn replies_that_cannot_be_used_are_502() {
    for wrong in [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"results\":[]}",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let mut driver = server(config());
        let backend = driver.connect();
        let conn = client(&mut driver, "A", &["a"]);
        driver.receive(backend, wrong.as_bytes());
        let (status, body) = answer(&mut driver, conn);
        assert_eq!(status, 502, "{wrong}");
        assert!(body.starts_with(r#"{"detail":"Downstream service error: "#), "{body}");
    }
}

#[test]
fn a_backend_that_closes_after_each_reply_is_connected_again() {
    let mut driver = server(config());
    for _ in 0..3 {
        let backend = driver.connect();
        let conn = client(&mut driver, "A", &["a"]);
        let reply = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"results\":[\"x\"]}";
        driver.receive(backend, reply.as_bytes());
        assert_eq!(driver.take_sent(conn), "");
        driver.event(Event::PeerClosed { conn: backend });
        assert_eq!(answer(&mut driver, conn).0, 200);
        assert_eq!(driver.fate(backend), Fate::Closed);
    }
}

#[test]
fn a_connection_that_was_idle_for_long_is_replaced_before_it_carries_a_batch() {
    let mut driver = server(config());
    let stale = driver.connect();
    driver.advance(BACKEND_IDLE_MAX);
    assert_eq!(driver.fate(stale), Fate::Open, "nothing to carry, nothing to replace");
    let conn = client(&mut driver, "A", &["a"]);
    assert_eq!(driver.fate(stale), Fate::Closed);
    assert_eq!(driver.take_sent(stale), "");
    let fresh = driver.connect();
    assert_eq!(batches(&mut driver, fresh).len(), 1);
    reply(&mut driver, fresh, &["x"]);
    assert_eq!(answer(&mut driver, conn).0, 200);
    driver.advance(BACKEND_IDLE_MAX - Duration::from_millis(1));
    client(&mut driver, "A", &["b"]);
    assert_eq!(batches(&mut driver, fresh).len(), 1, "it was not idle for that long");
}

#[test]
fn a_connection_that_fails_is_not_replaced_in_the_same_moment() {
    let mut driver = server(config());
    let backend = driver.connect();
    driver.event(Event::Failed { conn: backend, error: ConnError::Reset });
    assert!(driver.connects.is_empty());
    driver.advance(BACKEND_RECONNECT_MIN);
    assert_eq!(driver.connects.len(), 1);
}

#[test]
fn overload_is_refused_at_once_and_says_when_to_come_back() {
    let mut driver = server(config());
    let backend = driver.connect();
    for _ in 0..10 {
        let conn = client(&mut driver, "A", &["1", "2", "3", "4", "5"]);
        driver.advance(Duration::from_millis(100));
        reply(&mut driver, backend, &["1", "2", "3", "4", "5"]);
        assert_eq!(answer(&mut driver, conn).0, 200);
    }
    let clients: Vec<_> =
        (0..QUEUE_JOBS_ALWAYS + 20).map(|_| client(&mut driver, "A", &["a"; 5])).collect();
    let refused = driver.take_sent(clients[QUEUE_JOBS_ALWAYS + 10]);
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: 7\r\n"), "{refused}");
    assert_eq!(driver.take_sent(clients[QUEUE_JOBS_ALWAYS - 1]), "");
}

#[test]
fn drain_answers_all_and_finishes() {
    let mut driver = server(config());
    let backend = driver.connect();
    let clients: Vec<_> = (0..32).map(|_| client(&mut driver, "A", &["a"])).collect();
    driver.event(Event::Drain);
    assert!(!driver.finished);
    while !driver.finished {
        let sent = batches(&mut driver, backend);
        let count: usize =
            sent.iter().map(|batch| batch["sequences"].as_array().unwrap().len()).sum();
        assert!(count > 0);
        reply(&mut driver, backend, &vec!["r"; count]);
    }
    for conn in clients {
        assert_eq!(answer(&mut driver, conn).0, 200);
        assert_eq!(driver.fate(conn), Fate::Closed);
    }
}

/// Carries mail between the two cores until there is none.
pub(crate) fn carry(owner: &mut Driven, other: &mut Driven) {
    loop {
        let out: Vec<(CoreIndex, ProxyMail)> = std::mem::take(&mut owner.mail);
        let back: Vec<(CoreIndex, ProxyMail)> = std::mem::take(&mut other.mail);
        if out.is_empty() && back.is_empty() {
            return;
        }
        for (to, message) in out {
            assert_eq!(to, CoreIndex(1));
            other.event(Event::Mail { from: CoreIndex(0), message });
        }
        for (to, message) in back {
            assert_eq!(to, CoreIndex(0));
            owner.event(Event::Mail { from: CoreIndex(1), message });
        }
    }
}

#[test]
fn a_core_without_the_queue_asks_the_one_that_has_it() {
    let (mut owner, mut other) = two_cores();
    let backend = owner.connect();
    let near = client(&mut owner, "A", &["near"]);
    let far = client(&mut other, "B", &["far"]);
    let leaves = client(&mut other, "B", &["leaves"]);
    carry(&mut owner, &mut other);
    other.event(Event::PeerClosed { conn: leaves });
    carry(&mut owner, &mut other);
    assert_eq!(batches(&mut owner, backend), [serde_json::json!({ "sequences": ["near"] })]);
    reply(&mut owner, backend, &["n"]);
    assert_eq!(batches(&mut owner, backend), [serde_json::json!({ "sequences": ["far"] })]);
    reply(&mut owner, backend, &["f"]);
    carry(&mut owner, &mut other);
    assert!(answer(&mut owner, near).1.starts_with(r#"{"results":["n"],"#));
    assert!(answer(&mut other, far).1.starts_with(r#"{"results":["f"],"#));

    let asks = other.accept();
    other.receive(asks, &post("/strategy", "", r#""fair""#));
    carry(&mut owner, &mut other);
    assert_eq!(answer(&mut other, asks).1, r#"{"active_strategy":"fair"}"#);
    other.receive(asks, b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(answer(&mut other, asks).0, 200);
}

#[test]
fn a_full_mailbox_refuses_requests_and_never_loses_an_outcome() {
    let (mut owner, mut other) = two_cores();
    let backend = owner.connect();
    let refused = client(&mut other, "A", &["refused"]);
    let (to, message) = other.mail.remove(0);
    other.event(Event::MailReturned { to, message });
    assert_eq!(answer(&mut other, refused).0, 503);
    let served = client(&mut other, "A", &["served"]);
    carry(&mut owner, &mut other);
    reply(&mut owner, backend, &["s"]);
    let (to, message) = owner.mail.remove(0);
    owner.event(Event::MailReturned { to, message });
    assert!(owner.mail.is_empty());
    owner.advance(Duration::from_millis(1));
    carry(&mut owner, &mut other);
    assert_eq!(answer(&mut other, served).0, 200);
}
