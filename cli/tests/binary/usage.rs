//! The binary as a user meets it: what it prints, how it ends, and what survives when it is killed.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use ringyard_tests::client::{Client, classify, get, proxy_classify};

use crate::ENGINES;
use crate::process::Process;

const CLIENTS: usize = 32;

/// Runs the binary to its end: its exit status and what it said on standard error.
pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ringyard")).args(arguments).output();
    let output = output.expect("the binary runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn wait_for_metric(address: SocketAddr, metric: &str) {
    let mut client = Client::connect(address);
    while !client.ask(&get("/metrics")).body.contains(metric) {
        thread::park_timeout(Duration::from_millis(2));
    }
}

#[test]
fn one_line_says_where_and_how_it_serves() {
    for engine in ENGINES {
        let classifier =
            Process::start(&["classifier", "--listen", "127.0.0.1:0", "--engine", engine]);
        assert!(classifier.line.starts_with("ringyard classifier: serving http://127.0.0.1:"));
        assert!(classifier.line.contains(&format!("engine {engine}, ")), "{}", classifier.line);
        let mut client = Client::connect(classifier.address);
        assert_eq!(client.ask(&classify(&["a;"])).body, r#"{"results":["code"]}"#);
    }
}

#[test]
fn sigterm_answers_what_is_in_flight_and_exits_with_success() {
    for engine in ENGINES {
        let mut classifier =
            Process::start(&["classifier", "--listen", "127.0.0.1:0", "--engine", engine]);
        let text = "x".repeat(500);
        let mut clients: Vec<_> =
            (0..CLIENTS).map(|_| Client::connect(classifier.address)).collect();
        for client in &mut clients {
            client.send(&classify(&[&text])).expect("the connection holds");
        }
        let computing = format!("ringyard_classifier_requests{{state=\"computing\"}} {CLIENTS}");
        wait_for_metric(classifier.address, &computing);
        classifier.signal("-TERM");
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
            assert!(client.closed());
        }
        assert_eq!(classifier.wait().code(), Some(0));
    }
}

#[test]
fn sigint_ends_an_idle_server() {
    let mut classifier = Process::start(&["classifier", "--listen", "127.0.0.1:0"]);
    classifier.signal("-INT");
    assert_eq!(classifier.wait().code(), Some(0));
}

#[test]
fn a_classifier_that_is_killed_costs_its_batch_and_nothing_else() {
    for engine in ENGINES {
        let slow = ["classifier", "--listen", "127.0.0.1:0", "--cost-scale", "50"];
        let mut first = Process::start(&slow);
        let address = first.address.to_string();
        let url = format!("http://{address}");
        let proxy = Process::start(&[
            "proxy",
            "--listen",
            "127.0.0.1:0",
            "--backend",
            &url,
            "--strategy",
            "sjf",
            "--engine",
            engine,
            "--backend-grace",
            "8s",
        ]);
        let text = "x".repeat(100);
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(proxy.address)).collect();
        for client in &mut clients {
            client.send(&proxy_classify("A", &[&text])).expect("the connection holds");
        }
        wait_for_metric(proxy.address, "ringyard_batches_in_flight 1");
        first.signal("-KILL");
        first.wait();
        let _second = Process::start(&["classifier", "--listen", &address, "--cost-scale", "0"]);
        let failed = clients
            .iter_mut()
            .map(|client| {
                let answer = client.answer();
                assert!(matches!(answer.status, 200 | 502), "{answer:?}");
                usize::from(answer.status == 502)
            })
            .sum::<usize>();
        assert!((1..=5).contains(&failed), "{failed} failed; a batch has at most 5");
    }
}

#[test]
fn a_classifier_that_is_frozen_is_answered_for_by_the_deadline() {
    for engine in ENGINES {
        let classifier =
            Process::start(&["classifier", "--listen", "127.0.0.1:0", "--cost-scale", "0"]);
        let url = format!("http://{}", classifier.address);
        let proxy = Process::start(&[
            "proxy",
            "--listen",
            "127.0.0.1:0",
            "--backend",
            &url,
            "--deadline",
            "2s",
            "--engine",
            engine,
        ]);
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect(proxy.address)).collect();
        assert_eq!(clients[0].ask(&proxy_classify("A", &["x"])).status, 200);
        classifier.signal("-STOP");
        for client in &mut clients {
            client.send(&proxy_classify("A", &["x"])).expect("the connection holds");
        }
        for client in &mut clients {
            assert_eq!(client.answer().status, 504);
        }
        classifier.signal("-CONT");
        let mut client = Client::connect(proxy.address);
        while client.ask(&proxy_classify("A", &["x"])).status != 200 {
            thread::park_timeout(Duration::from_millis(5));
        }
        for client in &mut clients {
            assert_eq!(client.ask(&proxy_classify("A", &["x"])).status, 200);
        }
    }
}

#[test]
fn a_port_in_use_is_refused_with_a_clear_message() {
    let first = Process::start(&["classifier", "--listen", "127.0.0.1:0"]);
    let address = first.address.to_string();
    for engine in ENGINES {
        let (status, message) = run(&["classifier", "--listen", &address, "--engine", engine]);
        assert_eq!(status, Some(1));
        assert!(message.contains(&address) && message.contains("in use"), "{message}");
    }
}

#[test]
fn wrong_flags_are_refused_with_what_would_be_right() {
    for (arguments, expected) in [
        (&["proxy", "--strategy", "best"][..], "fcfs"),
        (&["proxy", "--balance", "best"][..], "soonest"),
        (&["proxy", "--backend", "https://model"][..], "http://"),
        (&["classifier", "--engine", "epoll"][..], "ring and tokio"),
        (&["classifier", "--cores", "2-1"][..], "backwards"),
        (&["classifier", "--cost-scale=-1"][..], "0 upwards"),
        (&["classifier", "--listen", "here"][..], "ADDR:PORT"),
        (&["demo", "--seconds", "0"][..], "--seconds"),
        (&["analyze", "--proxy", "127.0.0.1:8000"][..], "http://host"),
        (&["analyze", "--proxy", "http://127.0.0.1:8000/proxy_classify"][..], "without a path"),
        (&["analyze", "--workload", "/does/not/exist"][..], "cannot read it"),
    ] {
        let (status, message) = run(arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn the_doctor_says_the_same_to_people_and_to_programs() {
    let doctor = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ringyard")).args(arguments).output();
        let output = output.expect("the binary runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let (status, json) = doctor(&["doctor", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(status, Some(i32::from(report["verdict"] == "fail")));
    let (_, lines) = doctor(&["doctor"]);
    let findings = report["findings"].as_array().expect("a list");
    assert_eq!(lines.lines().count(), findings.len() + 1);
    for (line, finding) in lines.lines().zip(findings) {
        let name = finding["name"].as_str().expect("a name");
        assert!(line.contains(name), "{name}: {line}");
        assert_eq!(finding["verdict"] == "ok", finding["mend"].is_null() && line.starts_with("ok"));
    }
    let (status, message) = run(&["doctor", "--cores", "x"]);
    assert_eq!(status, Some(2));
    assert!(message.contains("neither a CPU number"), "{message}");
}
