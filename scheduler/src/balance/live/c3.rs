//! C3's replica score: response time, and the cube of the queue to be expected.
//!
//! `score = R - S + q^3 * S` with `q = 1 + in_flight * clients + Q`, where R is the mean response time seen by this
//! client, S the mean service time and Q the mean queue length that servers report, all moving averages with
//! `average = a * average + (1 - a) * value`. The cube makes a long queue cost far more than it will take, which
//! keeps many clients with stale views from herding. Lowest of all wins; a channel without an answer scores by what
//! is under way there alone, with a service time of zero, so it is tried first.
//!
//! Defaults: `a` 0.9, 1 client. Source: Suresh, Canini, Schmid, Feldmann, "C3: Cutting tail latency in cloud data stores
//! via adaptive replica selection", NSDI 2015. Its rate control is not part of a choice and not here.

use super::Answer;
use super::scan::Scan;
use crate::balance::explain::Explanation;
use crate::balance::random::Random;
use crate::balance::view::Channels;

/// How a [`C3`] is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct C3Config {
    /// The share of the old value in a moving average.
    pub memory: f64,
    /// How many clients share the servers.
    pub clients: f64,
}

impl Default for C3Config {
    fn default() -> Self {
        Self { memory: 0.9, clients: 1.0 }
    }
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    response: f64,
    service: f64,
    queue: f64,
}

/// Cubic replica score.
#[derive(Clone, Debug, Default)]
pub struct C3 {
    config: C3Config,
    estimates: Vec<Option<Estimate>>,
    scan: Scan,
}

impl C3 {
    /// A policy that has seen no answer yet.
    #[must_use]
    pub fn new(config: C3Config) -> Self {
        Self { config, estimates: Vec::new(), scan: Scan::default() }
    }

    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let Self { config, estimates, scan } = self;
        scan.lowest(channels, None, random, |channel| {
            let in_flight = f64::from(channels.in_flight(channel));
            match estimates.get(channel).copied().flatten() {
                Some(known) => {
                    let queue = 1.0 + in_flight * config.clients + known.queue;
                    known.response - known.service + queue.powi(3) * known.service
                }
                None => in_flight,
            }
        })
    }

    /// Learns from an answer. Without a reported load the response time stands in for the service time.
    pub fn finished(&mut self, channel: usize, answer: &Answer) {
        if channel >= self.estimates.len() {
            self.estimates.resize(channel + 1, None);
        }
        let response = answer.latency.as_secs_f64();
        let seen = Estimate {
            response,
            service: answer.load.map_or(response, |load| load.service_seconds),
            queue: answer.load.map_or(0.0, |load| load.queued),
        };
        let memory = self.config.memory;
        let mix = |old: f64, new: f64| memory * old + (1.0 - memory) * new;
        let updated = self.estimates[channel].map_or(seen, |old| Estimate {
            response: mix(old.response, seen.response),
            service: mix(old.service, seen.service),
            queue: mix(old.queue, seen.queue),
        });
        self.estimates[channel] = Some(updated);
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.scan.explain()
    }
}
