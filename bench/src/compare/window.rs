//! One window: a server under load for a moment, and what it took.
//!
//! Connections are made before the window begins and closed after it has ended, so that it holds nothing but
//! requests, unless the load is to make a connection for each.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ringyard_protocol::http1::Method;
use ringyard_runtime::launch::EngineChoice;

use super::proc;
use super::server::Server;
use crate::generator::schedule::Rate;
use crate::generator::script::{Client, Script};
use crate::load::figures::Figures;
use crate::load::http::{HttpRequest, HttpScript};
use crate::load::options::{LoadOptions, LoadPace, Stop, Work};
use crate::load::report::Interval;
use crate::load::run::{self, LoadError, Observer};
use crate::load::target::{Target, TargetError};
use crate::load::template::BodyTemplate;
use crate::statistics::{Tally, as_real};
use crate::workload::Arrivals;

/// A window in which the hypervisor took more than this part of a CPU says nothing.
pub const STOLEN_SHARE_MAX: f64 = 0.08;

/// A server that uses less than this part of its CPU could have done more.
pub const BUSY_SHARE_MIN: f64 = 0.90;

/// Looks at the figures within a window.
const LOOKS: u32 = 10;

/// Looks before it begins, while caches and queues fill.
const WARM_UP_LOOKS: u32 = 1;

/// What every request carries: one short sequence.
const BODY: &[u8] = br#"{"sequences": ["hello"]}"#;

/// The load of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections.
    pub connections: u32,
    /// Requests under way on each.
    pub depth: u32,
    /// Whether each request has a connection of its own.
    pub close: bool,
    /// Requests per second in an open loop, evenly spaced. None: a closed loop.
    pub rate: Option<u32>,
}

/// The CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where servers are.
    pub server: usize,
    /// Where the generator is.
    pub generator: usize,
}

/// What a window found.
#[derive(Clone, Debug)]
pub struct Window {
    /// How long it was.
    pub length: Duration,
    /// Answers.
    pub answered: u64,
    /// Requests not answered well.
    pub errors: u64,
    /// Processor time of the server.
    pub cpu: Duration,
    /// The part of the window that the hypervisor took from the CPU that it took most from.
    pub stolen_share: f64,
    /// From a request to its answer.
    pub latencies: Tally,
    /// Whether the generator had nothing to spare.
    pub generator_is_busy: bool,
}

impl Window {
    /// Processor time of the server for each answer, in nanoseconds.
    #[must_use]
    pub fn cpu_ns_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e9 / as_real(self.answered.max(1))
    }

    /// Answers per second.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        as_real(self.answered) / self.length.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The median latency in milliseconds.
    #[must_use]
    pub fn p50_ms(&self) -> f64 {
        crate::statistics::milliseconds(self.latencies.quantile(0.5))
    }

    /// Whether it can be used: the machine was ours, and there were answers.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.stolen_share <= STOLEN_SHARE_MAX && self.answered > 0 && !self.length.is_zero()
    }

    /// Whether it was the generator that set the pace.
    #[must_use]
    pub fn is_generator_bound(&self) -> bool {
        self.generator_is_busy && share(self.cpu, self.length) < BUSY_SHARE_MIN
    }
}

/// `part` of `whole`; nothing of nothing.
fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

/// Loads `server` for `length` after a short warm-up.
pub(super) fn measure(
    server: &Server,
    work: (&str, Shape),
    place: Place,
    length: Duration,
) -> Result<Window, LoadError> {
    let interval = length / LOOKS;
    // Half a look more, so that the last look is over before the run is.
    let duration = interval * (WARM_UP_LOOKS + LOOKS) + interval / 2;
    let options =
        LoadOptions { interval, ..load(server.address, work, place.generator, lasting(duration))? };
    let mut watch = Watch {
        server,
        cpus: [place.server, place.generator],
        looks: 0,
        began: None,
        ended: None,
        answered: 0,
        latencies: Tally::new(),
    };
    let report = run::run(&options, &mut watch)?;
    // Without two looks there was nothing to see; what took no time says nothing, and does not count.
    let nothing = || Mark { at: Duration::ZERO, cpu: Duration::ZERO, stolen: Vec::new() };
    let (began, ended) = watch.began.zip(watch.ended).unwrap_or_else(|| (nothing(), nothing()));
    let length = ended.at.saturating_sub(began.at);
    let stolen = ended.stolen.iter().zip(&began.stolen).map(|(end, start)| *end - *start);
    Ok(Window {
        length,
        answered: watch.answered,
        errors: report.errors.total() + report.connect_errors.total(),
        cpu: ended.cpu.saturating_sub(began.cpu),
        stolen_share: share(stolen.max().unwrap_or_default(), length),
        latencies: watch.latencies,
        generator_is_busy: report.generator.verdict.is_generator_bound(),
    })
}

/// Answers that `server` gives within `length`, without looking closer.
pub(super) fn answered(
    server: &Server,
    work: (&str, Shape),
    place: Place,
    length: Duration,
) -> Result<u64, LoadError> {
    let options = load(server.address, work, place.generator, lasting(length))?;
    Ok(run::run(&options, &mut run::NoObserver)?.answered)
}

/// Bytes of one request.
#[must_use]
pub fn request_bytes(path: &str, close: bool) -> usize {
    let mut bytes = Vec::new();
    let mut script = HttpScript::new(request(path, close), false, 0, 1, 0);
    script.ask(Client { lane: 0, seat: 0 }, &mut bytes);
    bytes.len()
}

fn request(path: &str, close: bool) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        path: path.to_owned(),
        host: "ringyard".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Some(BodyTemplate::literal(BODY.to_vec())),
        close,
        backoff: Duration::ZERO,
    }
}

/// The load of `shape` on `address`, from CPU `cpu`.
///
/// # Errors
///
/// [`TargetError`] if `path` cannot be one.
pub fn load(
    address: SocketAddr,
    (path, shape): (&str, Shape),
    cpu: usize,
    stop: Stop,
) -> Result<LoadOptions, TargetError> {
    let target: Target = format!("http://{address}{path}").parse()?;
    Ok(LoadOptions {
        target,
        work: Work::Http(request(path, shape.close)),
        connections: shape.connections,
        depth: shape.depth,
        pace: shape.rate.map_or(LoadPace::Closed, |rate| LoadPace::Open {
            rate: Rate::steady(f64::from(rate)),
            arrivals: Arrivals::Constant,
        }),
        stop,
        timeout: Duration::from_secs(10),
        grace: Duration::from_secs(1),
        connect_ramp: Duration::ZERO,
        interval: Duration::from_secs(1),
        cores: vec![cpu],
        engine: EngineChoice::Auto,
        congestion_control: None,
        sources: Vec::new(),
        seed: 1,
        calibration: Duration::ZERO,
    })
}

fn lasting(duration: Duration) -> Stop {
    Stop { duration: Some(duration), requests: None, precision: None }
}

/// The state of server and machine at one instant.
struct Mark {
    at: Duration,
    cpu: Duration,
    stolen: Vec<Duration>,
}

/// Notes the state at both ends of the window, and what was answered between.
struct Watch<'a> {
    server: &'a Server,
    cpus: [usize; 2],
    looks: u32,
    began: Option<Mark>,
    ended: Option<Mark>,
    answered: u64,
    latencies: Tally,
}

impl Watch<'_> {
    fn mark(&self, interval: &Interval) -> Mark {
        Mark {
            at: Duration::from_secs_f64(interval.end_s),
            cpu: self.server.cpu_time(),
            stolen: proc::stolen(&self.cpus),
        }
    }
}

impl Observer for Watch<'_> {
    fn interval(&mut self, interval: &Interval, figures: &Figures) -> io::Result<()> {
        self.looks += 1;
        if self.looks == WARM_UP_LOOKS {
            self.began = Some(self.mark(interval));
        } else if self.looks <= WARM_UP_LOOKS + LOOKS {
            self.answered += figures.answered();
            self.latencies.merge(&figures.corrected());
            // Looks are skipped where the generator itself is kept waiting: any may be the last.
            self.ended = Some(self.mark(interval));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod example {
    use super::*;

    /// A second in which a server took `cpu_us` microseconds for each of 10,000 requests.
    pub(crate) fn window(cpu_us: f64) -> Window {
        let mut latencies = Tally::new();
        latencies.record_many(Duration::from_secs_f64(cpu_us * 64e-6), 10_000);
        Window {
            length: Duration::from_secs(1),
            answered: 10_000,
            errors: 0,
            cpu: Duration::from_secs_f64(cpu_us * 1e-2),
            stolen_share: 0.01,
            latencies,
            generator_is_busy: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_window_follow_from_what_was_seen() {
        let window = example::window(20.0);
        assert!((window.cpu_ns_per_request() - 20_000.0).abs() < 1e-6);
        assert!((window.requests_per_second() - 10_000.0).abs() < 1e-6);
        assert!(window.is_quiet() && !window.is_generator_bound());
    }

    #[test]
    fn a_window_with_stolen_time_or_without_answers_is_no_use() {
        assert!(!Window { stolen_share: 0.09, ..example::window(20.0) }.is_quiet());
        assert!(!Window { answered: 0, ..example::window(20.0) }.is_quiet());
    }

    #[test]
    fn the_generator_sets_the_pace_if_it_is_busy_and_the_server_is_not() {
        let busy = |cpu_us| Window { generator_is_busy: true, ..example::window(cpu_us) };
        assert!(busy(50.0).is_generator_bound());
        assert!(!busy(95.0).is_generator_bound());
    }

    #[test]
    fn a_request_is_as_long_as_it_says() {
        let (kept, closed) = (request_bytes("/classify", false), request_bytes("/classify", true));
        assert_eq!(closed - kept, "connection: close\r\n".len());
    }
}
