//! Which requests share a batch, what batches are expected to cost, and requests that may be split.

use std::time::Duration;

use ringyard_runtime::app::{ConnError, ConnId, Event};
use ringyard_scheduler::cost::{CostKind, CostModel};
use ringyard_scheduler::{CompositionKind, StrategyKind};
use ringyard_servers::proxy::{CompositionChoice, CostSetting, ProxyConfig, Splitting};

use crate::driver::{Fate, post};
use crate::proxy::{Driven, answer, batches, client, config, metrics, reply, server};

/// The lengths of the texts of each batch sent since the last call.
fn batch_lengths(driver: &mut Driven, backend: ConnId) -> Vec<Vec<usize>> {
    let lengths = |batch: &serde_json::Value| {
        let texts = batch["sequences"].as_array().expect("a list");
        texts.iter().map(|text| text.as_str().expect("a text").len()).collect()
    };
    batches(driver, backend).iter().map(lengths).collect()
}

/// The one batch sent since the last call, answered with as many results.
#[track_caller]
fn serve_one(driver: &mut Driven, backend: ConnId) -> Vec<usize> {
    let mut sent = batch_lengths(driver, backend);
    assert_eq!(sent.len(), 1, "{sent:?}");
    let lengths = sent.remove(0);
    let results: Vec<String> = lengths.iter().map(|length| format!("r{length}")).collect();
    reply(driver, backend, &results.iter().map(String::as_str).collect::<Vec<_>>());
    lengths
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

fn ask(driver: &mut Driven, length: usize) -> ConnId {
    client(driver, "A", &[&text(length)])
}

/// Queues texts of these lengths behind a batch, and returns the batches in which they leave.
fn check(
    strategy: StrategyKind,
    composition: CompositionChoice,
    cost: CostKind,
    lengths: &[usize],
    expected: &[&[usize]],
) {
    let cost = CostSetting::Fixed(CostModel::new(cost, 1_000.0, 0.0));
    let linger = Some(Duration::ZERO);
    let mut driver = server(ProxyConfig { strategy, composition, cost, linger, ..config() });
    let backend = driver.connect();
    ask(&mut driver, 1);
    for length in lengths {
        ask(&mut driver, *length);
    }
    assert_eq!(serve_one(&mut driver, backend), [1]);
    let sent: Vec<_> = expected.iter().map(|_| serve_one(&mut driver, backend)).collect();
    assert_eq!(sent, expected, "{strategy} {composition} {cost:?}");
}

#[test]
fn each_composition_makes_its_own_batches() {
    let lengths = [30, 500, 20, 490, 10];
    let fixed = CompositionChoice::Fixed;
    let quadratic = CostKind::Quadratic;
    let all: &[&[usize]] = &[&[30, 500, 20, 490, 10]];
    let by_turn: &[&[usize]] = &[&[30, 20, 10], &[500, 490]];
    let planned: &[&[usize]] = &[&[10], &[20, 30], &[490, 500]];
    check(StrategyKind::Fcfs, fixed(CompositionKind::Fill), quadratic, &lengths, all);
    check(StrategyKind::Fcfs, fixed(CompositionKind::Anchor), quadratic, &lengths, by_turn);
    check(StrategyKind::Fcfs, CompositionChoice::Auto, quadratic, &lengths, by_turn);
    check(StrategyKind::Sjf, CompositionChoice::Auto, quadratic, &lengths, planned);
    // Where length costs nothing, there is nothing to keep apart.
    check(StrategyKind::Fcfs, CompositionChoice::Auto, CostKind::Constant, &lengths, all);
}

#[test]
fn the_composition_is_switched_with_jobs_queued() {
    let mut driver = server(ProxyConfig { composition: CompositionChoice::Auto, ..config() });
    let backend = driver.connect();
    ask(&mut driver, 1);
    for length in [10, 500] {
        ask(&mut driver, length);
    }
    let asks = driver.accept();
    let check = |driver: &mut Driven, request: Vec<u8>, status: u16, text: &str| {
        driver.receive(asks, &request);
        let (got, body) = answer(driver, asks);
        assert_eq!(got, status, "{body}");
        assert!(body.contains(text), "{body}");
    };
    let get = b"GET /strategy HTTP/1.1\r\nhost: a\r\n\r\n".to_vec();
    check(&mut driver, get, 200, r#""composition":"auto","compositions":["fill","anchor","plan","#);
    let fill = post("/strategy?composition=fill", "", "");
    check(&mut driver, fill, 200, r#"{"active_strategy":"sjf","composition":"fill"}"#);
    let both = post("/strategy?composition=fill&new_strategy=fcfs", "", "");
    check(&mut driver, both, 200, r#"{"active_strategy":"fcfs","composition":"fill"}"#);
    let wrong = post("/strategy?composition=full", "", "");
    check(&mut driver, wrong, 422, "'fill', 'anchor', 'plan', 'auto'");
    assert_eq!(serve_one(&mut driver, backend), [1]);
    driver.advance(Duration::from_millis(50));
    assert_eq!(serve_one(&mut driver, backend), [10, 500]);
}

#[test]
fn what_batches_take_is_learned_and_shown() {
    let mut driver = server(ProxyConfig { composition: CompositionChoice::Auto, ..config() });
    let backend = driver.connect();
    for round in 0..200 {
        let conn = ask(&mut driver, 5 + round % 40);
        let [length] = batch_lengths(&mut driver, backend)[0][..] else { panic!("one text") };
        let squared = u64::try_from(length * length).expect("a small number");
        driver.advance(Duration::from_millis(3) + Duration::from_micros(7 * squared));
        reply(&mut driver, backend, &["r"]);
        assert_eq!(answer(&mut driver, conn).0, 200);
    }
    let text = metrics(&mut driver);
    let figure = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{backend=")));
        let line = line.unwrap_or_else(|| panic!("{name} in {text}"));
        line.rsplit(' ').next().expect("a value").parse().expect("a number")
    };
    let ratio = figure("ringyard_backend_cost_predicted_over_actual");
    assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    let slope = figure("ringyard_backend_cost_slope_nanoseconds");
    assert!((slope / 7_000.0 - 1.0).abs() < 0.05, "{slope}");
    let intercept = figure("ringyard_backend_cost_intercept_nanoseconds");
    assert!((intercept / 3e6 - 1.0).abs() < 0.1, "{intercept}");
    assert!(text.contains(r#"kind="quadratic"} 1"#), "{text}");
}

fn split() -> ProxyConfig {
    ProxyConfig { splitting: Splitting::Apart, request_sequences_max: 64, ..config() }
}

#[test]
fn a_split_request_is_answered_with_its_last_sequence_in_its_own_order() {
    let mut driver = server(split());
    let backend = driver.connect();
    ask(&mut driver, 9);
    assert_eq!(serve_one(&mut driver, backend), [9]);
    let lengths = [7, 1, 8, 2, 9, 3, 10, 4];
    let texts: Vec<String> = lengths.iter().map(|length| text(*length)).collect();
    let wide = client(&mut driver, "A", &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let other = ask(&mut driver, 5);
    assert_eq!(serve_one(&mut driver, backend), [1, 2, 3, 4, 7]);
    assert_eq!(driver.take_sent(wide), "");
    assert_eq!(serve_one(&mut driver, backend), [5, 8, 9, 10]);
    assert_eq!(answer(&mut driver, other).1, r#"{"results":["r5"],"proxy_latency_ms":0}"#);
    let results = r#"["r7","r1","r8","r2","r9","r3","r10","r4"]"#;
    assert_eq!(
        answer(&mut driver, wide),
        (200, format!(r#"{{"results":{results},"proxy_latency_ms":0}}"#))
    );
}

#[test]
fn a_split_request_that_fails_in_part_fails_once_and_leaves_nothing_behind() {
    let mut driver = server(split());
    let backend = driver.connect();
    let wide = client(&mut driver, "A", &["a"; 12]);
    assert_eq!(batch_lengths(&mut driver, backend).len(), 1);
    driver.event(Event::Failed { conn: backend, error: ConnError::Reset });
    assert_eq!(answer(&mut driver, wide).0, 502);
    driver.advance(Duration::from_millis(100));
    let backend = driver.connect();
    assert_eq!(driver.take_sent(backend), "", "the rest of it has left the queue");
    let next = ask(&mut driver, 3);
    assert_eq!(serve_one(&mut driver, backend), [3]);
    assert_eq!(answer(&mut driver, next).0, 200);
}

#[test]
fn a_client_takes_all_parts_of_its_request_with_it() {
    let mut driver = server(split());
    let backend = driver.connect();
    let wide = client(&mut driver, "A", &["a"; 12]);
    let other = ask(&mut driver, 3);
    driver.event(Event::PeerClosed { conn: wide });
    assert_eq!(driver.fate(backend), Fate::Aborted, "nobody else was in the batch");
    let backend = driver.connect();
    assert_eq!(serve_one(&mut driver, backend), [3]);
    assert_eq!(answer(&mut driver, other).0, 200);
}
