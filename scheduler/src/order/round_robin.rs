//! One job a turn: round robin over the customers that have jobs queued.
//!
//! The ring is a queue of customers and its head is whose turn it is. Serving the head's oldest job sends
//! the customer to the end of the ring, or out of it if that was its last. A customer that comes to have
//! jobs joins at the end. The turn outlives a batch: a head whose job did not fit is first in the next.
//! A job that leaves without being served does not move its customer, unless it was its last; a customer
//! that has left and comes back starts at the end. A new ring is in the order of each customer's oldest job.

use ringyard_time::Time;

use super::flows::{Change, Flows};
use super::{Order, Patience};
use crate::jobs::{JobIndex, Jobs};
use crate::list::{Links, List};

#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    flows: Flows,
    /// The backlogged customers.
    ring: List,
    links: Links,
}

impl Order for RoundRobin {
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, _now: Time) {
        let (customer, change) = self.flows.insert(jobs, index);
        if change == Change::Backlog {
            self.links.reserve(customer);
            self.ring.push_back(&mut self.links, customer);
        }
    }

    fn first(&mut self, _jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        self.flows.head(self.ring.first()?)
    }

    fn serve(&mut self, jobs: &Jobs, index: JobIndex) {
        let (customer, change) = self.flows.remove(jobs, index);
        self.ring.remove(&mut self.links, customer);
        if change == Change::None {
            self.ring.push_back(&mut self.links, customer);
        }
    }

    fn remove(&mut self, jobs: &Jobs, index: JobIndex) {
        let (customer, change) = self.flows.remove(jobs, index);
        if change == Change::Backlog {
            self.ring.remove(&mut self.links, customer);
        }
    }

    fn set_patience(&mut self, patience: Patience) {
        self.flows.set_patience(patience);
    }

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>) {
        self.flows.capacities(into);
        into.push(self.links.capacity());
    }
}
