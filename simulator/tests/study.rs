//! The study's command line, as a user meets it, and the tape.

use std::path::PathBuf;

use clap::Parser;
use ringyard_simulator::study::command::{self, CommandError};
use ringyard_simulator::study::csv::read_runs;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: command::Args,
}

/// Runs a command line and returns what it printed.
fn run(words: &[&str]) -> Result<String, CommandError> {
    let words = std::iter::once("simulate").chain(words.iter().copied());
    let line = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    let mut out = Vec::new();
    command::run(&line.args, &mut out)?;
    Ok(String::from_utf8(out).expect("output is text"))
}

fn in_crate(path: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path).display().to_string()
}

const SMALL: &str = r#"
[defaults.world]
total_ticks = 80
servers = 8
clients = 8
subset_size = 4
mean_threads = 20.0
data_frequency = 5

[[scenario]]
name = "Small"
picker = "random"
target_utilization = 0.6
runs = 3

[[scenario]]
name = "Pair"
picker = { least_cost = { cost = "client_rif", choices = 2 } }
target_utilization = 0.6
runs = 3

[[scenario]]
name = "Learning"
picker = { soonest = { tau_seconds = 0.5 } }
target_utilization = 0.6
runs = 3
world = { arrivals = { modulated = { rates = [1.5, 0.5], dwell = [9, 9] } }, subsetting = "rendezvous" }

[[scenario]]
name = "Probing"
picker = { prequal = {} }
runs = 3
world = { arrivals = { trace = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2] } }
"#;

#[test]
fn all_scenarios_are_listed() {
    assert_eq!(run(&["list"]).unwrap().lines().count(), 46);
    assert_eq!(run(&["list", "--profile", "v2"]).unwrap().lines().count(), 50);
    assert_eq!(run(&["list", "--profile", "fixed"]).unwrap().lines().count(), 64);
}

#[test]
fn a_study_of_ones_own_writes_everything_and_depends_on_no_thread() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    std::fs::write(path("small.toml"), SMALL).unwrap();
    let study = |threads: &str, csv: &str| {
        run(&[
            "study",
            "--scenarios",
            &path("small.toml"),
            "--threads",
            threads,
            "--seed",
            "5",
            "--csv",
            &path(csv),
            "--json",
            &path("runs.json"),
            "--out",
            &path("report"),
        ])
        .unwrap()
    };
    let printed = study("1", "one.csv");
    assert!(printed.contains("requests/s") && printed.contains("total"), "{printed}");
    study("3", "three.csv");
    let one = std::fs::read_to_string(path("one.csv")).unwrap();
    assert_eq!(one, std::fs::read_to_string(path("three.csv")).unwrap());
    assert_eq!(read_runs(&one).unwrap().len(), 12);

    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path("runs.json")).unwrap()).unwrap();
    let scenario = &json["scenarios"][1];
    assert_eq!(scenario["configuration"]["world"]["servers"], 8);
    assert_eq!(scenario["runs"].as_array().unwrap().len(), 3);
    assert!(scenario["runs"][0]["more"]["mean_elapsed"].as_f64().unwrap() > 1.0);
    assert_eq!(json["scenarios"][3]["runs"][0]["counts"]["requests"], 120);
    assert!(json["scenarios"][3]["runs"][0]["counts"]["probes"].as_u64().unwrap() > 300);

    let page = std::fs::read_to_string(directory.path().join("report/report.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 6);
    assert!(directory.path().join("report/mean_latency.png").exists());

    let table = run(&["score", &path("one.csv"), "--csv"]).unwrap();
    assert!(table.starts_with(
        "algorithm,mean_latency,stdev_latency,p99.0_latency,mean_stdev_utilization,stdev_utilization,total_score\n"
    ));
    assert_eq!(table.lines().count(), 5);
}

#[test]
fn a_named_scenario_runs_and_an_unknown_one_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("small.toml").display().to_string();
    std::fs::write(&file, SMALL).unwrap();
    let printed = run(&["run", "Pair", "--scenarios", &file, "--runs", "2"]).unwrap();
    assert!(printed.contains("Pair") && !printed.contains("Small"), "{printed}");
    let error = run(&["run", "Pear", "--scenarios", &file]).unwrap_err();
    assert!(matches!(error, CommandError::UnknownScenario(name) if name == "Pear"));
}

/// A file is refused with a message that names the line and the matter.
fn check_refused(text: &str, line: usize, matter: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("wrong.toml");
    std::fs::write(&file, text).expect("a temporary file");
    let error = run(&["list", "--scenarios", &file.display().to_string()]);
    let error = error.expect_err("the file is wrong").to_string();
    assert!(error.contains(&format!("line {line}")) && error.contains(matter), "{error}");
}

#[test]
fn a_wrong_file_is_refused_with_its_line() {
    check_refused("[[scenario]]\nname = \"A\"\npicker = \"best\"\n", 3, "best");
    check_refused("[[scenario]]\nname = \"A\"\npicker = \"random\"\nrat = 1.0\n", 4, "rat");
    let cost = "[[scenario]]\nname = \"A\"\n\npicker = { weighted = { cost = \"server_rif\" } }\n";
    check_refused(cost, 4, "unknown cost `server_rif`");
    let world = "[[scenario]]\nname = \"A\"\npicker = \"random\"\nworld = { servers = 0 }\n";
    check_refused(world, 2, "servers is 0");
    let twice = "[[scenario]]\nname = \"A\"\npicker = \"random\"\n".repeat(2);
    check_refused(&twice, 5, "the name is taken");
    let both =
        "[[scenario]]\nname = \"A\"\npicker = \"random\"\nrate = 1.0\ntarget_utilization = 0.5\n";
    check_refused(both, 2, "not both");
    let wide =
        "[[scenario]]\nname = \"A\"\npicker = \"fastest_probe\"\nworld = { subset_size = 65 }\n";
    check_refused(wide, 2, "at most 64");
    let of = |rest: &str| format!("[[scenario]]\nname = \"A\"\n{rest}\n");
    let few = of("picker = { soonest = {} }\nchoose_from = 2");
    check_refused(&few, 2, "do not learn");
    check_refused(&of("picker = { maglev = { table = 4096 } }"), 2, "must be a prime");
    check_refused(&of("picker = { c3 = { memory = 1.0 } }"), 2, "memory must be");
    check_refused(&of("picker = \"fastest_idle_probe\""), 2, "ends the run");
    check_refused(&of("picker = { peak_ewma = { tau = 1 } }"), 3, "unknown field `tau`");
    let moods =
        "picker = \"random\"\nworld = { arrivals = { modulated = { rates = [1], dwell = [] } } }";
    check_refused(&of(moods), 2, "as many states");
    let average = "picker = { least_cost = { cost = \"client_latency(ewma)\" } }\nworld = { ewma_weight = 0.5 }";
    check_refused(&of(average), 2, "whatever ewma_weight is");
}

#[test]
fn a_contest_is_played_and_its_leaders_marked() {
    let words = ["contest", "--world", "low utilisation", "--policy", "choices", "--runs", "1"];
    let printed = run(&words).unwrap();
    assert!(printed.contains("| least_request (2 choices) | **"), "{printed}");
    assert!(printed.contains("Worlds led, of 1"), "{printed}");
}

#[test]
fn the_example_tape_gives_its_rows() {
    let (tape, scenarios) = (in_crate("tape/example.tape"), in_crate("tape/example.toml"));
    let played =
        run(&["replay", &tape, "--scenarios", &scenarios, "--scenario", "Example"]).unwrap();
    let expected = std::fs::read_to_string(in_crate("tape/example.rows.csv")).unwrap();
    assert_eq!(played, expected);
}

#[test]
fn every_picker_survives_recording_and_replaying() {
    let directory = tempfile::tempdir().unwrap();
    let tape = directory.path().join("run.tape").display().to_string();
    for name in [
        "RoundRobin",
        "LeastClientRequestsInFlightPickTwo",
        "ProbingWeightedServerExpectedLatency",
        "ClientPidControlledUtilization",
        "Hcl",
        "FastestProbe3",
    ] {
        let recorded = run(&["record", &tape, "--scenario", name, "--run", "2"]).unwrap();
        let played = run(&["replay", &tape, "--scenario", name]).unwrap();
        assert!(recorded.lines().count() > 1_000);
        assert!(recorded == played, "{name}: the rows differ");
    }
}

#[test]
fn a_tape_that_does_not_fit_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("wrong.tape");
    let replay = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let scenarios = in_crate("tape/example.toml");
        let file = file.display().to_string();
        let words = ["replay", &file, "--scenarios", &scenarios, "--scenario", "Example"];
        run(&words).unwrap_err().to_string()
    };
    let good = std::fs::read_to_string(in_crate("tape/example.tape")).unwrap();
    assert!(replay("u 0.5\n").contains("line 1: a tape starts with"));
    assert!(
        replay(&good.replacen("\ng ", "\nu 0.5\ng ", 1))
            .contains("line 2: the world draws a gamma")
    );
    assert!(replay(&format!("{good}u 0.5\n")).contains("1 draws left"));
    let shorter = good.trim_end().rsplit_once('\n').unwrap().0;
    assert!(replay(shorter).contains("the tape ends"));
    assert!(replay(&format!("{good}u one\n")).contains("is not a draw"));
}
