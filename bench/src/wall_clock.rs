//! The one place where this crate reads clocks: the calendar, to date results, and the time that a run took
//! the thread that gathers its figures.
//!
//! Latencies never come from here; they take the time that an engine tells its app.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 00:00:00 UTC; 0 on a machine whose clock is before that.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a report bears the date of its run")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Measures how long the thread that gathers figures was at it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Begins to measure.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "processor time is set against real time")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// How long ago it began.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "processor time is set against real time")]
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}
