//! The settings of policies that learn, as files name them: all may be left out, all durations are seconds.

use ringyard_scheduler::balance::live::{
    C3Config, LeastRequest, Maglev, PeakEwmaConfig, PrequalConfig, RingHash, SoonestConfig,
    WeightedLeastLatency, WeightedRoundRobinConfig,
};
use serde::{Deserialize, Serialize};

/// Settings of `least_request`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeastRequestText {
    /// Channels compared; 0 for all.
    pub choices: usize,
    /// The power of the load.
    pub bias: f64,
}

impl Default for LeastRequestText {
    fn default() -> Self {
        Self { choices: LeastRequest::CHOICES, bias: LeastRequest::BIAS }
    }
}

/// Settings of `peak_ewma`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeakEwmaText {
    /// Decay of a cost to 1/e.
    pub tau_seconds: f64,
    /// What an unknown channel and a failure cost.
    pub penalty_seconds: f64,
    /// Channels compared; 0 for all.
    pub choices: usize,
}

impl Default for PeakEwmaText {
    fn default() -> Self {
        let PeakEwmaConfig { tau, penalty, choices } = PeakEwmaConfig::default();
        Self {
            tau_seconds: tau.as_secs_f64(),
            penalty_seconds: penalty.as_secs_f64(),
            choices: choices.unwrap_or(0),
        }
    }
}

/// Settings of `weighted_round_robin`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedRoundRobinText {
    /// How long a channel must have reported.
    pub blackout_seconds: f64,
    /// How old a report may be.
    pub expiry_seconds: f64,
    /// How often weights are renewed.
    pub update_seconds: f64,
    /// What a wholly failing server is charged.
    pub error_penalty: f64,
    /// How weights become turns.
    pub sequence: SequenceText,
}

/// How weights become turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SequenceText {
    /// Static stride.
    Stride,
    /// Earliest deadline first.
    Deadline,
}

impl Default for WeightedRoundRobinText {
    fn default() -> Self {
        let config = WeightedRoundRobinConfig::default();
        Self {
            blackout_seconds: config.blackout.as_secs_f64(),
            expiry_seconds: config.expiry.as_secs_f64(),
            update_seconds: config.update_period.as_secs_f64(),
            error_penalty: config.error_penalty,
            sequence: SequenceText::Stride,
        }
    }
}

/// Settings of `prequal`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrequalText {
    /// Probes kept.
    pub pool: usize,
    /// Probes sent per request.
    pub probes_per_request: f64,
    /// Probes removed per request.
    pub removals_per_request: f64,
    /// How old a probe may be.
    pub age_limit_seconds: f64,
    /// The quantile above which a probe is hot.
    pub hot_quantile: f64,
    /// How much the pool may shrink by reuse.
    pub delta: f64,
    /// In-flight counts remembered for the quantile.
    pub remembered: usize,
}

impl Default for PrequalText {
    fn default() -> Self {
        let config = PrequalConfig::default();
        Self {
            pool: config.pool,
            probes_per_request: config.probes_per_request,
            removals_per_request: config.removals_per_request,
            age_limit_seconds: config.age_limit.as_secs_f64(),
            hot_quantile: config.hot_quantile,
            delta: config.delta,
            remembered: config.remembered,
        }
    }
}

/// Settings of `c3`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct C3Text {
    /// The share of the old value in a moving average.
    pub memory: f64,
    /// Clients that share the servers; 0 for as many as there are.
    pub clients: u32,
}

impl Default for C3Text {
    fn default() -> Self {
        Self { memory: C3Config::default().memory, clients: 0 }
    }
}

/// Settings of `weighted_least_latency`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightedLeastLatencyText {
    /// Decay of an answer's share to 1/e.
    pub tau_seconds: f64,
}

impl Default for WeightedLeastLatencyText {
    fn default() -> Self {
        Self { tau_seconds: WeightedLeastLatency::TAU.as_secs_f64() }
    }
}

/// Settings of `ring_hash`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RingHashText {
    /// Places on the ring.
    pub places: usize,
    /// A server's largest load relative to the mean; 0 for none.
    pub bound: f64,
}

impl Default for RingHashText {
    fn default() -> Self {
        Self { places: RingHash::PLACES, bound: 0.0 }
    }
}

/// Settings of `maglev`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaglevText {
    /// Entries of the table, a prime.
    pub table: usize,
}

impl Default for MaglevText {
    fn default() -> Self {
        Self { table: Maglev::TABLE }
    }
}

/// Settings of `soonest`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoonestText {
    /// Decay of evidence to 1/e.
    pub tau_seconds: f64,
    /// What a failure costs.
    pub penalty_seconds: f64,
    /// Channels compared; 0 for all.
    pub choices: usize,
}

impl Default for SoonestText {
    fn default() -> Self {
        let SoonestConfig { tau, penalty, choices } = SoonestConfig::default();
        Self {
            tau_seconds: tau.as_secs_f64(),
            penalty_seconds: penalty.as_secs_f64(),
            choices: choices.unwrap_or(0),
        }
    }
}
