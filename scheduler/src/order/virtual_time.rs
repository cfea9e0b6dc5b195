//! Orders that keep for each customer how much it has had, by weight, and serve whoever has had least.
//!
//! A customer's *tag* is the cost it has been charged over its weight. What a job would cost alone is charged
//! when it is served; once the batch is composed every member pays its share of it instead. A customer that
//! was away must not come back with the claim it has gathered meanwhile, so its tag is lifted, and how far is all
//! that distinguishes the two rules.

use ringyard_time::Time;

use super::flows::{Change, Flows};
use super::heap::Heap;
use super::{Order, Patience};
use crate::cost::Cost;
use crate::job::CustomerId;
use crate::jobs::{JobIndex, Jobs};

/// How far the tag of a customer that comes back is lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lift {
    /// To the tag at which a customer was last served; since nothing was queued and until somebody is served, to the
    /// greatest tag there is. This is start-time fair queueing.
    LastServed,
    /// To the least tag of those backlogged; when nothing was queued, to the tag of whoever left last.
    /// This is the virtual token counter.
    LeastBacklogged,
}

#[derive(Debug)]
pub(super) struct VirtualTime {
    lift: Lift,
    flows: Flows,
    /// Backlogged customers by tag, and of equal tags whoever was served or joined longest ago.
    heap: Heap<(u64, u64)>,
    accounts: Vec<Account>,
    /// The tag at which a customer was last served, or the greatest there was when nothing was queued.
    last_served: u64,
    /// The greatest tag of any customer.
    greatest: u64,
    /// Who left last.
    last_left: u32,
    events: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    tag: u64,
    /// When it was last served or joined, in events.
    since: u64,
}

impl VirtualTime {
    pub(super) fn new(lift: Lift) -> Self {
        Self {
            lift,
            flows: Flows::default(),
            heap: Heap::default(),
            accounts: Vec::new(),
            last_served: 0,
            greatest: 0,
            last_left: 0,
            events: 0,
        }
    }

    /// The least tag that a customer may have which becomes backlogged now.
    fn floor(&self) -> u64 {
        match (self.lift, self.heap.first()) {
            (Lift::LastServed, _) => self.last_served,
            (Lift::LeastBacklogged, Some(least)) => self.accounts[least as usize].tag,
            (Lift::LeastBacklogged, None) => {
                self.accounts.get(self.last_left as usize).map_or(0, |account| account.tag)
            }
        }
    }
}

impl Account {
    fn key(&self) -> (u64, u64) {
        (self.tag, self.since)
    }
}

/// What a cost adds to a tag.
fn step(jobs: &Jobs, customer: u32, cost: Cost) -> u64 {
    cost.0 / u64::from(jobs.terms(CustomerId(customer)).weight)
}

impl Order for VirtualTime {
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, _now: Time) {
        if self.heap.first().is_none() {
            // Nobody is behind who has nothing queued: whoever joins after this one starts no earlier than it.
            self.last_served = self.greatest;
        }
        let floor = self.floor();
        let (customer, change) = self.flows.insert(jobs, index);
        if change == Change::Backlog {
            if customer as usize >= self.accounts.len() {
                self.accounts.resize(customer as usize + 1, Account::default());
            }
            let account = &mut self.accounts[customer as usize];
            account.tag = account.tag.max(floor);
            self.events += 1;
            account.since = self.events;
            self.heap.insert(customer, account.key());
        }
    }

    fn first(&mut self, _jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        self.flows.head(self.heap.first()?)
    }

    fn serve(&mut self, jobs: &Jobs, index: JobIndex) {
        let (customer, change) = self.flows.remove(jobs, index);
        let account = &mut self.accounts[customer as usize];
        self.last_served = account.tag;
        account.tag = account.tag.saturating_add(step(jobs, customer, jobs.cost(index)));
        self.events += 1;
        account.since = self.events;
        if change == Change::None {
            self.heap.change(customer, account.key());
        } else {
            self.heap.remove(customer);
            self.last_left = customer;
        }
    }

    fn remove(&mut self, jobs: &Jobs, index: JobIndex) {
        let (customer, change) = self.flows.remove(jobs, index);
        if change == Change::Backlog {
            self.heap.remove(customer);
            self.last_left = customer;
        }
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn charge(&mut self, jobs: &Jobs, customer: CustomerId, advance: Cost, share: Cost) {
        let customer = customer.0;
        let account = &mut self.accounts[customer as usize];
        account.tag = account
            .tag
            .saturating_sub(step(jobs, customer, advance))
            .saturating_add(step(jobs, customer, share));
        self.greatest = self.greatest.max(account.tag);
        if self.flows.head(customer).is_some() {
            self.heap.change(customer, account.key());
        }
    }

    fn set_patience(&mut self, patience: Patience) {
        self.flows.set_patience(patience);
    }

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>) {
        self.flows.capacities(into);
        self.heap.capacities(into);
        into.push(self.accounts.capacity());
    }
}
