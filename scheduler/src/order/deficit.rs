//! Deficit round robin, weighted and charged by cost.
//!
//! Customers take turns as in a ring. When its turn begins, a customer's balance grows by the quantum times its
//! weight; it is served for as long as its balance covers what its oldest job would cost alone, which is taken
//! off in advance; then the turn passes on and the balance is kept for the next. Once a batch is composed,
//! every member pays its share of it instead: what was taken in advance is given back, and whoever rode
//! along pays for that, if need be on credit. A customer with nothing queued has no balance.
//!
//! The quantum is the greatest cost of any job since nothing was queued. No smaller one would let every turn
//! serve a job, and with no greater one is the least lead that one customer can have over another so small.

use ringyard_time::Time;

use super::flows::{Change, Flows};
use super::{Order, Patience};
use crate::cost::Cost;
use crate::job::CustomerId;
use crate::jobs::{JobIndex, Jobs};
use crate::list::{Links, List};

#[derive(Debug, Default)]
pub(super) struct Deficit {
    flows: Flows,
    /// The backlogged customers.
    ring: List,
    links: Links,
    backlogged: usize,
    accounts: Vec<Account>,
    quantum: Cost,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// Nanoseconds of cost.
    balance: i128,
    /// Whether the quantum of the present turn has been added.
    in_turn: bool,
}

impl Order for Deficit {
    fn insert(&mut self, jobs: &Jobs, index: JobIndex, _now: Time) {
        if self.backlogged == 0 {
            self.quantum = Cost(1);
        }
        self.quantum = self.quantum.max(jobs.cost(index));
        let (customer, change) = self.flows.insert(jobs, index);
        if change == Change::Backlog {
            self.links.reserve(customer);
            if customer as usize >= self.accounts.len() {
                self.accounts.resize(customer as usize + 1, Account::default());
            }
            self.ring.push_back(&mut self.links, customer);
            self.backlogged += 1;
        }
    }

    fn first(&mut self, jobs: &Jobs, _now: Time) -> Option<JobIndex> {
        let mut passed = 0;
        loop {
            let customer = self.ring.first()?;
            let head = self.flows.head(customer).expect("a customer in the ring is backlogged");
            let income = self.income(jobs, customer);
            let account = &mut self.accounts[customer as usize];
            if !account.in_turn {
                account.in_turn = true;
                account.balance += income;
            }
            if account.balance >= i128::from(jobs.cost(head).0) {
                return Some(head);
            }
            account.in_turn = false;
            self.ring.remove(&mut self.links, customer);
            self.ring.push_back(&mut self.links, customer);
            passed += 1;
            if passed == self.backlogged {
                self.skip_rounds(jobs);
                passed = 0;
            }
        }
    }

    fn serve(&mut self, jobs: &Jobs, index: JobIndex) {
        let customer = jobs.job(index).spec.customer;
        self.accounts[customer.0 as usize].balance -= i128::from(jobs.cost(index).0);
        self.remove(jobs, index);
    }

    fn remove(&mut self, jobs: &Jobs, index: JobIndex) {
        let (customer, change) = self.flows.remove(jobs, index);
        if change == Change::Backlog {
            self.ring.remove(&mut self.links, customer);
            self.accounts[customer as usize] = Account::default();
            self.backlogged -= 1;
        }
    }

    fn is_charged(&self) -> bool {
        true
    }

    fn charge(&mut self, _jobs: &Jobs, customer: CustomerId, advance: Cost, share: Cost) {
        if self.flows.head(customer.0).is_some() {
            let balance = &mut self.accounts[customer.0 as usize].balance;
            *balance += i128::from(advance.0) - i128::from(share.0);
        }
    }

    fn set_patience(&mut self, patience: Patience) {
        self.flows.set_patience(patience);
    }

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>) {
        self.flows.capacities(into);
        into.extend([self.links.capacity(), self.accounts.capacity()]);
    }
}

impl Deficit {
    /// What a turn adds to the customer's balance.
    fn income(&self, jobs: &Jobs, customer: u32) -> i128 {
        i128::from(self.quantum.0) * i128::from(jobs.terms(CustomerId(customer)).weight)
    }

    /// After a round in which nobody could be served: grants at once all the rounds but one that it takes
    /// until somebody can.
    fn skip_rounds(&mut self, jobs: &Jobs) {
        let rounds_to_go = |customer: u32| {
            let head = self.flows.head(customer).expect("a customer in the ring is backlogged");
            let missing = i128::from(jobs.cost(head).0) - self.accounts[customer as usize].balance;
            let income = self.income(jobs, customer);
            (missing + income - 1) / income
        };
        let rounds = self.ring.iter(&self.links).map(rounds_to_go).min().unwrap_or(1);
        for customer in self.ring.iter(&self.links) {
            let income = self.income(jobs, customer);
            self.accounts[customer as usize].balance += (rounds - 1).max(0) * income;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::job::JobSpec;

    proptest! {
        /// The paper's first lemma (Shreedhar and Varghese 1996): between its turns a customer keeps less than what the
        /// costliest job costs, and never owes anything, as long as jobs are served one by one.
        #[test]
        fn what_is_kept_between_turns_is_less_than_a_job(
            steps in prop::collection::vec((0u32..4, 1u32..200, 0usize..3), 1..200),
        ) {
            let (mut jobs, mut order) = (Jobs::default(), Deficit::default());
            let mut greatest = 0;
            for (customer, longest, served) in steps {
                let index = jobs.insert(JobSpec::new(CustomerId(customer), 1, longest, 0), Time::ZERO);
                greatest = greatest.max(i128::from(jobs.cost(index).0));
                order.insert(&jobs, index, Time::ZERO);
                for _ in 0..served {
                    let Some(first) = order.first(&jobs, Time::ZERO) else { break };
                    order.serve(&jobs, first);
                    jobs.remove(first);
                    for account in order.accounts.iter().filter(|account| !account.in_turn) {
                        prop_assert!((0..greatest).contains(&account.balance), "{account:?}");
                    }
                }
            }
        }
    }
}
