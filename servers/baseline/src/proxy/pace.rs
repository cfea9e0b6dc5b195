//! How fast the backends have been of late, and so how long one more request would wait.

use std::time::Duration;

/// What part of what was measured a further batch leaves standing.
const MEMORY: f64 = 0.9;

/// The pace of the backends, as fading sums.
#[derive(Debug, Default)]
pub(super) struct Pace {
    busy_seconds: f64,
    requests: f64,
}

impl Pace {
    /// A batch of so many requests took so long.
    pub(super) fn record(&mut self, took: Duration, requests: usize) {
        let requests = u32::try_from(requests).unwrap_or(u32::MAX);
        self.busy_seconds = self.busy_seconds * MEMORY + took.as_secs_f64();
        self.requests = self.requests * MEMORY + f64::from(requests);
    }

    /// How long a request would wait behind `waiting` others, with `lanes` batches in flight at a time.
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
        assert_eq!(pace.predicted_wait(10, 1), Duration::ZERO);
        pace.record(Duration::from_millis(50), 5);
        let wait = pace.predicted_wait(100, 2);
        assert!(wait.abs_diff(Duration::from_millis(500)) < Duration::from_millis(1), "{wait:?}");
    }
}
