//! The jobs of each customer in order of arrival: what every order by customer has in common.

use super::Patience;
use crate::jobs::{JobIndex, Jobs};
use crate::list::{Links, List};

/// One queue per customer. A customer is *backlogged* while its queue is not empty.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// Each customer's jobs, oldest first.
    queues: Vec<List>,
    /// Neighbours of jobs within `queues`.
    links: Links,
    patience: Patience,
}

/// Whether a customer's queue went from empty to not empty, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Backlog,
    None,
}

impl Flows {
    /// Adds a job to its customer's queue; tells the customer and whether it has become backlogged.
    pub(super) fn insert(&mut self, jobs: &Jobs, index: JobIndex) -> (u32, Change) {
        let customer = jobs.job(index).spec.customer.0;
        if customer as usize >= self.queues.len() {
            self.queues.resize(customer as usize + 1, List::default());
        }
        self.links.reserve(index);
        let queue = &mut self.queues[customer as usize];
        let change = if queue.is_empty() { Change::Backlog } else { Change::None };
        queue.push_back(&mut self.links, index);
        (customer, change)
    }

    /// Takes a job out of its customer's queue; tells the customer and whether it has ceased to be
    /// backlogged.
    pub(super) fn remove(&mut self, jobs: &Jobs, index: JobIndex) -> (u32, Change) {
        let customer = jobs.job(index).spec.customer.0;
        let queue = &mut self.queues[customer as usize];
        queue.remove(&mut self.links, index);
        (customer, if queue.is_empty() { Change::Backlog } else { Change::None })
    }

    /// A customer's job that comes first.
    pub(super) fn head(&self, customer: u32) -> Option<JobIndex> {
        let queue = self.queues.get(customer as usize)?;
        match self.patience {
            Patience::OldestFirst => queue.first(),
            Patience::NewestFirst => queue.last(),
        }
    }

    pub(super) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    #[cfg(test)]
    pub(super) fn capacities(&self, into: &mut Vec<usize>) {
        into.extend([self.queues.capacity(), self.links.capacity()]);
    }
}
