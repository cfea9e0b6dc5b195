//! Prequal: hot/cold choice over a small pool of recent probes.
//!
//! After each request some random channels are probed; an answer says how many requests are in flight there and what
//! latency the server has seen at that load lately. The pool keeps the 16 newest. A choice calls probes hot whose
//! in-flight count exceeds the given quantile of those seen lately, and takes the cold one of least latency, or the
//! least loaded if all are hot. The chosen probe's count is raised by one, as the request will be there; a probe is
//! used at most `b = max(1, (1 + delta) / ((1 - pool / channels) * rate - removals))` times, is dropped when older
//! than the age limit, and after each request one probe goes, by turns the oldest and the worst. With fewer than two
//! probes in the pool the choice is uniform.
//!
//! Defaults: pool 16, 3 probes a request, 1 removal, age limit 1 s, quantile 0.84 (2^-1/4), delta 1. Source: Wydrowski,
//! Kleinberg, Rumble, Archer, "Load is not what you should balance: introducing Prequal", NSDI 2024.

use std::time::Duration;

use ringyard_time::Time;

use crate::balance::explain::{Explanation, Reason};
use crate::balance::percentile::PercentileSet;
use crate::balance::random::{Random, index_u32};
use crate::balance::rolling::{Interpolated, LastN};
use crate::balance::view::Channels;

/// How a [`Prequal`] is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrequalConfig {
    /// Probes kept.
    pub pool: usize,
    /// Probes sent per request; a fraction is sent with that probability.
    pub probes_per_request: f64,
    /// Probes removed per request.
    pub removals_per_request: f64,
    /// How old a probe may be.
    pub age_limit: Duration,
    /// The quantile of in-flight counts above which a probe is hot.
    pub hot_quantile: f64,
    /// How much the pool may shrink by reuse.
    pub delta: f64,
    /// In-flight counts remembered for the quantile.
    pub remembered: usize,
}

impl Default for PrequalConfig {
    fn default() -> Self {
        Self {
            pool: 16,
            probes_per_request: 3.0,
            removals_per_request: 1.0,
            age_limit: Duration::from_secs(1),
            hot_quantile: 0.84,
            delta: 1.0,
            remembered: 128,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    channel: u32,
    in_flight: f64,
    latency: Duration,
    at: Time,
    uses_left: u32,
}

/// The fewest probes from which a choice is made.
const POOL_MIN: usize = 2;

/// Hot/cold over a pool of probes.
#[derive(Clone, Debug)]
pub struct Prequal {
    config: PrequalConfig,
    /// The newest last.
    pool: Vec<Probe>,
    recent: std::collections::VecDeque<f64>,
    quantiles: PercentileSet,
    removal_credit: f64,
    removes_oldest: bool,
    channels: usize,
    last: Explanation,
}

impl Default for Prequal {
    fn default() -> Self {
        Self::new(PrequalConfig::default())
    }
}

impl Prequal {
    /// A policy with an empty pool.
    #[must_use]
    pub fn new(config: PrequalConfig) -> Self {
        Self {
            config,
            pool: Vec::with_capacity(config.pool + 1),
            recent: std::collections::VecDeque::new(),
            quantiles: PercentileSet::default(),
            removal_credit: 0.0,
            removes_oldest: true,
            channels: 0,
            last: Explanation::default(),
        }
    }

    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, now: Time, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        self.channels = channels.count();
        let age_limit = self.config.age_limit;
        self.pool.retain(|probe| {
            let channel = probe.channel as usize;
            let exists = channel < channels.count() && channels.is_available(channel);
            exists && probe.uses_left > 0 && now.since(probe.at) <= age_limit
        });
        if self.pool.len() < POOL_MIN {
            let mut candidates = Vec::new();
            super::scan::available(channels, &mut candidates);
            let channel = candidates[random.below(candidates.len())] as usize;
            self.last = Explanation::new(channel, Reason::NoData);
            return channel;
        }
        let cutoff = self.quantiles.percentile(self.config.hot_quantile).unwrap_or(f64::INFINITY);
        let place = self.best(cutoff);
        let probe = &mut self.pool[place];
        let (channel, health) = (probe.channel as usize, probe.in_flight);
        let reason = if health <= cutoff {
            Reason::Cold { health, cutoff, rank: probe.latency.as_secs_f64() }
        } else {
            Reason::LeastHot { health, cutoff }
        };
        probe.uses_left -= 1;
        // The request will be there, whatever later probes of other clients say.
        for probe in self.pool.iter_mut().filter(|probe| probe.channel as usize == channel) {
            probe.in_flight += 1.0;
        }
        self.remove_some(cutoff);
        self.last = Explanation::new(channel, reason);
        channel
    }

    /// The place of the best probe: the cold one of least latency, else the least loaded. Newer wins a tie.
    fn best(&self, cutoff: f64) -> usize {
        let better = |a: &Probe, b: &Probe| self.rank(a, cutoff) <= self.rank(b, cutoff);
        let mut best = 0;
        for place in 1..self.pool.len() {
            if better(&self.pool[place], &self.pool[best]) {
                best = place;
            }
        }
        best
    }

    /// Low is good: cold before hot, cold by latency, hot by load.
    fn rank(&self, probe: &Probe, cutoff: f64) -> (bool, f64) {
        let is_hot = probe.in_flight > cutoff;
        (is_hot, if is_hot { probe.in_flight } else { probe.latency.as_secs_f64() })
    }

    fn remove_some(&mut self, cutoff: f64) {
        self.removal_credit += self.config.removals_per_request;
        while self.removal_credit >= 1.0 && !self.pool.is_empty() {
            self.removal_credit -= 1.0;
            let place = if self.removes_oldest { 0 } else { self.worst(cutoff) };
            self.pool.remove(place);
            self.removes_oldest = !self.removes_oldest;
        }
    }

    /// The place of the worst probe: the most loaded hot one, else the cold one of most latency.
    fn worst(&self, cutoff: f64) -> usize {
        let mut worst = 0;
        for place in 1..self.pool.len() {
            if self.rank(&self.pool[place], cutoff) > self.rank(&self.pool[worst], cutoff) {
                worst = place;
            }
        }
        worst
    }

    /// Fills `into` with the distinct channels to probe along with a request.
    #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
    pub fn probes<C, R>(&mut self, channels: &C, random: &mut R, into: &mut Vec<u32>)
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        self.channels = channels.count();
        let count = random.round(self.config.probes_per_request).max(0.0) as usize;
        random.sample(channels.count(), count.min(channels.count()), into);
    }

    /// A probe was answered.
    pub fn probed(&mut self, channel: usize, in_flight: f64, latency: Duration, now: Time) {
        if self.recent.len() == self.config.remembered
            && let Some(oldest) = self.recent.pop_front()
        {
            self.quantiles.remove(oldest);
        }
        self.recent.push_back(in_flight);
        self.quantiles.insert(in_flight);
        if self.pool.len() >= self.config.pool {
            self.pool.remove(0);
        }
        let channel = index_u32(channel);
        self.pool.push(Probe {
            channel,
            in_flight,
            latency,
            at: now,
            uses_left: self.reuse_budget(),
        });
    }

    /// How often a probe may be used.
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the clamp")]
    fn reuse_budget(&self) -> u32 {
        let crowding = self.config.pool as f64 / self.channels.max(1) as f64;
        let gain =
            (1.0 - crowding) * self.config.probes_per_request - self.config.removals_per_request;
        // With a pool as large as the fleet nothing is gained by dropping a probe early.
        const USES_MAX: f64 = 64.0;
        let budget = if gain > 0.0 { (1.0 + self.config.delta) / gain } else { USES_MAX };
        budget.clamp(1.0, USES_MAX).ceil() as u32
    }

    /// Probes in the pool.
    #[must_use]
    pub fn pool_len(&self) -> usize {
        self.pool.len()
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}

/// The server's side: what latency a request met when a given number were in flight.
///
/// Per load the median of the last nine latencies; a load never seen is interpolated between its neighbours.
#[derive(Clone, Debug, Default)]
pub struct LatencyAtLoad {
    by_load: Vec<LastN>,
    medians: Interpolated,
}

impl LatencyAtLoad {
    /// Latencies remembered per load.
    pub const REMEMBERED: usize = 9;
    /// Loads told apart; more count as this many.
    pub const LOAD_MAX: usize = 4_095;

    /// A request that arrived when `in_flight` were there took `latency`.
    pub fn note(&mut self, in_flight: usize, latency: Duration) {
        let load = in_flight.min(Self::LOAD_MAX);
        if load >= self.by_load.len() {
            self.by_load.resize_with(load + 1, || LastN::new(Self::REMEMBERED));
        }
        self.by_load[load].push(latency.as_secs_f64());
        if let Some(median) = self.by_load[load].median() {
            self.medians.insert(load, median);
        }
    }

    /// The latency to expect with `in_flight` requests there; zero if nothing was seen yet.
    #[must_use]
    pub fn expect(&self, in_flight: usize) -> Duration {
        let seconds = self.medians.at(in_flight as f64).unwrap_or(0.0);
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}
