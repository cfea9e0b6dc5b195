//! The channels of all clients, as columns, and one client's view of them.

use ringyard_scheduler::balance::{Aggregate, Channels, LastN, Report};

use super::requests::NONE;

/// Columns over all channels; client c's are `c * per_client ..`.
#[derive(Debug)]
pub(super) struct ChannelTable {
    pub(super) per_client: usize,
    /// The server it leads to.
    pub(super) server: Vec<u32>,
    /// What it is called among its client's channels.
    pub(super) identity: Vec<u32>,
    /// Mean delay of a message, half ticks.
    pub(super) halves: Vec<u32>,
    /// Requests under way, not counting answers on their way back.
    pub(super) in_flight: Vec<u32>,
    /// The state that the last completed request carried.
    pub(super) report: Vec<u32>,
    /// Response times of completed requests; empty if nothing reads them.
    pub(super) latencies: Vec<LastN>,
    /// Weight of the newest in their moving averages.
    pub(super) ewma_weight: f64,
}

impl ChannelTable {
    pub(super) fn new(per_client: usize, channels: usize) -> Self {
        Self {
            per_client,
            server: Vec::with_capacity(channels),
            identity: Vec::with_capacity(channels),
            halves: Vec::with_capacity(channels),
            in_flight: vec![0; channels],
            report: vec![NONE; channels],
            latencies: Vec::new(),
            ewma_weight: Aggregate::WEIGHT,
        }
    }

    /// The channels of `client`, as its picker sees them.
    #[inline]
    pub(super) fn view<'a>(
        &'a self,
        client: usize,
        reports: &'a [Report],
        published: &'a [u32],
    ) -> ClientView<'a> {
        let range = client * self.per_client..(client + 1) * self.per_client;
        ClientView {
            server: &self.server[range.clone()],
            identity: &self.identity[range.clone()],
            in_flight: &self.in_flight[range.clone()],
            report: &self.report[range.clone()],
            latencies: self.latencies.get(range).unwrap_or(&[]),
            ewma_weight: self.ewma_weight,
            reports,
            published,
        }
    }
}

/// One client's channels.
pub(super) struct ClientView<'a> {
    server: &'a [u32],
    identity: &'a [u32],
    in_flight: &'a [u32],
    report: &'a [u32],
    latencies: &'a [LastN],
    ewma_weight: f64,
    /// Every state ever published.
    reports: &'a [Report],
    /// Per server the index of its present state.
    published: &'a [u32],
}

impl Channels for ClientView<'_> {
    #[inline]
    fn count(&self) -> usize {
        self.in_flight.len()
    }

    #[inline]
    fn identity(&self, channel: usize) -> usize {
        self.identity[channel] as usize
    }

    #[inline]
    fn in_flight(&self, channel: usize) -> u32 {
        self.in_flight[channel]
    }

    #[inline]
    fn latency(&self, channel: usize, aggregate: Aggregate) -> Option<f64> {
        let window = &self.latencies[channel];
        match aggregate {
            Aggregate::Latest => window.latest(),
            Aggregate::Mean => window.mean(),
            Aggregate::Ewma => window.ewma(self.ewma_weight),
        }
    }

    #[inline]
    fn report(&self, channel: usize) -> Option<&Report> {
        self.reports.get(self.report[channel] as usize)
    }

    #[inline]
    fn current(&self, channel: usize) -> Option<&Report> {
        self.reports.get(self.published[self.server[channel] as usize] as usize)
    }
}
