//! A client of the continuous-time world, and what it sees when it chooses.

use ringyard_scheduler::balance::live::Load;
use ringyard_scheduler::balance::{Aggregate, Channels, LastN, Observed, Report};

use crate::study::policy::Policy;

/// Answers remembered per channel for `client_latency`.
const LATENCIES_REMEMBERED: usize = 100;

/// A client: its policy and what it knows of each channel.
pub(super) struct Client {
    pub(super) policy: Policy,
    pub(super) in_flight: Vec<u32>,
    pub(super) reports: Vec<Option<Report>>,
    pub(super) latencies: Vec<LastN>,
}

/// What one client sees.
pub(super) struct View<'a> {
    pub(super) client: &'a Client,
    pub(super) current: &'a [Report],
}

impl Channels for View<'_> {
    fn count(&self) -> usize {
        self.current.len()
    }

    fn in_flight(&self, channel: usize) -> u32 {
        self.client.in_flight[channel]
    }

    fn latency(&self, channel: usize, aggregate: Aggregate) -> Option<f64> {
        let window = self.client.latencies.get(channel)?;
        match aggregate {
            Aggregate::Latest => window.latest(),
            Aggregate::Mean => window.mean(),
            Aggregate::Ewma => window.ewma(Aggregate::WEIGHT),
        }
    }

    fn report(&self, channel: usize) -> Option<&Report> {
        self.client.reports[channel].as_ref()
    }

    fn current(&self, channel: usize) -> Option<&Report> {
        Some(&self.current[channel])
    }
}

impl Client {
    /// A client with a channel to each of `count` servers.
    pub(super) fn new(policy: &Policy, count: usize, remembers_latencies: bool) -> Self {
        let windows = if remembers_latencies { count } else { 0 };
        Self {
            policy: policy.clone(),
            in_flight: vec![0; count],
            reports: vec![None; count],
            latencies: vec![LastN::new(LATENCIES_REMEMBERED); windows],
        }
    }
}

/// What an answer's load looks like to the study's pickers.
pub(super) fn report_of(load: &Load) -> Report {
    Report {
        utilization: Observed::single(100.0 * load.utilization),
        queries: Observed::single(load.requests_per_second),
        in_flight: Observed::single(load.in_flight),
        queued: Observed::single(load.queued),
        ..Report::EMPTY
    }
}
