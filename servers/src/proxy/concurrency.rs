//! How many batches one backend should have in flight: as many as it works on without making them wait.
//!
//! What is judged is not how long a batch took but how much longer than it was predicted to, beside the best
//! that was seen. So a change in the mix of lengths does not look like overload. More in flight is tried only
//! while all that are allowed are in use.

use std::time::Duration;

use ringyard_scheduler::cost::Cost;

use super::config::ConcurrencyRule;

/// How many times the best a batch may take before its backend counts as overloaded.
const TOLERANCE: f64 = 2.0;

/// What additive increase, multiplicative decrease leaves of the limit.
const DECREASE: f64 = 0.8;

/// The most that the gradient takes away at once, as a part of the limit.
const GRADIENT_MIN: f64 = 0.5;

/// How much of the gradient's new limit counts at once.
const SMOOTHING: f64 = 0.2;

/// How much a batch that was alone in flight counts for what is the best to be had. A backend that becomes
/// slower has its limit lowered until its batches are alone, and is then judged anew.
const ALONE_WEIGHT: f64 = 0.1;

/// How many batches one backend may have in flight.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    rule: ConcurrencyRule,
    max: f64,
    limit: f64,
    /// Time over prediction of batches that nothing makes wait; none before the first batch.
    best: Option<f64>,
}

impl Limiter {
    /// Begins with one batch in flight, or with `max` where the rule is to stay there.
    pub(super) fn new(rule: ConcurrencyRule, max: u32) -> Self {
        let max = f64::from(max);
        let limit = if rule == ConcurrencyRule::Fixed { max } else { 1.0 };
        Self { rule, max, limit, best: None }
    }

    /// Batches that may be in flight now.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to max")]
    pub(super) fn allowed(&self) -> usize {
        self.limit as usize
    }

    /// A batch that was predicted to cost `predicted` took so long, with so many in flight, itself among
    /// them.
    pub(super) fn observe(&mut self, predicted: Cost, took: Duration, in_flight: usize) {
        let ratio = took.as_secs_f64() / predicted.duration().as_secs_f64().max(1e-9);
        let best = match self.best {
            None => ratio,
            Some(best) if in_flight <= 1 => best + ALONE_WEIGHT * (ratio - best),
            Some(best) => best.min(ratio),
        };
        self.best = Some(best);
        let slowdown = if best > 0.0 { ratio / best } else { 1.0 };
        let in_use = in_flight >= self.allowed();
        let next = match self.rule {
            ConcurrencyRule::Fixed => self.limit,
            ConcurrencyRule::Aimd if slowdown > TOLERANCE => self.limit * DECREASE,
            ConcurrencyRule::Aimd if in_use => self.limit + 1.0 / self.limit,
            ConcurrencyRule::Gradient => {
                let gradient = (TOLERANCE / slowdown).clamp(GRADIENT_MIN, 1.0);
                let grows = in_use && slowdown <= TOLERANCE;
                let room = if grows { self.limit.sqrt() } else { 0.0 };
                let target = self.limit * gradient + room;
                self.limit + SMOOTHING * (target - self.limit)
            }
            ConcurrencyRule::Aimd => self.limit,
        };
        self.limit = next.clamp(1.0, self.max);
    }

    /// A batch was lost.
    pub(super) fn failed(&mut self) {
        if self.rule != ConcurrencyRule::Fixed {
            self.limit = (self.limit * DECREASE).max(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backend that works on `capacity` batches at once and makes the others wait: the limit that comes of
    /// it, least and greatest over the last batches. Lengths change all the time.
    fn settle(rule: ConcurrencyRule, capacity: f64) -> (usize, usize) {
        let mut limiter = Limiter::new(rule, 64);
        let (mut least, mut greatest) = (usize::MAX, 0);
        for round in 0..4_000u64 {
            let cost = Cost(1_000_000 * (1 + round * 7 % 100));
            let in_flight = limiter.allowed();
            let load = f64::from(u32::try_from(in_flight).unwrap()) / capacity;
            limiter.observe(cost, cost.duration().mul_f64(load.max(1.0)), in_flight);
            if round > 3_000 {
                least = least.min(limiter.allowed());
                greatest = greatest.max(limiter.allowed());
            }
        }
        (least, greatest)
    }

    #[test]
    fn the_limit_settles_about_what_the_backend_can_do() {
        for rule in [ConcurrencyRule::Aimd, ConcurrencyRule::Gradient] {
            let (least, greatest) = settle(rule, 8.0);
            assert!(least >= 8 && greatest <= 24, "{rule:?}: {least} to {greatest}");
        }
        assert_eq!(settle(ConcurrencyRule::Fixed, 8.0), (64, 64));
    }

    #[test]
    fn a_backend_that_becomes_slower_is_judged_anew() {
        for rule in [ConcurrencyRule::Aimd, ConcurrencyRule::Gradient] {
            let mut limiter = Limiter::new(rule, 8);
            for slowness in [1, 10] {
                let took = Duration::from_millis(slowness);
                for _ in 0..500 {
                    limiter.observe(Cost(1_000_000), took, limiter.allowed());
                }
                assert_eq!(limiter.allowed(), 8, "{rule:?}: it makes nobody wait");
            }
        }
    }

    #[test]
    fn idle_backends_are_not_tried_with_more_and_lost_batches_count() {
        for rule in [ConcurrencyRule::Aimd, ConcurrencyRule::Gradient] {
            let mut limiter = Limiter::new(rule, 64);
            (0..100).for_each(|_| limiter.observe(Cost(1_000), Duration::from_micros(1), 9));
            let before = limiter.allowed();
            (0..100).for_each(|_| limiter.observe(Cost(1_000), Duration::from_micros(1), 0));
            assert_eq!(limiter.allowed(), before);
            (0..100).for_each(|_| limiter.failed());
            assert_eq!(limiter.allowed(), 1);
        }
    }
}
