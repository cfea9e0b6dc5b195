//! The experiment as data: who is compared, under which loads, for how long, and where it is played.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ringyard_protocol::http1::Method;
use ringyard_runtime::launch::{EngineChoice, LaunchError};
use ringyard_scheduler::shedding::SheddingPolicy;
use ringyard_servers::compute::{ComputeConfig, ComputeTotals, Departures, Effort};
use serde::{Deserialize, Serialize};

use super::findings::{Finding, SheddingReport};
use super::{live, simulated};
use crate::generator::schedule::Rate;
use crate::limits::CONNECTIONS_PER_CORE_MAX;
use crate::load::figures::Figures;
use crate::load::http::HttpRequest;
use crate::load::options::{LoadOptions, LoadPace, Stop, Work};
use crate::load::run::LoadError;
use crate::load::target::Target;
use crate::outcome::ErrorKind;
use crate::progress::{Progress, ProgressDisplay};
use crate::statistics::Summary;
use crate::workload::Arrivals;

/// Without a policy, and deaf to departures: as most servers are.
const UNHEEDING: &str = "unheeding";

/// How often figures are taken.
const INTERVAL: Duration = Duration::from_millis(250);

/// A server that is compared: whom it refuses, and whether it notices who has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Whom it refuses.
    pub policy: SheddingPolicy,
    /// What it does for those who have left.
    pub departures: Departures,
}

impl Contender {
    /// A server that refuses nobody and notices nothing.
    pub const UNHEEDING: Self =
        Self { policy: SheddingPolicy::None, departures: Departures::Ignore };

    /// Whether it refuses anybody.
    #[must_use]
    pub fn sheds(&self) -> bool {
        self.policy != SheddingPolicy::None
    }
}

impl From<SheddingPolicy> for Contender {
    fn from(policy: SheddingPolicy) -> Self {
        Self { policy, departures: Departures::Heed }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.departures {
            Departures::Heed => self.policy.fmt(formatter),
            Departures::Ignore => formatter.pad(UNHEEDING),
        }
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == UNHEEDING {
            return Ok(Self::UNHEEDING);
        }
        let policy: SheddingPolicy =
            text.parse().map_err(|error| format!("{error}, or {UNHEEDING}"))?;
        Ok(policy.into())
    }
}

/// How requests come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pressure {
    /// So many clients, each of whom asks again once it is answered or has given up.
    Clients(u32),
    /// At random instants, so many times as many as the server can do.
    Load(f64),
}

/// Where the experiment is played.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// In real time on this machine.
    Live {
        /// Which CPU is whose.
        cpus: Cpus,
        /// The engine of both.
        engine: EngineChoice,
    },
    /// In the simulator's world.
    Simulated,
}

/// Which CPU each thread of a live study is pinned to; none: to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpus {
    /// The core that serves connections and decides.
    pub server: Option<usize>,
    /// The worker.
    pub worker: Option<usize>,
    /// The load generator.
    pub clients: Option<usize>,
}

impl Cpus {
    /// The server's, the worker's and the clients' of a list in this order. Where it is too short for all, the clients,
    /// who have little to do, share with the server, and the worker shares with nobody as long as there are two.
    #[must_use]
    pub fn of(list: &[usize]) -> Self {
        let server = list.first().copied();
        let at = |position: usize| list.get(position).copied().or(server);
        Self { server, worker: at(1), clients: at(2) }
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers.
    pub contenders: Vec<Contender>,
    /// Numbers of clients to try.
    pub clients: Vec<u32>,
    /// Loads to try, as multiples of what the server can do.
    pub loads: Vec<f64>,
    /// What a request costs a processor.
    pub work: Duration,
    /// How long a client waits before it gives up.
    pub timeout: Duration,
    /// How long a client pauses that was refused, in a closed loop.
    pub backoff: Duration,
    /// How long each point is played.
    pub duration: Duration,
    /// What random arrivals follow from.
    pub seed: u64,
    /// Where.
    pub stage: Stage,
    /// How progress is shown.
    pub progress: ProgressDisplay,
}

/// Why the study came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SheddingError {
    /// No server.
    #[error("cannot start the compute server: {0}")]
    Launch(#[from] LaunchError),
    /// No clients.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// More clients than a generator has.
    #[error("{0} connections are needed at once; lower --loads or --timeout")]
    Connections(f64),
}

/// What one point came to, before anything is made of it.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    /// What the clients saw.
    pub(super) figures: Figures,
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    /// What the server did.
    pub(super) totals: ComputeTotals,
}

impl Trial {
    /// Requests that were sent or due.
    pub(super) fn offered(&self) -> u64 {
        let Figures { errors, unfinished, unsent, .. } = &self.figures;
        let lost = errors.total() - errors.of(ErrorKind::Refused);
        self.figures.answered() + lost + unfinished + unsent
    }

    /// Latencies of the answers of one class of status.
    pub(super) fn class(&self, class: usize) -> Summary {
        self.figures.class(class).map(|tally| tally.summary()).unwrap_or_default()
    }
}

impl Options {
    /// Requests that the server can do in a second.
    #[must_use]
    pub fn capacity_per_second(&self) -> f64 {
        self.work.as_secs_f64().recip()
    }

    /// What is played against each server.
    fn pressures(&self) -> impl Iterator<Item = Pressure> {
        let clients = self.clients.iter().copied().map(Pressure::Clients);
        clients.chain(self.loads.iter().copied().map(Pressure::Load))
    }

    /// About how long a point takes.
    fn point_time(&self) -> Duration {
        self.duration + self.timeout / 2
    }

    /// About how long all of it takes, in real time or in the world's.
    #[must_use]
    pub fn total_time(&self) -> Duration {
        let points = self.contenders.len() * (self.clients.len() + self.loads.len());
        self.point_time() * u32::try_from(points).unwrap_or(u32::MAX)
    }

    /// The server's settings for one contender.
    pub(super) fn compute(&self, contender: Contender, effort: Effort) -> ComputeConfig {
        let Contender { policy, departures } = contender;
        ComputeConfig { effort, workers: 1, policy, deadline: None, departures }
    }

    /// What the generator is told for one point.
    pub(super) fn load(&self, target: Target, pressure: Pressure) -> LoadOptions {
        let (connections, pace) = match pressure {
            Pressure::Clients(clients) => (clients, LoadPace::Closed),
            Pressure::Load(load) => {
                let rate = Rate::steady(load * self.capacity_per_second());
                let pace = LoadPace::Open { rate, arrivals: Arrivals::Poisson };
                (whole(self.connections(load)), pace)
            }
        };
        let request = HttpRequest {
            method: Method::Get,
            path: target.path.clone(),
            host: target.authority.clone(),
            headers: Vec::new(),
            body: None,
            close: false,
            backoff: self.backoff,
        };
        let (cpu, engine) = match self.stage {
            Stage::Live { cpus, engine } => (cpus.clients, engine),
            Stage::Simulated => (None, EngineChoice::Auto),
        };
        LoadOptions {
            target,
            work: Work::Http(request),
            connections,
            depth: 1,
            pace,
            stop: Stop { duration: Some(self.duration), requests: None, precision: None },
            timeout: self.timeout,
            grace: self.timeout + INTERVAL,
            connect_ramp: Duration::ZERO,
            interval: INTERVAL,
            cores: cpu.into_iter().collect(),
            engine,
            congestion_control: None,
            sources: Vec::new(),
            seed: self.seed,
            calibration: Duration::ZERO,
        }
    }

    /// Connections enough for all who may wait at once at `load`: their mean number and six standard deviations of it.
    fn connections(&self, load: f64) -> f64 {
        let mean = load * self.capacity_per_second() * self.timeout.as_secs_f64();
        (mean + 6.0 * mean.sqrt()).ceil() + 16.0
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number was checked, and the cast saturates"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

/// Runs the study.
///
/// # Errors
///
/// [`SheddingError`] if server or clients cannot be started.
pub fn run(options: &Options) -> Result<SheddingReport, SheddingError> {
    for load in &options.loads {
        let connections = options.connections(*load);
        if connections > f64::from(CONNECTIONS_PER_CORE_MAX) {
            return Err(SheddingError::Connections(connections));
        }
    }
    let effort = match options.stage {
        Stage::Live { .. } => live::calibrate(options.work),
        Stage::Simulated => simulated::effort(options.work),
    };
    let mut progress = Progress::begin("study", options.total_time(), options.progress);
    let mut played = Duration::ZERO;
    let mut findings = Vec::new();
    for contender in &options.contenders {
        for pressure in options.pressures() {
            let left = options.total_time().saturating_sub(played);
            let message = message(*contender, pressure, left);
            progress.update(played, &message);
            let trial = match options.stage {
                Stage::Live { .. } => {
                    let mut show = |elapsed| progress.update(played + elapsed, &message);
                    live::play(options, effort, *contender, pressure, &mut show)?
                }
                Stage::Simulated => simulated::play(options, effort, *contender, pressure),
            };
            findings.push(Finding::of(*contender, pressure, &effort, &trial));
            played += options.point_time();
        }
    }
    let report = SheddingReport::new(options, &effort, findings);
    progress.end(&format!("{} points", report.findings.len()));
    Ok(report)
}

fn message(contender: Contender, pressure: Pressure, left: Duration) -> String {
    let what = match pressure {
        Pressure::Clients(1) => "1 client".to_owned(),
        Pressure::Clients(clients) => format!("{clients} clients"),
        Pressure::Load(load) => format!("{load} times capacity"),
    };
    format!("{contender}, {what}; about {} s left", left.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_shares_its_cpu_only_where_it_must() {
        let check = |list: &[usize], server, worker, clients| {
            assert_eq!(Cpus::of(list), Cpus { server, worker, clients }, "{list:?}");
        };
        check(&[], None, None, None);
        check(&[4], Some(4), Some(4), Some(4));
        check(&[4, 1], Some(4), Some(1), Some(4));
        check(&[0, 1, 2, 3], Some(0), Some(1), Some(2));
    }

    #[test]
    fn contenders_are_known_by_their_names() {
        for name in ["unheeding", "none", "queue:2", "time:150ms", "codel-lifo", "adaptive"] {
            assert_eq!(name.parse::<Contender>().unwrap().to_string(), name);
        }
        let error = "lifo".parse::<Contender>().unwrap_err();
        assert!(error.contains("codel-lifo") && error.ends_with("or unheeding"), "{error}");
    }
}
