//! What all servers have on their command lines, and the life of a server from its launch to its end.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use ringyard_protocol::limits::{
    BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADER_LINE_BYTES_MAX, HEADERS_MAX, HttpLimits,
    REQUEST_LINE_BYTES_MAX,
};
use ringyard_runtime::affinity;
use ringyard_runtime::app::App;
use ringyard_runtime::counters::CoreContext;
use ringyard_runtime::launch::{EngineChoice, EngineKind, Plan, Running, UnknownEngine, launch};
use ringyard_runtime::limits::EngineLimits;
use ringyard_runtime::running::Stopper;
use ringyard_runtime::signals::{SignalError, Signals};
use ringyard_servers::front::FrontConfig;
use ringyard_servers::limits::ClientTimeouts;

/// Why a command came to nothing.
pub(crate) type CommandError = Box<dyn Error + Send + Sync>;

/// How a server runs, whatever it serves.
#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    /// CPUs to serve on, one pinned thread each: `0`, `0,2-3`, or `all`. Without it: one thread, not pinned
    #[arg(long, value_name = "LIST", env = "RINGYARD_CORES", value_parser = parse_cores)]
    cores: Option<Cores>,

    /// What drives the server: `ring` (io_uring) or `tokio` (epoll). Without it: ring, or tokio where io_uring
    /// cannot be had
    #[arg(long, value_name = "ENGINE", env = "RINGYARD_ENGINE")]
    engine: Option<EngineArg>,

    /// After SIGTERM or SIGINT: how long requests in flight may take to finish
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    drain_limit: Duration,

    /// TCP congestion control for all connections, such as `cubic` or `reno`. Without it: the system's
    #[arg(long, value_name = "NAME")]
    congestion_control: Option<String>,

    /// How long a core without work looks for some before it sleeps, such as `50us`: it answers sooner, and takes the
    /// whole of its CPU for it. For cores that nobody else uses; for the engines ring and tokio
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    spin: Duration,

    #[command(flatten, next_help_heading = "Limits")]
    limits: LimitArgs,
}

/// How the baseline runs, where there is one.
#[cfg(feature = "peers")]
#[derive(Args, Clone, Debug)]
pub(crate) struct BaselineArgs {
    /// Threads of `--engine baseline`. Without it: one for each core
    #[arg(long, value_name = "COUNT")]
    workers: Option<usize>,
}

/// What a client may ask of a server.
#[derive(Args, Clone, Debug)]
struct LimitArgs {
    /// Connections on each core; more wait to be accepted
    #[arg(long, value_name = "COUNT", default_value_t = EngineLimits::default().connections)]
    max_connections: u32,

    /// Bytes of a request line
    #[arg(long, value_name = "BYTES", default_value_t = REQUEST_LINE_BYTES_MAX)]
    max_request_line_bytes: usize,

    /// Bytes of one header line
    #[arg(long, value_name = "BYTES", default_value_t = HEADER_LINE_BYTES_MAX)]
    max_header_line_bytes: usize,

    /// Bytes of a whole request head
    #[arg(long, value_name = "BYTES", default_value_t = HEAD_BYTES_MAX)]
    max_head_bytes: usize,

    /// Header lines of a request
    #[arg(long, value_name = "COUNT", default_value_t = HEADERS_MAX)]
    max_headers: usize,

    /// Bytes of a request's body
    #[arg(long, value_name = "BYTES", default_value_t = BODY_BYTES_MAX)]
    max_body_bytes: usize,

    /// From the first byte of a request to the end of its head
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    header_timeout: Duration,

    /// Between two requests of a connection
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = humantime::parse_duration)]
    idle_timeout: Duration,

    /// Between two pieces of a request's body
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    body_timeout: Duration,

    /// How long a client may leave its answers unread
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    send_timeout: Duration,
}

/// What drives a server.
#[derive(Clone, Copy, Debug)]
enum EngineArg {
    App(EngineKind),
    /// Not an engine: the same contract on tokio, axum and hyper.
    #[cfg(feature = "peers")]
    Baseline,
}

impl FromStr for EngineArg {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        #[cfg(feature = "peers")]
        if name == "baseline" {
            return Ok(Self::Baseline);
        }
        name.parse().map(Self::App)
    }
}

/// The CPUs of a server.
#[derive(Clone, Debug)]
pub(crate) struct Cores(pub(crate) Vec<usize>);

pub(crate) fn parse_cores(list: &str) -> Result<Cores, CommandError> {
    let cpus = if list == "all" { affinity::allowed()? } else { affinity::parse(list)? };
    Ok(Cores(cpus))
}

impl ServeArgs {
    /// The plan of a server at `listen`.
    pub(crate) fn plan(&self, listen: &[SocketAddr]) -> Plan {
        Plan {
            engine: match self.engine {
                Some(EngineArg::App(engine)) => EngineChoice::Exactly(engine),
                _ => EngineChoice::Auto,
            },
            cores: self.cores.as_ref().map(|cores| cores.0.clone()).unwrap_or_default(),
            listen: listen.to_vec(),
            congestion_control: self.congestion_control.clone(),
            sources: Vec::new(),
            drain_limit: self.drain_limit,
            limits: EngineLimits {
                connections: self.limits.max_connections,
                flush_stall: self.limits.send_timeout,
                spin: self.spin,
                ..EngineLimits::default()
            },
        }
    }

    /// Whether the baseline is to serve.
    #[cfg(feature = "peers")]
    pub(crate) fn is_baseline(&self) -> bool {
        matches!(self.engine, Some(EngineArg::Baseline))
    }

    /// The threads that the baseline is to have, if it is to serve.
    #[cfg(feature = "peers")]
    pub(crate) fn baseline(&self, arguments: &BaselineArgs) -> Option<Option<usize>> {
        self.is_baseline().then_some(arguments.workers)
    }

    /// `front` with the limits that the flags set.
    pub(crate) fn front(&self, front: FrontConfig) -> FrontConfig {
        let limits = &self.limits;
        FrontConfig {
            http: HttpLimits {
                request_line_bytes: limits.max_request_line_bytes,
                header_line_bytes: limits.max_header_line_bytes,
                head_bytes: limits.max_head_bytes,
                headers: limits.max_headers,
                body_bytes: limits.max_body_bytes,
                ..front.http
            },
            timeouts: ClientTimeouts {
                header: limits.header_timeout,
                idle: limits.idle_timeout,
                body: limits.body_timeout,
                send: limits.send_timeout,
            },
            ..front
        }
    }
}

/// Threads that `plan` starts.
pub(crate) fn core_count(plan: &Plan) -> usize {
    plan.cores.len().max(1)
}

/// Launches a server, says so in one line, and serves until a signal ends it.
pub(crate) fn run<A: App + 'static>(
    name: &str,
    details: &str,
    plan: Plan,
    make: impl Fn(CoreContext) -> A + Send + Sync + 'static,
) -> Result<ExitCode, CommandError> {
    run_launched(name, details, launch(plan, make)?)
}

/// As [`run`], for a server that has been launched.
pub(crate) fn run_launched(
    name: &str,
    details: &str,
    running: Running,
) -> Result<ExitCode, CommandError> {
    run_with(name, details, running, Signals::handle)
}

/// As [`run`]; SIGHUP calls `reload`.
pub(crate) fn run_with_reload<A: App + 'static>(
    name: &str,
    details: &str,
    plan: Plan,
    make: impl Fn(CoreContext) -> A + Send + Sync + 'static,
    reload: impl FnMut() + Send + 'static,
) -> Result<ExitCode, CommandError> {
    let running = launch(plan, make)?;
    run_with(name, details, running, |stoppers| Signals::handle_with_reload(stoppers, reload))
}

fn run_with(
    name: &str,
    details: &str,
    running: Running,
    handle_signals: impl FnOnce(Vec<Stopper>) -> Result<Signals, SignalError>,
) -> Result<ExitCode, CommandError> {
    if let Some(reason) = running.fallback_reason() {
        eprintln!("ringyard {name}: {reason}; serving on the tokio engine instead");
    }
    let _signals = handle_signals(vec![running.stopper()])?;
    announce(name, details, &running)?;
    let ended = running.wait()?;
    if !ended.is_clean() {
        eprintln!(
            "ringyard {name}: the drain's limit cut off {} connections; raise --drain-limit to wait longer",
            ended.connections_cut + ended.connections_unsent
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// As [`run`], for the server that is no app.
#[cfg(feature = "peers")]
pub(crate) fn run_baseline(
    name: &str,
    details: &str,
    running: Result<ringyard_baseline::Running, ringyard_baseline::LaunchError>,
) -> Result<ExitCode, CommandError> {
    let running = running?;
    running.handle_signals()?;
    let details = format!("engine baseline, {} workers, {details}", running.workers());
    say_serving(name, running.addresses(), &details)?;
    let ended = running.wait();
    if !ended.is_clean() {
        eprintln!("ringyard {name}: cut off {} connections", ended.connections_cut);
    }
    Ok(ExitCode::SUCCESS)
}

fn announce(name: &str, details: &str, running: &Running) -> io::Result<()> {
    let cores = match running.cpus() {
        [] => String::from("1 core, not pinned"),
        cpus => format!("cores {}", affinity::format_list(cpus)),
    };
    let details = format!("engine {}, {cores}, {details}", running.engine());
    say_serving(name, running.addresses(), &details)
}

fn say_serving(name: &str, addresses: &[SocketAddr], details: &str) -> io::Result<()> {
    let addresses: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "ringyard {name}: serving {} ({details})", addresses.join(" "))?;
    out.flush()
}
