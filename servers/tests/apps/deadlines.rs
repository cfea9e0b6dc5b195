//! What is refused because it would come too late, and how it is said.

use std::time::Duration;

use ringyard_scheduler::StrategyKind;
use ringyard_scheduler::cost::{CostKind, CostModel};
use ringyard_servers::proxy::{CostSetting, ProxyConfig, Splitting};

use crate::driver::post;
use crate::proxy::{Driven, answer, batches, client, config, metrics, reply, server};

/// A batch takes a millisecond for each square of ten characters.
fn known() -> ProxyConfig {
    let cost = CostSetting::Fixed(CostModel::new(CostKind::Quadratic, 10_000.0, 0.0));
    let linger = Some(Duration::ZERO);
    ProxyConfig { strategy: StrategyKind::Fcfs, linger, cost, ..config() }
}

fn ask(length: usize, deadline_ms: &str) -> Vec<u8> {
    let body = serde_json::json!({ "sequences": ["x".repeat(length)] }).to_string();
    post("/proxy_classify", &format!("x-deadline-ms: {deadline_ms}\r\n"), &body)
}

/// The status of the answer that comes at once, and its reason.
#[track_caller]
fn at_once(driver: &mut Driven, request: &[u8]) -> (u16, String) {
    let conn = driver.accept();
    driver.receive(conn, request);
    let (status, body) = answer(driver, conn);
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    (status, body["reason"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_deadline_is_a_number() {
    let mut driver = server(known());
    driver.connect();
    for wrong in ["", "soon", "-1", "1.5", "86400001", "123456789012"] {
        assert_eq!(at_once(&mut driver, &ask(1, wrong)).0, 400, "{wrong}");
    }
}

#[test]
fn a_clients_deadline_counts_if_it_is_nearer_than_the_proxys() {
    let mut driver = server(known());
    driver.connect();
    let near = driver.accept();
    driver.receive(near, &ask(1, "300"));
    let far = driver.accept();
    driver.receive(far, &ask(1, "86400000"));
    driver.advance(Duration::from_millis(299));
    assert_eq!(driver.take_sent(near), "");
    driver.advance(Duration::from_millis(1));
    let (status, body) = answer(&mut driver, near);
    assert_eq!((status, body.contains("within 300 ms")), (504, true), "{body}");
    driver.connect();
    driver.advance(Duration::from_millis(1699));
    assert_eq!(driver.take_sent(far), "");
    driver.advance(Duration::from_millis(1));
    assert_eq!(answer(&mut driver, far).0, 504);
}

#[test]
fn what_takes_longer_than_it_may_is_refused_at_once() {
    let mut driver = server(known());
    let backend = driver.connect();
    assert_eq!(at_once(&mut driver, &ask(101, "100")), (504, String::from("never-in-time")));
    assert_eq!(driver.take_sent(backend), "");
    let conn = driver.accept();
    driver.receive(conn, &ask(99, "100"));
    assert_eq!(batches(&mut driver, backend).len(), 1);
}

#[test]
fn what_would_come_too_late_behind_others_is_refused_at_once() {
    let mut driver = server(known());
    let backend = driver.connect();
    // The pace is known after one batch of 10 ms.
    client(&mut driver, "A", &["x".repeat(31).as_str()]);
    driver.advance(Duration::from_millis(10));
    reply(&mut driver, backend, &["r"]);
    for _ in 0..11 {
        client(&mut driver, "A", &["x".repeat(31).as_str()]);
    }
    // Ten of them wait: 100 ms ahead of whoever comes.
    assert_eq!(at_once(&mut driver, &ask(31, "90")), (503, String::from("deadline-too-near")));
    let conn = driver.accept();
    driver.receive(conn, &ask(31, "130"));
    assert_eq!(driver.take_sent(conn), "");
}

#[test]
fn an_answer_that_comes_too_late_is_none() {
    let mut driver = server(known());
    let backend = driver.connect();
    let conn = driver.accept();
    driver.receive(conn, &ask(1, "100"));
    // The reply is there before the timer is looked at.
    driver.now += Duration::from_millis(101);
    reply(&mut driver, backend, &["r"]);
    assert_eq!(answer(&mut driver, conn).0, 504);
}

#[test]
fn what_can_never_fit_is_refused_for_good() {
    let mut driver = server(ProxyConfig { queue_bytes_max: 100, ..known() });
    driver.connect();
    let conn = driver.accept();
    driver.receive(conn, &ask(99, "5000"));
    let text = driver.take_sent(conn);
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("never-fits"), "{text}");
    assert!(!text.contains("retry-after"), "{text}");
    driver.receive(conn, &ask(98, "5000"));
    assert_eq!(driver.take_sent(conn), "");
}

#[test]
fn the_queue_is_bounded_by_bytes() {
    let mut driver = server(ProxyConfig { queue_bytes_max: 1_000, ..known() });
    driver.connect();
    client(&mut driver, "A", &["-"]);
    client(&mut driver, "A", &["x".repeat(600).as_str()]);
    let body = serde_json::json!({ "sequences": ["x".repeat(600)] }).to_string();
    let second = post("/proxy_classify", "", &body);
    assert_eq!(at_once(&mut driver, &second), (503, String::from("bytes-full")));
    let figures = metrics(&mut driver);
    assert!(figures.contains(r#"refused_total{reason="bytes-full"} 1"#), "{figures}");
    assert!(figures.contains("ringyard_queue_bytes 602\n"), "{figures}");
}

#[test]
fn whose_answer_would_come_too_late_is_not_sent_any_more() {
    // A batch takes a millisecond for each square of ten characters.
    let mut driver = server(known());
    let backend = driver.connect();
    client(&mut driver, "A", &["-"]);
    let hopeless = driver.accept();
    driver.receive(hopeless, &ask(100, "150"));
    let quick = driver.accept();
    driver.receive(quick, &ask(10, "150"));
    let long = client(&mut driver, "A", &[&"y".repeat(100)]);
    // The backend is slower than anybody thought: of 150 ms only 50 are left, and a long text takes 100.
    driver.advance(Duration::from_millis(100));
    batches(&mut driver, backend);
    reply(&mut driver, backend, &["r"]);
    let (status, body) = answer(&mut driver, hopeless);
    assert_eq!((status, body.contains(r#""reason":"too-late""#)), (504, true), "{body}");
    // With the long one the quick one would be late as well, so it goes alone.
    let sent = batches(&mut driver, backend);
    assert_eq!(sent, [serde_json::json!({ "sequences": ["x".repeat(10)] })]);
    reply(&mut driver, backend, &["r"]);
    assert_eq!(answer(&mut driver, quick).0, 200);
    reply(&mut driver, backend, &["r"]);
    assert_eq!(answer(&mut driver, long).0, 200);
    let figures = metrics(&mut driver);
    assert!(figures.contains(r#"refused_total{reason="too-late"} 1"#), "{figures}");
}

#[test]
fn a_request_in_parts_goes_with_the_first_of_them_that_is_late() {
    let splitting = Splitting::Apart;
    let mut driver = server(ProxyConfig { splitting, ..known() });
    let backend = driver.connect();
    client(&mut driver, "A", &["-"]);
    let parted = driver.accept();
    let body = serde_json::json!({ "sequences": ["x", "x".repeat(100), "xx"] }).to_string();
    driver.receive(parted, &post("/proxy_classify", "x-deadline-ms: 150\r\n", &body));
    let other = client(&mut driver, "A", &["other"]);
    driver.advance(Duration::from_millis(100));
    batches(&mut driver, backend);
    reply(&mut driver, backend, &["r"]);
    assert_eq!(answer(&mut driver, parted).0, 504);
    let sent = batches(&mut driver, backend);
    assert_eq!(sent, [serde_json::json!({ "sequences": ["other"] })], "its other parts are gone");
    reply(&mut driver, backend, &["r"]);
    assert_eq!(answer(&mut driver, other).0, 200);
    let figures = metrics(&mut driver);
    assert!(figures.contains("ringyard_queue_bytes 0\n"), "{figures}");
}
