//! Policies against each other where it is hard: the worlds that published comparisons leave out.
//!
//! Worlds and policies come from TOML (`file`); those that come with the program are `scenarios/hard.toml`. All
//! policies meet the very same arrivals, work and faults (streams are keyed by world and run, not by policy), so
//! differences are theirs.

mod file;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

pub use file::parse;
use ringyard_scheduler::balance::Cost;

use super::draws::RunKey;
use super::event::{ArrivalLaw, Law, Measured, Setup, StationSetup, simulate};
use super::numeric::mean;
use super::policy::{Holder, PickerConfig};
use super::profile::Rules;
use super::scenario::ScenarioError;

/// The worlds and policies that come with the program.
const HARD: &str = include_str!("../../../scenarios/hard.toml");
/// Healths remembered by hot/cold policies, as in the published study.
const HISTORY: usize = 100;

/// Worlds, and who competes in them.
#[derive(Clone, Debug)]
pub struct Contest {
    /// The worlds.
    pub arenas: Vec<Arena>,
    /// The policies.
    pub entrants: Vec<Entrant>,
}

/// The contest that comes with the program.
///
/// # Errors
/// Never in a build whose tests pass; the file is part of it.
pub fn built_in() -> Result<Contest, ScenarioError> {
    parse("hard.toml", HARD)
}

/// A world of a contest.
#[derive(Clone, Debug)]
pub struct Arena {
    /// Its name.
    pub name: String,
    clients: usize,
    work: Law,
    stations: Vec<StationSetup>,
    arrivals: ArrivalLaw,
    warm_up: f64,
    horizon: f64,
}

/// A policy of a contest.
#[derive(Clone, Debug)]
pub struct Entrant {
    /// Its name.
    pub name: String,
    policy: PickerConfig,
    rules: Rules,
}

impl Arena {
    fn setup(&self, entrant: &Entrant) -> Setup {
        let servers: Vec<u32> = (0_u32..).take(self.stations.len()).collect();
        let policy = |client: usize| {
            entrant.policy.build(&Holder {
                rules: &entrant.rules,
                history: HISTORY,
                // Clients that take turns do not march in step.
                phase: client % servers.len(),
                servers: &servers,
                clients: self.clients,
            })
        };
        let reads_latencies =
            entrant.policy.costs().iter().any(|cost| matches!(cost, Cost::ClientLatency(_)));
        Setup {
            stations: self.stations.clone(),
            policies: (0..self.clients).map(policy).collect(),
            arrivals: self.arrivals.clone(),
            work: self.work.clone(),
            publish_period: 0.0,
            initial: Vec::new(),
            remembers_latencies: reads_latencies,
            warm_up: self.warm_up,
            horizon: self.horizon,
        }
    }
}

/// The figures of a contest, in the order of [`Standing::figures`]. Low is good in all of them.
pub const FIGURES: [&str; 5] =
    ["mean ms", "p99 ms", "spread of utilisation", "probes per request", "errors %"];
/// The first three are what policies are compared by.
const COMPARED: usize = 3;
/// Share of errors, percent, above which a policy is out: its other figures are those of whom it served.
const ERRORS_MAX: f64 = 1.0;

/// How a policy did in a world: per run the mean and 99th percentile of latency in milliseconds, the standard
/// deviation over servers of their busy share in percentage points, probes per request, and errors in percent.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    runs: Vec<[f64; FIGURES.len()]>,
}

impl Standing {
    /// The means over the runs.
    #[must_use]
    pub fn figures(&self) -> [f64; FIGURES.len()] {
        std::array::from_fn(|figure| mean(&self.column(figure)))
    }

    fn column(&self, figure: usize) -> Vec<f64> {
        self.runs.iter().map(|run| run[figure]).collect()
    }

    fn is_out(&self) -> bool {
        self.figures()[4] > ERRORS_MAX
    }

    /// Whether the difference to `best` in `figure` is no larger than what seeds and chance make: a hundredth of a
    /// mean, a fiftieth of a percentile, a quarter of a point of spread.
    fn ties(&self, best: &Self, figure: usize) -> bool {
        let (own, best) = (self.figures()[figure], best.figures()[figure]);
        own - best <= [0.01 * best, 0.02 * best, 0.25][figure]
    }
}

/// Which policies lead a world in each compared figure: the best one, and those that tie with it.
#[must_use]
pub fn leaders(standings: &[Standing]) -> [Vec<usize>; COMPARED] {
    std::array::from_fn(|figure| {
        let valid = || (0..standings.len()).filter(|place| !standings[*place].is_out());
        let value = |place: usize| standings[place].figures()[figure];
        let best = valid().min_by(|a, b| value(*a).total_cmp(&value(*b)));
        best.map_or_else(Vec::new, |best| {
            valid().filter(|place| standings[*place].ties(&standings[best], figure)).collect()
        })
    })
}

fn figures_of(measured: &Measured) -> [f64; FIGURES.len()] {
    let completed = measured.completed as f64;
    [
        measured.mean_latency() * 1e3,
        measured.latency_quantile(0.99) * 1e3,
        measured.utilization_spread() * 100.0,
        measured.probes as f64 / completed,
        100.0 * measured.failed as f64 / completed,
    ]
}

/// Lets every entrant play `runs` times in `arena`, on `threads` threads. The result is in the order of entrants and
/// does not depend on the threads.
#[must_use]
pub fn play(
    arena: &Arena,
    entrants: &[Entrant],
    seed: u64,
    runs: u32,
    threads: usize,
) -> Vec<Standing> {
    let jobs: Vec<(usize, u32)> =
        (0..entrants.len()).flat_map(|entrant| (0..runs).map(move |run| (entrant, run))).collect();
    let next = AtomicUsize::new(0);
    let (finished, results) = mpsc::channel();
    let blank = Standing { runs: vec![[f64::NAN; FIGURES.len()]; runs as usize] };
    let mut standings = vec![blank; entrants.len()];
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let finished = finished.clone();
            let (jobs, next) = (&jobs, &next);
            scope.spawn(move || {
                while let Some(&(entrant, run)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let key = RunKey { seed, scenario: &arena.name, run };
                    let measured = simulate(&arena.setup(&entrants[entrant]), &key);
                    if finished.send((entrant, run, figures_of(&measured))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(finished);
        for (entrant, run, figures) in results {
            standings[entrant].runs[run as usize] = figures;
        }
    });
    standings
}
