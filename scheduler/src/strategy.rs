//! The strategies by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::limits;

/// Whose turn it is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StrategyKind {
    /// First come, first served.
    #[default]
    Fcfs,
    /// Shortest job first: by the longest sequence, among equals by arrival.
    Sjf,
    /// The customers that have jobs queued share: by [`FairRule`], one job a turn or what each job costs.
    ///
    /// [`FairRule`]: crate::FairRule
    Fair,
    /// Round robin over the customers that have jobs queued, one job a turn.
    RoundRobin,
    /// Shortest job first by cost, where waiting makes a job count as cheaper.
    SjfAgeing,
    /// Start-time fair queueing: customers share by weight what batches cost.
    Wfq,
    /// Virtual token counter: whoever has had least by weight, counted over a customer's absences.
    Vtc,
    /// Strict priority over tiers, fair within each, with a trickle for those below.
    Tiers,
    /// Earliest deadline first.
    Edf,
    /// Weighted shortest processing time: the least cost per weight first.
    Wspt,
    /// Whichever of `fcfs`, `sjf`, `sjf-ageing` and `fair` suits what is going on.
    Auto,
}

impl StrategyKind {
    /// Every strategy.
    pub const ALL: &'static [Self] = &[
        Self::Fcfs,
        Self::Sjf,
        Self::Fair,
        Self::RoundRobin,
        Self::SjfAgeing,
        Self::Wfq,
        Self::Vtc,
        Self::Tiers,
        Self::Edf,
        Self::Wspt,
        Self::Auto,
    ];

    /// The name under which a user chooses it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fcfs => "fcfs",
            Self::Sjf => "sjf",
            Self::Fair => "fair",
            Self::RoundRobin => "rr",
            Self::SjfAgeing => "sjf-ageing",
            Self::Wfq => "wfq",
            Self::Vtc => "vtc",
            Self::Tiers => "tiers",
            Self::Edf => "edf",
            Self::Wspt => "wspt",
            Self::Auto => "auto",
        }
    }

    /// Whether it serves whatever is soonest done, whoever's it is, so that a plan may stand in for it.
    pub(crate) const fn is_shortest_first(self) -> bool {
        matches!(self, Self::Sjf | Self::SjfAgeing | Self::Wspt)
    }

    /// How long the strategy holds an incomplete batch unless told otherwise.
    #[must_use]
    pub const fn linger_default(self) -> Duration {
        match self {
            Self::Fcfs => limits::LINGER_FCFS,
            _ => limits::LINGER_OTHERS,
        }
    }
}

impl fmt::Display for StrategyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that belongs to no strategy; choose one of [`StrategyKind::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown strategy, choose one of: {}", StrategyNames)]
pub struct UnknownStrategy;

/// The names, as an error message lists them.
struct StrategyNames;

impl fmt::Display for StrategyNames {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, kind) in StrategyKind::ALL.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(formatter, "{separator}{kind}")?;
        }
        Ok(())
    }
}

impl FromStr for StrategyKind {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownStrategy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_strategy() {
        for kind in StrategyKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let message = "lifo".parse::<StrategyKind>().unwrap_err().to_string();
        assert!(message.starts_with("unknown strategy, choose one of: fcfs, sjf, fair, rr"));
        assert!(message.ends_with(", wspt, auto"));
    }
}
