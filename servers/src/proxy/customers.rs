//! Names of customers, turned into the small numbers that the scheduler keeps tables by.
//!
//! A customer has a number while it has requests in the proxy. So the table is bounded by the queue, however
//! many names the clients make up. A number that is free goes to a customer of the same tier, so that giving it
//! out moves nobody between tiers.

use std::collections::HashMap;

use ringyard_scheduler::limits::TIERS;
use ringyard_scheduler::{CustomerId, CustomerTerms};

#[derive(Debug)]
struct Customer {
    name: Box<str>,
    requests: u32,
    terms: CustomerTerms,
}

/// The customers with requests in the proxy.
#[derive(Debug, Default)]
pub(super) struct Customers {
    numbers: HashMap<Box<str>, CustomerId>,
    customers: Vec<Customer>,
    /// By tier.
    free: [Vec<CustomerId>; TIERS],
}

fn tier_of(terms: CustomerTerms) -> usize {
    usize::from(terms.tier).min(TIERS - 1)
}

impl Customers {
    /// The number of `name`, for one request more; and whether it is new, so that whoever keeps tables by
    /// number has to be told its terms.
    pub(super) fn enter(&mut self, name: &str, terms: CustomerTerms) -> (CustomerId, bool) {
        if let Some(&number) = self.numbers.get(name) {
            self.customers[number.0 as usize].requests += 1;
            return (number, false);
        }
        let customer = Customer { name: name.into(), requests: 1, terms };
        let number = if let Some(number) = self.free[tier_of(terms)].pop() {
            self.customers[number.0 as usize] = customer;
            number
        } else {
            self.customers.push(customer);
            CustomerId(u32::try_from(self.customers.len() - 1).expect("bounded by the queue"))
        };
        self.numbers.insert(name.into(), number);
        (number, true)
    }

    /// The number of `name`, if it has requests in the proxy.
    pub(super) fn find(&self, name: &str) -> Option<CustomerId> {
        self.numbers.get(name).copied()
    }

    /// The name of a customer with requests in the proxy.
    pub(super) fn name(&self, number: CustomerId) -> &str {
        &self.customers[number.0 as usize].name
    }

    /// Requests of `number` that are queued or in flight.
    pub(super) fn requests(&self, number: CustomerId) -> u32 {
        self.customers[number.0 as usize].requests
    }

    /// Gives everybody new terms; calls `tell` for each whose terms change.
    pub(super) fn set_terms(
        &mut self,
        terms_of: impl Fn(&str) -> CustomerTerms,
        mut tell: impl FnMut(CustomerId, CustomerTerms),
    ) {
        for (number, customer) in (0u32..).map(CustomerId).zip(&mut self.customers) {
            let terms = terms_of(&customer.name);
            if customer.requests > 0 && customer.terms != terms {
                customer.terms = terms;
                tell(number, terms);
            }
        }
    }

    /// One request of `number` less; its number is free once it was the last.
    pub(super) fn leave(&mut self, number: CustomerId) {
        let customer = &mut self.customers[number.0 as usize];
        customer.requests -= 1;
        if customer.requests == 0 {
            self.numbers.remove(&customer.name);
            self.free[tier_of(customer.terms)].push(number);
        }
    }

    /// Customers with requests in the proxy.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_while_there_are_requests_and_free_afterwards() {
        let mut customers = Customers::default();
        let terms = CustomerTerms::default();
        let (first, new) = customers.enter("a", terms);
        assert!(new);
        assert_eq!(customers.enter("a", terms), (first, false));
        let (second, _) = customers.enter("b", terms);
        assert_ne!(first, second);
        customers.leave(first);
        assert_eq!(customers.enter("a", terms).0, first);
        customers.leave(first);
        customers.leave(first);
        assert_eq!(customers.len(), 1);
        assert_eq!(customers.enter("c", terms), (first, true));
        assert_eq!(customers.customers.len(), 2);
    }

    #[test]
    fn a_free_number_stays_in_its_tier_and_new_terms_are_told() {
        let mut customers = Customers::default();
        let low = CustomerTerms::new(1, 3);
        let (first, _) = customers.enter("a", CustomerTerms::default());
        customers.leave(first);
        let (second, _) = customers.enter("b", low);
        assert_ne!(first, second);
        let mut told = Vec::new();
        customers.set_terms(|_| CustomerTerms::default(), |number, _| told.push(number));
        assert_eq!(told, [second]);
        customers.leave(second);
        assert_eq!(customers.enter("c", CustomerTerms::default()).0, second);
    }
}
