//! `ringyard proxy`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ringyard_scheduler::balance::live::LiveKind;
use ringyard_scheduler::cost::{CostChoice, CostKind, CostModel};
use ringyard_scheduler::limits::AGEING_COST_PER_WAIT;
use ringyard_scheduler::{Ageing, StrategyKind};
use ringyard_servers::front::{FrontConfig, HalfClosed};
use ringyard_servers::limits::{
    BACKEND_CONCURRENCY, BACKEND_CONCURRENCY_CEILING, BACKEND_PIPELINE, BATCH_SEQUENCES_CEILING,
    BATCH_SEQUENCES_MAX, DECISIONS_KEPT, DECISIONS_KEPT_CEILING, QUEUE_BYTES_MAX, QUEUE_JOBS_MAX,
    SEQUENCES_PER_REQUEST_MAX,
};
use ringyard_servers::proxy::{
    self, CompositionChoice, ConcurrencyRule, CostSetting, Explain, ProxyConfig, Shedding,
    Splitting,
};

use crate::backend_url::BackendUrl;
use crate::customers::{self, Handover};
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

    /// In what order requests are served: fcfs (first come, first served), sjf (shortest job first), sjf-ageing (the
    /// same, where waiting counts), fair (customers in turn) and others; a wrong name lists them all. Without it:
    /// sjf-ageing, and fcfs with --parity
    #[arg(long, value_name = "NAME", env = "PROXY_STRATEGY")]
    strategy: Option<StrategyKind>,

    /// Under sjf-ageing: how much less a request costs for each unit of time that it has waited. More lets long
    /// requests wait less and short ones more
    #[arg(long, value_name = "RATE", default_value_t = AGEING_COST_PER_WAIT, value_parser = parse_slope)]
    ageing: f64,

    /// Under sjf-ageing: how long a request waits before it goes first whatever it costs
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    ageing_max_wait: Duration,

    /// Which requests share a batch: fill (in the strategy's own sequence while there is room), anchor (whose turn
    /// it is, and with it those no longer), plan (for sjf, sjf-ageing and wspt, by what batches will cost),
    /// or auto (whichever suits the strategy and what batches cost)
    #[arg(long, value_name = "NAME", env = "RINGYARD_COMPOSITION", default_value_t = CompositionChoice::Auto)]
    composition: CompositionChoice,

    /// Keep to the rules of the original proxy: batches are filled in the strategy's own sequence, and fair is
    /// one request a turn
    #[arg(long, conflicts_with_all = ["composition", "split_requests"])]
    parity: bool,

    /// A TOML file of what customers are entitled to: weights, tiers, quotas, deadlines. Read again at SIGHUP; a
    /// wrong one is refused, and the one before stays in force
    #[arg(long, value_name = "FILE", env = "RINGYARD_CUSTOMERS")]
    customers: Option<PathBuf>,

    /// Say in headers of every answer how its request was served (how long it was queued, in which batch, at what
    /// cost), and keep the last decisions for GET /debug/decisions
    #[arg(long)]
    explain: bool,

    /// Decisions kept with --explain
    #[arg(long, value_name = "COUNT", default_value_t = DECISIONS_KEPT, requires = "explain")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(DECISIONS_KEPT_CEILING)))]
    max_decisions: u32,

    #[command(flatten, next_help_heading = "Batching")]
    batching: BatchingArgs,

    #[command(flatten, next_help_heading = "Costs")]
    costs: CostArgs,

    #[command(flatten)]
    serve: ServeArgs,

    #[cfg(feature = "peers")]
    #[command(flatten)]
    baseline: serve::BaselineArgs,
}

#[derive(Args, Debug)]
struct BatchingArgs {
    /// Sequences in one batch
    #[arg(long, value_name = "COUNT", default_value_t = BATCH_SEQUENCES_MAX)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_SEQUENCES_CEILING)))]
    max_batch_items: u32,

    /// Sequences in one request; never more than one batch has room for, unless requests may be split
    #[arg(long, value_name = "COUNT", default_value_t = SEQUENCES_PER_REQUEST_MAX)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(BATCH_SEQUENCES_CEILING)))]
    max_items: u32,

    /// Let the sequences of one request go in several batches; it is answered with its last
    #[arg(long)]
    split_requests: bool,

    /// How long an incomplete batch waits for more requests. Without it: 50ms for fcfs, 0s for the others
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    linger: Option<Duration>,

    /// Which backend a batch goes to: least_request (the one with the fewest in flight), two_choices (the better of
    /// two drawn at random), peak_ewma, weighted_least_latency and soonest (by latency times load), c3,
    /// weighted_round_robin, prequal or join_idle_queue. --explain tells of each batch why
    #[arg(long, value_name = "NAME", env = "RINGYARD_BALANCE", default_value_t = LiveKind::default())]
    balance: LiveKind,

    /// Batches in flight at one backend
    #[arg(long, value_name = "COUNT", default_value_t = BACKEND_CONCURRENCY)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(BACKEND_CONCURRENCY_CEILING)))]
    backend_concurrency: u32,

    /// How many of these may follow one another on one connection before the first is answered (HTTP pipelining). With
    /// short batches it saves much of the CPU time for each; a batch waits for those before it on its connection
    #[arg(long, value_name = "COUNT", default_value_t = BACKEND_PIPELINE)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(BACKEND_CONCURRENCY_CEILING)))]
    backend_pipeline: u32,

    /// How many of these are used: fixed (all), aimd or gradient (as many as the backend works on without making
    /// them wait, judged by how much longer than predicted batches take)
    #[arg(long, value_enum, default_value_t = ConcurrencyArg::Fixed)]
    adaptive_concurrency: ConcurrencyArg,

    /// What becomes of those who have waited long already: never (they go on waiting), or codel (in a queue that
    /// stands they are refused with 503, so that those who came later are served in time)
    #[arg(long, value_enum, default_value_t = SheddingArg::Never)]
    shedding: SheddingArg,

    /// From a request's arrival to its answer at the latest; then it is 504
    #[arg(long, value_name = "TIME", env = "RINGYARD_DEADLINE", default_value = "10s")]
    #[arg(value_parser = humantime::parse_duration)]
    deadline: Duration,

    /// Requests that may be queued; more are refused with 503
    #[arg(long, value_name = "COUNT", default_value_t = QUEUE_JOBS_MAX)]
    max_queue: usize,

    /// Bytes of texts that may be queued; more are refused with 503
    #[arg(long, value_name = "BYTES", default_value_t = QUEUE_BYTES_MAX)]
    max_queue_bytes: usize,

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

/// What batches are expected to take.
#[derive(Args, Debug)]
struct CostArgs {
    /// What the time of a batch grows with: quadratic (the square of its longest sequence), linear (all its
    /// characters), affine (the number of its sequences), constant (nothing), or auto (learned for each backend
    /// from the times that its batches take)
    #[arg(long, value_name = "NAME", default_value = "auto")]
    cost_model: CostChoice,

    /// Nanoseconds for each unit of what it grows with; with auto, for the square of the longest sequence, to
    /// begin with
    #[arg(long, value_name = "NUMBER", default_value_t = CostModel::default().slope())]
    #[arg(value_parser = parse_slope)]
    cost_slope_ns: f64,

    /// What a batch takes whatever is in it
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    cost_intercept: Duration,
}

fn parse_slope(text: &str) -> Result<f64, String> {
    let slope: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if slope.is_finite() && slope >= 0.0 {
        Ok(slope)
    } else {
        Err(String::from("must be a number, not below 0"))
    }
}

impl CostArgs {
    fn setting(&self) -> CostSetting {
        let intercept = self.cost_intercept.as_secs_f64() * 1e9;
        let model = |kind| CostModel::new(kind, self.cost_slope_ns, intercept);
        match self.cost_model {
            CostChoice::Auto => CostSetting::Learned(model(CostKind::Quadratic)),
            CostChoice::Fixed(kind) => CostSetting::Fixed(model(kind)),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ConcurrencyArg {
    Fixed,
    Aimd,
    Gradient,
}

impl From<ConcurrencyArg> for ConcurrencyRule {
    fn from(argument: ConcurrencyArg) -> Self {
        match argument {
            ConcurrencyArg::Fixed => Self::Fixed,
            ConcurrencyArg::Aimd => Self::Aimd,
            ConcurrencyArg::Gradient => Self::Gradient,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SheddingArg {
    Never,
    Codel,
}

impl From<SheddingArg> for Shedding {
    fn from(argument: SheddingArg) -> Self {
        match argument {
            SheddingArg::Never => Self::Never,
            SheddingArg::Codel => Self::Codel,
        }
    }
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
    let defaults = ProxyConfig::new(backends);
    let config = ProxyConfig {
        balance: batching.balance,
        backend_concurrency: batching.backend_concurrency,
        backend_pipeline: batching.backend_pipeline,
        concurrency_rule: batching.adaptive_concurrency.into(),
        shedding: batching.shedding.into(),
        strategy: match (arguments.strategy, arguments.parity) {
            (Some(strategy), _) => strategy,
            (None, true) => StrategyKind::Fcfs,
            (None, false) => defaults.strategy,
        },
        ageing: Ageing { cost_per_wait: arguments.ageing, wait_max: arguments.ageing_max_wait },
        composition: arguments.composition,
        cost: arguments.costs.setting(),
        splitting: if batching.split_requests { Splitting::Apart } else { Splitting::Together },
        linger: batching.linger,
        batch_sequences_max: batching.max_batch_items,
        request_sequences_max: batching.max_items,
        deadline: batching.deadline,
        queue_jobs_max: batching.max_queue,
        queue_bytes_max: batching.max_queue_bytes,
        queue_wait_max: batching.max_queue_wait,
        backend_grace: batching.backend_grace,
        explain: match arguments.explain {
            true => Explain::Always { decisions_kept: arguments.max_decisions },
            false => Explain::Never,
        },
        ..defaults
    };
    let config = if arguments.parity { config.with_parity() } else { config };
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
    if let Some(workers) = arguments.serve.baseline(&arguments.baseline) {
        let running = ringyard_baseline::launch_proxy(&plan, workers, front, &config);
        return serve::run_baseline("proxy", &details, running);
    }
    let cores = serve::core_count(&plan);
    let Some(path) = arguments.customers.clone() else {
        return serve::run("proxy", &details, plan, proxy::factory(front, config, cores));
    };
    let handover = Handover::new();
    let config = ProxyConfig {
        customers: customers::read(&path)?,
        books: Some(Arc::new(handover.clone())),
        ..config
    };
    let make = proxy::factory(front, config, cores);
    serve::run_with_reload("proxy", &details, plan, make, move || match customers::read(&path) {
        Ok(book) => {
            handover.give(book);
            eprintln!("ringyard proxy: {} is in force", path.display());
        }
        Err(error) => eprintln!("ringyard proxy: the customers stay as they were: {error}"),
    })
}
