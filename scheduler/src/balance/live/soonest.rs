//! The channel whose answer is expected soonest: everything an answer tells, believed as far as it can be trusted.
//!
//! `score = network + service * (1 + (wait + courtesy) / threads) + errors * penalty`, lowest of all wins, in seconds:
//!
//! * *network* and *service* are decaying means of what answers took beside the server's own work, and of that work.
//!   They count only where they stand out from the noise, so that no server is favoured for its luck;
//! * *wait* is the excess of requests over threads, `x = load + 1 - threads`, smoothed where it is near zero:
//!   `(x + sqrt(x^2 + 1)) / 2`. So load counts a little even where nobody waits, and evens itself out;
//! * *load* is what this client has under way itself, which it knows exactly, plus what others have: what the last
//!   answer said less the client's own share, returning to its long-run mean as the news grows older than a service
//!   time, in which everything at a server has been replaced. Stale news is worth no stampede;
//! * *courtesy* is half of what a request in the queue costs those who come after it, `(1 + x / sqrt(x^2 + 1)) / 2` (how
//!   likely it is to wait) times `utilization / (1 - utilization)` (how many will come before the queue is gone);
//! * *threads* is how many requests the server works on at once: what it had in work when it had some queued;
//! * *errors* is the decaying share of failed answers, so that a server that fails fast is no fast server. A failure
//!   says nothing else.
//!
//! Without reported loads the response time stands in for the service time, with one thread for all, and the policy is
//! about least expected latency times requests under way. All evidence ages, so a server once slow or failing is tried
//! again. Defaults: evidence decays over 10 s, a failure costs 1 s, all channels are compared. The combination is our
//! own; its parts are join the shortest queue (Winston 1977), C3's use of reported queues, Finagle's decay, and James and
//! Stein's shrinkage (see `estimate`).

use std::time::Duration;

use ringyard_time::Time;

use super::estimate::{Common, Estimates};
use super::scan::Scan;
use super::{Answer, Load};
use crate::balance::explain::Explanation;
use crate::balance::random::Random;
use crate::balance::view::Channels;

/// How a [`Soonest`] is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoonestConfig {
    /// The time over which evidence decays to 1/e.
    pub tau: Duration,
    /// What a failed answer costs.
    pub penalty: Duration,
    /// How many channels are compared; all if `None`.
    pub choices: Option<usize>,
}

impl Default for SoonestConfig {
    fn default() -> Self {
        let (tau, penalty) = (Duration::from_secs(10), Duration::from_secs(1));
        Self { tau, penalty, choices: None }
    }
}

/// The news of one server.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    /// Requests of this client under way.
    own: u32,
    /// Requests of others there, when it was last heard of.
    others: f64,
    at: Option<Time>,
    utilization: f64,
    /// The most requests seen in work at once, or how many there were when others had to queue.
    in_work: f64,
    has_queued: bool,
    /// The decaying share of failures, and as of when.
    errors: f64,
    errors_at: Time,
}

/// The channel whose answer is expected soonest.
#[derive(Clone, Debug)]
pub struct Soonest {
    config: SoonestConfig,
    news: Vec<News>,
    network: Estimates,
    service: Estimates,
    others: Estimates,
    scan: Scan,
}

impl Default for Soonest {
    fn default() -> Self {
        Self::new(SoonestConfig::default())
    }
}

/// The part of what a request costs those after it that counts.
const COURTESY: f64 = 0.5;
/// The utilisation above which no more are taken to come after it.
const UTILIZATION_MAX: f64 = 0.9;
/// How much a single answer counts in the share of failures.
const ERROR_WEIGHT: f64 = 0.2;

/// What is common to all channels at the moment of a choice.
struct Fleet {
    network: Common,
    service: Common,
    others: Common,
    threads: f64,
}

impl Soonest {
    /// A policy that has seen no answer yet.
    #[must_use]
    pub fn new(config: SoonestConfig) -> Self {
        let estimates = || Estimates::new(config.tau);
        Self {
            config,
            news: Vec::new(),
            network: estimates(),
            service: estimates(),
            others: estimates(),
            scan: Scan::default(),
        }
    }

    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, now: Time, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let mut scan = std::mem::take(&mut self.scan);
        let fleet = self.fleet(now);
        let channel = scan.lowest(channels, self.config.choices, random, |channel| {
            let own = f64::from(channels.in_flight(channel));
            self.score(channel, own, channels.weight(channel), &fleet, now)
        });
        self.scan = scan;
        channel
    }

    fn fleet(&self, now: Time) -> Fleet {
        let seen = || self.news.iter().map(|news| news.in_work);
        let threads = seen().fold(1.0, f64::max);
        Fleet {
            network: self.network.common(now),
            service: self.service.common(now),
            others: self.others.common(now),
            threads,
        }
    }

    /// The expected time to an answer, seconds; a channel of greater weight has that many more threads.
    fn score(&self, channel: usize, own: f64, weight: f64, fleet: &Fleet, now: Time) -> f64 {
        let news = self.news.get(channel).copied().unwrap_or_default();
        let network = self.network.of(channel, &fleet.network, now);
        let service = self.service.of(channel, &fleet.service, now).max(SERVICE_MIN);
        // A server never seen with a queue has at least the threads it was seen to use.
        let threads = if news.has_queued { news.in_work } else { news.in_work.max(fleet.threads) };
        let threads = threads.max(1.0) * weight;
        let usual = self.others.of(channel, &fleet.others, now);
        let others = match news.at {
            Some(at) => {
                let fresh = (-now.since(at).as_secs_f64() / service).exp();
                usual + (news.others - usual) * fresh
            }
            None => usual,
        };
        let excess = own + others + 1.0 - threads;
        let smooth = excess.hypot(1.0);
        let wait = 0.5 * (excess + smooth);
        let busy = news.utilization.clamp(0.0, UTILIZATION_MAX);
        let courtesy = COURTESY * 0.5 * (1.0 + excess / smooth) * busy / (1.0 - busy);
        let since_error = now.since(news.errors_at).as_secs_f64() / self.config.tau.as_secs_f64();
        let errors = news.errors * (-since_error).exp();
        network
            + service * (1.0 + (wait + courtesy) / threads)
            + errors * self.config.penalty.as_secs_f64()
    }

    fn news_mut(&mut self, channel: usize) -> &mut News {
        if channel >= self.news.len() {
            self.news.resize(channel + 1, News::default());
        }
        &mut self.news[channel]
    }

    /// A request was sent on `channel`.
    pub fn sent(&mut self, channel: usize) {
        self.news_mut(channel).own += 1;
    }

    /// A request on `channel` was given up.
    pub fn abandoned(&mut self, channel: usize) {
        let news = self.news_mut(channel);
        news.own = news.own.saturating_sub(1);
    }

    /// Learns from an answer.
    pub fn finished(&mut self, channel: usize, answer: &Answer, now: Time) {
        let news = self.news_mut(channel);
        news.own = news.own.saturating_sub(1);
        let failed = if answer.is_success { 0.0 } else { 1.0 };
        news.errors += ERROR_WEIGHT * (failed - news.errors);
        if !answer.is_success {
            // The first failure counts in full: who has failed once is asked last until it is old.
            news.errors = news.errors.max(0.5);
            news.errors_at = now;
            return;
        }
        let latency = answer.latency.as_secs_f64();
        match answer.load {
            Some(load) => self.hear(channel, latency, &load, now),
            None => self.service.note(channel, latency, now),
        }
    }

    /// Takes in what a server said of itself.
    fn hear(&mut self, channel: usize, latency: f64, load: &Load, now: Time) {
        let at_server = load.service_seconds + load.queued_seconds;
        let network = (latency - at_server).max(0.0);
        self.network.note(channel, network, now);
        self.service.note(channel, load.service_seconds, now);
        let news = self.news_mut(channel);
        // Of this client's own, those still on their way were not there to be counted.
        let arrived = if latency > 0.0 { at_server / latency } else { 1.0 };
        let others = (load.in_flight - f64::from(news.own) * arrived).max(0.0);
        news.others = others;
        news.at = Some(now);
        news.utilization = load.utilization;
        let in_work = (load.in_flight - load.queued).max(0.0);
        if load.queued > 0.0 {
            news.in_work = in_work;
            news.has_queued = true;
        } else if in_work > news.in_work {
            news.in_work = in_work;
            news.has_queued = false;
        }
        self.others.note(channel, others, now);
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.scan.explain()
    }
}

/// The least time a request is taken to need: scores must tell loads apart before any answer is there, seconds.
const SERVICE_MIN: f64 = 1e-6;
