//! Plays a workload against a running proxy under one strategy after the other.
//!
//! The proxy may be anywhere; it is switched over HTTP, and its metrics tell how full its batches were. The
//! clients run on an engine of their own, afresh for each strategy, so that no run inherits a connection
//! or a backlog from the one before.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use ringyard_protocol::http1::Method;
use ringyard_runtime::launch::{EngineChoice, LaunchError, Plan as EnginePlan, RunError, launch};

use crate::errand::{self, ErrandError, Reply, Request};
use crate::generator::Generator;
use crate::generator::plan::{News, Plan, Vitals};
use crate::player::Player;
use crate::progress::{Progress, ProgressDisplay};
use crate::study::{CustomerRecord, RunRecord, StrategySummary, StudySummary};
use crate::workload::Workload;

/// How long an errand to the proxy may take.
const ERRAND_TIMEOUT: Duration = Duration::from_secs(5);

/// How often figures come in while a strategy is played.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long the clients' engine may be silent beyond the time that a run may take.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What to play.
#[derive(Clone, Debug)]
pub struct StudyOptions {
    /// The customers.
    pub workload: Workload,
    /// The strategies, in the order in which they are played.
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
    /// What was run, in a line.
    pub title: String,
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

/// Where the proxy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// The authority to name in requests.
    pub host: String,
}

impl Target {
    /// A proxy that is named by its address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, host: address.to_string() }
    }
}

/// Plays all strategies and sums up what was found.
///
/// # Errors
///
/// [`StudyError`] if the study could not be carried out. Requests that fail are findings, not errors.
pub fn play(
    target: &Target,
    options: &StudyOptions,
) -> Result<(StudySummary, Vec<RunRecord>), StudyError> {
    let mut runs = Vec::with_capacity(options.strategies.len());
    for strategy in &options.strategies {
        switch(target, strategy)?;
        let before = batches(target);
        let mut run = play_one(target, options, strategy)?;
        run.batch_fill = before.zip(batches(target)).and_then(|(before, after)| {
            let sent = after.batches - before.batches;
            (sent > 0.0).then(|| (after.sequences - before.sequences) / sent)
        });
        runs.push(run);
    }
    let names: Vec<String> =
        options.workload.customers.iter().map(|customer| customer.name.clone()).collect();
    let summary = StudySummary {
        title: options.title.clone(),
        workload: options.workload.name.clone(),
        seed: options.seed,
        seconds_per_strategy: options.duration.as_secs_f64(),
        strategies: runs.iter().map(|run| StrategySummary::of(run, &names)).collect(),
    };
    Ok((summary, runs))
}

/// Has the proxy follow a strategy.
fn switch(target: &Target, strategy: &str) -> Result<(), StudyError> {
    let path = format!("/strategy?new_strategy={strategy}");
    let Reply { status, body } = ask(target, Method::Post, path)?;
    if status == 200 {
        return Ok(());
    }
    let detail = String::from_utf8_lossy(&body).chars().take(200).collect();
    Err(StudyError::Switch { strategy: strategy.to_owned(), status, detail })
}

fn ask(target: &Target, method: Method, path: String) -> Result<Reply, ErrandError> {
    errand::run(&Request {
        address: target.address,
        host: target.host.clone(),
        method,
        target: path,
        timeout: ERRAND_TIMEOUT,
    })
}

/// What the proxy has sent to its backends since it started.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Batches {
    batches: f64,
    sequences: f64,
}

/// Reads the proxy's counters; a proxy of another make may have none.
fn batches(target: &Target) -> Option<Batches> {
    let reply = ask(target, Method::Get, "/metrics".to_owned()).ok()?;
    let text = std::str::from_utf8(&reply.body).ok()?;
    Some(Batches {
        batches: metric(text, "ringyard_batches_total")?,
        sequences: metric(text, "ringyard_batch_sequences_total")?,
    })
}

/// The sum of a metric's samples in Prometheus text.
fn metric(text: &str, name: &str) -> Option<f64> {
    let sample = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { rest.split_once('}')?.1 } else { rest };
        rest.strip_prefix(' ')?.split(' ').next()?.parse::<f64>().ok()
    };
    text.lines().filter_map(sample).reduce(|sum, value| sum + value)
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
            interval: INTERVAL,
        };
        Generator::new(plan, Player::new(&workload, seed, host.clone(), cost_scale), sender.clone())
    };
    let plan = EnginePlan { engine: options.engine, ..EnginePlan::default() };
    let running = launch(plan, make)?;
    let mut progress = Progress::begin(strategy, duration, options.progress);
    let mut records = vec![CustomerRecord::default(); customers];
    let gathered = gather(&news, &mut records, &mut progress);
    running.drain();
    let ended = running.wait();
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
    fn metrics_are_summed_over_labels_and_not_mistaken_for_one_another() {
        let text = "# HELP a_total x\n# TYPE a_total counter\na_total{core=\"0\"} 3\n\
                    a_total{core=\"1\"} 4\na_total_more 9\nb_total 2.5 1700000000\n";
        assert_eq!(metric(text, "a_total"), Some(7.0));
        assert_eq!(metric(text, "b_total"), Some(2.5));
        assert_eq!(metric(text, "c_total"), None);
    }
}
