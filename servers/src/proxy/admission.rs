//! Whether a request may join the queue: not if it would wait too long there.
//!
//! The wait is predicted from how fast the backends have worked off requests of late. Batches that took long
//! weigh as much as the time they took, so the prediction is a ratio of sums, not a mean of ratios.

use std::time::Duration;

/// What part of the sums a batch leaves standing: the last ten batches or so count.
const MEMORY: f64 = 0.9;

/// The measured pace of the backends.
#[derive(Debug, Default)]
pub(super) struct Pace {
    busy_seconds: f64,
    requests: f64,
}

impl Pace {
    /// Takes note of a batch: how long the backend had it, and of how many requests it was.
    pub(super) fn record(&mut self, duration: Duration, requests: usize) {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        self.busy_seconds = self.busy_seconds * MEMORY + duration.as_secs_f64();
        self.requests = self.requests * MEMORY + f64::from(requests);
    }

    /// How long a request would wait behind `waiting` others while `lanes` batches can be in flight. Zero
    /// before anything was measured.
    pub(super) fn predicted_wait(&self, waiting: usize, lanes: usize) -> Duration {
        if self.requests <= 0.0 {
            return Duration::ZERO;
        }
        let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
        let lanes = f64::from(u32::try_from(lanes.max(1)).unwrap_or(u32::MAX));
        let seconds = waiting * self.busy_seconds / self.requests / lanes;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_work_ahead_over_the_lanes() {
        let mut pace = Pace::default();
        assert_eq!(pace.predicted_wait(1000, 1), Duration::ZERO);
        for _ in 0..100 {
            pace.record(Duration::from_millis(50), 5);
        }
        let wait = pace.predicted_wait(100, 2);
        assert!(wait.abs_diff(Duration::from_millis(500)) < Duration::from_millis(1), "{wait:?}");
    }

    #[test]
    fn long_batches_weigh_as_much_as_they_last() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.record(Duration::from_millis(1), 1);
            pace.record(Duration::from_millis(99), 1);
        }
        let wait = pace.predicted_wait(10, 1);
        assert!(wait.abs_diff(Duration::from_millis(500)) < Duration::from_millis(50), "{wait:?}");
    }
}
