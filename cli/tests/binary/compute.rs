//! The compute server and its study as a user meets them.

use std::process::Command;

use ringyard_tests::client::{Client, get};

use crate::ENGINES;
use crate::process::Process;
use crate::usage::{run, wait_for_metric};

const CALCULATE: &str = "/calculate?input=abc";

fn start(arguments: &[&str]) -> Process {
    Process::start(&[&["compute", "--listen", "127.0.0.1:0"], arguments].concat())
}

#[test]
fn a_request_is_computed_on_every_engine() {
    for engine in ENGINES {
        let arguments = ["--work", "2ms", "--workers", "2", "--policy", "none"];
        let server = start(&[&arguments[..], &["--engine", engine]].concat());
        assert!(server.line.contains("2 workers, "), "{}", server.line);
        let answer = Client::connect(server.address).ask(&get(CALCULATE));
        assert_eq!(answer.status, 200);
        let body = answer.json();
        assert_eq!(body["input"], "abc");
        assert_eq!(body["digest"].as_str().map(str::len), Some(64));
        assert!(body["work_ms"].is_f64() && body["queue_ms"].is_f64(), "{body}");
    }
}

#[test]
fn beyond_the_bound_requests_are_refused_health_is_not_and_departures_make_room() {
    let server = start(&["--work", "1h", "--policy", "queue:1"]);
    let mut first = Client::connect(server.address);
    first.send(&get(CALCULATE)).expect("the connection holds");
    wait_for_metric(server.address, "ringyard_compute_requests{state=\"computing\"} 1");
    let mut second = Client::connect(server.address);
    let refusal = second.ask(&get(CALCULATE));
    assert_eq!(refusal.status, 503);
    assert_eq!(refusal.body, r#"{"detail":"Too many requests"}"#);
    assert!(refusal.header("retry-after").is_some_and(|value| value.parse::<u32>().is_ok()));
    assert_eq!(second.ask(&get("/healthz")).status, 200);
    drop(first);
    wait_for_metric(server.address, "ringyard_compute_requests{state=\"computing\"} 0");
}

#[test]
fn wrong_policies_are_refused_with_what_would_be_right() {
    let (status, message) = run(&["compute", "--policy", "lifo"]);
    assert_eq!(status, Some(2), "{message}");
    assert!(message.contains("queue:N") && message.contains("adaptive"), "{message}");
    let (status, message) = run(&["compute", "--policy", "time:100ms", "--work", "1s"]);
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains("no request takes less than --work"), "{message}");
}

#[test]
fn the_study_of_shedding_says_what_it_is_worth() {
    let output = Command::new(env!("CARGO_BIN_EXE_ringyard"))
        .args(["study", "shedding", "--simulated", "--seconds", "10", "--clients", "5"])
        .args(["--loads", "10", "--policies", "unheeding,queue:2", "--quiet"])
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for part in ["good: queue:2: ", "With shedding the same server turns at least", "unheeding"] {
        assert!(text.contains(part), "{text}");
    }
    let (status, message) = run(&["study", "shedding", "--clients", "0", "--loads", "0"]);
    assert_eq!(status, Some(1), "{message}");
    assert!(message.contains("nothing to play"), "{message}");
}
