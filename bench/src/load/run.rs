//! A run from beginning to end: engines started, figures gathered from all cores, the end decided, the report
//! drawn up.
//!
//! Cores measure and hand their figures on; this thread adds them up interval by interval, tells an
//! [`Observer`], and stops the run early when enough is known. It never touches a socket.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use ringyard_protocol::http1::Method;
use ringyard_runtime::counters::CoreContext;
use ringyard_runtime::launch::{
    LaunchError, Plan as EnginePlan, RunError, Running, Stopper, launch,
};
use ringyard_runtime::limits::EngineLimits;

use super::figures::{Figures, STATUS_CLASSES};
use super::gathering::Gathering;
use super::http::HttpScript;
use super::null_server::NullServer;
use super::options::{LoadOptions, LoadPace, Stop, Work};
use super::processor::{CpuTicks, ProcessorUse, Threads};
use super::raw::{AnswerEnd, RawScript};
use super::report::{
    GeneratorReport, Interval, Latency, LoadReport, SCHEMA, Setup, Wasted, recorded,
};
use super::target::TargetError;
use super::verdict::{Evidence, Verdict};
use crate::generator::Generator;
use crate::generator::plan::News;
use crate::generator::script::{Client, Script};
use crate::statistics::{as_real, rounded};
use crate::wall_clock;

/// How long cores may be silent beyond what their plan explains.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// How long before a request is due its core is awake: about twice what waking up takes.
const WAKE_EARLY: Duration = Duration::from_micros(60);

/// The longest answer that is calibrated with.
const CALIBRATION_ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The target has no address.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No address to connect from is of the target's family.
    #[error(
        "{target} cannot be reached from any address of --source: give one of the same family, IPv4 or IPv6"
    )]
    Sources {
        /// The target.
        target: SocketAddr,
    },
    /// No engine.
    #[error("cannot start the generator: {0}")]
    Launch(#[from] LaunchError),
    /// An engine ended before the run did.
    #[error("the generator stopped: {0}")]
    Generator(#[from] RunError),
    /// The cores do not tell anything.
    #[error("the generator is silent; the machine may be overloaded")]
    Silent,
    /// Somebody who follows the run cannot go on.
    #[error("cannot write what was measured: {0}")]
    Observer(#[from] std::io::Error),
}

/// Follows a run while it lasts.
pub trait Observer {
    /// The generator was launched; `stopper` ends it early.
    fn launched(&mut self, stopper: Stopper) {
        drop(stopper);
    }

    /// An interval is over: its figures, and those of the run so far.
    ///
    /// # Errors
    ///
    /// If what was measured cannot be written: the run ends.
    fn interval(&mut self, interval: &Interval, figures: &Figures) -> std::io::Result<()>;
}

/// An observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn interval(&mut self, _interval: &Interval, _figures: &Figures) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the load generator and draws up its report.
///
/// # Errors
///
/// [`LoadError`] if there was no run to report of. Requests that fail are findings, not errors.
pub fn run(options: &LoadOptions, observer: &mut dyn Observer) -> Result<LoadReport, LoadError> {
    let address = options.target.address()?;
    let mut sources = options.sources.iter();
    if !options.sources.is_empty() && sources.all(|from| from.is_ipv4() != address.is_ipv4()) {
        return Err(LoadError::Sources { target: address });
    }
    let capacity = calibrate(options)?;
    let started_unix_seconds = wall_clock::unix_seconds();
    let measured = measure(options, address, observer)?;
    Ok(measured.report(options, started_unix_seconds, capacity))
}

/// What came of a run.
struct Measured {
    gathering: Gathering,
    /// For each core, without what it spent looking for work.
    used: Vec<ProcessorUse>,
    /// For each core, how long it looked for work instead of sleeping.
    spun: Vec<Duration>,
    /// For each core that the generator is pinned to.
    cpu_idle_share: Vec<f64>,
    /// How long that was observed for.
    observed: Duration,
    system_calls: u64,
    completion_overflows: u64,
    engine: String,
}

/// Runs against `address` with the script that the options ask for.
fn measure(
    options: &LoadOptions,
    address: SocketAddr,
    observer: &mut dyn Observer,
) -> Result<Measured, LoadError> {
    let (open_loop, cores, seed) = (options.is_open_loop(), options.cores(), options.seed);
    match options.work.clone() {
        Work::Http(request) => measure_with(options, address, observer, move |core| {
            HttpScript::new(request.clone(), open_loop, core, cores, seed)
        }),
        Work::Raw(request) => measure_with(options, address, observer, move |core| {
            RawScript::new(request.clone(), open_loop, core)
        }),
    }
}

fn measure_with<S: Script<Interval = Figures> + 'static>(
    options: &LoadOptions,
    address: SocketAddr,
    observer: &mut dyn Observer,
    script: impl Fn(u16) -> S + Send + Sync + 'static,
) -> Result<Measured, LoadError> {
    let (sender, news) = mpsc::channel();
    let planned = options.clone();
    let make = move |context: CoreContext| {
        let core = context.core.0;
        Generator::new(planned.plan(address, core), script(core), sender.clone())
    };
    let threads_before = Threads::of_engines();
    let running = launch(engine_plan(options), make)?;
    let threads = Threads::of_engines().since(&threads_before);
    let used_before = threads.used();
    let ticks = || -> Vec<_> { options.cores.iter().map(|cpu| CpuTicks::read(*cpu)).collect() };
    let ticks_before = ticks();
    let began = wall_clock::Stopwatch::start();
    observer.launched(running.stopper());
    let mut gathering = Gathering::new(options);
    let silence_max = options.interval + options.timeout + options.grace + SILENCE_MAX;
    let outcome = gather(&mut gathering, &news, &running, observer, silence_max);
    let observed = began.elapsed();
    let ticks_after = ticks();
    let used = threads.used();
    let spun: Vec<_> = running
        .counters()
        .iter()
        .map(|core| Duration::from_nanos(core.spun_nanoseconds.get()))
        .collect();
    let engine = running.engine().to_string();
    let counters = running.counters().clone();
    running.drain();
    let ended = running.wait();
    match outcome {
        Ok(()) => {}
        Err(GatherError::Observer(error)) => return Err(error.into()),
        Err(GatherError::News(RecvTimeoutError::Timeout)) => return Err(LoadError::Silent),
        Err(GatherError::News(RecvTimeoutError::Disconnected)) => {
            ended?;
            return Err(LoadError::Silent);
        }
    }
    Ok(Measured {
        gathering,
        used: used
            .iter()
            .zip(&used_before)
            .zip(&spun)
            .map(|((now, before), spun)| now.since(before).without(*spun))
            .collect(),
        spun,
        cpu_idle_share: ticks_after
            .iter()
            .zip(&ticks_before)
            .filter_map(|(now, before)| now.as_ref()?.idle_share_since(before.as_ref()?))
            .collect(),
        observed,
        system_calls: counters.iter().map(|core| core.system_calls.get()).sum(),
        completion_overflows: counters.iter().map(|core| core.completion_overflows.get()).sum(),
        engine,
    })
}

fn engine_plan(options: &LoadOptions) -> EnginePlan {
    EnginePlan {
        engine: options.engine,
        cores: options.cores.clone(),
        congestion_control: options.congestion_control.clone(),
        sources: options.sources.clone(),
        limits: EngineLimits {
            // In a closed loop nothing is due but answers.
            wake_early: if options.is_open_loop() { WAKE_EARLY } else { Duration::ZERO },
            ..EngineLimits::default()
        },
        ..EnginePlan::default()
    }
}

/// Takes in what the cores tell until all have finished.
fn gather(
    gathering: &mut Gathering,
    news: &Receiver<News<Figures>>,
    running: &Running,
    observer: &mut dyn Observer,
    silence_max: Duration,
) -> Result<(), GatherError> {
    while !gathering.is_over() {
        gathering.hear(news.recv_timeout(silence_max).map_err(GatherError::News)?);
        while let Some((interval, figures)) = gathering.next_interval() {
            observer.interval(&interval, &figures).map_err(GatherError::Observer)?;
            if gathering.is_known_well_enough() {
                running.drain();
            }
        }
    }
    Ok(())
}

enum GatherError {
    News(RecvTimeoutError),
    Observer(std::io::Error),
}

impl Measured {
    /// `count` per second of the run.
    fn per_second(&self, count: f64) -> f64 {
        let elapsed_s = self.gathering.vitals().elapsed.as_secs_f64();
        if elapsed_s > 0.0 { rounded(count / elapsed_s) } else { 0.0 }
    }

    /// What the generator's judgement of itself rests on.
    fn evidence(&self, capacity_per_second: Option<f64>) -> Evidence {
        let total = self.gathering.total();
        let corrected = total.corrected();
        let waited = total.uncorrected().unwrap_or(&corrected);
        let others = |(used, idle): (&ProcessorUse, &f64)| {
            let own = used.running.as_secs_f64() / self.observed.as_secs_f64();
            rounded((1.0 - idle - own).max(0.0))
        };
        let idle = |used: &ProcessorUse| rounded(used.idle_share(self.observed));
        // A CPU whose core looks for work is busy to the kernel and idle to us.
        let cpu_idle: Vec<f64> = self
            .cpu_idle_share
            .iter()
            .zip(&self.spun)
            .map(|(idle, spun)| (idle + spun.as_secs_f64() / self.observed.as_secs_f64()).min(1.0))
            .collect();
        let waited_s = waited.mean().as_secs_f64() * as_real(waited.count());
        Evidence {
            observed_s: rounded(self.observed.as_secs_f64()),
            idle_share: self.used.iter().map(idle).collect(),
            others_share: self.used.iter().zip(&cpu_idle).map(others).collect(),
            cpu_idle_share: cpu_idle.into_iter().map(rounded).collect(),
            completion_overflows: self.completion_overflows,
            throughput_per_second: self.per_second(as_real(total.answered())),
            capacity_per_second,
            in_flight_mean: self
                .per_second(self.gathering.vitals().in_flight_nanoseconds as f64 / 1e9),
            in_flight_by_little: self.per_second(waited_s),
        }
    }

    fn report(
        self,
        options: &LoadOptions,
        started_unix_seconds: u64,
        capacity_per_second: Option<f64>,
    ) -> LoadReport {
        let (total, vitals) = (self.gathering.total(), self.gathering.vitals());
        let corrected = total.corrected();
        let cut_off = if options.is_open_loop() { total.unfinished } else { 0 };
        let due = vitals.asked + vitals.unsent;
        let failed = total.errors.total() + vitals.unsent + cut_off;
        let error_rate = if due > 0 { as_real(failed) / as_real(due) } else { 0.0 };
        let evidence = self.evidence(capacity_per_second);
        let running: Duration = self.used.iter().map(|used| used.running).sum();
        let per_request = |value: f64| rounded(value / as_real(vitals.asked.max(1)));
        LoadReport {
            schema: SCHEMA.to_owned(),
            target: options.target.to_string(),
            started_unix_seconds,
            setup: setup(options, self.engine.clone()),
            elapsed_s: rounded(vitals.elapsed.as_secs_f64()),
            answered: total.answered(),
            throughput_per_second: evidence.throughput_per_second,
            latency: Latency {
                corrected: corrected.summary(),
                uncorrected: total.uncorrected().map(|tally| tally.summary()),
                slip: total.slip().map(|tally| tally.summary()),
            },
            mean_ms: self.gathering.mean_ms(),
            median_ms: self.gathering.median_ms(),
            by_status: (0..STATUS_CLASSES)
                .filter_map(|class| Some((class_name(class), total.class(class)?.summary())))
                .collect(),
            errors: total.errors,
            error_rate: rounded(error_rate),
            connect_errors: total.connect_errors,
            wasted: Wasted { unfinished: total.unfinished, unsent: total.unsent },
            connections_opened: vitals.connections_opened,
            bytes_sent: vitals.bytes_sent,
            bytes_received: vitals.bytes_received,
            generator: GeneratorReport {
                verdict: Verdict::of(&evidence),
                evidence,
                processor_us_per_request: (!self.used.is_empty())
                    .then(|| per_request(running.as_secs_f64() * 1e6)),
                system_calls_per_request: per_request(as_real(self.system_calls)),
            },
            histogram: recorded(&corrected),
            uncorrected_histogram: total.uncorrected().map(recorded).unwrap_or_default(),
            slip_histogram: total.slip().map(recorded).unwrap_or_default(),
            intervals: self.gathering.into_intervals(),
        }
    }
}

fn setup(options: &LoadOptions, engine: String) -> Setup {
    Setup {
        pace: if options.is_open_loop() { "open" } else { "closed" }.to_owned(),
        connections: options.connections,
        depth: options.depth,
        rate_per_second: match options.pace {
            LoadPace::Open { rate, .. } => Some(rate.to),
            LoadPace::Closed | LoadPace::Trace(_) => None,
        },
        cores: usize::from(options.cores()),
        engine,
        seed: options.seed,
    }
}

fn class_name(class: usize) -> String {
    if class == 0 { "answers".to_owned() } else { format!("{class}xx") }
}

/// Answers per second that this generator gets from a server that does nothing, with the same connections
/// and depth, in a closed loop.
fn calibrate(options: &LoadOptions) -> Result<Option<f64>, LoadError> {
    let Some((request_bytes, answer)) = null_exchange(&options.work) else { return Ok(None) };
    if options.calibration.is_zero() {
        return Ok(None);
    }
    let plan = EnginePlan {
        engine: options.engine,
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        ..EnginePlan::default()
    };
    let server = launch(plan, move |_| NullServer::new(request_bytes, answer.clone()))?;
    let quick = LoadOptions {
        pace: LoadPace::Closed,
        stop: Stop { duration: Some(options.calibration), requests: None, precision: None },
        connect_ramp: Duration::ZERO,
        ..options.clone()
    };
    let measured = measure(&quick, server.addresses()[0], &mut NoObserver)?;
    let answered = as_real(measured.gathering.total().answered());
    Ok((!measured.gathering.vitals().elapsed.is_zero()).then(|| measured.per_second(answered)))
}

/// The bytes of a request and the answer to it that a server gives without thinking; `None` if requests
/// differ or answers are too long to be worth it.
fn null_exchange(work: &Work) -> Option<(u64, Vec<u8>)> {
    match work {
        Work::Http(request) => {
            if request.close || request.body.as_ref().is_some_and(|body| !body.is_literal()) {
                return None;
            }
            let mut bytes = Vec::new();
            let mut script = HttpScript::new(request.clone(), false, 0, 1, 0);
            script.ask(Client { lane: 0, seat: 0 }, &mut bytes);
            let body = if request.method == Method::Head { "" } else { "ok" };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{body}");
            Some((bytes.len() as u64, answer.into_bytes()))
        }
        Work::Raw(request) => {
            let answer = match &request.expect {
                AnswerEnd::Bytes(bytes) if *bytes <= CALIBRATION_ANSWER_BYTES_MAX => {
                    vec![0; usize::try_from(*bytes).ok()?]
                }
                AnswerEnd::Bytes(_) => return None,
                AnswerEnd::Until(end) => end.clone(),
            };
            (!request.close).then_some((request.send.len() as u64, answer))
        }
    }
}
