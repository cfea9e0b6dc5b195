//! Compositions: which jobs share a batch, given whose turn it is.

mod anchor;
mod fill;
mod plan;

use std::fmt;
use std::fmt::Debug;
use std::str::FromStr;

use ringyard_time::Time;

use crate::batch::{Batch, Slot};
use crate::config::SchedulerConfig;
use crate::queue::Queue;
use crate::strategy::StrategyKind;

/// Which jobs share a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CompositionKind {
    /// Jobs in the strategy's own sequence for as long as the next one fits.
    #[default]
    Fill,
    /// The job whose turn it is, and with it waiting jobs no longer than it, longest first. Under the
    /// strategies that serve short jobs first hardly anybody is shorter than they: [`Self::Plan`] is for them.
    Anchor,
    /// Under `sjf`, `sjf-ageing` and `wspt`, the first batch of a plan that makes the weighted sum of completion times
    /// small. Any other strategy says whose turn it is, which leaves nothing to plan: [`Self::Anchor`].
    Plan,
}

impl CompositionKind {
    /// Every composition.
    pub const ALL: &'static [Self] = &[Self::Fill, Self::Anchor, Self::Plan];

    /// The name under which a user chooses it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Anchor => "anchor",
            Self::Plan => "plan",
        }
    }
}

impl fmt::Display for CompositionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that belongs to no composition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown composition, choose one of: fill, anchor, plan")]
pub struct UnknownComposition;

impl FromStr for CompositionKind {
    type Err = UnknownComposition;

    fn from_str(name: &str) -> Result<Self, UnknownComposition> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or(UnknownComposition)
    }
}

/// An exchangeable rule for which jobs share a batch.
pub(crate) trait Composition: Debug + Send {
    /// Whether it asks for [`Queue::by_length`].
    fn needs_lengths(&self) -> bool {
        false
    }

    /// Moves at least one job from a queue that is not empty into an empty batch, or to those that are late.
    fn compose(&mut self, queue: &mut Queue, now: Time, slot: &Slot, batch: &mut Batch);

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>);
}

/// The composition in force under `strategy`.
pub(crate) fn build(strategy: StrategyKind, config: &SchedulerConfig) -> Box<dyn Composition> {
    match config.composition {
        CompositionKind::Fill => Box::new(fill::Fill),
        CompositionKind::Plan if strategy.is_shortest_first() => {
            let ageing = (strategy == StrategyKind::SjfAgeing).then_some(config.ageing);
            Box::new(plan::Plan::new(ageing))
        }
        CompositionKind::Anchor | CompositionKind::Plan => Box::<anchor::Anchor>::default(),
    }
}
