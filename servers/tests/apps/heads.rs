//! Requests that are refused for what their heads say, before their bodies have come.

use std::time::Duration;

use proptest::prelude::*;
use ringyard_runtime::app::ConnId;
use ringyard_scheduler::StrategyKind;
use ringyard_scheduler::cost::{CostKind, CostModel};
use ringyard_servers::limits::{BODY_TIMEOUT, UNWANTED_BODY_BYTES_MAX};
use ringyard_servers::proxy::{CostSetting, CustomerBook, Entitlement, ProxyConfig};

use crate::driver::{Fate, answers, post};
use crate::proxy::{
    Driven, answer, batches, carry, classify, client, config, metrics, reply, server, two_cores_of,
};

/// A proxy whose customer `full` has as much queued as it may.
fn with_a_full_customer() -> (Driven, ConnId) {
    let limited = Entitlement { requests_max: Some(1), ..Entitlement::default() };
    let named = [("full".into(), limited)].into_iter().collect();
    let customers = CustomerBook { named, ..CustomerBook::default() };
    let mut driver = server(ProxyConfig { customers, ..config() });
    let backend = driver.connect();
    client(&mut driver, "full", &["-"]);
    (driver, backend)
}

/// A head of a request by the customer `full`.
fn head(lines: &str) -> Vec<u8> {
    format!("POST /proxy_classify HTTP/1.1\r\nhost: a\r\nx-customer-id: full\r\n{lines}\r\n")
        .into_bytes()
}

/// The head of the one answer so far.
#[track_caller]
fn refusal(driver: &mut Driven, conn: ConnId, status: u16, reason: &str) -> String {
    let text = driver.take_sent(conn);
    let list = answers(&text);
    assert_eq!(list.len(), 1, "{text}");
    let (got, head, body) = &list[0];
    assert_eq!(*got, status, "{text}");
    assert!(body.contains(&format!(r#""reason":"{reason}""#)), "{body}");
    head.clone()
}

#[test]
fn a_short_body_is_let_by_and_the_connection_goes_on() {
    let (mut driver, _) = with_a_full_customer();
    let conn = driver.accept();
    driver.receive(conn, &head("content-length: 30\r\n"));
    let text = refusal(&mut driver, conn, 429, "customer-queue");
    assert!(text.contains("retry-after: 1") && !text.contains("connection: close"), "{text}");
    driver.receive(conn, &[b'x'; 20]);
    let mut rest = vec![b'y'; 10];
    rest.extend_from_slice(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    driver.receive(conn, &rest);
    assert_eq!(answer(&mut driver, conn).0, 200);
    assert_eq!(driver.fate(conn), Fate::Open);
    assert!(metrics(&mut driver).contains(r#"refused_total{reason="customer-queue"} 1"#));
}

#[test]
fn before_a_long_body_and_one_that_may_not_come_the_connection_is_closed() {
    let too_long = format!("content-length: {}\r\n", UNWANTED_BODY_BYTES_MAX + 1);
    for lines in [
        &too_long,
        "content-length: 9\r\nexpect: 100-continue\r\n",
        "content-length: 9\r\nconnection: close\r\n",
    ] {
        let (mut driver, _) = with_a_full_customer();
        let conn = driver.accept();
        driver.receive(conn, &head(lines));
        let text = refusal(&mut driver, conn, 429, "customer-queue");
        assert!(text.contains("connection: close"), "{lines}: {text}");
        assert_eq!(driver.fate(conn), Fate::Closed, "{lines}");
    }
}

#[test]
fn a_body_in_chunks_is_let_by_as_far_as_it_is_short() {
    let (mut driver, _) = with_a_full_customer();
    let conn = driver.accept();
    driver.receive(conn, &head("transfer-encoding: chunked\r\n"));
    refusal(&mut driver, conn, 429, "customer-queue");
    driver.receive(conn, b"3\r\nabc\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(answer(&mut driver, conn).0, 200);
    driver.receive(conn, &head("transfer-encoding: chunked\r\n"));
    refusal(&mut driver, conn, 429, "customer-queue");
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    for _ in 0..UNWANTED_BODY_BYTES_MAX / 0x1000 {
        driver.receive(conn, &chunk);
        assert_eq!(driver.fate(conn), Fate::Open);
    }
    driver.receive(conn, &chunk);
    assert_eq!(driver.fate(conn), Fate::Closed);
    assert_eq!(driver.take_sent(conn), "", "it has its answer already");
}

#[test]
fn whoever_may_go_on_is_told_to() {
    let (mut driver, backend) = with_a_full_customer();
    batches(&mut driver, backend);
    reply(&mut driver, backend, &["r"]);
    let conn = driver.accept();
    driver.receive(conn, &head("content-length: 19\r\nexpect: 100-continue\r\n"));
    assert_eq!(driver.take_sent(conn), "HTTP/1.1 100 Continue\r\n\r\n");
    driver.receive(conn, br#"{"sequences":["x"]}"#);
    reply(&mut driver, backend, &["r"]);
    assert_eq!(answer(&mut driver, conn).0, 200);
}

#[test]
fn a_body_that_never_comes_ends_the_connection_without_a_second_answer() {
    let (mut driver, _) = with_a_full_customer();
    let conn = driver.accept();
    driver.receive(conn, &head("content-length: 30\r\n"));
    refusal(&mut driver, conn, 429, "customer-queue");
    driver.receive(conn, b"some");
    driver.advance(BODY_TIMEOUT);
    assert_eq!(driver.fate(conn), Fate::Closed);
    assert_eq!(driver.take_sent(conn), "");
}

#[test]
fn answers_keep_the_order_of_their_requests() {
    let (mut driver, backend) = with_a_full_customer();
    batches(&mut driver, backend);
    let conn = driver.accept();
    driver.receive(conn, &classify("other", &["x"]));
    driver.receive(conn, &head("content-length: 2\r\n"));
    driver.receive(conn, b"{}");
    driver.receive(conn, b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(driver.take_sent(conn), "");
    reply(&mut driver, backend, &["r"]);
    reply(&mut driver, backend, &["r"]);
    let text = driver.take_sent(conn);
    let statuses: Vec<_> = answers(&text).into_iter().map(|(status, ..)| status).collect();
    assert_eq!(statuses, [200, 429, 200]);
}

/// A backend that needs ten milliseconds for every text, and a queue of three.
fn known() -> ProxyConfig {
    let cost = CostSetting::Fixed(CostModel::new(CostKind::Constant, 0.0, 1e7));
    let linger = Some(Duration::ZERO);
    let strategy = StrategyKind::Fcfs;
    ProxyConfig { strategy, linger, cost, batch_sequences_max: 1, queue_jobs_max: 3, ..config() }
}

#[test]
fn every_reason_that_a_head_can_be_is_found_in_it() {
    let mut driver = server(known());
    let at_once = |driver: &mut Driven, lines: &str, status: u16, reason: &str| {
        let conn = driver.accept();
        driver.receive(conn, &head(&format!("{lines}content-length: 19\r\n")));
        refusal(driver, conn, status, reason);
    };
    let backend = driver.connect();
    at_once(&mut driver, "x-deadline-ms: 0\r\n", 504, "never-in-time");
    at_once(&mut driver, "x-deadline-ms: 9\r\n", 504, "never-in-time");
    client(&mut driver, "A", &["-"]);
    driver.advance(Duration::from_millis(10));
    reply(&mut driver, backend, &["r"]);
    client(&mut driver, "A", &["-"]);
    client(&mut driver, "A", &["-"]);
    at_once(&mut driver, "x-deadline-ms: 19\r\n", 503, "deadline-too-near");
    client(&mut driver, "A", &["-"]);
    client(&mut driver, "A", &["-"]);
    at_once(&mut driver, "", 503, "queue-full");
    let mut driver = server(known());
    driver.refuse();
    driver.advance(Duration::from_secs(2));
    at_once(&mut driver, "", 502, "unreachable");
    let conn = driver.accept();
    driver
        .receive(conn, b"POST /proxy_classify HTTP/1.1\r\nhost: a\r\nx-customer-id: no token\r\n");
    driver.receive(conn, b"content-length: 19\r\n\r\n");
    assert_eq!(answer(&mut driver, conn).0, 400);
}

#[test]
fn a_core_without_the_queue_knows_when_it_is_full() {
    let (mut owner, mut other) = two_cores_of(known());
    let backend = owner.connect();
    let clients: Vec<_> = (0..4).map(|_| client(&mut owner, "A", &["-"])).collect();
    let conn = other.accept();
    other.receive(conn, &head("content-length: 19\r\n"));
    refusal(&mut other, conn, 503, "queue-full");
    assert!(other.mail.is_empty(), "the owner is not asked");
    assert!(metrics(&mut owner).contains(r#"refused_total{reason="queue-full"} 1"#));
    for _ in clients {
        reply(&mut owner, backend, &["r"]);
    }
    other.receive(conn, br#"{"sequences":["x"]}"#);
    other.receive(conn, &classify("A", &["x"]));
    carry(&mut owner, &mut other);
    reply(&mut owner, backend, &["r"]);
    carry(&mut owner, &mut other);
    assert_eq!(answer(&mut other, conn).0, 200);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// However a connection's bytes are cut, its requests are answered the same, but for the connection's end.
    #[test]
    fn cuts_change_no_answer(
        kinds in prop::collection::vec(0_usize..6, 1..5),
        cuts in prop::collection::btree_set(0_usize..600, 0..8),
    ) {
        let body = r#"{"sequences":["x"]}"#;
        let kind_of = |kind: &usize| match kind {
            0 => classify("full", &["refused"]),
            1 => classify("free", &["served"]),
            2 => post("/proxy_classify", "x-customer-id: full\r\n", "not JSON"),
            3 => post("/proxy_classify", "x-deadline-ms: 0\r\n", body),
            4 => post("/proxy_classify", "x-customer-id: a b\r\n", body),
            _ => b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        };
        let stream: Vec<u8> = kinds.iter().flat_map(kind_of).collect();
        let play = |cuts: &[usize]| {
            let (mut driver, backend) = with_a_full_customer();
            batches(&mut driver, backend);
            let conn = driver.accept();
            let mut start = 0;
            for cut in cuts.iter().copied().chain([stream.len()]) {
                let end = cut.clamp(start, stream.len());
                driver.receive(conn, &stream[start..end]);
                start = end;
            }
            for _ in 0..6 {
                let sent = batches(&mut driver, backend);
                let texts = sent.last().map_or(1, |batch| batch["sequences"].as_array().unwrap().len());
                reply(&mut driver, backend, &vec!["r"; texts]);
            }
            let text = driver.take_sent(conn);
            answers(&text).into_iter().map(|(status, _, body)| (status, body)).collect::<Vec<_>>()
        };
        let cuts: Vec<_> = cuts.into_iter().collect();
        let whole = play(&[]);
        prop_assert_eq!(whole.len(), kinds.len());
        prop_assert_eq!(play(&cuts), whole);
    }
}
