//! What customers are entitled to: their share, their tier, their quota. A book of it is made elsewhere and
//! handed over whole; nothing here reads a file.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use ringyard_runtime::app::Time;
use ringyard_scheduler::CustomerTerms;
use ringyard_scheduler::limits::TIERS;

/// What one customer is entitled to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Entitlement {
    /// Weight and tier.
    pub terms: CustomerTerms,
    /// Requests that it may have queued or in flight; `None` for as many as fit.
    pub requests_max: Option<u32>,
    /// Bytes of texts that it may have queued; `None` for as many as fit. One request with more is refused for good.
    pub bytes_max: Option<usize>,
    /// How long the backends may need for what it has queued when it asks for more; `None` for however long.
    pub work_max: Option<Duration>,
    /// How often it may ask.
    pub rate: Option<Rate>,
}

/// How often a customer may ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The time that one request uses up.
    pub interval: Duration,
    /// Requests that may come at once after a while without any; at least 1.
    pub burst: u32,
}

/// What all customers are entitled to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CustomerBook {
    /// Whoever is not named. A rate is kept for each customer that is named; it is not looked at here.
    pub others: Entitlement,
    /// Those who are.
    pub named: BTreeMap<Box<str>, Entitlement>,
    /// By tier: within what time a request is to be answered unless it says otherwise.
    pub deadlines: [Option<Duration>; TIERS],
}

impl CustomerBook {
    /// What a customer is entitled to.
    #[must_use]
    pub fn of(&self, name: &str) -> &Entitlement {
        self.named.get(name).unwrap_or(&self.others)
    }

    /// The deadline of a tier.
    #[must_use]
    pub fn deadline(&self, tier: u8) -> Option<Duration> {
        self.deadlines[usize::from(tier).min(TIERS - 1)]
    }
}

/// Where new books come from while the proxy serves. Asked for each request, so it must neither block nor cost
/// more than a look.
pub trait Books: Debug + Send + Sync {
    /// A book that has come since the last call.
    fn take(&self) -> Option<CustomerBook>;
}

/// How far a named customer has used up its rate.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    /// When nothing of it would be used up any more.
    clear_at: Time,
}

/// How far the named customers have used up their rates. As many as the book names, whatever clients say.
#[derive(Debug, Default)]
pub(super) struct Meters {
    by_name: BTreeMap<Box<str>, Meter>,
}

impl Meters {
    /// Makes a place for each rate of a book. What is used up stays so.
    pub(super) fn follow(&mut self, book: &CustomerBook) {
        let rated = book.named.iter().filter(|(_, entitlement)| entitlement.rate.is_some());
        self.by_name = rated
            .map(|(name, _)| (name.clone(), self.by_name.get(name).copied().unwrap_or_default()))
            .collect();
    }

    /// How long until `name` may ask, at this rate; `None` for now.
    pub(super) fn wait(&self, name: &str, rate: Rate, now: Time) -> Option<Duration> {
        let used = self.by_name.get(name)?.clear_at.since(now);
        let room = rate.interval.saturating_mul(rate.burst.saturating_sub(1));
        used.checked_sub(room).filter(|wait| !wait.is_zero())
    }

    /// Takes note of a request.
    pub(super) fn use_up(&mut self, name: &str, rate: Rate, now: Time) {
        if let Some(meter) = self.by_name.get_mut(name) {
            meter.clear_at = meter.clear_at.max(now) + rate.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(milliseconds: u64) -> Time {
        Time::ZERO + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_rate_allows_its_burst_and_then_one_an_interval() {
        let rate = Rate { interval: Duration::from_millis(100), burst: 3 };
        let limited = Entitlement { rate: Some(rate), ..Entitlement::default() };
        let named = BTreeMap::from([("a".into(), limited)]);
        let mut meters = Meters::default();
        meters.follow(&CustomerBook { named, ..CustomerBook::default() });
        let mut allowed = Vec::new();
        for now in (0..1_000).step_by(10) {
            if meters.wait("a", rate, at_ms(now)).is_none() {
                meters.use_up("a", rate, at_ms(now));
                allowed.push(now);
            }
        }
        assert_eq!(allowed, [0, 10, 20, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
        assert_eq!(meters.wait("a", rate, at_ms(910)), Some(Duration::from_millis(90)));
        assert_eq!(meters.wait("b", rate, at_ms(910)), None);
    }

    #[test]
    fn those_not_named_are_the_others() {
        let favoured = Entitlement { terms: CustomerTerms::new(9, 0), ..Entitlement::default() };
        let book = CustomerBook {
            named: BTreeMap::from([("a".into(), favoured)]),
            ..CustomerBook::default()
        };
        assert_eq!(book.of("a"), &favoured);
        assert_eq!(book.of("b"), &Entitlement::default());
        assert_eq!(book.deadline(u8::MAX), None);
    }
}
