//! The simulator against the reference runs: same worlds, same figures.
//!
//! The test that always runs compares means of a few scenarios. The full comparison is of every given run with a
//! thousand simulated ones; in a release build it takes 17 minutes of processor time, over all cores:
//!
//! ```text
//! cargo test --release -p ringyard-simulator --test reference -- --ignored --nocapture
//! ```

use std::collections::BTreeMap;

use ringyard_simulator::study::catalogue::built_in;
use ringyard_simulator::study::csv::read_runs;
use ringyard_simulator::study::numeric::{mean, quantile, variance};
use ringyard_simulator::study::profile::Profile;
use ringyard_simulator::study::runner::run_all;
use ringyard_simulator::study::scenario::Scenario;
use ringyard_simulator::study::summary::METRICS;

/// The figures that the acceptance compares: all but the utilisation ratios.
const COMPARED: usize = 9;

/// The reference runs by scenario, per metric.
fn reference() -> BTreeMap<String, Vec<[f64; METRICS.len()]>> {
    let mut by_name: BTreeMap<String, Vec<[f64; METRICS.len()]>> = BTreeMap::new();
    for run in
        read_runs(include_str!("../reference/v1_runs.csv")).expect("the reference is well-formed")
    {
        by_name.entry(run.algorithm).or_default().push(run.summary.values);
    }
    by_name
}

fn column(runs: &[[f64; METRICS.len()]], metric: usize) -> Vec<f64> {
    runs.iter().map(|run| run[metric]).collect()
}

fn simulate(scenario: &Scenario, runs: u32, threads: usize) -> Vec<[f64; METRICS.len()]> {
    let results = run_all(std::slice::from_ref(scenario), |_| runs, 1, threads, |_| {});
    results.into_iter().map(|result| result.summary.values).collect()
}

#[test]
fn means_agree_with_the_reference() {
    const RUNS: u32 = 12;
    /// Standard errors that a mean may be off. With 30 comparisons of a fixed seed, four is generous.
    const ERRORS_MAX: f64 = 4.0;
    let names = [
        "LeastClientRequestsInFlightPickTwo",
        "CheatPidControlledUtilization",
        "ClientMetricsHcl",
        "WeightedServerExpectedLatency",
        "FastestProbe3LowerRequestRate",
    ];
    let reference = reference();
    for scenario in built_in(Profile::V1).unwrap() {
        if !names.contains(&scenario.name.as_str()) {
            continue;
        }
        let (given, ours) = (&reference[&scenario.name], simulate(&scenario, RUNS, 2));
        for metric in [0, 1, 3, 6, 7, 8] {
            let (given, ours) = (column(given, metric), column(&ours, metric));
            let error = variance(&given) / given.len() as f64 + variance(&ours) / ours.len() as f64;
            let off = (mean(&given) - mean(&ours)) / error.sqrt();
            let (name, metric) = (&scenario.name, METRICS[metric]);
            assert!(off.abs() < ERRORS_MAX, "{name}: {metric} is off by {off:.1} standard errors");
        }
    }
}

#[test]
#[ignore = "a thousand runs of 23 scenarios; run it in a release build"]
fn given_runs_look_like_draws_from_the_simulated_law() {
    const RUNS: u32 = 1_000;
    let reference = reference();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut inside, mut total) = (0_usize, 0_usize);
    for scenario in built_in(Profile::V1).unwrap() {
        let Some(given) = reference.get(&scenario.name) else { continue };
        let ours = simulate(&scenario, RUNS, threads);
        let mut outside = Vec::new();
        for (metric, name) in METRICS.iter().enumerate().take(COMPARED) {
            let mut simulated = column(&ours, metric);
            simulated.sort_unstable_by(f64::total_cmp);
            let band = quantile(&simulated, 0.005)..=quantile(&simulated, 0.995);
            for value in column(given, metric) {
                total += 1;
                if band.contains(&value) {
                    inside += 1;
                } else {
                    outside.push(format!("{name} {value:.2} not in {band:.2?}"));
                }
            }
        }
        println!("{}: {} outside {}", scenario.name, outside.len(), outside.join(", "));
    }
    println!("{inside} of {total} values inside: {:.2} %", 100.0 * inside as f64 / total as f64);
    assert!(inside as f64 >= 0.97 * total as f64, "{inside} of {total}");
}

#[test]
#[ignore = "a thousand runs of six scenarios; run it in a release build"]
fn scenarios_that_are_the_same_twice_are_indistinguishable() {
    const RUNS: u32 = 1_000;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let scenarios = built_in(Profile::V1).unwrap();
    for (first, second) in [(4, 5), (8, 9), (12, 13)] {
        let (first, second) = (&scenarios[first], &scenarios[second]);
        assert_eq!(first.picker, second.picker);
        let (ours, twins) = (simulate(first, RUNS, threads), simulate(second, RUNS, threads));
        for (metric, name) in METRICS.iter().enumerate().take(COMPARED) {
            let (ours, twins) = (column(&ours, metric), column(&twins, metric));
            let error = (variance(&ours) + variance(&twins)) / f64::from(RUNS);
            let apart = (mean(&ours) - mean(&twins)) / error.sqrt();
            // 27 comparisons: four standard errors would happen once in 600 such tests.
            assert!(apart.abs() < 4.0, "{}: {name} differs by {apart:.1}", first.name);
        }
    }
}
