//! Policies against each other where it is hard: the worlds that published comparisons leave out.
//!
//! All policies meet the very same arrivals, work and faults (streams are keyed by world and run, not by policy), so
//! differences are theirs. Twelve servers of eight threads; work 50 ms in the mean; times in milliseconds.

use std::time::Duration;

use ringyard_scheduler::balance::live::{
    C3, C3Config, JoinIdleQueue, LeastRequest, LivePolicy, PeakEwma, WeightedLeastLatency,
    WeightedRoundRobin, WeightedRoundRobinConfig,
};
use ringyard_scheduler::balance::{
    Aggregate, Cost, Explanation, HotCold, HotColdConfig, LeastCost, Picker, RoundRobin, Zero,
};

use super::draws::RunKey;
use super::event::{ArrivalLaw, Law, Policy, Setup, StationSetup, simulate};
use super::numeric::mean;

/// Servers in every world.
const SERVERS: usize = 12;
/// Threads of each.
const THREADS: u32 = 8;
/// Mean work of a request, seconds.
const WORK: f64 = 0.05;
/// Seconds that are not measured, and that are.
const WARM_UP: f64 = 20.0;
const MEASURED: f64 = 60.0;
/// Clients of the worlds that do not say otherwise.
const CLIENTS: usize = 6;

/// A world of the contest.
#[derive(Clone, Debug)]
pub struct Arena {
    /// Its name.
    pub name: &'static str,
    clients: usize,
    load: f64,
    work: Law,
    stations: Vec<StationSetup>,
    bursts: bool,
}

impl Arena {
    fn plain(name: &'static str, load: f64) -> Self {
        let station = StationSetup { threads: THREADS, delay: 0.001, ..StationSetup::default() };
        let work = Law::Exponential(WORK);
        Self { name, clients: CLIENTS, load, work, stations: vec![station; SERVERS], bursts: false }
    }

    /// The arrivals' rate, all servers at full speed.
    fn rate(&self) -> f64 {
        self.load * SERVERS as f64 * f64::from(THREADS) / self.work.mean()
    }

    fn setup(&self, entrant: &Entrant) -> Setup {
        let rate = self.rate();
        let arrivals = if self.bursts {
            let rates = vec![1.6 * rate, 0.4 * rate];
            ArrivalLaw::Modulated { rates, dwell: vec![0.5, 0.5] }
        } else {
            ArrivalLaw::Poisson(rate)
        };
        Setup {
            stations: self.stations.clone(),
            policies: (0..self.clients)
                .map(|client| (entrant.build)(client, self.clients))
                .collect(),
            arrivals,
            work: self.work.clone(),
            publish_period: 0.0,
            initial: Vec::new(),
            remembers_latencies: true,
            warm_up: WARM_UP,
            horizon: WARM_UP + MEASURED,
        }
    }
}

/// The worlds.
#[must_use]
pub fn arenas() -> Vec<Arena> {
    let mut spread = Arena::plain("big spread in network delay", 0.6);
    for (station, delay) in
        spread.stations.iter_mut().zip([0.0005, 0.002, 0.01, 0.04].iter().cycle())
    {
        station.delay = *delay;
    }
    let mut slow = Arena::plain("one slow server in twelve", 0.6);
    slow.stations[3].speed = 0.3;
    let mut hole = Arena::plain("a server that fails fast", 0.6);
    hole.stations[3].failing = Some((0.0, f64::INFINITY, 0.0005));
    let mixed_work = Law::Pareto { mean: WORK, exponent: 1.8 };
    vec![
        Arena::plain("low utilisation (30 %)", 0.3),
        Arena::plain("middling utilisation (70 %)", 0.7),
        Arena::plain("high utilisation (92 %)", 0.92),
        spread,
        Arena { clients: 400, ..Arena::plain("many low-rate clients", 0.7) },
        slow,
        hole,
        Arena { work: mixed_work, ..Arena::plain("heavy-tailed work", 0.6) },
        Arena { bursts: true, ..Arena::plain("bursts", 0.55) },
    ]
}

/// A policy of the contest.
#[derive(Clone, Copy, Debug)]
pub struct Entrant {
    /// Its name.
    pub name: &'static str,
    build: fn(usize, usize) -> Policy,
}

const LATENCY: Cost = Cost::ClientLatency(Aggregate::Mean);

/// The policies. The builders take the client's number and how many clients there are.
#[must_use]
pub fn entrants() -> Vec<Entrant> {
    let entrant = |name, build| Entrant { name, build };
    vec![
        entrant("random", |_, _| Policy::Picker(Picker::Uniform(Explanation::default()))),
        entrant("round_robin", |client, _| {
            Policy::Picker(Picker::RoundRobin(RoundRobin::starting_at(client)))
        }),
        entrant("least_request (2 choices)", |_, _| {
            Policy::Live(LivePolicy::LeastRequest(LeastRequest::default()))
        }),
        entrant("least_request (all)", |_, _| {
            Policy::Live(LivePolicy::LeastRequest(LeastRequest::new(None, LeastRequest::BIAS)))
        }),
        entrant("least client latency", |_, _| {
            Policy::Picker(Picker::LeastCost(LeastCost::new(LATENCY, None)))
        }),
        entrant("hot/cold, client metrics", |_, _| {
            // As corrected: if zero meant "no data", one busy channel would make all idle ones look as busy.
            let config = HotColdConfig {
                zero: Zero::Best,
                random_ties: true,
                always_remember: true,
                ..HotColdConfig::new(Cost::ClientInFlight, LATENCY)
            };
            Policy::Picker(Picker::HotCold(HotCold::new(config)))
        }),
        entrant("peak_ewma", |_, _| Policy::Live(LivePolicy::PeakEwma(PeakEwma::default()))),
        entrant("weighted_least_latency", |_, _| {
            Policy::Live(LivePolicy::WeightedLeastLatency(WeightedLeastLatency::default()))
        }),
        entrant("weighted_round_robin", |_, _| {
            let blackout = Duration::from_secs(2);
            let config =
                WeightedRoundRobinConfig { blackout, ..WeightedRoundRobinConfig::default() };
            Policy::Live(LivePolicy::WeightedRoundRobin(WeightedRoundRobin::new(config)))
        }),
        entrant("prequal", |_, _| Policy::Live(LivePolicy::Prequal(Box::default()))),
        entrant("c3", |_, clients| {
            let clients = clients as f64;
            Policy::Live(LivePolicy::C3(C3::new(C3Config { clients, ..C3Config::default() })))
        }),
        entrant("join_idle_queue", |_, _| {
            Policy::Live(LivePolicy::JoinIdleQueue(JoinIdleQueue::default()))
        }),
    ]
}

/// How a policy did in a world: means over the runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Mean latency, milliseconds.
    pub mean_ms: f64,
    /// 99th percentile of latency, milliseconds.
    pub p99_ms: f64,
    /// Standard deviation over servers of their busy share, percentage points.
    pub spread: f64,
    /// Probes per request.
    pub probes: f64,
    /// Share of requests answered with an error, percent.
    pub errors: f64,
}

/// Runs `entrant` in `arena` `runs` times.
#[must_use]
pub fn stand(arena: &Arena, entrant: &Entrant, seed: u64, runs: u32) -> Standing {
    let setup = arena.setup(entrant);
    let results: Vec<_> = (0..runs)
        .map(|run| simulate(&setup, &RunKey { seed, scenario: arena.name, run }))
        .collect();
    let over = |read: &dyn Fn(&super::event::Measured) -> f64| {
        mean(&results.iter().map(read).collect::<Vec<f64>>())
    };
    Standing {
        mean_ms: over(&|run| run.mean_latency() * 1e3),
        p99_ms: over(&|run| run.latency_quantile(0.99) * 1e3),
        spread: over(&|run| run.utilization_spread() * 100.0),
        probes: over(&|run| run.probes as f64 / run.completed as f64),
        errors: over(&|run| 100.0 * run.failed as f64 / run.completed as f64),
    }
}
