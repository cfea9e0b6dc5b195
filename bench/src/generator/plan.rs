//! What a generator is to do, as data, and what it tells while it does it.

use std::net::SocketAddr;
use std::time::Duration;

use crate::generator::schedule::Schedule;

/// What one core's generator is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whom to ask.
    pub target: SocketAddr,
    /// Groups of connections, each with its pace.
    pub lanes: Vec<LanePlan>,
    /// How long to ask.
    pub duration: Duration,
    /// After how many requests to stop asking, whichever comes first.
    pub requests_max: Option<u64>,
    /// How long to wait for the last answers.
    pub grace: Duration,
    /// How long to wait for any answer, and for a connection.
    pub timeout: Duration,
    /// Over how long the first connections are spread. If zero, all are made before the run begins.
    pub connect_ramp: Duration,
    /// How often figures are handed on.
    pub interval: Duration,
}

/// A group of connections that share a pace.
#[derive(Clone, Debug)]
pub struct LanePlan {
    /// Connections.
    pub seats: u32,
    /// Requests that may be under way on one connection at once.
    pub depth: u32,
    /// When they ask.
    pub pace: Pace,
}

/// When a lane asks.
#[derive(Clone, Debug)]
pub enum Pace {
    /// Each place on each connection asks again once it is answered and has paused.
    Closed,
    /// Requests are due by a schedule and take the connection that was free for longest.
    Open(Schedule),
}

/// What a generator tells while it runs.
#[derive(Debug)]
pub enum News<I> {
    /// The figures of the stretch of time that just ended.
    Interval {
        /// What the script gathered.
        figures: I,
        /// What the generator counted, since the start.
        vitals: Vitals,
    },
    /// The same for the last stretch; the run is over, nothing follows.
    Finished {
        /// What the script gathered.
        figures: I,
        /// What the generator counted, since the start.
        vitals: Vitals,
    },
}

/// What a generator counts itself, whatever the script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// How long the run has lasted.
    pub elapsed: Duration,
    /// Requests sent.
    pub asked: u64,
    /// Requests due and never sent.
    pub unsent: u64,
    /// Requests under way now.
    pub in_flight: u64,
    /// Connections made.
    pub connections_opened: u64,
    /// Connections open now.
    pub connections: u64,
    /// Bytes of requests.
    pub bytes_sent: u64,
    /// Bytes of answers.
    pub bytes_received: u64,
    /// Requests under way, summed over time: divided by `elapsed`, how many there were on average.
    pub in_flight_nanoseconds: u128,
}
