//! `ringyard demo`.

use std::io;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ringyard_bench::demo::{self, DemoOptions, SECONDS_PER_STRATEGY, SEED, STRATEGIES};
use ringyard_runtime::launch::{EngineChoice, EngineKind, launch};
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::proxy::{self, BackendTarget, ProxyConfig};

use crate::serve::{CommandError, core_count};

/// Start a classifier and a proxy, play a workload against them under each strategy, and show what each
/// strategy did to whom.
///
/// Two customers share the proxy: A sends short texts often, B sends longer ones now and then. The demo prints
/// a table and writes summary.txt, summary.json and comparison.png under results/. Its exit status is 1 if
/// any request failed.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// How long each strategy is played, in seconds
    #[arg(long, value_name = "COUNT", default_value_t = NonZeroU64::new(SECONDS_PER_STRATEGY).expect("not zero"))]
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
    let options = DemoOptions {
        duration: Duration::from_secs(arguments.seconds.get()),
        seed: arguments.seed,
        strategies: arguments.strategies.clone(),
        results: arguments.results.clone(),
        engine: arguments.engine.map_or(EngineChoice::Auto, EngineChoice::Exactly),
        ..DemoOptions::default()
    };
    let outcome = demo::run(
        &options,
        |plan| {
            let config = ClassifierConfig::default();
            let cores = core_count(&plan);
            launch(plan, classifier::factory(classifier::front_default(), config, cores))
        },
        |plan, backend| {
            let target = BackendTarget {
                address: backend,
                host: backend.to_string(),
                path: String::from("/classify"),
            };
            let cores = core_count(&plan);
            let config = ProxyConfig::new(vec![target]);
            launch(plan, proxy::factory(proxy::front_default(), config, cores))
        },
        &mut io::stdout().lock(),
    )?;
    if outcome.any_failed {
        eprintln!("ringyard demo: some requests failed; the table says how many");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
