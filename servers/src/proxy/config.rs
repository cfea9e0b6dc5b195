//! What a user may set of a proxy.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ringyard_scheduler::balance::live::LiveKind;
use ringyard_scheduler::cost::CostModel;
use ringyard_scheduler::{Ageing, CompositionKind, FairRule, StrategyKind};

use super::terms::{Books, CustomerBook};
use crate::limits::{
    BACKEND_CONCURRENCY, BACKEND_GRACE, BACKEND_PIPELINE, BATCH_SEQUENCES_MAX, QUEUE_BYTES_MAX,
    QUEUE_JOBS_MAX, QUEUE_WAIT_MAX, REQUEST_DEADLINE, SEQUENCES_PER_REQUEST_MAX,
};

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTarget {
    /// Where to connect.
    pub address: SocketAddr,
    /// What to send as `Host`.
    pub host: String,
    /// The path to post batches to.
    pub path: String,
}

/// A user's choice of composition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompositionChoice {
    /// Whatever suits the strategy in force and what batches cost: `plan` for the strategies that serve short
    /// jobs first; for the others `anchor` where the longest sequence decides what a batch costs, and `fill`
    /// where it does not.
    #[default]
    Auto,
    /// This one.
    Fixed(CompositionKind),
}

impl CompositionChoice {
    /// Every choice.
    pub const ALL: [Self; 4] = [
        Self::Fixed(CompositionKind::Fill),
        Self::Fixed(CompositionKind::Anchor),
        Self::Fixed(CompositionKind::Plan),
        Self::Auto,
    ];

    /// The name under which a user chooses it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fixed(kind) => kind.name(),
        }
    }
}

impl fmt::Display for CompositionChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that belongs to no composition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown composition, choose one of: fill, anchor, plan, auto")]
pub struct UnknownCompositionChoice;

impl FromStr for CompositionChoice {
    type Err = UnknownCompositionChoice;

    fn from_str(name: &str) -> Result<Self, UnknownCompositionChoice> {
        Self::ALL.into_iter().find(|choice| choice.name() == name).ok_or(UnknownCompositionChoice)
    }
}

/// Where the figures for what batches cost come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CostSetting {
    /// This model, whatever batches really take.
    Fixed(CostModel),
    /// Learned for each backend from the times that its batches take, beginning with this model.
    Learned(CostModel),
}

impl Default for CostSetting {
    fn default() -> Self {
        Self::Learned(CostModel::default())
    }
}

/// Whether the sequences of a request stay together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Splitting {
    /// All in one batch, so that a request has no more sequences than a batch.
    #[default]
    Together,
    /// Each goes when its turn comes; the request ends with its last.
    Apart,
}

/// How many of the batches that a backend may have in flight it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConcurrencyRule {
    /// As many as there are to send.
    #[default]
    Fixed,
    /// One more for each batch that was not slow, a fifth fewer for each that was.
    Aimd,
    /// In proportion to how slow batches are, and a little more.
    Gradient,
}

/// What becomes of those who have waited long already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shedding {
    /// They go on waiting for their turn or their deadline.
    #[default]
    Never,
    /// In a queue that stands they are refused, so that those who came later are served in time.
    Codel,
}

/// Whether the proxy says how it came to what it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Explain {
    /// It answers and says no more.
    #[default]
    Never,
    /// Answers have headers that say how their requests were served, and the last so many decisions are kept
    /// for `GET /debug/decisions`.
    Always {
        /// Decisions kept, at least one; some hundred bytes each, and fifty more for each member of a batch.
        decisions_kept: u32,
    },
}

/// Configuration of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The backends; at least one.
    pub backends: Vec<BackendTarget>,
    /// Which backend a batch goes to. Default: the one with the fewest in flight.
    pub balance: LiveKind,
    /// Batches in flight at one backend. Default 1.
    pub backend_concurrency: u32,
    /// How many of these may follow one another on one connection before the first is answered. Default 1.
    pub backend_pipeline: u32,
    /// How many of these are used. Default: all.
    pub concurrency_rule: ConcurrencyRule,
    /// What becomes of those who have waited long already. Default: they go on waiting.
    pub shedding: Shedding,
    /// The strategy at the start. Default `sjf-ageing`, which with planned batches has the least mean wait and bounds
    /// the longest.
    pub strategy: StrategyKind,
    /// How waiting requests come forward under `sjf-ageing`.
    pub ageing: Ageing,
    /// What `fair` means. Default: by weight, where everybody pays its share of what batches cost.
    pub fair: FairRule,
    /// Which requests share a batch. Default `auto`.
    pub composition: CompositionChoice,
    /// What batches are expected to cost. Default: learned.
    pub cost: CostSetting,
    /// Whether the sequences of a request stay together. Default: they do.
    pub splitting: Splitting,
    /// What customers are entitled to. Default: all to the same, and to as much as there is.
    pub customers: CustomerBook,
    /// Where new books of that come from. Default: nowhere.
    pub books: Option<Arc<dyn Books>>,
    /// How long an incomplete batch is held for more. Default: as the strategy has it.
    pub linger: Option<Duration>,
    /// Sequences in one batch. Default 5.
    pub batch_sequences_max: u32,
    /// Sequences in one request. Default 5; never more than a batch has room for, unless they may be split.
    pub request_sequences_max: u32,
    /// From a request's arrival to its answer at the latest. Default 10 s.
    pub deadline: Duration,
    /// Requests that may be queued. Default 16,384.
    pub queue_jobs_max: usize,
    /// Bytes of texts that may be queued. Default 256 MiB.
    pub queue_bytes_max: usize,
    /// Predicted wait above which requests are refused. Default 500 ms.
    pub queue_wait_max: Duration,
    /// How long queued requests wait for a backend when none can be reached. Default 1 s.
    pub backend_grace: Duration,
    /// Whether the proxy explains itself. Default: it does not.
    pub explain: Explain,
}

impl ProxyConfig {
    /// The defaults, before these backends.
    #[must_use]
    pub fn new(backends: Vec<BackendTarget>) -> Self {
        Self {
            backends,
            balance: LiveKind::default(),
            backend_concurrency: BACKEND_CONCURRENCY,
            backend_pipeline: BACKEND_PIPELINE,
            concurrency_rule: ConcurrencyRule::default(),
            shedding: Shedding::default(),
            strategy: StrategyKind::SjfAgeing,
            ageing: Ageing::default(),
            fair: FairRule::Deficit,
            composition: CompositionChoice::default(),
            cost: CostSetting::default(),
            splitting: Splitting::default(),
            customers: CustomerBook::default(),
            books: None,
            linger: None,
            batch_sequences_max: BATCH_SEQUENCES_MAX,
            request_sequences_max: SEQUENCES_PER_REQUEST_MAX,
            deadline: REQUEST_DEADLINE,
            queue_jobs_max: QUEUE_JOBS_MAX,
            queue_bytes_max: QUEUE_BYTES_MAX,
            queue_wait_max: QUEUE_WAIT_MAX,
            backend_grace: BACKEND_GRACE,
            explain: Explain::default(),
        }
    }

    /// The same with the rules of the proxy that this one stands in for: batches are filled in the strategy's
    /// own sequence, and `fair` is one request a turn.
    #[must_use]
    pub fn with_parity(self) -> Self {
        Self {
            fair: FairRule::RoundRobin,
            composition: CompositionChoice::Fixed(CompositionKind::Fill),
            splitting: Splitting::Together,
            ..self
        }
    }

    /// Sequences that one request may have.
    #[must_use]
    pub fn sequences_per_request(&self) -> u32 {
        match self.splitting {
            Splitting::Together => self.request_sequences_max.min(self.batch_sequences_max),
            Splitting::Apart => self.request_sequences_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_composition_is_found_by_its_name() {
        for choice in CompositionChoice::ALL {
            assert_eq!(choice.name().parse(), Ok(choice));
        }
        assert_eq!("full".parse::<CompositionChoice>(), Err(UnknownCompositionChoice));
    }

    #[test]
    fn a_request_outgrows_a_batch_only_where_it_may_be_split() {
        let config = ProxyConfig { request_sequences_max: 9, ..ProxyConfig::new(Vec::new()) };
        assert_eq!(config.sequences_per_request(), 5);
        let config = ProxyConfig { splitting: Splitting::Apart, ..config };
        assert_eq!(config.sequences_per_request(), 9);
        assert_eq!(config.with_parity().sequences_per_request(), 5);
    }
}
