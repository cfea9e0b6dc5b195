//! What a policy may see: a client's channels, and what their servers last said about themselves.
//!
//! A *channel* is one connection from this client to one server; two channels may lead to the same server.
//! The simulators and the proxy each implement [`Channels`] over their own tables, so nothing is copied to
//! ask a policy for a choice. This module holds no state and decides nothing.

use super::rolling::EWMA_WEIGHT;

/// How a window of observations becomes one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregate {
    /// The newest observation.
    Latest,
    /// The arithmetic mean.
    #[default]
    Mean,
    /// The moving average (weight 0.2 on the newest, seeded with the oldest).
    Ewma,
}

impl Aggregate {
    /// The weight of the newest observation in [`Aggregate::Ewma`].
    pub const WEIGHT: f64 = EWMA_WEIGHT;

    /// The name used in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Mean => "mean",
            Self::Ewma => "ewma",
        }
    }
}

/// One observed quantity of a server, aggregated in each way. NaN stands for "nothing observed".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// The newest value.
    pub latest: f64,
    /// The mean of the window.
    pub mean: f64,
    /// The moving average of the window.
    pub ewma: f64,
}

impl Observed {
    /// Nothing observed yet.
    pub const NOTHING: Self = Self { latest: f64::NAN, mean: f64::NAN, ewma: f64::NAN };

    /// The same value under every aggregate, for sources that send one figure.
    #[must_use]
    pub const fn single(value: f64) -> Self {
        Self { latest: value, mean: value, ewma: value }
    }

    /// The value under `aggregate`, if anything was observed.
    #[inline]
    #[must_use]
    pub fn get(&self, aggregate: Aggregate) -> Option<f64> {
        known(match aggregate {
            Aggregate::Latest => self.latest,
            Aggregate::Mean => self.mean,
            Aggregate::Ewma => self.ewma,
        })
    }
}

/// `value` unless it is NaN.
#[inline]
pub(crate) fn known(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

/// What a server publishes about itself, and what its answers carry back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report {
    /// Busy share of the server's threads, percent.
    pub utilization: Observed,
    /// Requests that arrived per tick (live: per second).
    pub queries: Observed,
    /// Requests queued or processing.
    pub in_flight: Observed,
    /// Requests queued.
    pub queued: Observed,
    /// Queueing plus processing time of the requests that finished, ticks (live: seconds).
    pub latency: Observed,
    /// The latency the server expects at its mean load; NaN when unknown.
    pub expected_latency: f64,
    /// The server-side controller's weight.
    pub pid_weight: f64,
}

impl Report {
    /// The state of a server that has said nothing since it started.
    pub const EMPTY: Self = Self {
        utilization: Observed::NOTHING,
        queries: Observed::NOTHING,
        in_flight: Observed::NOTHING,
        queued: Observed::NOTHING,
        latency: Observed::NOTHING,
        expected_latency: f64::NAN,
        pid_weight: 0.0,
    };
}

/// The channels of one client, as a policy sees them at the moment of a choice.
pub trait Channels {
    /// How many channels there are. Policies require at least one.
    fn count(&self) -> usize;

    /// What `channel` is called: policies that keep a history keep one per identity, below
    /// [`Channels::identities`]. Two channels to one server may share theirs.
    fn identity(&self, channel: usize) -> usize {
        channel
    }

    /// An upper bound on [`Channels::identity`].
    fn identities(&self) -> usize {
        self.count()
    }

    /// Requests sent on `channel` and not yet answered.
    fn in_flight(&self, channel: usize) -> u32;

    /// Response time of `channel`'s completed requests (ticks; live: seconds), if there were any.
    fn latency(&self, channel: usize, aggregate: Aggregate) -> Option<f64>;

    /// What the last answer on `channel` carried, if there was one.
    fn report(&self, channel: usize) -> Option<&Report>;

    /// What the server of `channel` would say *now*. Only a simulation knows; elsewhere it is the report.
    fn current(&self, channel: usize) -> Option<&Report> {
        self.report(channel)
    }

    /// Relative capacity configured for `channel`, above zero.
    fn weight(&self, _channel: usize) -> f64 {
        1.0
    }

    /// Whether `channel` may be chosen. Only the live policies ask; if none may be, they choose as if all might.
    fn is_available(&self, _channel: usize) -> bool {
        true
    }
}

/// A part of a client's channels, for policies that look at a few only.
#[derive(Debug)]
pub struct Narrowed<'a, C: ?Sized> {
    /// All channels.
    pub inner: &'a C,
    /// Which of them are visible; repeats are allowed.
    pub indices: &'a [u32],
}

impl<C: Channels + ?Sized> Channels for Narrowed<'_, C> {
    fn count(&self) -> usize {
        self.indices.len()
    }

    fn identity(&self, channel: usize) -> usize {
        self.inner.identity(self.indices[channel] as usize)
    }

    fn identities(&self) -> usize {
        self.inner.identities()
    }

    fn in_flight(&self, channel: usize) -> u32 {
        self.inner.in_flight(self.indices[channel] as usize)
    }

    fn latency(&self, channel: usize, aggregate: Aggregate) -> Option<f64> {
        self.inner.latency(self.indices[channel] as usize, aggregate)
    }

    fn report(&self, channel: usize) -> Option<&Report> {
        self.inner.report(self.indices[channel] as usize)
    }

    fn current(&self, channel: usize) -> Option<&Report> {
        self.inner.current(self.indices[channel] as usize)
    }

    fn weight(&self, channel: usize) -> f64 {
        self.inner.weight(self.indices[channel] as usize)
    }

    fn is_available(&self, channel: usize) -> bool {
        self.inner.is_available(self.indices[channel] as usize)
    }
}
