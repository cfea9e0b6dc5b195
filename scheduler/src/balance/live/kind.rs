//! The policies that a user of a proxy can name.
//!
//! All work from what the proxy sees by itself. Not among them are the hashing ones: a batch holds many customers'
//! requests, so it has no key.

use std::fmt;
use std::str::FromStr;

use super::{
    C3, JoinIdleQueue, LeastRequest, LivePolicy, PeakEwma, Prequal, Soonest, WeightedLeastLatency,
    WeightedRoundRobin,
};

/// The name of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiveKind {
    /// Fewest under way, of all.
    #[default]
    LeastRequest,
    /// Fewest under way, of two drawn at random.
    TwoChoices,
    /// Least peak-sensitive latency times load, of two.
    PeakEwma,
    /// Turns in proportion to capacity.
    WeightedRoundRobin,
    /// Hot/cold over a pool of probes.
    Prequal,
    /// Cubic replica score.
    C3,
    /// Least mean latency times load.
    WeightedLeastLatency,
    /// Who has been idle longest.
    JoinIdleQueue,
    /// The answer expected soonest.
    Soonest,
}

impl LiveKind {
    /// Every name.
    pub const ALL: [Self; 9] = [
        Self::LeastRequest,
        Self::TwoChoices,
        Self::PeakEwma,
        Self::WeightedRoundRobin,
        Self::Prequal,
        Self::C3,
        Self::WeightedLeastLatency,
        Self::JoinIdleQueue,
        Self::Soonest,
    ];

    /// The name under which a user chooses it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeastRequest => "least_request",
            Self::TwoChoices => "two_choices",
            Self::PeakEwma => "peak_ewma",
            Self::WeightedRoundRobin => "weighted_round_robin",
            Self::Prequal => "prequal",
            Self::C3 => "c3",
            Self::WeightedLeastLatency => "weighted_least_latency",
            Self::JoinIdleQueue => "join_idle_queue",
            Self::Soonest => "soonest",
        }
    }

    /// The policy with its defaults, before it has seen anything.
    #[must_use]
    pub fn build(self) -> LivePolicy {
        match self {
            Self::LeastRequest => {
                LivePolicy::LeastRequest(LeastRequest::new(None, LeastRequest::BIAS))
            }
            Self::TwoChoices => LivePolicy::LeastRequest(LeastRequest::default()),
            Self::PeakEwma => LivePolicy::PeakEwma(PeakEwma::default()),
            Self::WeightedRoundRobin => {
                LivePolicy::WeightedRoundRobin(WeightedRoundRobin::default())
            }
            Self::Prequal => LivePolicy::Prequal(Box::<Prequal>::default()),
            Self::C3 => LivePolicy::C3(C3::default()),
            Self::WeightedLeastLatency => {
                LivePolicy::WeightedLeastLatency(WeightedLeastLatency::default())
            }
            Self::JoinIdleQueue => LivePolicy::JoinIdleQueue(JoinIdleQueue::default()),
            Self::Soonest => LivePolicy::Soonest(Box::<Soonest>::default()),
        }
    }
}

impl fmt::Display for LiveKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that belongs to no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown policy, choose one of: least_request, two_choices, peak_ewma, weighted_round_robin, prequal, c3, \
     weighted_least_latency, join_idle_queue, soonest"
)]
pub struct UnknownLiveKind;

impl FromStr for LiveKind {
    type Err = UnknownLiveKind;

    fn from_str(name: &str) -> Result<Self, UnknownLiveKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or(UnknownLiveKind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_listed() {
        for kind in LiveKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert!(UnknownLiveKind.to_string().contains(kind.name()));
        }
        assert_eq!("best".parse::<LiveKind>(), Err(UnknownLiveKind));
    }
}
