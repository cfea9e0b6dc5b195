//! One job a turn: round robin over the customers that have jobs queued.
//!
//! The ring is a queue of customers and its head is whose turn it is. Serving the head's oldest job sends
//! the customer to the end of the ring, or out of it if that was its last. A customer that comes to have
//! jobs joins at the end. The turn outlives a batch: a head whose job did not fit is first in the next.
//! A job that leaves without being served does not move its customer, unless it was its last; a customer
//! that has left and comes back starts at the end. A new ring is in the order of each customer's oldest job.

use ringyard_time::Time;

use super::Order;
use crate::jobs::{JobIndex, Jobs};
use crate::list::{Links, List};

#[derive(Debug, Default)]
pub(super) struct RoundRobin {
    /// The jobs of each customer, oldest first.
    queues: Vec<List>,
    /// Neighbours of jobs within `queues`.
    job_links: Links,
    /// Customers whose queue is not empty.
    ring: List,
    /// Neighbours of customers within `ring`.
    customer_links: Links,
}

impl Order for RoundRobin {
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, _now: Time) {
        let customer = jobs.job(index).spec.customer.0;
        if customer as usize >= self.queues.len() {
            self.queues.resize(customer as usize + 1, List::default());
            self.customer_links.reserve(customer);
        }
        self.job_links.reserve(index);
        let queue = &mut self.queues[customer as usize];
        if queue.is_empty() {
            self.ring.push_back(&mut self.customer_links, customer);
        }
        queue.push_back(&mut self.job_links, index);
    }

    fn first(&mut self, _jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        self.queues[self.ring.first()? as usize].first()
    }

    fn serve(&mut self, jobs: &Jobs, index: JobIndex) {
        self.remove(jobs, index);
        let customer = jobs.job(index).spec.customer.0;
        if !self.queues[customer as usize].is_empty() {
            self.ring.remove(&mut self.customer_links, customer);
            self.ring.push_back(&mut self.customer_links, customer);
        }
    }

    fn remove(&mut self, jobs: &Jobs, index: JobIndex) {
        let customer = jobs.job(index).spec.customer.0;
        let queue = &mut self.queues[customer as usize];
        queue.remove(&mut self.job_links, index);
        if queue.is_empty() {
            self.ring.remove(&mut self.customer_links, customer);
        }
    }

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>) {
        into.extend([
            self.queues.capacity(),
            self.job_links.capacity(),
            self.customer_links.capacity(),
        ]);
    }
}
