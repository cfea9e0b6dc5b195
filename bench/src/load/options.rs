//! What the load generator is to do, as data.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ringyard_runtime::launch::EngineChoice;

use super::http::HttpRequest;
use super::raw::RawRequest;
use super::target::Target;
use crate::generator::plan::{LanePlan, Pace, Plan};
use crate::generator::schedule::{Rate, Schedule};
use crate::limits::LOAD_DURATION_MAX;
use crate::random::Random;
use crate::workload::Arrivals;

/// What to do.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Whom to load.
    pub target: Target,
    /// What to say.
    pub work: Work,
    /// Connections over all cores; at least one for each.
    pub connections: u32,
    /// Requests that may be under way on one connection.
    pub depth: u32,
    /// When to ask.
    pub pace: LoadPace,
    /// When to stop.
    pub stop: Stop,
    /// How long to wait for an answer or a connection.
    pub timeout: Duration,
    /// How long to wait for the last answers.
    pub grace: Duration,
    /// Over how long the connections are made; zero for before the run.
    pub connect_ramp: Duration,
    /// How often figures are taken.
    pub interval: Duration,
    /// CPUs to pin to, one thread for each; none for one thread that is not pinned.
    pub cores: Vec<usize>,
    /// The engine.
    pub engine: EngineChoice,
    /// TCP congestion control for the connections; the system's if none is named.
    pub congestion_control: Option<String>,
    /// Addresses of this host to connect from, each in its turn; the kernel's choice if none is named.
    pub sources: Vec<IpAddr>,
    /// What random choices follow from.
    pub seed: u64,
    /// How long to try what a server costs that does nothing; not at all if zero.
    pub calibration: Duration,
}

/// What to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// HTTP/1.1.
    Http(HttpRequest),
    /// Bytes over TCP.
    Raw(RawRequest),
}

/// When to ask.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadPace {
    /// Again as soon as an answer is there.
    Closed,
    /// By a rate.
    Open {
        /// The rate over all cores.
        rate: Rate,
        /// How requests are spaced.
        arrivals: Arrivals,
    },
    /// At given instants since the start, sorted.
    Trace(Arc<[Duration]>),
}

/// When to stop: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// After so long.
    pub duration: Option<Duration>,
    /// After so many requests over all cores.
    pub requests: Option<u64>,
    /// When a quantile is known well enough.
    pub precision: Option<Precision>,
}

/// How well a quantile is to be known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// Which quantile of the corrected latency.
    pub quantile: f64,
    /// The width of its 95 % confidence interval relative to it.
    pub width: f64,
}

impl LoadOptions {
    /// Threads of the generator.
    #[must_use]
    pub fn cores(&self) -> u16 {
        u16::try_from(self.cores.len().max(1)).unwrap_or(u16::MAX)
    }

    /// Whether requests are due by a schedule.
    #[must_use]
    pub fn is_open_loop(&self) -> bool {
        self.pace != LoadPace::Closed
    }

    /// The quantile whose precision is watched.
    #[must_use]
    pub fn watched_quantile(&self) -> f64 {
        self.stop.precision.map_or(0.5, |precision| precision.quantile)
    }

    /// What core number `core` is to do: its part of the connections, the requests and the rate.
    #[must_use]
    pub fn plan(&self, address: std::net::SocketAddr, core: u16) -> Plan {
        let cores = self.cores();
        let pace = match &self.pace {
            LoadPace::Closed => Pace::Closed,
            LoadPace::Open { rate, arrivals } => {
                let part = rate.divided(u32::from(cores));
                let phase = f64::from(core) / f64::from(cores);
                let random = Random::stream(self.seed, SCHEDULE_STREAM + u64::from(core));
                Pace::Open(Schedule::at_rate(part, *arrivals, phase, random))
            }
            LoadPace::Trace(instants) => {
                let (first, step) = (usize::from(core), usize::from(cores));
                Pace::Open(Schedule::replay(Arc::clone(instants), first, step))
            }
        };
        let seats = share(u64::from(self.connections), core, cores).max(1);
        let seats = u32::try_from(seats).unwrap_or(u32::MAX);
        Plan {
            target: address,
            lanes: vec![LanePlan { seats, depth: self.depth, pace }],
            duration: self.stop.duration.unwrap_or(LOAD_DURATION_MAX),
            requests_max: self.stop.requests.map(|requests| share(requests, core, cores).max(1)),
            grace: self.grace,
            timeout: self.timeout,
            connect_ramp: self.connect_ramp,
            interval: self.interval,
        }
    }
}

/// Random streams of schedules begin here; those below are the scripts'.
const SCHEDULE_STREAM: u64 = 1 << 32;

/// What of `total` falls to part number `part` of `parts`: as even as whole numbers allow.
fn share(total: u64, part: u16, parts: u16) -> u64 {
    let (part, parts) = (u64::from(part), u64::from(parts));
    total / parts + u64::from(part < total % parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for total in 0..20 {
            for parts in 1..7 {
                let sum: u64 = (0..parts).map(|part| share(total, part, parts)).sum();
                assert_eq!(sum, total);
            }
        }
    }
}
