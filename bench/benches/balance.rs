//! How fast the load-balancing study is: simulated user requests per second and core, by kind of picker.
//!
//! One iteration is one whole run of a published scenario, construction and statistics included, so the rate is the
//! one that `ringyard simulate study` lives on. Probes are not counted as requests, though they cost as much.

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use ringyard_simulator::study::catalogue::built_in;
use ringyard_simulator::study::law::Laws;
use ringyard_simulator::study::profile::Profile;
use ringyard_simulator::study::runner::run_once;
use ringyard_simulator::study::scenario::Scenario;

/// One scenario of every kind of picker, cheap ones first.
const SCENARIOS: [&str; 10] = [
    "Random",
    "RoundRobin",
    "LeastClientRequestsInFlightPickTwo",
    "LeastServerRequestsInFlight",
    "WeightedMeanUtilization",
    "WeightedServerExpectedLatency",
    "ClientPidControlledUtilization",
    "ClientMetricsHcl",
    "Hcl",
    "FastestProbe3LowerRequestRate",
];

/// The same for policies that learn from answers, which only the corrected profile has.
const LEARNING: [&str; 3] = ["LeastRequest", "C3", "Soonest"];

fn runs(criterion: &mut Criterion) {
    let of = |profile| built_in(profile).expect("the built-in scenarios are well-formed");
    let find = |scenarios: Vec<Scenario>, name: &str| {
        let found = scenarios.into_iter().find(|scenario| scenario.name == name);
        found.expect("the scenario is built in")
    };
    let published = SCENARIOS.iter().map(|name| find(of(Profile::V1), name));
    let learning = LEARNING.iter().map(|name| find(of(Profile::Fixed), name));
    let mut group = criterion.benchmark_group("simulated_requests");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for scenario in published.chain(learning) {
        group.throughput(Throughput::Elements(scenario.world.requests() as u64));
        let mut laws = Laws::default();
        let mut run = 0;
        group.bench_function(&scenario.name, |bencher| {
            bencher.iter(|| {
                run += 1;
                run_once(&scenario, 1, run, &mut laws)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);
