//! The continuous-time world: its laws, its bookkeeping, and that a run is a function of its key.

use ringyard_scheduler::balance::live::{LivePolicy, PeakEwma};
use ringyard_scheduler::balance::{Explanation, Philox, Picker};

use super::laws::ArrivalProcess;
use super::*;
use crate::study::draws::RunKey;
use crate::study::numeric::{mean, variance};
use crate::study::policy::Policy;

fn setup(policy: Policy) -> Setup {
    Setup {
        stations: vec![StationSetup { threads: 2, ..StationSetup::default() }; 5],
        policies: vec![policy; 3],
        arrivals: ArrivalLaw::Poisson(7.0),
        work: Law::Exponential(1.0),
        publish_period: 0.0,
        initial: Vec::new(),
        remembers_latencies: false,
        warm_up: 50.0,
        horizon: 1_050.0,
    }
}

fn uniform() -> Policy {
    Policy::Picker(Picker::Uniform(Explanation::default()))
}

const KEY: RunKey<'_> = RunKey { seed: 3, scenario: "event", run: 0 };

#[test]
fn laws_have_their_moments() {
    let mut random = Philox::new(5, 5);
    for law in [
        Law::Deterministic(2.0),
        Law::Exponential(2.0),
        Law::Gamma { mean: 2.0, shape: 0.5 },
        Law::Gamma { mean: 2.0, shape: 3.0 },
        Law::Pareto { mean: 2.0, exponent: 5.0 },
        Law::Empirical(vec![1.0, 2.0, 6.0]),
    ] {
        let draws: Vec<f64> = (0..200_000).map(|_| law.draw(&mut random)).collect();
        let spread = law.second_moment() - law.mean().powi(2);
        assert!((mean(&draws) - law.mean()).abs() < 0.03, "{law:?}: {}", mean(&draws));
        assert!(
            (variance(&draws) - spread).abs() < 0.05 * spread + 1e-9,
            "{law:?}: {}",
            variance(&draws)
        );
    }
    assert!(Law::Pareto { mean: 1.0, exponent: 2.0 }.second_moment().is_infinite());
}

#[test]
fn modulated_arrivals_have_their_mean_rate() {
    // Ten a second for a fifth of the time, then none to speak of: 2.08 a second.
    let law = ArrivalLaw::Modulated { rates: vec![10.0, 0.1], dwell: vec![1.0, 4.0] };
    let mut random = Philox::new(6, 6);
    let mut process = ArrivalProcess::new(&law, &mut random);
    let (mut now, mut count) = (0.0, 0_u32);
    while now < 20_000.0 {
        now = process.next(now, &mut random);
        count += 1;
    }
    assert!((f64::from(count) / 20_000.0 - 2.08).abs() < 0.12, "{count}");
}

#[test]
fn a_trace_is_followed_and_ends() {
    let setup = Setup { arrivals: ArrivalLaw::Trace(vec![60.0, 61.0, 62.5]), ..setup(uniform()) };
    let measured = simulate(&setup, &KEY);
    assert_eq!(measured.completed, 3);
}

/// Little's law holds on the path, and no request is lost sight of.
fn check_books(setup: &Setup) -> Measured {
    let measured = simulate(setup, &KEY);
    assert!(measured.little_gap() < 1e-9, "{}", measured.little_gap());
    assert!(measured.completed > 6_000, "{}", measured.completed);
    assert!(measured.utilization.iter().all(|share| (0.0..=1.0 + 1e-9).contains(share)));
    measured
}

#[test]
fn the_books_balance_with_faults_delays_and_sharing() {
    let mut faulty = setup(uniform());
    faulty.stations[1].speed = 0.8;
    faulty.stations[2].failing = Some((200.0, 400.0, 0.001));
    faulty.stations[3].discipline = Discipline::Shared;
    faulty.stations[3].speed = 2.0;
    faulty.stations.iter_mut().for_each(|station| station.delay = 0.05);
    let measured = check_books(&faulty);
    // A fifth of the requests of 200 of 1,000 seconds.
    let failed = measured.failed as f64 / measured.completed as f64;
    assert!((failed - 0.04).abs() < 0.01, "{failed}");
}

#[test]
fn probes_are_sent_and_learnt_from() {
    let plain = check_books(&setup(uniform()));
    let prequal = Policy::Live(LivePolicy::Prequal(Box::default()));
    let probing = check_books(&setup(prequal));
    let per_request = probing.probes as f64 / probing.completed as f64;
    assert!((per_request - 3.0).abs() < 0.05, "{per_request}");
    assert!(probing.mean_latency() < 0.9 * plain.mean_latency());
}

#[test]
fn a_run_is_a_function_of_its_key() {
    let policy = Policy::Live(LivePolicy::PeakEwma(PeakEwma::default()));
    let latency =
        |run| simulate(&setup(policy.clone()), &RunKey { run, ..KEY }).latency_sum.to_bits();
    assert_eq!(latency(0), latency(0));
    assert_ne!(latency(0), latency(1));
}

#[test]
fn quantiles_are_within_a_bucket() {
    let mut measured = Measured::default();
    for value in 1..=1_000 {
        measured.note_latency(f64::from(value) / 1_000.0);
    }
    assert!((measured.latency_quantile(0.5) - 0.5).abs() < 0.005);
    assert!((measured.latency_quantile(0.99) - 0.99).abs() < 0.01);
}
