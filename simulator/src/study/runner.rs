//! Runs many scenarios many times on several threads, with the same bytes out for any number of them.
//!
//! Work is handed out by an atomic counter and each result goes to its own place, so nothing depends on who
//! finished first. Each thread keeps its own law tables.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::draws::{Keyed, RunKey};
use super::law::Laws;
use super::scenario::Scenario;
use super::summary::{More, Summarizer, Summary};
use super::tick::{Tally, run};

/// One run's outcome.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// Index of the scenario in the list that was run.
    pub scenario: usize,
    /// The number of the run.
    pub run: u32,
    /// Its figures.
    pub summary: Summary,
    /// Figures beside those.
    pub more: More,
    /// Its counts.
    pub tally: Tally,
}

/// Runs `scenario` once under `seed` as run number `run_number`.
#[must_use]
pub fn run_once(
    scenario: &Scenario,
    seed: u64,
    run_number: u32,
    laws: &mut Laws,
) -> (Summary, More, Tally) {
    let key = RunKey { seed, scenario: &scenario.name, run: run_number };
    let mut draws = Keyed::new(laws, &key, scenario.world.rules.round_means);
    let mut summarizer = Summarizer::default();
    let tally = run(scenario, &mut draws, &mut summarizer);
    let more = summarizer.more();
    (summarizer.finish(), more, tally)
}

/// Runs every scenario `runs(scenario)` times on `threads` threads. `progress` is told of every finished run, on
/// the calling thread, in the order of completion; the result is in the order of scenarios and runs.
pub fn run_all(
    scenarios: &[Scenario],
    runs: impl Fn(&Scenario) -> u32,
    seed: u64,
    threads: usize,
    mut progress: impl FnMut(&RunResult),
) -> Vec<RunResult> {
    let jobs: Vec<(usize, u32)> = scenarios
        .iter()
        .enumerate()
        .flat_map(|(index, scenario)| (0..runs(scenario)).map(move |run| (index, run)))
        .collect();
    let next = AtomicUsize::new(0);
    let (finished, results) = mpsc::channel();
    let mut placed: Vec<Option<RunResult>> = vec![None; jobs.len()];
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, jobs.len().max(1)) {
            let finished = finished.clone();
            let (jobs, next) = (&jobs, &next);
            scope.spawn(move || {
                let mut laws = Laws::default();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(index, run)) = jobs.get(at) else { break };
                    let (summary, more, tally) = run_once(&scenarios[index], seed, run, &mut laws);
                    let result = RunResult { scenario: index, run, summary, more, tally };
                    if finished.send((at, result)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(finished);
        for (at, result) in results {
            progress(&result);
            placed[at] = Some(result);
        }
    });
    placed.into_iter().flatten().collect()
}
