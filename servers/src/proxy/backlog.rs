//! What is queued, added up the ways that admission asks about it: altogether, by length, by customer.

use ringyard_scheduler::cost::BatchShape;
use ringyard_scheduler::{CustomerId, StrategyKind};

use super::admission::Load;

/// Lengths are told apart by their number of binary digits: twice as long is another class.
const LENGTH_CLASSES: usize = 33;

/// Sums over what is queued.
#[derive(Debug)]
pub(super) struct Backlog {
    total: Load,
    bytes: usize,
    by_length: [Load; LENGTH_CLASSES],
    by_customer: Vec<Queued>,
}

/// What a customer has queued.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queued {
    pub(super) load: Load,
    pub(super) bytes: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            total: Load::default(),
            bytes: 0,
            by_length: [Load::default(); LENGTH_CLASSES],
            by_customer: Vec::new(),
        }
    }
}

fn length_class(longest: u32) -> usize {
    (u32::BITS - longest.leading_zeros()) as usize
}

impl Backlog {
    /// A job of so many bytes is queued.
    pub(super) fn add(&mut self, customer: CustomerId, shape: &BatchShape, bytes: usize) {
        let customer = customer.0 as usize;
        if customer >= self.by_customer.len() {
            self.by_customer.resize(customer + 1, Queued::default());
        }
        let queued = &mut self.by_customer[customer];
        queued.load.add(shape);
        queued.bytes += bytes;
        self.by_length[length_class(shape.longest)].add(shape);
        self.total.add(shape);
        self.bytes += bytes;
    }

    /// A job is queued no more.
    pub(super) fn remove(&mut self, customer: CustomerId, shape: &BatchShape, bytes: usize) {
        let queued = &mut self.by_customer[customer.0 as usize];
        queued.load.remove(shape);
        queued.bytes -= bytes;
        self.by_length[length_class(shape.longest)].remove(shape);
        self.total.remove(shape);
        self.bytes -= bytes;
    }

    /// All that is queued.
    pub(super) fn total(&self) -> &Load {
        &self.total
    }

    /// Bytes of the texts queued.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a customer has queued.
    pub(super) fn of_customer(&self, customer: CustomerId) -> Queued {
        self.by_customer.get(customer.0 as usize).copied().unwrap_or_default()
    }

    /// What is to be served before a job that joins now, as far as the strategy lets one tell. What cannot be
    /// told is left out, so that nobody is refused for a wait that might not be.
    pub(super) fn ahead(
        &self,
        strategy: StrategyKind,
        customer: Option<CustomerId>,
        shape: &BatchShape,
    ) -> Load {
        match strategy {
            StrategyKind::Fcfs => self.total,
            StrategyKind::Sjf | StrategyKind::SjfAgeing => self.by_length
                [..length_class(shape.longest)]
                .iter()
                .fold(Load::default(), |sum, class| sum.with(*class)),
            // Customers share, and each waits behind itself at least.
            StrategyKind::Fair
            | StrategyKind::RoundRobin
            | StrategyKind::Wfq
            | StrategyKind::Vtc
            | StrategyKind::Tiers => {
                customer.map(|customer| self.of_customer(customer).load).unwrap_or_default()
            }
            _ => Load::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(longest: u32) -> BatchShape {
        BatchShape { sequences: 1, characters: u64::from(longest), longest }
    }

    #[test]
    fn what_is_ahead_depends_on_the_strategy() {
        let mut backlog = Backlog::default();
        let (one, two) = (CustomerId(0), CustomerId(1));
        for longest in [0, 10, 100, 1_000] {
            backlog.add(one, &shape(longest), 2);
        }
        backlog.add(two, &shape(u32::MAX), 2);
        let ahead =
            |strategy, customer, longest| backlog.ahead(strategy, customer, &shape(longest)).jobs;
        assert_eq!(ahead(StrategyKind::Fcfs, Some(two), 1), 5);
        assert_eq!(ahead(StrategyKind::Sjf, Some(two), 1), 1);
        assert_eq!(ahead(StrategyKind::Sjf, Some(two), 500), 3);
        assert_eq!(ahead(StrategyKind::Fair, Some(one), 500), 4);
        assert_eq!(ahead(StrategyKind::Fair, None, 500), 0);
        assert_eq!(ahead(StrategyKind::Edf, Some(one), 500), 0);
        assert_eq!(backlog.bytes(), 10);
        for longest in [0, 10, 100, 1_000] {
            backlog.remove(one, &shape(longest), 2);
        }
        backlog.remove(two, &shape(u32::MAX), 2);
        assert_eq!((backlog.bytes(), *backlog.total()), (0, Load::default()));
    }
}
