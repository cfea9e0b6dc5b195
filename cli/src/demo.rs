//! `ringyard demo`: an analysis of three strategies with nothing to choose.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ringyard_bench::analyze::{SEED, TIMEOUT_SECONDS};
use ringyard_bench::conductor::StudyOptions;
use ringyard_bench::progress::ProgressDisplay;
use ringyard_bench::workload::Workload;
use ringyard_runtime::launch::{EngineChoice, EngineKind};

use crate::analyze;
use crate::serve::CommandError;

/// The strategies that the demo compares.
const STRATEGIES: [&str; 3] = ["fcfs", "sjf", "fair"];

/// Start a classifier and a proxy, play a workload against them under each strategy, and show what each
/// strategy did to whom.
///
/// Two customers share the proxy: A sends short texts often, B sends longer ones now and then. The demo prints
/// a table and a paragraph, and writes summary.txt, summary.json, comparison.png and report.html under results/. Its
/// exit status is 1 if any request failed. `ringyard analyze` does the same with workloads and proxies of your own.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// How long each strategy is played, in seconds
    #[arg(long, value_name = "COUNT", default_value_t = analyze::seconds_default())]
    seconds: NonZeroU64,

    /// What the workload's random choices follow from; the same seed plays the same texts
    #[arg(long, value_name = "NUMBER", default_value_t = SEED)]
    seed: u64,

    /// The strategies to compare
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_values = STRATEGIES)]
    strategies: Vec<String>,

    /// Where to write the results, each run in a directory of its own
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// What drives servers and clients: `ring` or `tokio`. Without it: ring, or tokio where io_uring cannot be
    /// had
    #[arg(long, value_name = "ENGINE", env = "RINGYARD_ENGINE")]
    engine: Option<EngineKind>,
}

pub(crate) fn run(arguments: &DemoArgs) -> Result<ExitCode, CommandError> {
    let options = StudyOptions {
        workload: Workload::original(),
        strategies: arguments.strategies.clone(),
        duration: Duration::from_secs(arguments.seconds.get()),
        seed: arguments.seed,
        timeout: Duration::from_secs(TIMEOUT_SECONDS),
        cost_scale: 1.0,
        engine: arguments.engine.map_or(EngineChoice::Auto, EngineChoice::Exactly),
        progress: ProgressDisplay::Auto,
    };
    analyze::run_embedded(&options, &arguments.results)
}
