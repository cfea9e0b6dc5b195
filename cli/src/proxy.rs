//! `ringyard proxy`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ringyard_scheduler::StrategyKind;
use ringyard_servers::front::{FrontConfig, HalfClosed};
use ringyard_servers::limits::{
    BACKEND_CONCURRENCY, BACKEND_CONCURRENCY_CEILING, BATCH_SEQUENCES_CEILING, BATCH_SEQUENCES_MAX,
    QUEUE_JOBS_MAX, SEQUENCES_PER_REQUEST_MAX,
};
use ringyard_servers::proxy::{self, ProxyConfig};

use crate::backend_url::BackendUrl;
use crate::serve::{self, CommandError, ServeArgs};

/// Serve the batching proxy: queue requests under a strategy, send them to the backends in batches.
///
/// POST /proxy_classify takes what the classifier takes; the header X-Customer-Id says whose request it is.
/// POST /strategy switches the strategy while requests are queued. GET /docs explains the rest.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ringyard classifier --cores 1 &\n  \
ringyard proxy --cores 0 --backend http://127.0.0.1:8001 --strategy sjf &\n  \
curl -H 'X-Customer-Id: A' -d '{\"sequences\": [\"hello\"]}' http://127.0.0.1:8000/proxy_classify")]
pub(crate) struct ProxyArgs {
    /// Where to listen; may be repeated. Port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", env = "RINGYARD_PROXY_LISTEN")]
    #[arg(default_value = "127.0.0.1:8000", value_delimiter = ',')]
    listen: Vec<SocketAddr>,

    /// A backend, with the path to post batches to; may be repeated. Its name is looked up once, at the start
    #[arg(long, value_name = "URL", env = "RINGYARD_BACKENDS")]
    #[arg(default_value = "http://127.0.0.1:8001/classify", value_delimiter = ',')]
    backend: Vec<BackendUrl>,

    /// In what order requests are served: fcfs (first come, first served), sjf (shortest job first), fair
    /// (customers in turn) and others; a wrong name lists them all
    #[arg(long, value_name = "NAME", env = "PROXY_STRATEGY", default_value_t = StrategyKind::Fcfs)]
    strategy: StrategyKind,

    #[command(flatten, next_help_heading = "Batching")]
    batching: BatchingArgs,

    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Args, Debug)]
struct BatchingArgs {
    /// Sequences in one batch
    #[arg(long, value_name = "COUNT", default_value_t = BATCH_SEQUENCES_MAX)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_SEQUENCES_CEILING)))]
    max_batch_items: u32,

    /// Sequences in one request; never more than one batch has room for
    #[arg(long, value_name = "COUNT", default_value_t = SEQUENCES_PER_REQUEST_MAX)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_SEQUENCES_CEILING)))]
    max_items: u32,

    /// How long an incomplete batch waits for more requests. Without it: 50ms for fcfs, 0s for the others
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    linger: Option<Duration>,

    /// Batches in flight at one backend
    #[arg(long, value_name = "COUNT", default_value_t = BACKEND_CONCURRENCY)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(BACKEND_CONCURRENCY_CEILING)))]
    backend_concurrency: u32,

    /// From a request's arrival to its answer at the latest; then it is 504
    #[arg(long, value_name = "TIME", env = "RINGYARD_DEADLINE", default_value = "10s")]
    #[arg(value_parser = humantime::parse_duration)]
    deadline: Duration,

    /// Requests that may be queued; more are refused with 503
    #[arg(long, value_name = "COUNT", default_value_t = QUEUE_JOBS_MAX)]
    max_queue: usize,

    /// Predicted wait above which requests are refused with 503, once 64 are queued
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = humantime::parse_duration)]
    max_queue_wait: Duration,

    /// How long queued requests wait for a backend while none can be reached; then they are 502
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = humantime::parse_duration)]
    backend_grace: Duration,

    /// What it means that a client has closed its sending side before its answer
    #[arg(long, value_enum, default_value_t = HalfClosedArg::Abandon)]
    half_closed: HalfClosedArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HalfClosedArg {
    /// It has left: drop its requests
    Abandon,
    /// It still reads: answer them
    Answer,
}

pub(crate) fn run(arguments: &ProxyArgs) -> Result<ExitCode, CommandError> {
    let batching = &arguments.batching;
    let backends =
        arguments.backend.iter().map(BackendUrl::resolve).collect::<Result<Vec<_>, _>>()?;
    let config = ProxyConfig {
        backends,
        backend_concurrency: batching.backend_concurrency,
        strategy: arguments.strategy,
        linger: batching.linger,
        batch_sequences_max: batching.max_batch_items,
        request_sequences_max: batching.max_items,
        deadline: batching.deadline,
        queue_jobs_max: batching.max_queue,
        queue_wait_max: batching.max_queue_wait,
        backend_grace: batching.backend_grace,
    };
    let front = FrontConfig {
        half_closed: match batching.half_closed {
            HalfClosedArg::Abandon => HalfClosed::Abandon,
            HalfClosedArg::Answer => HalfClosed::Answer,
        },
        ..arguments.serve.front(proxy::front_default())
    };
    let plan = arguments.serve.plan(&arguments.listen);
    let urls: Vec<_> = arguments.backend.iter().map(ToString::to_string).collect();
    let details = format!("strategy {}, backends {}", config.strategy, urls.join(" "));
    #[cfg(feature = "peers")]
    if let Some(workers) = arguments.serve.baseline() {
        let running = ringyard_baseline::launch_proxy(&plan, workers, front, &config);
        return serve::run_baseline("proxy", &details, running);
    }
    let make = proxy::factory(front, config, serve::core_count(&plan));
    serve::run("proxy", &details, plan, make)
}
