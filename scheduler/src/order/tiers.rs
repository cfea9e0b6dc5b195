//! Strict priority over tiers, fair within each, with a trickle for those below.
//!
//! The first tier that has anything queued is served. So that those below do not starve, each of them that has
//! something queued is owed [`TIER_TRICKLE`] of what is served before it, and goes first once it is owed as
//! much as its next job costs. What a tier is owed lapses when it has nothing queued.

use ringyard_time::Time;

use super::deficit::Deficit;
use super::{Order, Patience};
use crate::cost::Cost;
use crate::job::CustomerId;
use crate::jobs::{JobIndex, Jobs};
use crate::limits::{TIER_TRICKLE, TIERS};

#[derive(Debug, Default)]
pub(super) struct Tiers {
    /// The first is served first.
    tiers: [Tier; TIERS],
}

#[derive(Debug, Default)]
struct Tier {
    customers: Deficit,
    jobs: usize,
    /// Nanoseconds of cost, times [`TIER_TRICKLE`].
    owed: u64,
}

impl Tier {
    /// Takes note that a job has left.
    fn left(&mut self) {
        self.jobs -= 1;
        if self.jobs == 0 {
            self.owed = 0;
        }
    }
}

/// The tier that a job belongs to. A change of its customer's tier rebuilds the order.
fn tier_of(jobs: &Jobs, customer: CustomerId) -> usize {
    usize::from(jobs.terms(customer).tier).min(TIERS - 1)
}

impl Tiers {
    /// The first tier that has anything queued.
    fn top(&self) -> Option<usize> {
        self.tiers.iter().position(|tier| tier.jobs > 0)
    }
}

impl Order for Tiers {
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, now: Time) {
        let tier = &mut self.tiers[tier_of(jobs, jobs.job(index).spec.customer)];
        tier.customers.insert(jobs, index, now);
        tier.jobs += 1;
    }

    fn first(&mut self, jobs: &Jobs, now: Time) -> Option<JobIndex> {
        let top = self.top()?;
        for tier in &mut self.tiers[top + 1..] {
            if let Some(head) = tier.customers.first(jobs, now)
                && tier.owed / TIER_TRICKLE >= jobs.cost(head).0
            {
                return Some(head);
            }
        }
        self.tiers[top].customers.first(jobs, now)
    }

    fn serve(&mut self, jobs: &Jobs, index: JobIndex) {
        let cost = jobs.cost(index).0;
        let served = tier_of(jobs, jobs.job(index).spec.customer);
        if self.top() == Some(served) {
            for tier in self.tiers[served + 1..].iter_mut().filter(|tier| tier.jobs > 0) {
                tier.owed = tier.owed.saturating_add(cost);
            }
        } else {
            let owed = &mut self.tiers[served].owed;
            *owed = owed.saturating_sub(cost.saturating_mul(TIER_TRICKLE));
        }
        self.tiers[served].customers.serve(jobs, index);
        self.tiers[served].left();
    }

    fn remove(&mut self, jobs: &Jobs, index: JobIndex) {
        let tier = &mut self.tiers[tier_of(jobs, jobs.job(index).spec.customer)];
        tier.customers.remove(jobs, index);
        tier.left();
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn charge(&mut self, jobs: &Jobs, customer: CustomerId, advance: Cost, share: Cost) {
        self.tiers[tier_of(jobs, customer)].customers.charge(jobs, customer, advance, share);
    }

    fn set_patience(&mut self, patience: Patience) {
        for tier in &mut self.tiers {
            tier.customers.set_patience(patience);
        }
    }

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>) {
        for tier in &self.tiers {
            tier.customers.capacities(into);
        }
    }
}
