//! Names of customers, turned into the small numbers that the scheduler keeps tables by.

use std::collections::HashMap;

use ringyard_scheduler::CustomerId;

/// The customers with requests in the proxy. A number is free again after the last request.
#[derive(Debug, Default)]
pub(super) struct Customers {
    numbers: HashMap<String, CustomerId>,
    /// Name and requests, by number.
    customers: Vec<(String, u32)>,
    free: Vec<CustomerId>,
}

impl Customers {
    /// The number of `name`, for one request more.
    pub(super) fn enter(&mut self, name: &str) -> CustomerId {
        if let Some(&number) = self.numbers.get(name) {
            self.customers[number.0 as usize].1 += 1;
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.customers.push((String::new(), 0));
            CustomerId(u32::try_from(self.customers.len() - 1).expect("bounded by the queue"))
        });
        self.customers[number.0 as usize] = (name.to_owned(), 1);
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// One request of `number` less.
    pub(super) fn leave(&mut self, number: CustomerId) {
        let (name, requests) = &mut self.customers[number.0 as usize];
        *requests -= 1;
        if *requests == 0 {
            self.numbers.remove(name);
            self.free.push(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_while_there_are_requests() {
        let mut customers = Customers::default();
        let first = customers.enter("a");
        let second = customers.enter("b");
        assert_eq!((customers.enter("a"), first == second), (first, false));
        customers.leave(first);
        assert_eq!(customers.enter("a"), first);
        customers.leave(first);
        customers.leave(first);
        assert_eq!(customers.enter("c"), first);
    }
}
