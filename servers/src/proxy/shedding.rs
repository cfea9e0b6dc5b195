//! Controlled delay: telling a queue that absorbs a burst from one that stands.
//!
//! A queue in which even the one that has waited longest is served soon is healthy. If it has stood for longer
//! than [`CODEL_INTERVAL_BATCHES`] batches take, whoever has waited for more than [`CODEL_TARGET_BATCHES`] of
//! them is refused, and of the others the newest is served first where the strategy goes by arrival: it can still be
//! answered soon. That lasts until for as long again nobody has waited too long. Both times are counted in batches,
//! so that what is called soon follows what batches cost.

use std::time::Duration;

use ringyard_runtime::app::Time;

use crate::limits::{CODEL_INTERVAL_BATCHES, CODEL_TARGET_BATCHES, CODEL_TARGET_MIN};

/// How much of the mean time of batches is kept from one to the next.
const MEMORY: f64 = 0.9;

/// Whether the queue stands.
#[derive(Debug, Default)]
pub(super) struct Codel {
    /// Discounted sums of the time between batches, in seconds, and of their number.
    seconds: f64,
    batches: f64,
    /// Since when the oldest has waited for too long.
    above_since: Option<Time>,
    /// Until when it counts as standing, if nobody waits for too long any more.
    stands_until: Option<Time>,
}

impl Codel {
    /// A batch has left a queue that was not empty, so long after the one before.
    pub(super) fn record(&mut self, gap: Duration) {
        self.seconds = self.seconds * MEMORY + gap.as_secs_f64();
        self.batches = self.batches * MEMORY + 1.0;
    }

    /// How long one waits that waits for so many batches.
    fn batches_take(&self, count: u32) -> Duration {
        let seconds = self.seconds / self.batches.max(1.0) * f64::from(count);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// How long somebody may have waited and still be served; `None` for however long, where the queue does not
    /// stand. `oldest` is the arrival of the one that has waited longest, at a time when a batch could leave.
    pub(super) fn wait_max(&mut self, oldest: Option<Time>, now: Time) -> Option<Duration> {
        let Some(arrived) = oldest else {
            (self.above_since, self.stands_until) = (None, None);
            return None;
        };
        let target = self.batches_take(CODEL_TARGET_BATCHES).max(CODEL_TARGET_MIN);
        let interval = self.batches_take(CODEL_INTERVAL_BATCHES).max(CODEL_TARGET_MIN);
        let stands = self.stands_until.is_some_and(|until| now < until);
        if now.since(arrived) <= target {
            self.above_since = None;
        } else {
            let since = *self.above_since.get_or_insert(now);
            if stands || now.since(since) >= interval {
                self.stands_until = Some(now + interval);
                return Some(target);
            }
        }
        stands.then_some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_millis(20);

    fn codel() -> Codel {
        let mut codel = Codel::default();
        (0..100).for_each(|_| codel.record(GAP));
        codel
    }

    #[test]
    fn a_burst_is_let_through_and_a_standing_queue_is_not() {
        let mut codel = codel();
        let start = Time::ZERO + Duration::from_secs(9);
        let (target, interval) = (GAP * CODEL_TARGET_BATCHES, GAP * CODEL_INTERVAL_BATCHES);
        let waited = |now: Time, wait: Duration| Some(now - wait);
        let late = target + Duration::from_millis(5);
        assert_eq!(codel.wait_max(waited(start, late), start), None, "not for long");
        let now = start + interval / 2;
        assert_eq!(codel.wait_max(waited(now, target / 2), now), None, "a burst that has passed");
        let again = now + GAP;
        assert_eq!(codel.wait_max(waited(again, late), again), None);
        let now = again + interval;
        let limit = codel.wait_max(waited(now, late), now).expect("it stands");
        assert!(limit.abs_diff(target) < Duration::from_millis(1), "{limit:?}");
        assert_eq!(codel.wait_max(None, now), None, "an empty queue does not stand");
    }

    #[test]
    fn slow_batches_make_for_patience() {
        let mut slow = Codel::default();
        (0..100).for_each(|_| slow.record(Duration::from_secs(1)));
        let now = Time::ZERO + Duration::from_secs(100);
        let oldest = Some(now - Duration::from_millis(900) * CODEL_TARGET_BATCHES);
        for later in [Duration::ZERO, Duration::from_secs(1) * CODEL_INTERVAL_BATCHES] {
            assert_eq!(slow.wait_max(oldest.map(|oldest| oldest + later), now + later), None);
        }
    }
}
