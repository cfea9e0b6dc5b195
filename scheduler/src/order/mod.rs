//! Orders: whose turn it is.
//!
//! An order is an index over the table of jobs. What it holds besides can be lost in a switch of strategy without
//! harm (whose turn it was, what each customer has had), which is what makes it exchangeable while jobs are
//! queued. It does not know what a batch is.

mod arrival;
mod deficit;
mod flows;
mod heap;
mod keyed;
mod round_robin;
mod tiers;
mod virtual_time;

use std::fmt::Debug;

use ringyard_time::Time;

use crate::config::{FairRule, SchedulerConfig};
use crate::cost::Cost;
use crate::job::CustomerId;
use crate::jobs::{JobIndex, Jobs};
use crate::strategy::StrategyKind;

use keyed::Keyed;
use virtual_time::{Lift, VirtualTime};

/// Which of several jobs comes first where an order goes by arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The oldest.
    #[default]
    OldestFirst,
    /// The newest: of those who have waited long in a crowd many have waited in vain.
    NewestFirst,
}

/// An exchangeable rule for whose turn it is.
///
/// `jobs` is the table that the indices refer to; a job is in it from before its [`Order::insert`] until
/// after its [`Order::remove`] or [`Order::serve`].
pub(crate) trait Order: Debug + Send {
    /// Takes in a job that has just been queued, or, when the order is new, the next oldest of those queued.
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, now: Time);

    /// Whose turn it is. The answer stands until a job is inserted, removed, served or charged, or until time
    /// makes a job urgent.
    fn first(&mut self, jobs: &Jobs, now: Time) -> Option<JobIndex>;

    /// Takes out the job whose turn it is because it is being served, and passes the turn on. An order that
    /// charges takes in advance what the job costs alone.
    fn serve(&mut self, jobs: &Jobs, index: JobIndex);

    /// Takes out any job without passing the turn on: it left, or it rides along on another's turn.
    fn remove(&mut self, jobs: &Jobs, index: JobIndex);

    /// Whether [`Order::charge`] wants to be told.
    fn is_charged(&self) -> bool {
        false
    }

    /// A job of `customer` has left in a batch of which it is to pay `share`; [`Order::serve`] took
    /// `advance`, which is nothing where the job rode along.
    fn charge(&mut self, _jobs: &Jobs, _customer: CustomerId, _advance: Cost, _share: Cost) {}

    /// Among jobs that it serves by arrival, which come first from now on.
    fn set_patience(&mut self, _patience: Patience) {}

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>);
}

/// The order of a strategy, with every queued job in it.
pub(crate) fn build(
    kind: StrategyKind,
    config: &SchedulerConfig,
    jobs: &Jobs,
    now: Time,
) -> Box<dyn Order> {
    let mut order: Box<dyn Order> = match kind {
        StrategyKind::Fcfs => Box::<arrival::Arrival>::default(),
        StrategyKind::Sjf => Box::new(Keyed::new(keyed::Shortest)),
        StrategyKind::Fair if config.fair == FairRule::Deficit => {
            Box::<deficit::Deficit>::default()
        }
        StrategyKind::Fair | StrategyKind::RoundRobin => Box::<round_robin::RoundRobin>::default(),
        StrategyKind::SjfAgeing => Box::new(Keyed::new(keyed::Ageing {
            gamma: config.ageing.cost_per_wait,
            wait_max: config.ageing.wait_max,
        })),
        StrategyKind::Wfq => Box::new(VirtualTime::new(Lift::LastServed)),
        StrategyKind::Vtc => Box::new(VirtualTime::new(Lift::LeastBacklogged)),
        StrategyKind::Tiers => Box::<tiers::Tiers>::default(),
        StrategyKind::Edf => Box::new(Keyed::new(keyed::Deadline)),
        StrategyKind::Wspt => Box::new(Keyed::new(keyed::CostPerWeight)),
        StrategyKind::Auto => unreachable!("the scheduler chooses what `auto` stands for"),
    };
    for index in jobs.by_arrival() {
        order.insert(jobs, index, now);
    }
    order
}
