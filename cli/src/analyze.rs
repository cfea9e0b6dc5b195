//! `ringyard analyze`, and what `ringyard demo` has in common with it.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ringyard_bench::analyze::embedded::{EmbeddedOptions, Servers};
use ringyard_bench::analyze::{self, SECONDS_PER_STRATEGY, SEED, TIMEOUT_SECONDS};
use ringyard_bench::conductor::{StudyOptions, Target};
use ringyard_bench::load::target::{Scheme, Target as Url};
use ringyard_bench::progress::ProgressDisplay;
use ringyard_bench::workload::Workload;
use ringyard_runtime::launch::{EngineChoice, EngineKind, launch};
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::proxy::{self, BackendTarget, Explain, ProxyConfig};

use crate::serve::{CommandError, core_count};

/// Play a workload against a proxy under every strategy, and say which strategy won for whom.
///
/// A workload says who asks for what, and how often. Each strategy is played for a while with the same
/// requests; then a paragraph says which strategy was best for which customer, and a directory under
/// results/ holds summary.txt, summary.json, comparison.png and report.html, a page with every figure.
///
/// Without --proxy, a classifier and a proxy of its own are started. With it, a running proxy is played against:
/// it is switched by POST /strategy, so its other clients feel it too, and has its first strategy back at the end.
/// Ctrl-C ends the analysis early and reports what was played by then.
///
/// Exit status: 0 fine, 1 a request failed or the analysis came to nothing, 2 bad usage, such as a wrong workload.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
ringyard analyze                                                 every strategy, servers of its own\n  \
ringyard analyze --proxy http://127.0.0.1:8000 --strategies fcfs,fair --seconds 30\n  \
ringyard analyze --example-workload > mine.toml                  a workload to edit, with comments\n  \
ringyard analyze --workload mine.toml")]
pub(crate) struct AnalyzeArgs {
    /// The proxy to play against, such as http://127.0.0.1:8000. Without it: servers of its own on free ports
    #[arg(long, value_name = "URL", value_parser = parse_proxy)]
    proxy: Option<Url>,

    /// A TOML file that says who asks for what. Without it: a customer of short texts beside one of long texts
    #[arg(long, value_name = "FILE", value_parser = read_workload)]
    workload: Option<Workload>,

    /// Print a workload file to begin with, in which everything is explained, and do nothing else
    #[arg(long, exclusive = true)]
    example_workload: bool,

    /// The strategies to play, in this order, such as fcfs,sjf,fair. Without it: all that the proxy has
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    strategies: Vec<String>,

    /// How long each strategy is played, in seconds
    #[arg(long, value_name = "COUNT", default_value_t = seconds_default())]
    seconds: NonZeroU64,

    /// What the workload's random choices follow from; the same seed plays the same texts
    #[arg(long, value_name = "NUMBER", default_value_t = SEED)]
    seed: u64,

    /// The model's time, as a factor on (characters of the longest text)^2 microseconds: the classifier that is started
    /// has it, and slowdowns are taken against it
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = crate::classifier::parse_cost_scale)]
    cost_scale: f64,

    /// How long to wait for an answer, in seconds, before it counts as an error
    #[arg(long, value_name = "COUNT", default_value_t = NonZeroU64::new(TIMEOUT_SECONDS).expect("not zero"))]
    timeout: NonZeroU64,

    /// Where to write the results, each run in a directory of its own
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// What drives clients, and servers of its own: `ring` or `tokio`. Without it: ring, or tokio where io_uring
    /// cannot be had
    #[arg(long, value_name = "ENGINE", env = "RINGYARD_ENGINE")]
    engine: Option<EngineKind>,

    /// Show nothing while strategies are played
    #[arg(long, short)]
    quiet: bool,
}

/// How long each strategy is played if nothing else is said.
pub(crate) fn seconds_default() -> NonZeroU64 {
    NonZeroU64::new(SECONDS_PER_STRATEGY).expect("not zero")
}

fn parse_proxy(text: &str) -> Result<Url, CommandError> {
    let url: Url = text.parse()?;
    if url.scheme == Scheme::Http && url.path == "/" {
        Ok(url)
    } else {
        Err("a proxy is named as http://host[:port], without a path".into())
    }
}

fn read_workload(path: &str) -> Result<Workload, Box<dyn Error + Send + Sync>> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read it: {error}"))?;
    Ok(Workload::from_toml(&text)?)
}

pub(crate) fn run(arguments: &AnalyzeArgs) -> Result<ExitCode, CommandError> {
    if arguments.example_workload {
        io::stdout().lock().write_all(Workload::EXAMPLE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = StudyOptions {
        workload: arguments.workload.clone().unwrap_or_else(Workload::original),
        strategies: arguments.strategies.clone(),
        duration: Duration::from_secs(arguments.seconds.get()),
        seed: arguments.seed,
        timeout: Duration::from_secs(arguments.timeout.get()),
        cost_scale: arguments.cost_scale,
        engine: arguments.engine.map_or(EngineChoice::Auto, EngineChoice::Exactly),
        progress: if arguments.quiet { ProgressDisplay::Quiet } else { ProgressDisplay::Auto },
    };
    match &arguments.proxy {
        Some(url) => {
            let target = Target { address: url.address()?, host: url.authority.clone() };
            report(&target, &options, &arguments.results)
        }
        None => run_embedded(&options, &arguments.results),
    }
}

/// Plays against a classifier and a proxy that are started for it.
pub(crate) fn run_embedded(
    options: &StudyOptions,
    results: &Path,
) -> Result<ExitCode, CommandError> {
    let embedded = EmbeddedOptions { engine: options.engine, ..EmbeddedOptions::default() };
    let servers = Servers::start(
        &embedded,
        |plan| {
            let config =
                ClassifierConfig { cost_scale: options.cost_scale, ..ClassifierConfig::default() };
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
            // Answers tell of their batches; nobody reads the decisions.
            let config = ProxyConfig {
                explain: Explain::Always { decisions_kept: 1 },
                ..ProxyConfig::new(vec![target])
            };
            launch(plan, proxy::factory(proxy::front_default(), config, cores))
        },
    )?;
    print!("{servers}");
    report(&servers.target(), options, results)
}

fn report(
    target: &Target,
    options: &StudyOptions,
    results: &Path,
) -> Result<ExitCode, CommandError> {
    let outcome = analyze::run(target, options, results, &mut io::stdout().lock())?;
    if outcome.any_failed {
        eprintln!("ringyard: some requests failed; the paragraph says how many");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
