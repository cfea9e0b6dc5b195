//! `ringyard analyze` and `ringyard demo` as a user meets them: what they print, write and leave behind.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use ringyard_tests::client::{Client, get};
use tempfile::TempDir;

use crate::process::Process;

fn spawn(arguments: &[&str], results: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ringyard"))
        .args(arguments)
        .current_dir(results)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

/// Runs the binary to its end in a directory of its own.
fn run(arguments: &[&str]) -> (Output, String, TempDir) {
    let place = tempfile::tempdir().expect("a directory");
    let output = spawn(arguments, place.path()).wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text, place)
}

/// The one directory of results, which must be complete.
fn results(place: &Path) -> PathBuf {
    let mut runs = place.join("results").read_dir().expect("results");
    let run = runs.next().expect("one run").expect("it can be read").path();
    let summary = fs::read_to_string(run.join("summary.json")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["schema"], "ringyard-analysis/1");
    assert!(fs::read(run.join("comparison.png")).expect("a picture").starts_with(b"\x89PNG"));
    assert!(fs::read_to_string(run.join("summary.txt")).expect("text").contains("batch fill"));
    assert!(fs::read_to_string(run.join("report.html")).expect("a page").contains("<svg"));
    run
}

fn active_strategy(address: SocketAddr) -> serde_json::Value {
    Client::connect(address).ask(&get("/strategy")).json()["active_strategy"].clone()
}

/// A classifier that answers at once and a proxy before it that treats customers fairly.
fn servers() -> (Process, Process) {
    let classifier =
        Process::start(&["classifier", "--listen", "127.0.0.1:0", "--cost-scale", "0"]);
    let backend = format!("http://{}", classifier.address);
    let proxy = Process::start(&[
        "proxy",
        "--listen",
        "127.0.0.1:0",
        "--backend",
        &backend,
        "--strategy",
        "fair",
    ]);
    (classifier, proxy)
}

#[test]
fn the_demo_plays_shows_and_writes() {
    let (output, text, place) = run(&["demo", "--seconds", "1"]);
    assert!(output.status.success(), "{text}");
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["fcfs", "sjf", "fair", "A mean", "B median", "Every request was answered well."] {
        assert!(words.contains(part), "{text}");
    }
    results(place.path());
}

#[test]
fn a_running_proxy_is_played_against_and_has_its_strategy_back() {
    let (_classifier, proxy) = servers();
    let url = format!("http://{}", proxy.address);
    let arguments = ["analyze", "--proxy", &url, "--strategies", "sjf,fcfs", "--seconds", "1"];
    let (output, text, place) = run(&arguments);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("sjf") && text.contains("fcfs") && !text.contains("wspt"), "{text}");
    results(place.path());
    assert_eq!(active_strategy(proxy.address), "fair");
}

#[test]
fn an_analysis_that_is_interrupted_reports_and_puts_the_strategy_back() {
    let (_classifier, proxy) = servers();
    let url = format!("http://{}", proxy.address);
    let place = tempfile::tempdir().expect("a directory");
    let arguments = ["analyze", "--proxy", &url, "--strategies", "sjf,fcfs", "--seconds", "600"];
    let child = spawn(&arguments, place.path());
    let batches = || {
        let metrics = Client::connect(proxy.address).ask(&get("/metrics")).body;
        let line = metrics.lines().find(|line| line.starts_with("ringyard_batches_total"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).expect("a figure")
    };
    // By its second request a client of the first strategy has long been at it.
    while batches() < 4.0 {
        thread::park_timeout(Duration::from_millis(10));
    }
    assert_eq!(active_strategy(proxy.address), "sjf");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("cut short") && !text.contains("fcfs"), "{text}");
    results(place.path());
    assert_eq!(active_strategy(proxy.address), "fair");
}

#[test]
fn the_example_workload_is_one_and_a_wrong_one_is_refused_with_its_line() {
    let (output, example, place) = run(&["analyze", "--example-workload"]);
    assert!(output.status.success() && example.contains("[[customer]]"), "{example}");
    let path = place.path().join("mine.toml");
    let file = path.to_str().expect("a path of text");
    fs::write(&path, &example).expect("a file");
    let arguments = [
        "analyze",
        "--workload",
        file,
        "--strategies",
        "edf",
        "--seconds",
        "1",
        "--cost-scale",
        "0.01",
    ];
    let (output, text, _results) = run(&arguments);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("nightly mean"), "{text}");

    let line = 1 + example.lines().position(|line| line.contains("uniform = [1, 2]")).expect("one");
    fs::write(&path, example.replace("uniform = [1, 2]", "uniform = [2, 1]")).expect("a file");
    let (output, ..) = run(&["analyze", "--workload", file]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains(&format!("line {line}: customer `users`, `sequences`")), "{message}");
}

#[test]
fn nobody_to_play_against_is_an_error_that_names_the_proxy() {
    let (output, ..) = run(&["analyze", "--proxy", "http://127.0.0.1:1"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot reach the proxy: 127.0.0.1:1"), "{message}");
}
