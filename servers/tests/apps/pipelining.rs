//! Batches that follow one another on one connection to a backend, and what becomes of them when it ends.

use std::time::Duration;

use ringyard_runtime::app::{ConnError, ConnId, Event};
use ringyard_servers::proxy::ProxyConfig;

use crate::driver::Fate;
use crate::proxy::{Driven, answer, batches, client, config, metrics, reply, server};

/// A proxy with up to four batches of one request each in flight, up to `depth` of them on one connection, and
/// its connections. Each has answered one batch, of a client that was called after it.
fn proven(depth: u32) -> (Driven, Vec<ConnId>) {
    let config = ProxyConfig {
        backend_concurrency: 4,
        backend_pipeline: depth,
        batch_sequences_max: 1,
        ..config()
    };
    let mut driver = server(config);
    let lines: Vec<ConnId> = (0..4 / depth).map(|_| driver.connect()).collect();
    for (number, &line) in lines.iter().enumerate() {
        let client = client(&mut driver, "A", &["first"]);
        assert_eq!(sent(&mut driver, line), ["first"], "line {number}");
        reply(&mut driver, line, &["r"]);
        assert_eq!(answer(&mut driver, client).0, 200);
    }
    (driver, lines)
}

/// The texts of the batches sent on a connection since the last call.
fn sent(driver: &mut Driven, line: ConnId) -> Vec<String> {
    let texts = batches(driver, line).into_iter();
    texts.map(|batch| batch["sequences"][0].as_str().expect("a text").to_owned()).collect()
}

fn clients(driver: &mut Driven, texts: &[&str]) -> Vec<ConnId> {
    texts.iter().map(|text| client(driver, "A", &[text])).collect()
}

/// Has the backend answer the next batch of a connection, and close it.
fn last_reply(driver: &mut Driven, line: ConnId, result: &str) {
    let body = format!("{{\"results\":[\"{result}\"]}}");
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", body.len());
    driver.receive(line, format!("{head}\r\n\r\n{body}").as_bytes());
}

#[track_caller]
fn check_results(driver: &mut Driven, clients: &[ConnId], results: &[&str]) {
    for (client, result) in clients.iter().zip(results) {
        let (status, body) = answer(driver, *client);
        assert_eq!(status, 200, "{body}");
        assert!(body.starts_with(&format!("{{\"results\":[\"{result}\"]")), "{result}: {body}");
    }
}

#[test]
fn batches_follow_one_another_once_the_connection_has_shown_that_it_stays_open() {
    let config = ProxyConfig {
        backend_concurrency: 4,
        backend_pipeline: 4,
        batch_sequences_max: 1,
        ..config()
    };
    let mut driver = server(config);
    let line = driver.connect();
    assert!(driver.connects.is_empty(), "one connection for four batches");
    let clients = clients(&mut driver, &["a", "b", "c", "d", "e", "f"]);
    assert_eq!(sent(&mut driver, line), ["a"]);
    reply(&mut driver, line, &["ra"]);
    assert_eq!(sent(&mut driver, line), ["b", "c", "d", "e"], "as many as may be in flight");
    let replies = ["rb", "rc", "rd"].map(|it| format!("{{\"results\":[\"{it}\"]}}"));
    let replies = replies
        .map(|body| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    driver.receive(line, replies.concat().as_bytes());
    assert_eq!(sent(&mut driver, line), ["f"]);
    reply(&mut driver, line, &["re"]);
    reply(&mut driver, line, &["rf"]);
    check_results(&mut driver, &clients, &["ra", "rb", "rc", "rd", "re", "rf"]);
}

#[test]
fn batches_are_spread_over_the_connections_and_never_exceed_what_may_be_in_flight() {
    let (mut driver, lines) = proven(2);
    let clients = clients(&mut driver, &["a", "b", "c", "d", "e"]);
    assert_eq!(sent(&mut driver, lines[0]), ["a", "c"]);
    assert_eq!(sent(&mut driver, lines[1]), ["b", "d"]);
    reply(&mut driver, lines[1], &["rb"]);
    assert_eq!(sent(&mut driver, lines[1]), ["e"]);
    for (line, result) in [(0, "ra"), (0, "rc"), (1, "rd"), (1, "re")] {
        reply(&mut driver, lines[line], &[result]);
    }
    check_results(&mut driver, &clients, &["ra", "rb", "rc", "rd", "re"]);
}

#[test]
fn batches_behind_a_last_answer_leave_again_without_those_who_have_left() {
    let (mut driver, lines) = proven(4);
    let clients = clients(&mut driver, &["a", "b", "c", "d"]);
    assert_eq!(sent(&mut driver, lines[0]), ["a", "b", "c", "d"]);
    last_reply(&mut driver, lines[0], "ra");
    assert_eq!(driver.fate(lines[0]), Fate::Closed);
    driver.forget(clients[2]);
    let again = driver.connect();
    assert_eq!(sent(&mut driver, again), ["b"], "one, on a new connection");
    reply(&mut driver, again, &["rb"]);
    assert_eq!(sent(&mut driver, again), ["d"]);
    reply(&mut driver, again, &["rd"]);
    check_results(&mut driver, &[clients[0], clients[1], clients[3]], &["ra", "rb", "rd"]);
    let page = metrics(&mut driver);
    assert!(page.contains("ringyard_batches_returned_total 2\n"), "{page}");
    assert!(page.contains("ringyard_batches_failed_total 0\n"), "{page}");
    assert!(page.contains("ringyard_batches_in_flight 0\n"), "{page}");
}

#[test]
fn batches_that_leave_again_are_answered_for_when_no_backend_is_left() {
    let (mut driver, lines) = proven(4);
    let clients = clients(&mut driver, &["a", "b"]);
    last_reply(&mut driver, lines[0], "ra");
    check_results(&mut driver, &clients[..1], &["ra"]);
    for _ in 0..10 {
        driver.refuse();
        driver.advance(Duration::from_millis(400));
    }
    let (status, body) = answer(&mut driver, clients[1]);
    assert_eq!((status, body.contains("no backend can be reached")), (502, true), "{body}");
}

#[test]
fn a_broken_connection_fails_exactly_what_it_had_not_answered() {
    let end = |driver: &mut Driven, line| driver.event(Event::PeerClosed { conn: line });
    let reset = |driver: &mut Driven, line| {
        driver.event(Event::Failed { conn: line, error: ConnError::Reset });
    };
    let babble = |driver: &mut Driven, line| driver.receive(line, b"HTTP/9.9 what\r\n\r\n");
    let breaks: [fn(&mut Driven, ConnId); 3] = [end, reset, babble];
    for broken in breaks {
        let (mut driver, lines) = proven(4);
        let clients = clients(&mut driver, &["a", "b", "c", "d", "e"]);
        reply(&mut driver, lines[0], &["ra"]);
        check_results(&mut driver, &clients[..1], &["ra"]);
        broken(&mut driver, lines[0]);
        for client in &clients[1..] {
            assert_eq!(answer(&mut driver, *client).0, 502);
        }
        driver.advance(Duration::from_millis(100));
        let again = driver.connect();
        let last = client(&mut driver, "A", &["f"]);
        reply(&mut driver, again, &["rf"]);
        check_results(&mut driver, &[last], &["rf"]);
    }
}

#[test]
fn a_batch_that_nobody_awaits_keeps_its_connection_for_the_others_and_new_ones_off_it() {
    let (mut driver, lines) = proven(4);
    let clients = clients(&mut driver, &["a", "b"]);
    driver.forget(clients[0]);
    let third = client(&mut driver, "A", &["c"]);
    assert_eq!(sent(&mut driver, lines[0]), ["a", "b"], "it has not shown that it still answers");
    reply(&mut driver, lines[0], &["ra"]);
    assert_eq!(sent(&mut driver, lines[0]), ["c"]);
    reply(&mut driver, lines[0], &["rb"]);
    check_results(&mut driver, &clients[1..], &["rb"]);
    driver.forget(third);
    assert_eq!(driver.fate(lines[0]), Fate::Aborted, "nobody awaits anything on it");
}

#[test]
fn a_backend_that_stands_still_is_left_when_the_last_deadline_has_passed() {
    let (mut driver, lines) = proven(4);
    let first = client(&mut driver, "A", &["a"]);
    driver.advance(Duration::from_millis(1_500));
    let second = client(&mut driver, "A", &["b"]);
    driver.advance(Duration::from_millis(600));
    assert_eq!(answer(&mut driver, first).0, 504);
    assert_eq!(driver.fate(lines[0]), Fate::Open);
    driver.advance(Duration::from_millis(1_500));
    assert_eq!(answer(&mut driver, second).0, 504);
    assert_eq!(driver.fate(lines[0]), Fate::Aborted);
}
