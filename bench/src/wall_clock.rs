//! The one place where this crate reads the calendar: to name a directory of results.
//!
//! Measurements never come from here; they take the time that an engine tells its app.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01 00:00:00 UTC; 0 on a machine whose clock is before that.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a report bears the date of its run")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
