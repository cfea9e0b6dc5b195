//! The load generator's own confidence intervals against servers of known law: does what it states hold?
//!
//! Script, plan and sums are those of `ringyard load`; only the engine is replaced by the simulated world.

use std::sync::mpsc;
use std::time::Duration;

use ringyard_bench::estimate::Estimate;
use ringyard_bench::generator::Generator;
use ringyard_bench::generator::schedule::Rate;
use ringyard_bench::load::gathering::Gathering;
use ringyard_bench::load::options::{LoadOptions, LoadPace, Stop, Work};
use ringyard_bench::load::raw::{AnswerEnd, RawRequest, RawScript};
use ringyard_bench::workload::Arrivals;
use ringyard_runtime::app::Time;
use ringyard_runtime::launch::EngineChoice;
use ringyard_simulator::world::{HostPlan, World};

use crate::fake::{Fake, Habits, Law};
use crate::probe::instant_network;

const SERVICE: Duration = Duration::from_millis(1);

/// Each run's length.
const RUN: Duration = Duration::from_secs(20);

/// Runs of each law, each with a seed of its own.
const SEEDS: u64 = 100;

/// How many of a hundred 95 % intervals must hold the truth. By chance alone fewer do in one of ten thousand tries.
const HOLDING_MIN: u64 = 86;

fn options(load: f64, seed: u64) -> LoadOptions {
    let request = RawRequest { send: b"?".to_vec(), expect: AnswerEnd::Bytes(1), close: false };
    LoadOptions {
        target: "tcp://server:80".parse().expect("a target"),
        work: Work::Raw(request),
        connections: 200,
        depth: 1,
        pace: LoadPace::Open {
            rate: Rate::steady(load / SERVICE.as_secs_f64()),
            arrivals: Arrivals::Poisson,
        },
        stop: Stop { duration: Some(RUN), requests: None, precision: None },
        timeout: Duration::from_secs(10),
        grace: Duration::from_secs(2),
        connect_ramp: Duration::ZERO,
        interval: Duration::from_secs(1),
        cores: Vec::new(),
        engine: EngineChoice::Auto,
        congestion_control: None,
        sources: Vec::new(),
        seed,
        calibration: Duration::ZERO,
    }
}

/// The mean in milliseconds as the generator states it after one run.
fn stated(law: Law, load: f64, seed: u64) -> Estimate {
    let options = options(load, seed);
    let Work::Raw(request) = options.work.clone() else { unreachable!("bytes are sent") };
    let mut world = World::new(seed, instant_network());
    let server = world.add_host(&HostPlan::new("server").listen(80), move |_| {
        Fake::seeded(law, Habits::default(), seed)
    });
    let (sender, news) = mpsc::channel();
    let plan = options.plan(server.address(80), 0);
    world.add_host(&HostPlan::new("client"), move |_| {
        Generator::new(plan.clone(), RawScript::new(request.clone(), true, 0), sender.clone())
    });
    let mut gathering = Gathering::new(&options);
    while !gathering.is_over() {
        assert!(world.time() < Time::ZERO + RUN * 2, "it does not end");
        world.run_for(Duration::from_secs(1));
        news.try_iter().for_each(|news| gathering.hear(news));
        while gathering.next_interval().is_some() {}
    }
    assert_eq!(gathering.total().errors.total() + gathering.total().unfinished, 0);
    gathering.mean_ms().expect("the run has intervals enough")
}

/// Holds the stated intervals of many runs against the mean that theory knows, in units of the service time.
fn check(law: Law, load: f64, exact: f64) {
    let exact_ms = exact * SERVICE.as_secs_f64() * 1e3;
    let stated: Vec<Estimate> = (0..SEEDS).map(|seed| stated(law, load, seed)).collect();
    let holds = |estimate: &&Estimate| (estimate.low..=estimate.high).contains(&exact_ms);
    let holding = stated.iter().filter(holds).count() as u64;
    assert!(holding >= HOLDING_MIN, "{holding} of {SEEDS} hold {exact_ms}: {stated:?}");
    // An interval that promises nothing would hold everything.
    let widest = stated.iter().map(Estimate::relative_width).fold(0.0, f64::max);
    assert!(widest < 0.5, "{widest}");
    let mean = stated.iter().map(|estimate| estimate.value).sum::<f64>() / SEEDS as f64;
    assert!((mean / exact_ms - 1.0).abs() < 0.01, "{mean} is not {exact_ms}");
}

#[test]
fn stated_intervals_hold_the_mean_of_m_d_1() {
    let load = 0.7;
    check(Law::Constant(SERVICE), load, 1.0 + load / (2.0 * (1.0 - load)));
}

#[test]
fn stated_intervals_hold_the_mean_of_m_m_1() {
    let load = 0.7;
    check(Law::Exponential(SERVICE), load, 1.0 / (1.0 - load));
}
