//! The classifier against its contract, without an engine.

use std::time::Duration;

use proptest::prelude::*;
use ringyard_runtime::app::{ConnId, CoreIndex, Event};
use ringyard_runtime::counters::CoreContext;
use ringyard_servers::classifier::{self, ClassifierConfig, ClassifierServer};
use ringyard_servers::limits::{ClientTimeouts, PIPELINED_REQUESTS_MAX};

use crate::driver::{Driver, Fate, answers, post};

fn server(config: ClassifierConfig) -> Driver<ClassifierServer> {
    let make = classifier::factory(classifier::front_default(), config, 1);
    Driver::new(make(CoreContext::detached(CoreIndex(0), 1)))
}

pub(crate) fn instant() -> Driver<ClassifierServer> {
    server(ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() })
}

pub(crate) fn classify(body: &str) -> Vec<u8> {
    post("/classify", "", body)
}

/// Sends one request on a connection of its own and checks the answer.
#[track_caller]
fn check(request: &[u8], status: u16, body: &str) {
    let mut driver = instant();
    let conn = driver.accept();
    driver.receive(conn, request);
    let text = driver.take_sent(conn);
    let list = answers(&text);
    assert_eq!(list.len(), 1, "{text}");
    assert_eq!(list[0].0, status, "{text}");
    assert!(list[0].2.contains(body), "{text}");
}

#[test]
fn labels_come_in_order() {
    check(
        &classify(r#"{"sequences": ["def f(): pass", "hello", "a;", "\u003b"]}"#),
        200,
        r#"{"results":["code","not code","code","code"]}"#,
    );
}

#[test]
fn refusals_keep_the_contract() {
    let need = r#"{"detail":"Need 1 - 5 sequences per request"}"#;
    check(&classify(r#"{"sequences": []}"#), 400, need);
    check(&classify(r#"{"sequences": ["1","2","3","4","5","6"]}"#), 400, need);
    check(&classify(r#"{"sequences": "x"}"#), 422, r#""loc":["body","sequences"]"#);
    check(&classify(r#"{"sequences": ["#), 422, r#""loc":["body",15]"#);
    check(&classify(""), 422, r#""msg":"Field required""#);
    check(&post("/nothing", "", ""), 404, r#"{"detail":"Not Found"}"#);
    check(b"GET /classify HTTP/1.1\r\nhost: a\r\n\r\n", 405, r#"{"detail":"Method Not Allowed"}"#);
    check(b"GET /docs HTTP/1.1\r\n\r\n", 400, "detail");
    check(b"BREW /docs HTTP/1.1\r\nhost: a\r\n\r\n", 501, "detail");
    check(b"GET /docs HTTP/2.0\r\nhost: a\r\n\r\n", 505, "detail");
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let mut driver = instant();
    let conn = driver.accept();
    driver.receive(conn, b"PUT /classify HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(driver.take_sent(conn).contains("allow: POST\r\n"));
    driver.receive(conn, b"DELETE /docs HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(driver.take_sent(conn).contains("allow: GET, HEAD\r\n"));
    assert_eq!(driver.fate(conn), Fate::Open);
}

#[test]
fn common_pages_are_there() {
    for (path, text) in [
        ("/docs", "<h1>Ringyard classifier</h1>"),
        ("/openapi.json", "\"/classify\""),
        ("/healthz", "ok"),
        ("/readyz", "ready"),
        ("/metrics", "ringyard_connections{core=\"0\"} 0"),
    ] {
        check(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes(), 200, text);
    }
}

#[test]
fn head_has_the_length_but_no_body() {
    let mut driver = instant();
    let conn = driver.accept();
    driver.receive(conn, b"HEAD /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    let text = driver.take_sent(conn);
    assert!(text.contains("content-length: 15\r\n") && text.ends_with("\r\n\r\n"), "{text}");
}

#[test]
fn the_reply_takes_the_square_of_the_longest() {
    let mut driver = server(ClassifierConfig::default());
    let conn = driver.accept();
    let long = "x".repeat(720);
    driver.receive(conn, &classify(&format!(r#"{{"sequences": ["a", "{long}"]}}"#)));
    driver.advance(Duration::from_micros(518_399));
    assert_eq!(driver.take_sent(conn), "");
    driver.advance(Duration::from_micros(1));
    assert!(driver.take_sent(conn).ends_with(r#"{"results":["not code","not code"]}"#));
}

#[test]
fn replicas_bound_how_many_compute_at_once() {
    let config = ClassifierConfig { replicas: Some(1), ..ClassifierConfig::default() };
    let mut driver = server(config);
    let conns: Vec<_> = (0..3).map(|_| driver.accept()).collect();
    let body = format!(r#"{{"sequences": ["{}"]}}"#, "x".repeat(100));
    for conn in &conns {
        driver.receive(*conn, &classify(&body));
    }
    for conn in &conns {
        assert_eq!(driver.take_sent(*conn), "");
        driver.advance(Duration::from_millis(10));
        assert_ne!(driver.take_sent(*conn), "");
    }
}

#[test]
fn pipelined_answers_keep_the_order_of_their_requests() {
    let mut driver = server(ClassifierConfig::default());
    let conn = driver.accept();
    let mut input = classify(&format!(r#"{{"sequences": ["{}"]}}"#, "x".repeat(100)));
    input.extend(classify(r#"{"sequences": ["a;"]}"#));
    input.extend(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
    driver.receive(conn, &input);
    driver.advance(Duration::from_millis(9));
    assert_eq!(driver.take_sent(conn), "");
    driver.advance(Duration::from_millis(1));
    let bodies: Vec<_> =
        answers(&driver.take_sent(conn)).into_iter().map(|(_, _, body)| body).collect();
    assert_eq!(
        bodies,
        [r#"{"results":["not code"]}"#, r#"{"results":["code"]}"#, r#"{"status":"ok"}"#]
    );
}

#[test]
fn too_much_pipelining_waits_and_loses_nothing() {
    let mut driver = server(ClassifierConfig::default());
    let conn = driver.accept();
    let count = 3 * PIPELINED_REQUESTS_MAX + 7;
    let input: Vec<u8> = (0..count)
        .flat_map(|index| {
            classify(&format!(r#"{{"sequences": ["{}"]}}"#, "x".repeat(index % 7 + 1)))
        })
        .collect();
    for piece in input.chunks(1000) {
        driver.receive(conn, piece);
    }
    assert!(driver.wires[&conn].paused);
    driver.advance(Duration::from_secs(1));
    let list = answers(&driver.take_sent(conn));
    assert_eq!(list.len(), count);
    assert!(!driver.wires[&conn].paused);
    assert!(list.iter().all(|(status, _, _)| *status == 200));
}

#[test]
fn a_congested_client_is_not_parsed_further_and_goes_on_when_drained() {
    let mut driver = instant();
    let conn = driver.accept();
    driver.event(Event::Congested { conn });
    assert!(driver.wires[&conn].paused);
    driver.receive(conn, &classify(r#"{"sequences": ["a"]}"#));
    assert_eq!(driver.take_sent(conn), "");
    driver.event(Event::Drained { conn });
    assert!(!driver.wires[&conn].paused);
    assert_eq!(answers(&driver.take_sent(conn)).len(), 1);
    driver.event(Event::Congested { conn });
    driver.advance(ClientTimeouts::default().send);
    assert_eq!(driver.fate(conn), Fate::Aborted);
}

#[test]
fn a_flood_of_small_questions_with_large_answers_is_answered_bit_by_bit() {
    let mut driver = instant();
    let conn = driver.accept();
    let count = 200;
    let input = b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(count);
    driver.deliver(Event::Received { conn, bytes: &input });
    let first = answers(&driver.take_sent(conn)).len();
    assert!(first < count && driver.wires[&conn].paused, "{first} answered at one go");
    driver.event(Event::Congested { conn });
    driver.advance(Duration::from_millis(1));
    assert_eq!(driver.take_sent(conn), "", "nothing more before the client has read");
    driver.event(Event::Drained { conn });
    driver.advance(Duration::from_millis(1));
    assert_eq!(first + answers(&driver.take_sent(conn)).len(), count);
    assert!(!driver.wires[&conn].paused);
}

#[test]
fn closing_is_announced_and_done() {
    let mut driver = instant();
    let conn = driver.accept();
    driver.receive(conn, &post("/classify", "connection: close\r\n", r#"{"sequences":["a"]}"#));
    assert!(driver.take_sent(conn).contains("connection: close\r\n"));
    assert_eq!(driver.fate(conn), Fate::Closed);
    let conn = driver.accept();
    driver.receive(conn, b"GET /healthz HTTP/1.0\r\n\r\n");
    assert_eq!(driver.fate(conn), Fate::Closed);
    let conn = driver.accept();
    driver.receive(conn, b"GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    assert!(driver.take_sent(conn).contains("connection: keep-alive\r\n"));
    assert_eq!(driver.fate(conn), Fate::Open);
}

#[test]
fn continue_is_given_when_its_turn_has_come() {
    let mut driver = server(ClassifierConfig::default());
    let conn = driver.accept();
    let body = r#"{"sequences":["a;"]}"#;
    let expecting = post("/classify", "expect: 100-continue\r\n", body);
    let head = expecting.len() - body.len();
    let mut input = classify(&format!(r#"{{"sequences": ["{}"]}}"#, "x".repeat(100)));
    input.extend(&expecting[..head]);
    driver.receive(conn, &input);
    assert_eq!(driver.take_sent(conn), "");
    driver.advance(Duration::from_millis(10));
    assert!(driver.take_sent(conn).ends_with("]}HTTP/1.1 100 Continue\r\n\r\n"));
    driver.receive(conn, &expecting[head..]);
    driver.advance(Duration::from_millis(1));
    assert!(driver.take_sent(conn).ends_with(r#"{"results":["code"]}"#));
}

#[test]
fn slow_clients_are_told_and_closed() {
    let timeouts = ClientTimeouts::default();
    let request = classify(r#"{"sequences":["a"]}"#);
    let body_start = request.len() - 3;
    for (part, patience, status) in [
        (0, timeouts.idle, None),
        (1, timeouts.header, Some(408)),
        (20, timeouts.header, Some(408)),
        (body_start, timeouts.body, Some(408)),
    ] {
        let mut driver = instant();
        let conn = driver.accept();
        driver.receive(conn, &request[..part]);
        driver.advance(patience - Duration::from_nanos(1));
        assert_eq!(driver.fate(conn), Fate::Open, "{part}");
        driver.advance(Duration::from_nanos(1));
        assert_eq!(driver.fate(conn), Fate::Closed, "{part}");
        let got = answers(&driver.take_sent(conn)).first().map(|answer| answer.0);
        assert_eq!(got, status, "{part}");
    }
}

#[test]
fn a_head_that_dribbles_in_has_no_more_time_than_one_that_stops() {
    let mut driver = instant();
    let conn = driver.accept();
    for byte in classify("").iter().take(30) {
        driver.receive(conn, &[*byte]);
        driver.advance(Duration::from_millis(500));
    }
    assert_eq!(driver.fate(conn), Fate::Closed);
}

#[test]
fn a_half_closed_client_still_gets_its_answer() {
    let mut driver = server(ClassifierConfig::default());
    let conn = driver.accept();
    driver.receive(conn, &classify(r#"{"sequences":["abc"]}"#));
    driver.event(Event::PeerClosed { conn });
    assert_eq!(driver.fate(conn), Fate::Open);
    driver.advance(Duration::from_millis(1));
    assert_eq!(answers(&driver.take_sent(conn)).len(), 1);
    assert_eq!(driver.fate(conn), Fate::Closed);
}

#[test]
fn draining_answers_what_is_in_flight_and_then_finishes() {
    let mut driver = server(ClassifierConfig::default());
    let idle = driver.accept();
    driver.receive(idle, &classify(r#"{"sequences":["a"]}"#));
    driver.advance(Duration::from_millis(1));
    let busy: Vec<ConnId> = (0..32).map(|_| driver.accept()).collect();
    for conn in &busy {
        driver.receive(*conn, &classify(&format!(r#"{{"sequences":["{}"]}}"#, "x".repeat(500))));
    }
    let fresh = driver.accept();
    driver.event(Event::Drain);
    assert_eq!(driver.fate(idle), Fate::Closed);
    assert_eq!(driver.fate(fresh), Fate::Open);
    driver.receive(fresh, &classify(r#"{"sequences":["a"]}"#));
    driver.advance(Duration::from_millis(300));
    for conn in busy.iter().chain([&fresh]) {
        assert_eq!(driver.fate(*conn), Fate::Closed);
        let text = driver.take_sent(*conn);
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("connection: close"), "{text}");
    }
    assert!(driver.finished);
    assert_eq!(driver.app.connections(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is sent, cut however: the same answers, and no panic.
    #[test]
    fn the_cut_of_the_bytes_does_not_matter(
        parts in prop::collection::vec(0usize..8, 1..6),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cuts in prop::collection::vec(1usize..40, 1..20),
    ) {
        let mut input: Vec<u8> = parts.iter().flat_map(|part| sample(*part)).collect();
        for (index, byte) in flips {
            let place = index.index(input.len());
            input[place] = byte;
        }
        let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut driver = instant();
            let conn = driver.accept();
            for piece in pieces {
                driver.receive(conn, piece);
            }
            (driver.wires[&conn].sent.clone(), driver.fate(conn))
        };
        let whole = run(&mut std::iter::once(input.as_slice()));
        let mut rest = input.as_slice();
        let mut sizes = cuts.iter().cycle();
        let mut cut = std::iter::from_fn(|| {
            let size = (*sizes.next()?).min(rest.len());
            let (piece, after) = rest.split_at(size);
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(run(&mut cut), whole);
    }
}

/// Requests of all kinds.
pub(crate) fn sample(kind: usize) -> Vec<u8> {
    match kind {
        0 => classify(r#"{"sequences":["def f(): pass","hello"]}"#),
        1 => classify(r#"{"sequences":[]}"#),
        2 => classify("{"),
        3 => b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        4 => b"HEAD /docs HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
        5 => b"POST /classify HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
            5\r\n{\"seq\r\nf;x=y\r\nuences\":[\"a;\"]}\r\n0\r\n\r\n"
            .to_vec(),
        6 => post("/classify", "connection: close\r\n", r#"{"sequences":["x"]}"#),
        _ => b"\r\nGET /nothing?a=b HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
    }
}
