//! Cost functions: a number for a channel, low is good, or nothing when there is no data.
//!
//! A [`Cost`] is a value, not a closure, so it can be written in a configuration file, compared, and printed
//! the way it was written. What a policy makes of a missing cost is the policy's own affair.

use std::fmt;
use std::str::FromStr;

use super::random::Random;
use super::view::{Aggregate, Channels, Report, known};

/// Magnitude below which a controller's weight counts as this much.
const SMALLEST_PID_WEIGHT: f64 = 1e-4;

/// What a client knows by itself, or what a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Requests of this client under way on the channel: `client_rif`.
    ClientInFlight,
    /// Response time of the channel's completed requests: `client_latency(mean)`.
    ClientLatency(Aggregate),
    /// A server cost of the state that came with the last completed answer: `reported(...)`.
    Reported(ServerCost),
    /// A server cost of the state as it is now, which only a simulation knows: `oracle(...)`.
    Oracle(ServerCost),
    /// A uniform draw: `random`.
    Random,
}

/// A function of a server's published state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerCost {
    /// Requests queued or processing, latest: `server_rif`.
    InFlight,
    /// The latency expected at the server's mean load: `server_expected_latency`.
    ExpectedLatency,
    /// Observed queueing plus processing time: `server_latency(mean)`.
    Latency(Aggregate),
    /// Arrivals per tick: `server_queries(mean)`.
    Queries(Aggregate),
    /// Busy share of threads, percent: `server_utilization(mean)`.
    Utilization(Aggregate),
    /// `(u / 100) / q`, the inverse of estimated capacity: `server_capacity(mean,mean)`.
    Capacity {
        /// How arrivals are aggregated.
        queries: Aggregate,
        /// How utilisation is aggregated.
        utilization: Aggregate,
    },
    /// `1 / (q * (100 / u - 1))`, the inverse of estimated spare capacity:
    /// `server_available_capacity(mean,mean)`.
    AvailableCapacity {
        /// How arrivals are aggregated.
        queries: Aggregate,
        /// How utilisation is aggregated.
        utilization: Aggregate,
    },
    /// One over the server-side controller's weight, which may be negative: `server_pid`.
    PidWeight,
}

impl ServerCost {
    /// The cost of `report`, or `None` without data.
    #[inline]
    #[must_use]
    pub fn of(self, report: &Report) -> Option<f64> {
        match self {
            Self::InFlight => known(report.in_flight.latest),
            Self::ExpectedLatency => known(report.expected_latency),
            Self::Latency(aggregate) => report.latency.get(aggregate),
            Self::Queries(aggregate) => report.queries.get(aggregate),
            Self::Utilization(aggregate) => report.utilization.get(aggregate),
            Self::Capacity { queries, utilization } => {
                let (queries, utilization) = busy(report, queries, utilization)?;
                Some(utilization / 100.0 / queries)
            }
            Self::AvailableCapacity { queries, utilization } => {
                let (queries, utilization) = busy(report, queries, utilization)?;
                let available = queries / (utilization / 100.0) - queries;
                (available > 0.0).then(|| 1.0 / available)
            }
            Self::PidWeight => Some(1.0 / away_from_zero(report.pid_weight)),
        }
    }
}

/// Arrivals and utilisation, if both are known and neither is zero.
#[inline]
fn busy(report: &Report, queries: Aggregate, utilization: Aggregate) -> Option<(f64, f64)> {
    let queries = report.queries.get(queries).filter(|value| *value != 0.0)?;
    let utilization = report.utilization.get(utilization).filter(|value| *value != 0.0)?;
    Some((queries, utilization))
}

#[inline]
fn away_from_zero(weight: f64) -> f64 {
    if weight.abs() >= SMALLEST_PID_WEIGHT {
        weight
    } else if weight >= 0.0 {
        SMALLEST_PID_WEIGHT
    } else {
        -SMALLEST_PID_WEIGHT
    }
}

impl Cost {
    /// The cost of `channel`, or `None` without data.
    #[inline]
    pub fn of<C, R>(self, channels: &C, channel: usize, random: &mut R) -> Option<f64>
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        match self {
            Self::ClientInFlight => Some(f64::from(channels.in_flight(channel))),
            Self::ClientLatency(aggregate) => channels.latency(channel, aggregate),
            Self::Reported(cost) => channels.report(channel).and_then(|report| cost.of(report)),
            Self::Oracle(cost) => channels.current(channel).and_then(|report| cost.of(report)),
            Self::Random => Some(random.uniform()),
        }
    }

    /// The costs of all channels into `costs`, NaN where there is no data.
    #[inline]
    pub(crate) fn fill<C, R>(self, channels: &C, random: &mut R, costs: &mut Vec<f64>)
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        costs.clear();
        costs.extend(
            (0..channels.count())
                .map(|channel| self.of(channels, channel, random).unwrap_or(f64::NAN)),
        );
    }

    /// Whether the cost reads servers' expected latency, which is dear to keep up.
    #[must_use]
    pub const fn reads_expected_latency(self) -> bool {
        matches!(self, Self::Reported(cost) | Self::Oracle(cost) if matches!(cost, ServerCost::ExpectedLatency))
    }
}

/// The mean of the costs that are neither missing (NaN) nor zero; `None` when none is.
#[inline]
pub(crate) fn mean_of_nonzero(costs: &[f64]) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for &cost in costs {
        if cost != 0.0 && !cost.is_nan() {
            sum += cost;
            count += 1;
        }
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// A cost that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// No cost has that name.
    #[error(
        "unknown cost `{0}`; known are client_rif, client_latency(A), random, reported(S) and oracle(S), where \
         A is latest, mean or ewma and S is server_rif, server_expected_latency, server_latency(A), \
         server_queries(A), server_utilization(A), server_capacity(A,A), server_available_capacity(A,A) or \
         server_pid"
    )]
    Unknown(String),
    /// An aggregate was expected.
    #[error("unknown aggregate `{0}`; known are latest, mean and ewma")]
    Aggregate(String),
}

impl FromStr for Aggregate {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        match text.trim() {
            "latest" => Ok(Self::Latest),
            "mean" => Ok(Self::Mean),
            "ewma" => Ok(Self::Ewma),
            other => Err(CostError::Aggregate(other.to_owned())),
        }
    }
}

/// `text` as a name and what stands in its parentheses.
fn call(text: &str) -> (&str, Option<&str>) {
    match text.trim().strip_suffix(')').and_then(|open| open.split_once('(')) {
        Some((name, argument)) => (name.trim(), Some(argument)),
        None => (text.trim(), None),
    }
}

impl FromStr for ServerCost {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        let pair = |argument: &str| -> Result<(Aggregate, Aggregate), CostError> {
            let (queries, utilization) = argument.split_once(',').unwrap_or((argument, argument));
            Ok((queries.parse()?, utilization.parse()?))
        };
        match call(text) {
            ("server_rif", None) => Ok(Self::InFlight),
            ("server_expected_latency", None) => Ok(Self::ExpectedLatency),
            ("server_pid", None) => Ok(Self::PidWeight),
            ("server_latency", Some(argument)) => Ok(Self::Latency(argument.parse()?)),
            ("server_queries", Some(argument)) => Ok(Self::Queries(argument.parse()?)),
            ("server_utilization", Some(argument)) => Ok(Self::Utilization(argument.parse()?)),
            ("server_capacity", Some(argument)) => {
                let (queries, utilization) = pair(argument)?;
                Ok(Self::Capacity { queries, utilization })
            }
            ("server_available_capacity", Some(argument)) => {
                let (queries, utilization) = pair(argument)?;
                Ok(Self::AvailableCapacity { queries, utilization })
            }
            _ => Err(CostError::Unknown(text.to_owned())),
        }
    }
}

impl FromStr for Cost {
    type Err = CostError;

    fn from_str(text: &str) -> Result<Self, CostError> {
        match call(text) {
            ("client_rif", None) => Ok(Self::ClientInFlight),
            ("random", None) => Ok(Self::Random),
            ("client_latency", Some(argument)) => Ok(Self::ClientLatency(argument.parse()?)),
            ("reported", Some(argument)) => Ok(Self::Reported(argument.parse()?)),
            ("oracle", Some(argument)) => Ok(Self::Oracle(argument.parse()?)),
            _ => Err(CostError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for ServerCost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight => formatter.write_str("server_rif"),
            Self::ExpectedLatency => formatter.write_str("server_expected_latency"),
            Self::PidWeight => formatter.write_str("server_pid"),
            Self::Latency(aggregate) => write!(formatter, "server_latency({})", aggregate.name()),
            Self::Queries(aggregate) => write!(formatter, "server_queries({})", aggregate.name()),
            Self::Utilization(aggregate) => {
                write!(formatter, "server_utilization({})", aggregate.name())
            }
            Self::Capacity { queries, utilization } => {
                write!(formatter, "server_capacity({},{})", queries.name(), utilization.name())
            }
            Self::AvailableCapacity { queries, utilization } => write!(
                formatter,
                "server_available_capacity({},{})",
                queries.name(),
                utilization.name()
            ),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientInFlight => formatter.write_str("client_rif"),
            Self::ClientLatency(aggregate) => {
                write!(formatter, "client_latency({})", aggregate.name())
            }
            Self::Reported(cost) => write!(formatter, "reported({cost})"),
            Self::Oracle(cost) => write!(formatter, "oracle({cost})"),
            Self::Random => formatter.write_str("random"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::Observed;
    use super::*;

    fn report(queries: f64, utilization: f64, pid_weight: f64) -> Report {
        Report {
            queries: Observed::single(queries),
            utilization: Observed::single(utilization),
            pid_weight,
            ..Report::EMPTY
        }
    }

    #[test]
    fn every_cost_prints_as_it_is_read() {
        for text in [
            "client_rif",
            "client_latency(ewma)",
            "random",
            "reported(server_rif)",
            "reported(server_expected_latency)",
            "oracle(server_latency(latest))",
            "reported(server_queries(mean))",
            "oracle(server_utilization(mean))",
            "reported(server_capacity(mean,latest))",
            "reported(server_available_capacity(mean,mean))",
            "oracle(server_pid)",
        ] {
            assert_eq!(text.parse::<Cost>().map(|cost| cost.to_string()), Ok(text.to_owned()));
        }
        for wrong in ["", "rif", "reported(client_rif)", "client_latency", "client_latency(p99)"] {
            assert!(wrong.parse::<Cost>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn capacity_needs_both_figures_and_availability_a_surplus() {
        let cost = |text: &str| text.parse::<ServerCost>().unwrap();
        let (capacity, available) =
            (cost("server_capacity(mean)"), cost("server_available_capacity(mean)"));
        assert_eq!(capacity.of(&report(8.0, 50.0, 0.0)), Some(1.0 / 16.0));
        assert_eq!(available.of(&report(8.0, 50.0, 0.0)), Some(1.0 / 8.0));
        for blind in [report(0.0, 50.0, 0.0), report(8.0, 0.0, 0.0), Report::EMPTY] {
            assert_eq!((capacity.of(&blind), available.of(&blind)), (None, None));
        }
        assert_eq!(available.of(&report(8.0, 100.0, 0.0)), None);
    }

    #[test]
    fn a_controllers_weight_is_kept_away_from_zero() {
        for (weight, expected) in [(0.0, 1e4), (-1e-5, -1e4), (-2.0, -0.5), (4.0, 0.25)] {
            assert_eq!(ServerCost::PidWeight.of(&report(1.0, 1.0, weight)), Some(expected));
        }
    }
}
