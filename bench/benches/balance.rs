//! How fast the load-balancing study is: simulated user requests per second and core, by kind of picker.
//!
//! One iteration is one whole run of a published scenario, construction and statistics included, so the rate is the
//! one that `ringyard simulate study` lives on. Probes are not counted as requests, though they cost as much.

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use ringyard_simulator::study::catalogue::built_in;
use ringyard_simulator::study::law::Laws;
use ringyard_simulator::study::profile::Profile;
use ringyard_simulator::study::runner::run_once;

/// One scenario of every kind of picker, cheap ones first.
const SCENARIOS: [&str; 9] = [
    "Random",
    "RoundRobin",
    "LeastClientRequestsInFlightPickTwo",
    "LeastServerRequestsInFlight",
    "WeightedMeanUtilization",
    "WeightedServerExpectedLatency",
    "ClientPidControlledUtilization",
    "ClientMetricsHcl",
    "FastestProbe3LowerRequestRate",
];

fn runs(criterion: &mut Criterion) {
    let scenarios = built_in(Profile::V1).expect("the built-in scenarios are well-formed");
    let mut group = criterion.benchmark_group("simulated_requests");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for name in SCENARIOS {
        let scenario = scenarios.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.expect("the scenario is built in");
        group.throughput(Throughput::Elements(scenario.world.requests() as u64));
        let mut laws = Laws::default();
        let mut run = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                run += 1;
                run_once(scenario, 1, run, &mut laws)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, runs);
criterion_main!(benches);
