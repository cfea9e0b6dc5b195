//! The demo end to end: real servers, real sockets, a second of real time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use ringyard_bench::demo::{self, DemoOptions};
use ringyard_bench::progress::ProgressDisplay;
use ringyard_bench::study::StudySummary;
use ringyard_runtime::launch::{EngineChoice, EngineKind, LaunchError, Plan, Running, launch};
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::proxy::{self, BackendTarget, ProxyConfig};

fn start_classifier(plan: Plan) -> Result<Running, LaunchError> {
    let config = ClassifierConfig::default();
    launch(plan, classifier::factory(classifier::front_default(), config, 1))
}

fn start_proxy(plan: Plan, address: SocketAddr) -> Result<Running, LaunchError> {
    let host = address.to_string();
    let backend = BackendTarget { address, host, path: "/classify".into() };
    launch(plan, proxy::factory(proxy::front_default(), ProxyConfig::new(vec![backend]), 1))
}

fn options(results: &tempfile::TempDir, engine: EngineChoice) -> DemoOptions {
    DemoOptions {
        duration: Duration::from_millis(400),
        results: results.path().to_owned(),
        engine,
        progress: ProgressDisplay::Quiet,
        ..DemoOptions::default()
    }
}

fn check(engine: EngineChoice) {
    let results = tempfile::tempdir().unwrap();
    let mut printed = Vec::new();
    let outcome =
        demo::run(&options(&results, engine), start_classifier, start_proxy, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(!outcome.any_failed, "{printed}");
    for word in ["strategy", "A mean", "B median", "fcfs", "sjf", "fair"] {
        assert!(printed.contains(word), "{printed}");
    }
    let json = fs::read(outcome.results.join("summary.json")).unwrap();
    let summary: StudySummary = serde_json::from_slice(&json).unwrap();
    assert_eq!(summary.strategies.len(), 3);
    for run in &summary.strategies {
        assert!(run.customers.iter().all(|customer| customer.latency.count > 0), "{printed}");
        let fill = run.batch_fill.unwrap();
        assert!((1.0..=5.0).contains(&fill), "{fill}");
    }
    assert!(fs::metadata(outcome.results.join("comparison.png")).unwrap().len() > 10_000);
}

#[test]
fn the_demo_compares_the_strategies_on_the_best_engine() {
    check(EngineChoice::Auto);
}

#[test]
fn the_demo_compares_the_strategies_on_tokio() {
    check(EngineChoice::Exactly(EngineKind::Tokio));
}

#[test]
fn a_proxy_whose_backend_refuses_makes_the_demo_fail() {
    let results = tempfile::tempdir().unwrap();
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let mut options = options(&results, EngineChoice::Auto);
    options.strategies.truncate(1);
    let outcome =
        demo::run(&options, start_classifier, |plan, _| start_proxy(plan, nobody), &mut Vec::new())
            .unwrap();
    assert!(outcome.any_failed);
}
