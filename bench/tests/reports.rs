//! What `REPORTS.md` says of the files, held against the files: no field is missing there, and none is made up.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Parser;
use ringyard_bench::estimate::Estimate;
use ringyard_bench::load::command::{self, LoadArgs};
use ringyard_bench::outcome::ErrorCounts;
use ringyard_bench::statistics::Summary;
use ringyard_bench::study::{CustomerRecord, RunRecord, SCHEMA, StrategySummary, StudySummary};
use ringyard_runtime::launch::{Plan, launch};
use ringyard_servers::classifier::{self, ClassifierConfig};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../REPORTS.md");

/// The fields under the heading that begins with `heading`, without the mark of those that may be null.
fn documented(heading: &str) -> BTreeSet<String> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().trim_start_matches('?').to_owned()).collect()
}

fn keys(value: &impl serde::Serialize) -> BTreeSet<String> {
    serde_json::to_value(value).unwrap().as_object().unwrap().keys().cloned().collect()
}

/// The paths of all fields; what stands in several places counts as one field.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let shared = [
        keys(&Summary::default()),
        keys(&Estimate { value: 0.0, low: 0.0, high: 0.0 }),
        keys(&ErrorCounts::default()),
    ];
    match value {
        Value::Object(fields) if !shared.contains(&fields.keys().cloned().collect()) => {
            for (name, value) in fields {
                let name = if path == "by_status" { "*" } else { name };
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                paths(value, &path, found);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            list.iter().for_each(|value| paths(value, &format!("{path}[]"), found));
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn check(heading: &str, document: &Value) {
    let mut found = BTreeSet::new();
    paths(document, "", &mut found);
    // A list that happens to be empty is a path without what its entries would add.
    let is_named = |path: &String| {
        let entries = format!("{path}[]");
        documented(heading).iter().any(|name| name == path || *name == entries)
    };
    let missing: Vec<_> = found.iter().filter(|path| !is_named(path)).collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
    let is_there =
        |name: &String| found.contains(name) || found.contains(name.trim_end_matches("[]"));
    let made_up: Vec<_> = documented(heading).into_iter().filter(|name| !is_there(name)).collect();
    assert!(made_up.is_empty(), "not in the file: {made_up:?}");
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    load: LoadArgs,
}

#[test]
fn the_report_of_a_load_is_documented() {
    let config = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    let plan = Plan { listen: vec![([127, 0, 0, 1], 0).into()], ..Plan::default() };
    let server = launch(plan, classifier::factory(classifier::front_default(), config, 1)).unwrap();
    let target = format!("http://{}/healthz", server.addresses()[0]);
    let json = tempfile::NamedTempFile::new().unwrap();
    let path = json.path().to_str().unwrap();
    let words =
        ["load", &target, "-q", "-r", "100", "-d", "100ms", "--interval", "10ms", "--json", path];
    let line = Line::try_parse_from(words).unwrap();
    command::run(&line.load, &mut Vec::new()).unwrap();
    check(
        "ringyard-load/1",
        &serde_json::from_slice(&std::fs::read(json.path()).unwrap()).unwrap(),
    );
}

#[test]
fn the_summary_of_an_analysis_is_documented() {
    let run = RunRecord {
        strategy: "fcfs".into(),
        elapsed: Duration::from_secs(1),
        customers: vec![CustomerRecord::default()],
        batch_fill: None,
    };
    let summary = StudySummary {
        schema: SCHEMA.into(),
        title: String::new(),
        workload: String::new(),
        description: String::new(),
        seed: 1,
        seconds_per_strategy: 1.0,
        strategies: vec![StrategySummary::of(&run, &["A".to_owned()])],
    };
    check("ringyard-analysis/1", &serde_json::to_value(summary).unwrap());
}

#[test]
fn what_stands_in_several_places_is_documented() {
    let with = |prefix: &str, keys: BTreeSet<String>| -> Vec<String> {
        keys.iter().map(|key| format!("{prefix}.{key}")).collect()
    };
    let all = [
        with("summary", keys(&Summary::default())),
        with("estimate", keys(&Estimate { value: 0.0, low: 0.0, high: 0.0 })),
        with("errors", keys(&ErrorCounts::default())),
    ];
    let all: BTreeSet<String> = all.concat().into_iter().collect();
    assert_eq!(documented("What stands in several places"), all);
}
