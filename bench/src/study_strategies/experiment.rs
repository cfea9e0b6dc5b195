//! The study itself: every contender on every mix at every load, over the same seeds, on all processors.
//!
//! Runs share nothing, so which thread plays which changes no figure.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ringyard_scheduler::{Ageing, CompositionKind, FairRule, SchedulerConfig, StrategyKind};

use super::findings::{Findings, LoadFindings, MixFindings, StrategiesReport};
use super::mix::{Mix, MixError};
use super::queueing::{Play, Record, play};

/// What to compare.
#[derive(Clone, Debug)]
pub struct Options {
    /// The mixes.
    pub mixes: Vec<Mix>,
    /// The strategies; empty: those that each mix is meant for.
    pub strategies: Vec<StrategyKind>,
    /// The compositions.
    pub compositions: Vec<CompositionKind>,
    /// The ageing rates of `sjf-ageing` to compare, in nanoseconds of cost per nanosecond of waiting; empty: the default.
    pub ageing: Vec<f64>,
    /// How long an incomplete batch is held.
    pub linger: Duration,
    /// Requests of each run.
    pub jobs: usize,
    /// How many seeds, from 1.
    pub seeds: u64,
}

/// Requests of each run unless told otherwise: enough for twenty of the long ones beyond their p99.
pub const JOBS: usize = 20_000;

/// Seeds unless told otherwise.
pub const SEEDS: u64 = 10;

impl Default for Options {
    fn default() -> Self {
        Self {
            mixes: Mix::built_in(),
            strategies: Vec::new(),
            compositions: CompositionKind::ALL.to_vec(),
            ageing: Vec::new(),
            linger: Duration::ZERO,
            jobs: JOBS,
            seeds: SEEDS,
        }
    }
}

/// A strategy with a composition, as a scheduler is told of it.
#[derive(Clone, Debug)]
struct Contender {
    name: String,
    config: SchedulerConfig,
}

/// One cell of the table to be: a contender at a load of a mix.
struct Cell<'a> {
    mix: &'a Mix,
    load: f64,
    contender: Contender,
}

/// Runs the study.
///
/// # Errors
///
/// [`MixError`] if a mix names a strategy that there is not.
///
/// # Panics
///
/// If a run panics.
pub fn run(options: &Options) -> Result<StrategiesReport, MixError> {
    let mut cells = Vec::new();
    for mix in &options.mixes {
        for &load in &mix.loads {
            let contenders = contenders(options, mix)?.into_iter();
            cells.extend(contenders.map(|contender| Cell { mix, load, contender }));
        }
    }
    let seeds: Vec<u64> = (1..=options.seeds).collect();
    let mut findings = play_all(&cells, &seeds, options.jobs).into_iter();
    let mut mixes = Vec::new();
    for mix in &options.mixes {
        let mut loads = Vec::new();
        for &load in &mix.loads {
            let count = cells.iter().filter(|cell| is_at(cell, mix, load)).count();
            let requests_per_second = mix.requests_per_second() * load;
            let findings = findings.by_ref().take(count).collect();
            loads.push(LoadFindings { load, requests_per_second, findings });
        }
        mixes.push(MixFindings { mix: mix.clone(), loads });
    }
    Ok(StrategiesReport { jobs: options.jobs, seeds, mixes })
}

/// Plays every cell, the processors taking the next one as they become free.
fn play_all(cells: &[Cell<'_>], seeds: &[u64], jobs: usize) -> Vec<Findings> {
    let next = AtomicUsize::new(0);
    let done: Vec<OnceLock<Findings>> = cells.iter().map(|_| OnceLock::new()).collect();
    let work = || {
        while let Some(index) =
            Some(next.fetch_add(1, Ordering::Relaxed)).filter(|i| *i < cells.len())
        {
            done[index]
                .set(play_cell(&cells[index], seeds, jobs))
                .expect("each cell is taken once");
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    done.into_iter().map(|cell| cell.into_inner().expect("every cell was played")).collect()
}

fn play_cell(cell: &Cell<'_>, seeds: &[u64], jobs: usize) -> Findings {
    let Cell { mix, load, contender } = cell;
    let run = |seed: &u64| {
        play(&Play { mix, load: *load, seed: *seed, jobs, config: contender.config.clone() })
    };
    let records: Vec<Record> = seeds.iter().map(run).collect();
    let composition = contender.config.composition.to_string();
    Findings::of(mix, (contender.name.clone(), composition), &records)
}

/// All that is to be compared on `mix`. A plan is left out where it would be an anchor by another name.
fn contenders(options: &Options, mix: &Mix) -> Result<Vec<Contender>, MixError> {
    let strategies = match &options.strategies[..] {
        [] => mix.strategies()?,
        chosen => chosen.to_vec(),
    };
    let mut list = Vec::new();
    for strategy in strategies {
        for &composition in &options.compositions {
            if composition == CompositionKind::Plan && !plans(strategy) {
                continue;
            }
            let config = SchedulerConfig {
                strategy,
                composition,
                linger: Some(options.linger),
                fair: FairRule::Deficit,
                ..SchedulerConfig::default()
            };
            if strategy != StrategyKind::SjfAgeing || options.ageing.is_empty() {
                list.push(Contender { name: strategy.to_string(), config });
                continue;
            }
            list.extend(options.ageing.iter().map(|&cost_per_wait| Contender {
                name: format!("{strategy} {cost_per_wait}"),
                config: SchedulerConfig {
                    ageing: Ageing { cost_per_wait, ..Ageing::default() },
                    ..config.clone()
                },
            }));
        }
    }
    Ok(list)
}

/// Whether a plan is of any use under `strategy`, or under one that it may choose.
fn plans(strategy: StrategyKind) -> bool {
    matches!(
        strategy,
        StrategyKind::Sjf | StrategyKind::SjfAgeing | StrategyKind::Wspt | StrategyKind::Auto
    )
}

fn is_at(cell: &Cell<'_>, mix: &Mix, load: f64) -> bool {
    std::ptr::eq(cell.mix, mix) && cell.load.to_bits() == load.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Options {
        let mixes = Mix::built_in().into_iter().take(1).collect();
        let strategies = vec![StrategyKind::Fcfs, StrategyKind::Sjf, StrategyKind::SjfAgeing];
        Options { mixes, strategies, jobs: 4_000, seeds: 5, ..Options::default() }
    }

    fn mean(report: &StrategiesReport, load: usize, strategy: &str, composition: &str) -> f64 {
        let findings = report.mixes[0].loads[load].findings.iter();
        let mut found =
            findings.filter(|row| row.strategy == strategy && row.composition == composition);
        found.next().expect("the row is there").latency_ms.mean.value
    }

    #[test]
    fn composing_by_cost_pays_at_every_load() {
        let report = run(&small()).unwrap();
        for load in 0..3 {
            let fill = mean(&report, load, "fcfs", "fill");
            assert!(mean(&report, load, "fcfs", "anchor") < fill);
            assert!(mean(&report, load, "sjf", "plan") < mean(&report, load, "sjf", "fill"));
        }
        let rows = &report.mixes[0].loads[1].findings;
        assert!(rows[0].grows(), "twice the load is more than batches filled in order can bear");
        assert!(!rows[1].grows(), "and less than batches around an anchor can");
    }

    #[test]
    fn a_report_repeats_and_survives_json() {
        let options = Options { jobs: 500, ageing: vec![0.1, 1.0], ..small() };
        let report = run(&options).unwrap();
        assert_eq!(report, run(&options).unwrap());
        let names: Vec<&str> =
            report.mixes[0].loads[0].findings.iter().map(|row| &*row.strategy).collect();
        let aged = ["sjf-ageing 0.1", "sjf-ageing 1"];
        assert_eq!(names.len(), 2 + 3 + 6);
        assert!(aged.iter().all(|name| names.contains(name)), "{names:?}");
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<StrategiesReport>(&text).unwrap(), report);
    }
}
