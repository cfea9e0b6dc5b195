//! `ringyard compute`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ringyard_runtime::affinity;
use ringyard_runtime::launch::launch_with_workers;
use ringyard_runtime::thread_time;
use ringyard_scheduler::shedding::SheddingPolicy;
use ringyard_servers::compute::{self, ComputeBoard, ComputeConfig, Departures, Effort};

use crate::serve::{self, CommandError, ServeArgs, core_count};

/// Serve requests that keep a processor busy, and refuse what cannot be done in time.
///
/// GET /calculate?input=TEXT answers with the end of a chain of SHA-256 digests that takes as long as --work says, on
/// threads of its own. How many digests that is is measured at the start. Whoever is refused gets 503 and a
/// Retry-After; /healthz is never refused. Work stops within a millisecond or so when its client leaves or its
/// deadline (X-Deadline-Ms) passes.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  ringyard compute --cores 0 --worker-cores 1 --policy adaptive &\n  \
curl 'http://127.0.0.1:8003/calculate?input=abc'"
)]
pub(crate) struct ComputeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8003")]
    listen: Vec<SocketAddr>,

    /// What a request costs a processor
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = humantime::parse_duration)]
    work: Duration,

    /// Threads that compute, whatever serves the connections
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,

    /// CPUs to pin those threads to, in turn: `0`, `0,2-3`. Without it: those that do not serve, if there are any
    #[arg(long, value_name = "LIST")]
    worker_cores: Option<String>,

    /// Whom to refuse: none, queue:N (admit N at once), time:LIMIT (answer within), codel-lifo, adaptive
    #[arg(long, value_name = "POLICY", default_value_t = SheddingPolicy::Adaptive)]
    policy: SheddingPolicy,

    /// By when a request is answered or given up that has no X-Deadline-Ms. Without it: whenever
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    deadline: Option<Duration>,

    /// Go on computing for clients that have left, as most servers do: to see what that costs
    #[arg(long)]
    ignore_departures: bool,

    #[command(flatten)]
    serve: ServeArgs,
}

pub(crate) fn run(arguments: &ComputeArgs) -> Result<ExitCode, CommandError> {
    #[cfg(feature = "peers")]
    if arguments.serve.is_baseline() {
        return Err("there is no baseline of the compute server: choose another --engine".into());
    }
    let plan = arguments.serve.plan(&arguments.listen);
    let cores = core_count(&plan);
    let workers = usize::from(arguments.workers);
    if matches!(arguments.policy, SheddingPolicy::Time(limit) if limit < arguments.work) {
        return Err("--policy time: no request takes less than --work".into());
    }
    let cpus = match &arguments.worker_cores {
        Some(list) => affinity::parse(list)?,
        None => spare_cpus(&plan.cores)?,
    };
    let pins: Vec<Option<usize>> = cpus.iter().copied().map(Some).cycle().take(workers).collect();
    let config = ComputeConfig {
        effort: Effort::calibrate(arguments.work, thread_time::measure),
        workers,
        policy: arguments.policy,
        deadline: arguments.deadline,
        departures: match arguments.ignore_departures {
            true => Departures::Ignore,
            false => Departures::Heed,
        },
    };
    let details = format!(
        "{workers} worker{}, {} digests ({} ms) a request, policy {}",
        if workers == 1 { "" } else { "s" },
        config.effort.links,
        arguments.work.as_millis(),
        arguments.policy
    );
    let front = arguments.serve.front(compute::front_default());
    let board = Arc::new(ComputeBoard::new(cores));
    let make = compute::factory(front, config, cores, board);
    serve::run_launched("compute", &details, launch_with_workers(plan, &pins, make)?)
}

/// The CPUs of this process that are none of those that serve; all of them where that leaves none.
fn spare_cpus(serving: &[usize]) -> Result<Vec<usize>, CommandError> {
    let allowed = affinity::allowed()?;
    let spare: Vec<usize> = allowed.iter().copied().filter(|cpu| !serving.contains(cpu)).collect();
    Ok(if spare.is_empty() { allowed } else { spare })
}
