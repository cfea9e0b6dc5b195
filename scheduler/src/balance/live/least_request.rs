//! Fewest requests under way, among a few channels or all, with weights.
//!
//! Score `(in_flight + 1)^bias / weight`, lowest wins. That is the inverse of Envoy's dynamic weight
//! `weight / (active_requests + 1)^active_request_bias` (Envoy: "Supported load balancers", weighted least
//! request), compared instead of drawn from, which also covers Envoy's unweighted case: two distinct random
//! choices, the one with fewer requests (Mitzenmacher, "The power of two choices", 1996).
//!
//! Defaults: 2 choices, bias 1. A bias of 0 ignores load; a larger one makes weights matter less under load.

use super::scan::Scan;
use crate::balance::explain::Explanation;
use crate::balance::random::Random;
use crate::balance::view::Channels;

/// Fewest requests under way.
#[derive(Clone, Debug)]
pub struct LeastRequest {
    choices: Option<usize>,
    bias: f64,
    scan: Scan,
}

impl Default for LeastRequest {
    fn default() -> Self {
        Self::new(Some(Self::CHOICES), Self::BIAS)
    }
}

impl LeastRequest {
    /// The default number of choices.
    pub const CHOICES: usize = 2;
    /// The default bias.
    pub const BIAS: f64 = 1.0;

    /// Compares `choices` channels drawn at random, or all; load counts to the power of `bias`.
    #[must_use]
    pub fn new(choices: Option<usize>, bias: f64) -> Self {
        Self { choices, bias, scan: Scan::default() }
    }

    /// Chooses a channel.
    pub fn pick<C, R>(&mut self, channels: &C, random: &mut R) -> usize
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let bias = self.bias;
        self.scan.lowest(channels, self.choices, random, |channel| {
            (f64::from(channels.in_flight(channel)) + 1.0).powf(bias) / channels.weight(channel)
        })
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.scan.explain()
    }
}
