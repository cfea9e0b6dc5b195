//! The main job: a classifier and a proxy of our own, and the workload played against them under each strategy.
//!
//! Whoever calls says how the two servers are launched; this module gives them places and cores, plays the
//! study, and shows and writes what was found.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ringyard_runtime::affinity;
use ringyard_runtime::launch::{EngineChoice, LaunchError, Plan, Running};

use crate::conductor::{self, StudyError, StudyOptions, Target};
use crate::progress::ProgressDisplay;
use crate::report::{self, ReportError, table};
use crate::wall_clock;
use crate::workload::Workload;

/// The seed of a demo that is not given one.
pub const SEED: u64 = 1;

/// How long each strategy is played if nothing else is said.
pub const SECONDS_PER_STRATEGY: u64 = 10;

/// The strategies that the demo compares.
pub const STRATEGIES: [&str; 3] = ["fcfs", "sjf", "fair"];

/// How long the demo waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the demo is to do.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// How long each strategy is played. Default 10 s.
    pub duration: Duration,
    /// What every random choice follows from. Default [`SEED`].
    pub seed: u64,
    /// The customers. Default [`Workload::original`].
    pub workload: Workload,
    /// The strategies. Default [`STRATEGIES`].
    pub strategies: Vec<String>,
    /// Under which directory the results get one of their own. Default `results`.
    pub results: PathBuf,
    /// The engine of servers and clients. Default: the best there is.
    pub engine: EngineChoice,
    /// CPU numbers for the classifier and the proxy, in this order, used again from the start if they
    /// are too few. Default: the first two that this process may run on.
    pub cores: Vec<usize>,
    /// How progress is shown.
    pub progress: ProgressDisplay,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(SECONDS_PER_STRATEGY),
            seed: SEED,
            workload: Workload::original(),
            strategies: STRATEGIES.map(str::to_owned).into(),
            results: PathBuf::from("results"),
            engine: EngineChoice::Auto,
            cores: server_cores(),
            progress: ProgressDisplay::Auto,
        }
    }
}

/// How the demo ended, if it came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoOutcome {
    /// Whether any request was not answered well.
    pub any_failed: bool,
    /// Where the results are.
    pub results: PathBuf,
}

/// Why the demo came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A server did not start.
    #[error("cannot start the {server}: {error}")]
    Launch {
        /// Which.
        server: &'static str,
        /// Why.
        error: LaunchError,
    },
    /// The workload could not be played.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The results could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The table could not be printed.
    #[error("cannot print the table: {0}")]
    Print(#[from] io::Error),
}

/// Runs the demo and prints its table to `out`.
///
/// `start_classifier` and `start_proxy` launch the servers by the plan that they are given; the proxy's
/// backend is at the address that it is given.
///
/// # Errors
///
/// [`DemoError`] says what could not be done. Requests that fail are told in the outcome.
pub fn run(
    options: &DemoOptions,
    start_classifier: impl FnOnce(Plan) -> Result<Running, LaunchError>,
    start_proxy: impl FnOnce(Plan, SocketAddr) -> Result<Running, LaunchError>,
    out: &mut dyn Write,
) -> Result<DemoOutcome, DemoError> {
    let started = wall_clock::unix_seconds();
    let launched = |server| move |error| DemoError::Launch { server, error };
    let classifier = start_classifier(plan(options, 0)).map_err(launched("classifier"))?;
    let backend = classifier.addresses()[0];
    let proxy = start_proxy(plan(options, 1), backend).map_err(launched("proxy"))?;
    writeln!(out, "classifier {}", describe(&classifier))?;
    writeln!(out, "proxy      {}", describe(&proxy))?;
    if let Some(reason) = proxy.fallback_reason() {
        writeln!(out, "           {reason}")?;
    }
    let study = StudyOptions {
        workload: options.workload.clone(),
        strategies: options.strategies.clone(),
        duration: options.duration,
        seed: options.seed,
        timeout: TIMEOUT,
        cost_scale: 1.0,
        engine: options.engine,
        progress: options.progress,
        title: format!("Ringyard: {} compared", listed(&options.strategies)),
    };
    let (summary, runs) = conductor::play(&Target::at(proxy.addresses()[0]), &study)?;
    // Nothing is under way any more. Dropped, the servers stop at once.
    drop((proxy, classifier));
    let directory = options.results.join(report::stamp(started));
    report::write(&directory, &summary, &runs)?;
    write!(out, "\n{}\nresults in {}\n", table::comparison(&summary), directory.display())?;
    Ok(DemoOutcome { any_failed: summary.any_failed(), results: directory })
}

/// A CPU for each of the two servers, as far as this process may use so many. Where the system does not
/// tell, none: the servers then run wherever it puts them.
fn server_cores() -> Vec<usize> {
    let mut cores = affinity::allowed().unwrap_or_default();
    cores.truncate(2);
    cores
}

/// The plan of server number `number`: a free port on loopback and a core of its own where there is one.
fn plan(options: &DemoOptions, number: usize) -> Plan {
    let cores = &options.cores;
    let core = (!cores.is_empty()).then(|| cores[number % cores.len()]);
    Plan {
        engine: options.engine,
        cores: core.into_iter().collect(),
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        ..Plan::default()
    }
}

/// Where a server is and how it runs, in a line.
fn describe(server: &Running) -> String {
    let cores: Vec<String> = server.cpus().iter().map(ToString::to_string).collect();
    let cores = if cores.is_empty() { "any".to_owned() } else { cores.join(", ") };
    format!("http://{}, engine {}, core {cores}", server.addresses()[0], server.engine())
}

/// Names as a sentence lists them.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        let check = |names: &[&str], expected: &str| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            assert_eq!(listed(&names), expected);
        };
        check(&[], "");
        check(&["a"], "a");
        check(&["a", "b", "c"], "a, b and c");
    }

    #[test]
    fn servers_share_a_core_only_where_there_is_one() {
        let cores = |available: &[usize]| {
            let options = DemoOptions { cores: available.into(), ..DemoOptions::default() };
            [plan(&options, 0).cores, plan(&options, 1).cores]
        };
        assert_eq!(cores(&[4, 7]), [vec![4], vec![7]]);
        assert_eq!(cores(&[4]), [vec![4], vec![4]]);
        assert_eq!(cores(&[]), [Vec::<usize>::new(), Vec::new()]);
    }
}
