//! The analysis end to end: real servers, real sockets, a second of real time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use ringyard_bench::analyze::embedded::{EmbeddedOptions, Servers};
use ringyard_bench::analyze::{self, AnalyzeError, AnalyzeOutcome};
use ringyard_bench::conductor::{StudyError, StudyOptions, Target};
use ringyard_bench::errand::{self, Request};
use ringyard_bench::progress::ProgressDisplay;
use ringyard_bench::study::StudySummary;
use ringyard_bench::workload::Workload;
use ringyard_protocol::http1::Method;
use ringyard_runtime::launch::{EngineChoice, EngineKind, LaunchError, Plan, Running, launch};
use ringyard_scheduler::StrategyKind;
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::proxy::{self, BackendTarget, Explain, ProxyConfig};

/// The model is a hundred times as fast as usual, so that a short run has many answers.
const COST_SCALE: f64 = 0.01;

const QUICK: &str = "name = 'quick'\n\
    [[customer]]\nname = 'A'\npace = { closed = { think_ms = { constant = 2 } } }\nsequences = { uniform = [1, 3] }\n\
    text = [{ head = 'def foo(): pass' }]\n\
    [[customer]]\nname = 'B'\npace = { open = { rate_per_second = 100, clients = 64 } }\nsequences = { constant = 2 }\n\
    text = [{ body = 'x', times = { uniform = [10, 300] } }]\n";

fn start_classifier(plan: Plan) -> Result<Running, LaunchError> {
    let config = ClassifierConfig { cost_scale: COST_SCALE, ..ClassifierConfig::default() };
    launch(plan, classifier::factory(classifier::front_default(), config, 1))
}

fn start_proxy(plan: Plan, address: SocketAddr) -> Result<Running, LaunchError> {
    let host = address.to_string();
    let backend = BackendTarget { address, host, path: "/classify".into() };
    let config = ProxyConfig {
        strategy: StrategyKind::Sjf,
        explain: Explain::Always { decisions_kept: 1 },
        ..ProxyConfig::new(vec![backend])
    };
    launch(plan, proxy::factory(proxy::front_default(), config, 1))
}

fn servers(engine: EngineChoice) -> Servers {
    let options = EmbeddedOptions { engine, ..EmbeddedOptions::default() };
    Servers::start(&options, start_classifier, start_proxy).unwrap()
}

fn options(engine: EngineChoice, strategies: &[&str]) -> StudyOptions {
    StudyOptions {
        workload: Workload::from_toml(QUICK).unwrap(),
        strategies: strategies.iter().map(ToString::to_string).collect(),
        duration: Duration::from_millis(300),
        seed: 1,
        timeout: Duration::from_secs(30),
        cost_scale: COST_SCALE,
        engine,
        progress: ProgressDisplay::Quiet,
    }
}

/// Runs an analysis: how it ended, what it printed, and what it found.
fn analysed(
    target: &Target,
    options: &StudyOptions,
) -> Result<(AnalyzeOutcome, String, StudySummary), AnalyzeError> {
    let results = tempfile::tempdir().unwrap();
    let mut printed = Vec::new();
    let outcome = analyze::run(target, options, results.path(), &mut printed)?;
    let read = |name| fs::read(outcome.results.join(name)).unwrap();
    assert!(read("comparison.png").len() > 10_000);
    assert!(read("report.html").ends_with(b"</html>\n"));
    let printed = String::from_utf8(printed).unwrap();
    let text = String::from_utf8(read("summary.txt")).unwrap();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Every request was answered well.") != outcome.any_failed, "{words}");
    let summary = serde_json::from_slice(&read("summary.json")).unwrap();
    Ok((outcome, printed, summary))
}

fn active(target: &Target) -> String {
    let reply = errand::run(&Request {
        address: target.address,
        host: target.host.clone(),
        method: Method::Get,
        target: "/strategy".into(),
        timeout: Duration::from_secs(5),
    });
    let json: serde_json::Value = serde_json::from_slice(&reply.unwrap().body).unwrap();
    json["active_strategy"].as_str().unwrap().to_owned()
}

fn check(engine: EngineChoice) {
    let servers = servers(engine);
    let chosen = ["fcfs", "fair"];
    let (outcome, printed, summary) =
        analysed(&servers.target(), &options(engine, &chosen)).unwrap();
    assert!(!outcome.any_failed && !outcome.is_cut_short, "{printed}");
    for word in ["strategy", "A mean", "B median", "fcfs", "fair", "results in"] {
        assert!(printed.contains(word), "{printed}");
    }
    assert_eq!(summary.strategies.len(), chosen.len());
    for run in &summary.strategies {
        assert!(run.customers.iter().all(|customer| customer.latency.count > 0), "{printed}");
        assert!(run.mean_ms.is_some());
        let fill = run.batch_fill.unwrap();
        assert!((1.0..=5.0).contains(&fill), "{fill}");
        for customer in &run.customers {
            let fill = customer.batch_fill.unwrap();
            assert!((1.0..=5.0).contains(&fill), "{fill}");
        }
    }
    assert_eq!(active(&servers.target()), "sjf", "the strategy before is that after");
}

#[test]
fn strategies_are_compared_on_the_best_engine() {
    check(EngineChoice::Auto);
}

#[test]
fn strategies_are_compared_on_tokio() {
    check(EngineChoice::Exactly(EngineKind::Tokio));
}

#[test]
fn without_a_choice_every_strategy_of_the_proxy_is_played() {
    let servers = servers(EngineChoice::Auto);
    let mut options = options(EngineChoice::Auto, &[]);
    options.duration = Duration::from_millis(60);
    let (_, _, summary) = analysed(&servers.target(), &options).unwrap();
    let played: Vec<&str> = summary.strategies.iter().map(|run| run.strategy.as_str()).collect();
    let all: Vec<&str> = StrategyKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(played, all);
}

#[test]
fn an_unknown_strategy_ends_the_study_and_the_proxy_has_its_own_back() {
    let servers = servers(EngineChoice::Auto);
    let error = analysed(&servers.target(), &options(EngineChoice::Auto, &["fair", "best"]));
    let error = error.unwrap_err();
    assert!(
        matches!(error, AnalyzeError::Study(StudyError::Switch { status: 422, .. })),
        "{error}"
    );
    assert_eq!(active(&servers.target()), "sjf");
}

#[test]
fn a_proxy_that_does_not_tell_its_strategies_needs_them_named() {
    let plan = Plan { listen: vec![([127, 0, 0, 1], 0).into()], ..Plan::default() };
    let classifier = start_classifier(plan).unwrap();
    let target = Target::at(classifier.addresses()[0]);
    let error = analysed(&target, &options(EngineChoice::Auto, &[])).unwrap_err();
    assert!(matches!(error, AnalyzeError::Study(StudyError::Unnamed)), "{error}");
}

#[test]
fn a_proxy_whose_backend_refuses_makes_requests_fail() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let start = |plan, _| start_proxy(plan, nobody);
    let servers = Servers::start(&EmbeddedOptions::default(), start_classifier, start).unwrap();
    let (outcome, ..) =
        analysed(&servers.target(), &options(EngineChoice::Auto, &["fcfs"])).unwrap();
    assert!(outcome.any_failed);
}
