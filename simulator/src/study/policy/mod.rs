//! Policies as files name them, and as a client of a simulated world holds them.
//!
//! Both worlds take the same names, so a policy of the study can enter a hard world and one of the proxy's the
//! published one. Settings that a file leaves out have the policy's own defaults, which its documentation in
//! `ringyard_scheduler::balance` gives with their units and sources.

mod settings;

use std::num::NonZeroUsize;
use std::time::Duration;

use ringyard_scheduler::balance::live::{
    C3, C3Config, JoinIdleQueue, LeastRequest, LivePolicy, Maglev, PeakEwma, PeakEwmaConfig,
    Prequal, PrequalConfig, RingHash, Sequence, Soonest, SoonestConfig, WeightedLeastLatency,
    WeightedRoundRobin, WeightedRoundRobinConfig,
};
use ringyard_scheduler::balance::{
    ClientPid, Cost, Explanation, Gains, HotCold, HotColdConfig, LeastCost, Picker, RoundRobin,
    Weighted,
};
use serde::{Deserialize, Serialize};

use super::profile::Rules;

pub use settings::{
    C3Text, LeastRequestText, MaglevText, PeakEwmaText, PrequalText, RingHashText, SequenceText,
    SoonestText, WeightedLeastLatencyText, WeightedRoundRobinText,
};

/// A client's policy: one of the study, or one that learns.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Reads everything from the view.
    Picker(Picker),
    /// Keeps estimates of its own.
    Live(LivePolicy),
}

impl Policy {
    /// Whether it sends probes.
    pub(super) const fn probes(&self) -> bool {
        matches!(self, Self::Live(LivePolicy::Prequal(_)))
    }
}

/// A cost as written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CostText(pub Cost);

impl TryFrom<String> for CostText {
    type Error = ringyard_scheduler::balance::CostError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl Serialize for CostText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A policy as written in a file. Those from `least_request` on learn from answers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PickerConfig {
    /// The first channel.
    First,
    /// A uniform draw.
    Random,
    /// One after the other.
    RoundRobin,
    /// The channel of least cost.
    LeastCost {
        /// What is minimised.
        cost: CostText,
        /// Look at this many drawn at random, instead of all.
        choices: Option<NonZeroUsize>,
    },
    /// A draw by one over the cost.
    Weighted {
        /// What is inverted.
        cost: CostText,
        /// Whether negative costs keep their sign.
        #[serde(default)]
        allow_negative: bool,
    },
    /// A draw by weights that a controller steers.
    ClientPid,
    /// The best rank among the healthy.
    HotCold {
        /// What separates hot from cold.
        health: CostText,
        /// What is minimised among the cold.
        ranking: CostText,
    },
    /// A race between probes.
    FastestProbe,
    /// A race that only a server without a queue can win.
    FastestIdleProbe,
    /// Fewest requests under way.
    LeastRequest(LeastRequestText),
    /// Least peak-sensitive latency times load.
    PeakEwma(PeakEwmaText),
    /// Turns in proportion to reported capacity.
    WeightedRoundRobin(WeightedRoundRobinText),
    /// Hot/cold over a pool of probes.
    Prequal(PrequalText),
    /// Cubic replica score.
    C3(C3Text),
    /// Least mean latency times load.
    WeightedLeastLatency(WeightedLeastLatencyText),
    /// Consistent hashing on a ring; every request has a key of its own.
    RingHash(RingHashText),
    /// Consistent hashing by a table; every request has a key of its own.
    Maglev(MaglevText),
    /// A server that announced itself idle.
    JoinIdleQueue {},
    /// The answer expected soonest.
    Soonest(SoonestText),
}

/// Bound of a client-side controller's integral and weight where controllers are bounded.
const CLIENT_PID_BOUND: f64 = 1_000.0;
/// The longest duration and the largest count that a file may give a policy.
const SETTING_MAX: f64 = 1e6;

/// Who is to have a policy.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// The world's rules.
    pub rules: &'a Rules,
    /// Healths remembered by hot/cold policies.
    pub history: usize,
    /// Where those begin that take turns.
    pub phase: usize,
    /// The server of each of the client's channels.
    pub servers: &'a [u32],
    /// How many clients there are.
    pub clients: usize,
}

impl PickerConfig {
    /// The costs that the picker reads.
    #[must_use]
    pub fn costs(&self) -> Vec<Cost> {
        match self {
            Self::LeastCost { cost, .. } | Self::Weighted { cost, .. } => vec![cost.0],
            Self::HotCold { health, ranking } => vec![health.0, ranking.0],
            // Who wins a race without a valid answer is decided by latency.
            Self::FastestIdleProbe => vec![Cost::ClientLatency(Default::default())],
            _ => Vec::new(),
        }
    }

    /// Whether requests wait for the outcome of a race.
    #[must_use]
    pub const fn races(&self) -> bool {
        matches!(self, Self::FastestProbe | Self::FastestIdleProbe)
    }

    /// Whether it keeps estimates of its own.
    #[must_use]
    pub const fn learns(&self) -> bool {
        matches!(
            self,
            Self::LeastRequest(_)
                | Self::PeakEwma(_)
                | Self::WeightedRoundRobin(_)
                | Self::Prequal(_)
                | Self::C3(_)
                | Self::WeightedLeastLatency(_)
                | Self::RingHash(_)
                | Self::Maglev(_)
                | Self::JoinIdleQueue {}
                | Self::Soonest(_)
        )
    }

    /// The policy for one client. Races are run by the world; their policy is never asked.
    #[must_use]
    pub fn build(&self, holder: &Holder<'_>) -> Policy {
        self.build_learner(holder)
            .map_or_else(|| Policy::Picker(self.build_picker(holder)), Policy::Live)
    }

    fn build_picker(&self, holder: &Holder<'_>) -> Picker {
        let rules = holder.rules;
        match self {
            Self::Random => Picker::Uniform(Explanation::default()),
            Self::RoundRobin => Picker::RoundRobin(RoundRobin::starting_at(holder.phase)),
            Self::LeastCost { cost, choices } => {
                let policy = LeastCost::new(cost.0, choices.map(usize::from));
                Picker::LeastCost(policy.with_unknown(rules.unknown))
            }
            Self::Weighted { cost, allow_negative } => {
                let policy = Weighted::new(cost.0).with_zero(rules.zero);
                Picker::Weighted(if *allow_negative { policy.allowing_negative() } else { policy })
            }
            Self::ClientPid if rules.bounded_pid => {
                let gains = Gains { integral_bound: CLIENT_PID_BOUND, ..Gains::CLIENT };
                Picker::ClientPid(ClientPid::new(gains, CLIENT_PID_BOUND))
            }
            Self::ClientPid => Picker::ClientPid(ClientPid::default()),
            Self::HotCold { health, ranking } => Picker::HotCold(HotCold::new(HotColdConfig {
                history: holder.history,
                zero: rules.zero,
                random_ties: rules.fair_hot_cold,
                always_remember: rules.fair_hot_cold,
                ..HotColdConfig::new(health.0, ranking.0)
            })),
            _ => Picker::First,
        }
    }

    fn build_learner(&self, holder: &Holder<'_>) -> Option<LivePolicy> {
        let some = |choices: usize| Some(choices).filter(|choices| *choices > 0);
        let servers = || -> Vec<(u64, f64)> {
            holder.servers.iter().map(|server| (u64::from(*server), 1.0)).collect()
        };
        Some(match self {
            Self::LeastRequest(of) => {
                LivePolicy::LeastRequest(LeastRequest::new(some(of.choices), of.bias))
            }
            Self::PeakEwma(of) => LivePolicy::PeakEwma(PeakEwma::new(PeakEwmaConfig {
                tau: seconds(of.tau_seconds),
                penalty: seconds(of.penalty_seconds),
                choices: some(of.choices),
            })),
            Self::WeightedRoundRobin(of) => {
                LivePolicy::WeightedRoundRobin(WeightedRoundRobin::new(WeightedRoundRobinConfig {
                    blackout: seconds(of.blackout_seconds),
                    expiry: seconds(of.expiry_seconds),
                    update_period: seconds(of.update_seconds),
                    error_penalty: of.error_penalty,
                    sequence: match of.sequence {
                        SequenceText::Stride => Sequence::Stride,
                        SequenceText::Deadline => Sequence::Deadline,
                    },
                }))
            }
            Self::Prequal(of) => LivePolicy::Prequal(Box::new(Prequal::new(PrequalConfig {
                pool: of.pool,
                probes_per_request: of.probes_per_request,
                removals_per_request: of.removals_per_request,
                age_limit: seconds(of.age_limit_seconds),
                hot_quantile: of.hot_quantile,
                delta: of.delta,
                remembered: of.remembered,
            }))),
            Self::C3(of) => LivePolicy::C3(C3::new(C3Config {
                memory: of.memory,
                clients: if of.clients == 0 {
                    holder.clients as f64
                } else {
                    f64::from(of.clients)
                },
            })),
            Self::WeightedLeastLatency(of) => {
                LivePolicy::WeightedLeastLatency(WeightedLeastLatency::new(seconds(of.tau_seconds)))
            }
            Self::RingHash(of) => {
                let bound = Some(of.bound).filter(|bound| *bound > 0.0);
                LivePolicy::RingHash(RingHash::new(&servers(), of.places, bound))
            }
            Self::Maglev(of) => LivePolicy::Maglev(Maglev::new(&servers(), of.table)),
            Self::JoinIdleQueue {} => LivePolicy::JoinIdleQueue(JoinIdleQueue::default()),
            Self::Soonest(of) => LivePolicy::Soonest(Box::new(Soonest::new(SoonestConfig {
                tau: seconds(of.tau_seconds),
                penalty: seconds(of.penalty_seconds),
                choices: some(of.choices),
            }))),
            _ => return None,
        })
    }

    /// The first setting that makes the policy impossible, for clients with `channels` channels.
    #[must_use]
    pub fn problem(&self, channels: usize) -> Option<String> {
        let settings: Vec<(&str, f64, f64)> = match self {
            Self::LeastRequest(of) => vec![("bias", of.bias, 0.0)],
            Self::PeakEwma(of) => vec![
                ("tau_seconds", of.tau_seconds, 1e-6),
                ("penalty_seconds", of.penalty_seconds, 0.0),
            ],
            Self::WeightedRoundRobin(of) => vec![
                ("blackout_seconds", of.blackout_seconds, 0.0),
                ("expiry_seconds", of.expiry_seconds, 1e-6),
                ("update_seconds", of.update_seconds, 1e-6),
                ("error_penalty", of.error_penalty, 0.0),
            ],
            Self::Prequal(of) => vec![
                ("pool", of.pool as f64, 2.0),
                ("probes_per_request", of.probes_per_request, 0.0),
                ("removals_per_request", of.removals_per_request, 0.0),
                ("age_limit_seconds", of.age_limit_seconds, 0.0),
                ("delta", of.delta, 0.0),
                ("remembered", of.remembered as f64, 1.0),
            ],
            Self::WeightedLeastLatency(of) => vec![("tau_seconds", of.tau_seconds, 1e-6)],
            Self::RingHash(of) => vec![("places", of.places as f64, 1.0), ("bound", of.bound, 0.0)],
            Self::Maglev(of) => vec![("table", of.table as f64, channels as f64 + 1.0)],
            Self::Soonest(of) => vec![
                ("tau_seconds", of.tau_seconds, 1e-6),
                ("penalty_seconds", of.penalty_seconds, 0.0),
            ],
            _ => Vec::new(),
        };
        let wrong =
            settings.iter().find(|(_, value, least)| !(*least..=SETTING_MAX).contains(value));
        if let Some((name, value, least)) = wrong {
            return Some(format!("{name} is {value}, but must be {least} to {SETTING_MAX}"));
        }
        match self {
            Self::Prequal(of) if !(0.0..=1.0).contains(&of.hot_quantile) => {
                Some("hot_quantile must be between 0 and 1".to_owned())
            }
            Self::C3(of) if !(0.0..1.0).contains(&of.memory) => {
                Some("memory must be at least 0 and below 1".to_owned())
            }
            Self::RingHash(of) if of.bound > 0.0 && of.bound <= 1.0 => {
                Some("bound must be above 1, or 0 for none".to_owned())
            }
            Self::Maglev(of) if !is_prime(of.table) => {
                Some(format!("table is {}, but must be a prime", of.table))
            }
            _ => None,
        }
    }
}

fn is_prime(value: usize) -> bool {
    value >= 2
        && (2..)
            .take_while(|factor| factor * factor <= value)
            .all(|factor| !value.is_multiple_of(factor))
}

/// A duration that was checked to be one.
fn seconds(value: f64) -> Duration {
    Duration::from_secs_f64(value)
}
