//! The load generator end to end, as its command runs it: real engines, real sockets, short runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use clap::Parser;
use ringyard_bench::load::NullServer;
use ringyard_bench::load::command::{self, Exit, LoadArgs};
use ringyard_bench::load::report::LoadReport;
use ringyard_runtime::launch::{EngineChoice, EngineKind, Plan, Running, launch};
use ringyard_servers::classifier::{self, ClassifierConfig};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    load: LoadArgs,
}

const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

fn classifier() -> Running {
    let config = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    let plan = Plan { listen: vec![LOOPBACK.into()], ..Plan::default() };
    launch(plan, classifier::factory(classifier::front_default(), config, 1)).unwrap()
}

/// Runs `ringyard load` with these arguments, and reads the report that it writes.
fn load(target: &str, arguments: &[&str]) -> (Exit, LoadReport, String) {
    let json = tempfile::NamedTempFile::new().unwrap();
    let path = json.path().to_str().unwrap();
    let fixed = ["load", target, "--quiet", "--no-calibration", "--json", path];
    let line = Line::try_parse_from(fixed.iter().chain(arguments)).unwrap();
    let mut printed = Vec::new();
    let exit = command::run(&line.load, &mut printed).unwrap();
    let report = serde_json::from_slice(&std::fs::read(json.path()).unwrap()).unwrap();
    (exit, report, String::from_utf8(printed).unwrap())
}

fn command(arguments: &[&str]) -> (Exit, String) {
    let line = Line::try_parse_from(["load"].iter().chain(arguments)).unwrap();
    let mut printed = Vec::new();
    let exit = command::run(&line.load, &mut printed).unwrap();
    (exit, String::from_utf8(printed).unwrap())
}

fn url(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
}

#[test]
fn a_number_of_requests_is_sent_and_answered_on_every_engine() {
    for engine in EngineKind::ALL {
        let server = classifier();
        let target = url(server.addresses()[0], "/classify");
        let body = r#"{"sequences": ["a", "b;"]}"#;
        let arguments = ["-n", "2000", "-c", "8", "-p", "4", "-b", body, "--engine", engine.name()];
        let (_, report, text) = load(&target, &arguments);
        assert_eq!(report.answered, 2_000, "{text}");
        assert_eq!(report.errors.total(), 0, "{text}");
        assert_eq!(report.by_status["2xx"].count, 2_000);
        assert_eq!(report.connections_opened, 8);
        assert_eq!(report.setup.engine, engine.name());
    }
}

#[test]
fn an_open_loop_keeps_its_rate_and_its_three_accounts() {
    let server = classifier();
    let target = url(server.addresses()[0], "/healthz");
    let arguments = ["-r", "200", "-d", "1s", "-c", "4", "--arrivals", "constant"];
    let (_, report, text) = load(&target, &arguments);
    assert_eq!(report.answered, 200, "{text}");
    assert!(report.latency.uncorrected.is_some() && report.latency.slip.is_some());
    assert!(text.contains("open loop at 200 requests/s"), "{text}");
}

#[test]
fn statuses_of_failure_are_errors_and_the_exit_status_says_so() {
    let server = classifier();
    let (exit, report, text) = load(&url(server.addresses()[0], "/none"), &["-n", "50", "-c", "2"]);
    assert_eq!(exit, Exit::Errors, "{text}");
    assert_eq!(report.errors.refused, 50);
    assert_eq!(report.by_status["4xx"].count, 50);
    let nobody = "http://127.0.0.1:1/";
    let (exit, report, text) = load(nobody, &["-d", "30s", "-c", "2"]);
    assert_eq!((exit, report.answered), (Exit::Errors, 0), "{text}");
    assert!(report.elapsed_s < 5.0);
}

#[test]
fn a_congestion_control_that_there_is_not_is_refused() {
    let arguments = ["load", "http://127.0.0.1:1/", "--congestion-control", "none-such"];
    let line = Line::try_parse_from(arguments).unwrap();
    let error = command::run(&line.load, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("none-such") && error.contains("this kernel offers"), "{error}");
}

#[test]
fn connections_come_from_the_addresses_named_in_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let accept = || listener.accept().unwrap();
        let mut clients: Vec<_> = (0..6).map(|_| accept()).collect();
        for (client, _) in &mut clients {
            let mut question = [0];
            client.read_exact(&mut question).unwrap();
            client.write_all(&question).unwrap();
        }
        clients.into_iter().map(|(_, address)| address.ip().to_string()).collect::<Vec<_>>()
    });
    let said = ["--send-hex", "00", "--expect-bytes", "1", "-n", "6", "-c", "6"];
    let sources = ["--source", "127.0.0.2-127.0.0.3,127.0.0.9"];
    let (exit, report, text) = load(&target, &[&said[..], &sources[..]].concat());
    assert_eq!((exit, report.answered, report.connections_opened), (Exit::Fine, 6, 6), "{text}");
    let mut seen = server.join().unwrap();
    seen.sort();
    let twice = ["127.0.0.2", "127.0.0.3", "127.0.0.9"].map(|address| [address; 2]);
    assert_eq!(seen, twice.concat());
}

#[test]
fn addresses_that_nobody_can_connect_from_are_refused() {
    let check = |source, part: &str| {
        let line = ["load", "http://127.0.0.1:1/", "--quiet", "--source", source];
        let line = Line::try_parse_from(line).unwrap();
        let error = command::run(&line.load, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    check("192.0.2.1", "cannot connect from 192.0.2.1");
    check("::1", "give one of the same family");
}

#[test]
fn flags_that_a_study_decides_itself_are_refused() {
    let check = |arguments: &[&str], part: &str| {
        let line = Line::try_parse_from(["load"].iter().chain(arguments)).unwrap();
        let error = command::run(&line.load, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let url = "http://127.0.0.1:1/";
    check(&["ab", url, url, "-d", "5s"], "give --windows and --window");
    check(&["find", url, "--slo", "p99<1s", "-n", "5"], "give --trial");
    check(&["find", url, "--slo", "p99<1s", "-r", "5"], "give --start");
}

#[test]
fn connections_are_closed_after_each_answer_if_asked() {
    let server = classifier();
    let target = url(server.addresses()[0], "/healthz");
    let (_, report, text) = load(&target, &["-n", "40", "-c", "4", "--close"]);
    assert_eq!((report.answered, report.errors.total()), (40, 0), "{text}");
    assert!(report.connections_opened >= 40, "{}", report.connections_opened);
}

#[test]
fn raw_bytes_are_exchanged() {
    let plan = Plan { listen: vec![LOOPBACK.into()], ..Plan::default() };
    let server = launch(plan, |_| NullServer::new(3, b"ok\n".to_vec())).unwrap();
    let target = format!("tcp://{}", server.addresses()[0]);
    for end in [["--expect-bytes", "3"], ["--expect-until", r"\n"]] {
        let arguments = ["-n", "300", "-c", "3", "-p", "5", "--send-hex", "616263"];
        let (_, report, text) = load(&target, &[&arguments[..], &end].concat());
        assert_eq!((report.answered, report.bytes_sent), (300, 900), "{text}");
        assert_eq!(report.bytes_received, 900);
    }
}

#[test]
fn a_run_ends_when_the_median_is_known_well_enough() {
    let server = classifier();
    let target = url(server.addresses()[0], "/healthz");
    let arguments = ["--until-ci", "1000%", "--interval", "20ms", "-c", "1", "-d", "60s"];
    let (_, report, text) = load(&target, &arguments);
    assert!(report.elapsed_s < 30.0, "{text}");
    assert!(report.median_ms.is_some());
}

#[test]
fn files_for_other_tools_are_written() {
    let server = classifier();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let [csv, hgrm, hlog, html] = ["a.csv", "a.hgrm", "a.hlog", "a.html"].map(path);
    let arguments = [
        "-d",
        "300ms",
        "--interval",
        "100ms",
        "--csv",
        &csv,
        "--hgrm",
        &hgrm,
        "--hlog",
        &hlog,
        "--html",
        &html,
    ];
    let (_, report, _) = load(&url(server.addresses()[0], "/healthz"), &arguments);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&csv).lines().count(), 1 + report.intervals.len());
    assert!(read(&hgrm).contains("1/(1-Percentile)"));
    assert!(read(&html).ends_with("</html>\n"));
    let lines = read(&hlog).lines().filter(|line| line.contains(",HIST")).count();
    assert_eq!(lines, report.intervals.len());
}

#[test]
fn two_targets_are_loaded_in_turn_and_compared() {
    let server = classifier();
    let target = url(server.addresses()[0], "/healthz");
    let window = ["--windows", "5", "--window", "40ms", "-c", "2", "--quiet"];
    let (_, text) = command(&[&["ab", target.as_str(), target.as_str()], &window[..]].concat());
    for part in ["throughput", "p99", "B/A"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn reports_are_compared_and_other_files_are_refused() {
    let server = classifier();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.json").to_str().unwrap().to_owned();
    let target = url(server.addresses()[0], "/healthz");
    let run = [&target, "-q", "-d", "400ms", "--interval", "50ms", "--no-calibration"];
    command(&[&run[..], &["--json", path.as_str()]].concat());
    let (exit, text) = command(&["compare", &path, &path]);
    assert_eq!(exit, Exit::Fine);
    assert_eq!(text.matches("no difference seen").count(), 7, "{text}");
    std::fs::write(&path, "{}").unwrap();
    let line = Line::try_parse_from(["load", "compare", &path, &path]).unwrap();
    let error = command::run(&line.load, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("no report that --json wrote"), "{error}");
}

#[test]
fn an_objective_that_nothing_keeps_is_searched_for_in_vain() {
    let server = classifier();
    let target = url(server.addresses()[0], "/healthz");
    let page = tempfile::NamedTempFile::new().unwrap();
    let path = page.path().to_str().unwrap();
    let fixed = ["find", target.as_str(), "--slo", "p50<1ns", "--trial", "30ms", "--start", "1000"];
    let (exit, text) = command(&[&fixed[..], &["--quiet", "--html", path]].concat());
    assert_eq!(exit, Exit::SloMissed);
    assert!(text.contains("at no rate that was tried"), "{text}");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("p50&lt;1ns was kept at no rate") && page.contains("<circle"), "{page}");
}

#[test]
fn figures_of_several_cores_add_up() {
    let cores = ringyard_runtime::affinity::allowed().unwrap();
    let list: Vec<String> = cores.iter().take(2).map(ToString::to_string).collect();
    let server = classifier();
    let target = url(server.addresses()[0], "/healthz");
    let arguments = ["-n", "1001", "-c", "5", "--cores", &list.join(",")];
    let (_, report, text) = load(&target, &arguments);
    assert_eq!(report.answered, 1_001, "{text}");
    assert_eq!(report.connections_opened, 5);
    assert_eq!(report.generator.evidence.idle_share.len(), list.len());
    let sum: u64 = report.intervals.iter().map(|interval| interval.answered).sum();
    assert_eq!(sum, 1_001);
}

#[test]
fn a_null_server_on_the_same_core_is_generator_bound() {
    let cores = ringyard_runtime::affinity::allowed().unwrap();
    let core = cores[0];
    let request = "GET / HTTP/1.1\r\nhost: 127.0.0.1:65535\r\n\r\n";
    let plan = Plan {
        engine: EngineChoice::Auto,
        cores: vec![core],
        listen: vec![LOOPBACK.into()],
        ..Plan::default()
    };
    // The length of the request depends on the digits of the port that the kernel chooses.
    let longest = request.len() as u64;
    let start = move |bytes| {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
        launch(plan.clone(), move |_| NullServer::new(bytes, answer.clone())).unwrap()
    };
    let server = (0..100)
        .map(|_| start(longest))
        .find(|server| server.addresses()[0].port() >= 10_000)
        .unwrap();
    let target = url(server.addresses()[0], "/");
    let arguments = ["-d", "1s", "-c", "64", "--cores", &core.to_string()];
    let (exit, report, text) = load(&target, &arguments);
    assert!(report.answered > 0, "{text}");
    assert_eq!(exit, Exit::GeneratorBound, "{text}");
    assert!(text.contains("GENERATOR-BOUND"), "{text}");
    assert!(Duration::from_secs_f64(report.elapsed_s) < Duration::from_secs(3));
}
