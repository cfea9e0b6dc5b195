//! Names of customers, turned into the small numbers that the scheduler keeps tables by.
//!
//! A customer has a number while it has requests in the proxy. So the table is bounded by the queue, however
//! many names the clients make up.

use std::collections::HashMap;

use ringyard_scheduler::CustomerId;

#[derive(Debug)]
struct Customer {
    name: Box<str>,
    requests: u32,
}

/// The customers with requests in the proxy.
#[derive(Debug, Default)]
pub(super) struct Customers {
    numbers: HashMap<Box<str>, CustomerId>,
    customers: Vec<Customer>,
    free: Vec<CustomerId>,
}

impl Customers {
    /// The number of `name`, for one request more.
    pub(super) fn enter(&mut self, name: &str) -> CustomerId {
        if let Some(&number) = self.numbers.get(name) {
            self.customers[number.0 as usize].requests += 1;
            return number;
        }
        let customer = Customer { name: name.into(), requests: 1 };
        let number = if let Some(number) = self.free.pop() {
            self.customers[number.0 as usize] = customer;
            number
        } else {
            self.customers.push(customer);
            CustomerId(u32::try_from(self.customers.len() - 1).expect("bounded by the queue"))
        };
        self.numbers.insert(name.into(), number);
        number
    }

    /// One request of `number` less; its number is free once it was the last.
    pub(super) fn leave(&mut self, number: CustomerId) {
        let customer = &mut self.customers[number.0 as usize];
        customer.requests -= 1;
        if customer.requests == 0 {
            self.numbers.remove(&customer.name);
            self.free.push(number);
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
        let first = customers.enter("a");
        assert_eq!(customers.enter("a"), first);
        let second = customers.enter("b");
        assert_ne!(first, second);
        customers.leave(first);
        assert_eq!(customers.enter("a"), first);
        customers.leave(first);
        customers.leave(first);
        assert_eq!(customers.len(), 1);
        assert_eq!(customers.enter("c"), first);
        assert_eq!(customers.customers.len(), 2);
    }
}
