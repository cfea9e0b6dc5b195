//! The one place where the study reads a clock: a stopwatch for its own speed.

use std::time::Instant;

/// Measures how long something took.
#[derive(Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "the command's one clock; no result depends on it"
    )]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the start.
    #[expect(
        clippy::disallowed_methods,
        reason = "the command's one clock; no result depends on it"
    )]
    pub(super) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
