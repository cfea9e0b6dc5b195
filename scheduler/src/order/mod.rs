//! Orders: whose turn it is.
//!
//! An order is an index over the table of jobs and holds nothing that could not be rebuilt from it, which
//! is what makes a strategy exchangeable while jobs are queued. It does not know what a batch is.

mod arrival;
mod heap;
mod round_robin;
mod shortest;

use std::fmt::Debug;

use ringyard_time::Time;

use crate::jobs::{JobIndex, Jobs};
use crate::strategy::StrategyKind;

/// An exchangeable rule for whose turn it is.
///
/// `jobs` is the table that the indices refer to; a job is in it from before its [`Order::insert`] until
/// after its [`Order::remove`] or [`Order::serve`].
pub(crate) trait Order: Debug + Send {
    /// Takes in a job that has just been queued, or, when the order is new, the next oldest of those queued.
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, now: Time);

    /// Whose turn it is. The answer stands until a job is inserted, removed or served.
    fn first(&mut self, jobs: &Jobs, now: Time) -> Option<JobIndex>;

    /// Takes out the job whose turn it is because it is being served, and passes the turn on.
    fn serve(&mut self, jobs: &Jobs, index: JobIndex);

    /// Takes out any job without passing the turn on: it left, or it rides along on another's turn.
    fn remove(&mut self, jobs: &Jobs, index: JobIndex);

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>);
}

/// The order of a strategy, with every queued job in it.
pub(crate) fn build(kind: StrategyKind, jobs: &Jobs, now: Time) -> Box<dyn Order> {
    let mut order: Box<dyn Order> = match kind {
        StrategyKind::Fcfs => Box::new(arrival::Arrival),
        StrategyKind::Sjf => Box::<shortest::Shortest>::default(),
        StrategyKind::Fair => Box::<round_robin::RoundRobin>::default(),
    };
    for index in jobs.by_arrival() {
        order.insert(jobs, index, now);
    }
    order
}
