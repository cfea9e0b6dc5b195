//! Plays a workload against a running proxy under one strategy after the other.
//!
//! The proxy may be anywhere; it is switched over HTTP, and its metrics tell how full its batches were. The
//! clients run on an engine of their own, afresh for each strategy, so that no run inherits a connection
//! or a backlog from the one before. However a study ends, the proxy is left under the strategy that it had.

mod remote;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use ringyard_runtime::launch::{EngineChoice, LaunchError, Plan as EnginePlan, RunError, launch};
use ringyard_runtime::signals::Signals;

use crate::errand::ErrandError;
use crate::generator::Generator;
use crate::generator::plan::{News, Plan, Vitals};
use crate::player::Player;
use crate::progress::{Progress, ProgressDisplay};
use crate::study::{CustomerRecord, RunRecord, SCHEMA, StrategySummary, StudySummary};
use crate::workload::Workload;
pub use remote::Target;

/// How often figures come in while a strategy is played, at most and at least: the twentieth part of the time is
/// aimed at.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// How long the clients' engine may be silent beyond the time that a run may take.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What to play.
#[derive(Clone, Debug)]
pub struct StudyOptions {
    /// The customers.
    pub workload: Workload,
    /// The strategies, in the order in which they are played. None: all that the proxy knows.
    pub strategies: Vec<String>,
    /// How long each is played.
    pub duration: Duration,
    /// What every random choice follows from.
    pub seed: u64,
    /// How long to wait for an answer before it counts as an error.
    pub timeout: Duration,
    /// The classifier's cost scale, against which slowdowns are taken.
    pub cost_scale: f64,
    /// The engine of the clients.
    pub engine: EngineChoice,
    /// How progress is shown.
    pub progress: ProgressDisplay,
}

/// What came of a study.
#[derive(Clone, Debug)]
pub struct Study {
    /// The findings.
    pub summary: StudySummary,
    /// What they rest on.
    pub runs: Vec<RunRecord>,
    /// Under which strategy the proxy was left: that which it had before, or the last played if it did not
    /// tell.
    pub left_under: String,
    /// Whether it was cut short by a signal.
    pub is_cut_short: bool,
}

/// Why a study came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The proxy could not be asked.
    #[error("cannot reach the proxy: {0}")]
    Errand(#[from] ErrandError),
    /// The proxy does not switch.
    #[error("the proxy does not switch to `{strategy}`: status {status}, {detail}")]
    Switch {
        /// The strategy.
        strategy: String,
        /// What it answered.
        status: u16,
        /// The beginning of its answer.
        detail: String,
    },
    /// The proxy does not say which strategies it has.
    #[error("the proxy does not tell its strategies; name those to play, such as fcfs,sjf,fair")]
    Unnamed,
    /// The clients' engine did not start.
    #[error("cannot start the clients: {0}")]
    Launch(#[from] LaunchError),
    /// The clients' engine ended before the run did.
    #[error("the clients stopped: {0}")]
    Clients(#[from] RunError),
    /// The clients' engine does not tell anything.
    #[error("the clients are silent; the machine may be overloaded")]
    Silent,
}

/// Plays all strategies, sums up what was found, and has the proxy follow again the strategy that it had.
///
/// SIGINT and SIGTERM end the study early: what was played by then is summed up.
///
/// # Errors
///
/// [`StudyError`] if the study could not be carried out. Requests that fail are findings, not errors.
pub fn play(target: &Target, options: &StudyOptions) -> Result<Study, StudyError> {
    let known = target.strategies()?;
    let chosen = match (&options.strategies[..], &known) {
        ([], Some(known)) => known.all.clone(),
        ([], None) => return Err(StudyError::Unnamed),
        (chosen, _) => chosen.to_vec(),
    };
    let played = play_all(target, options, &chosen);
    // Whatever became of the study, the proxy is somebody's.
    let restored = known.as_ref().map(|known| target.switch(&known.active));
    let runs = played?;
    restored.transpose()?;
    let names: Vec<String> =
        options.workload.customers.iter().map(|customer| customer.name.clone()).collect();
    let last = runs.last().map(|run| run.strategy.clone()).unwrap_or_default();
    let summary = StudySummary {
        schema: SCHEMA.to_owned(),
        title: title(&runs),
        workload: options.workload.name.clone(),
        description: options.workload.description.clone(),
        seed: options.seed,
        seconds_per_strategy: options.duration.as_secs_f64(),
        strategies: runs.iter().map(|run| StrategySummary::of(run, &names)).collect(),
    };
    let is_cut_short = runs.last().is_some_and(|run| run.elapsed < options.duration);
    Ok(Study { summary, runs, left_under: known.map_or(last, |known| known.active), is_cut_short })
}

/// What was compared, in a line.
fn title(runs: &[RunRecord]) -> String {
    /// More are counted, not listed.
    const LISTED_MAX: usize = 4;
    let names: Vec<&str> = runs.iter().map(|run| run.strategy.as_str()).collect();
    match names.as_slice() {
        [one] => format!("Ringyard: {one}"),
        [most @ .., last] if names.len() <= LISTED_MAX => {
            format!("Ringyard: {} and {last} compared", most.join(", "))
        }
        _ => format!("Ringyard: {} strategies compared", names.len()),
    }
}

/// Plays one strategy after the other; one that was cut short is the last.
fn play_all(
    target: &Target,
    options: &StudyOptions,
    strategies: &[String],
) -> Result<Vec<RunRecord>, StudyError> {
    let mut runs = Vec::with_capacity(strategies.len());
    for strategy in strategies {
        target.switch(strategy)?;
        let before = target.batches();
        let mut run = play_one(target, options, strategy)?;
        run.batch_fill =
            before.zip(target.batches()).and_then(|(before, after)| after.fill_since(&before));
        let is_cut_short = run.elapsed < options.duration;
        runs.push(run);
        if is_cut_short {
            break;
        }
    }
    Ok(runs)
}

/// Plays the workload once, under whatever strategy the proxy follows.
fn play_one(
    target: &Target,
    options: &StudyOptions,
    strategy: &str,
) -> Result<RunRecord, StudyError> {
    let (sender, news) = mpsc::channel();
    let StudyOptions { workload, seed, cost_scale, duration, timeout, .. } = options.clone();
    let Target { address, host } = target.clone();
    let customers = workload.customers.len();
    let make = move |_| {
        let plan = Plan {
            target: address,
            lanes: Player::lanes(&workload, seed),
            duration,
            requests_max: None,
            grace: timeout,
            timeout,
            connect_ramp: Duration::ZERO,
            interval: (duration / 20).clamp(INTERVALS.0, INTERVALS.1),
        };
        Generator::new(plan, Player::new(&workload, seed, host.clone(), cost_scale), sender.clone())
    };
    let plan = EnginePlan { engine: options.engine, ..EnginePlan::default() };
    let running = launch(plan, make)?;
    // Where signals are handled already, or cannot be, the run ends with its time.
    let signals = Signals::handle(vec![running.stopper()]).ok();
    let mut progress = Progress::begin(strategy, duration, options.progress);
    let mut records = vec![CustomerRecord::default(); customers];
    let gathered = gather(&news, &mut records, &mut progress);
    running.drain();
    let ended = running.wait();
    drop(signals);
    let vitals = match gathered {
        Ok(vitals) => vitals,
        Err(RecvTimeoutError::Timeout) => return Err(StudyError::Silent),
        Err(RecvTimeoutError::Disconnected) => {
            ended?;
            return Err(StudyError::Silent);
        }
    };
    progress.end(&tell(&records));
    Ok(RunRecord {
        strategy: strategy.to_owned(),
        elapsed: vitals.elapsed,
        customers: records,
        batch_fill: None,
    })
}

/// Takes in figures until the run is over.
fn gather(
    news: &Receiver<News<Vec<CustomerRecord>>>,
    records: &mut [CustomerRecord],
    progress: &mut Progress,
) -> Result<Vitals, RecvTimeoutError> {
    loop {
        let (figures, vitals, is_last) = match news.recv_timeout(SILENCE_MAX)? {
            News::Interval { figures, vitals } => (figures, vitals, false),
            News::Finished { figures, vitals } => (figures, vitals, true),
        };
        for (record, seen) in records.iter_mut().zip(&figures) {
            record.merge(seen);
        }
        if is_last {
            return Ok(vitals);
        }
        progress.update(vitals.elapsed, &tell(records));
    }
}

/// The figures so far in a few words.
fn tell(records: &[CustomerRecord]) -> String {
    let answered: u64 = records.iter().map(|record| record.latencies.count()).sum();
    let errors: u64 = records.iter().map(|record| record.errors.total()).sum();
    format!("{answered} answered, {errors} errors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_strategies_are_listed_as_in_a_sentence_and_many_counted() {
        let check = |names: &[&str], expected: &str| {
            let run = |name: &&str| RunRecord {
                strategy: (*name).to_owned(),
                elapsed: Duration::ZERO,
                customers: Vec::new(),
                batch_fill: None,
            };
            assert_eq!(title(&names.iter().map(run).collect::<Vec<_>>()), expected);
        };
        check(&["a"], "Ringyard: a");
        check(&["a", "b", "c"], "Ringyard: a, b and c compared");
        check(&["a", "b", "c", "d", "e"], "Ringyard: 5 strategies compared");
    }
}
