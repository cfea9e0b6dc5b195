//! `ringyard compute`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ringyard_bench::wall_clock::Stopwatch;
use ringyard_runtime::affinity;
use ringyard_runtime::launch::launch_with_workers;
use ringyard_scheduler::shedding::SheddingPolicy;
use ringyard_servers::compute::{self, ComputeConfig, Effort};

use crate::serve::{self, CommandError, ServeArgs, core_count};

/// Serve requests that keep a processor busy, and refuse what cannot be done in time.
///
/// GET /calculate?input=TEXT answers with the end of a chain of SHA-256 digests that takes as long as --work says, on
/// threads of its own. How many digests that is is measured at the start.
#[derive(Args, Debug)]
pub(crate) struct ComputeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8003")]
    listen: Vec<SocketAddr>,

    /// What a request costs a processor
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = humantime::parse_duration)]
    work: Duration,

    /// Threads that compute, at least one for each core that serves
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    #[cfg_attr(not(feature = "peers"), arg(visible_alias = "workers"))]
    compute_workers: u16,

    /// CPUs to pin those threads to, in turn: `0`, `0,2-3`. Without it: not pinned
    #[arg(long, value_name = "LIST")]
    worker_cores: Option<String>,

    /// Whom to refuse: none, queue:N (admit N at once), time:LIMIT (answer within), codel-lifo, adaptive
    #[arg(long, value_name = "POLICY", default_value_t = SheddingPolicy::Adaptive)]
    policy: SheddingPolicy,

    /// By when a request is answered or given up that has no X-Deadline-Ms. Without it: whenever
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    deadline: Option<Duration>,

    #[command(flatten)]
    serve: ServeArgs,
}

pub(crate) fn run(arguments: &ComputeArgs) -> Result<ExitCode, CommandError> {
    let plan = arguments.serve.plan(&arguments.listen);
    let cores = core_count(&plan);
    let workers = usize::from(arguments.compute_workers);
    if workers < cores {
        return Err(format!("{cores} cores serve: ask for at least as many --workers").into());
    }
    if matches!(arguments.policy, SheddingPolicy::Time(limit) if limit < arguments.work) {
        return Err("--policy time: no request takes less than --work".into());
    }
    let cpus = match &arguments.worker_cores {
        Some(list) => affinity::parse(list)?.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let pins: Vec<Option<usize>> = cpus.iter().copied().cycle().take(workers).collect();
    let effort = Effort::calibrate(arguments.work, |work| {
        let stopwatch = Stopwatch::start();
        work();
        stopwatch.elapsed()
    });
    let config =
        ComputeConfig { effort, workers, policy: arguments.policy, deadline: arguments.deadline };
    let details = format!(
        "{workers} workers, {} digests ({} ms) a request, policy {}",
        effort.links,
        arguments.work.as_millis(),
        arguments.policy
    );
    let front = arguments.serve.front(compute::front_default());
    let make = compute::factory(front, config, cores);
    serve::run_launched("compute", &details, launch_with_workers(plan, &pins, make)?)
}
