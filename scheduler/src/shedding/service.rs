//! What a job takes a worker, learned from what jobs have taken of late.
//!
//! What was said at first counts as one job, so that the first jobs that are done weigh as much as it; later each new one
//! counts for a tenth. A job that was cut off says as much as the part of it that was done: a server whose every job is
//! cut off for taking too long would otherwise go on believing that it is quick.

use std::time::Duration;

use crate::limits::{SHED_PART_MIN, SHED_SERVICE_KEPT};

/// A mean of recent jobs.
#[derive(Debug)]
pub(super) struct ServiceTime {
    mean: Duration,
    /// How many jobs the mean stands for.
    evidence: f64,
}

impl ServiceTime {
    /// As it is said to be, before any job was done.
    pub(super) fn new(said: Duration) -> Self {
        Self { mean: said, evidence: 1.0 }
    }

    pub(super) fn mean(&self) -> Duration {
        self.mean
    }

    /// A worker took so long for this part of a job, 1 being all of it.
    pub(super) fn observe(&mut self, worked: Duration, part: f64) {
        if !(SHED_PART_MIN..=1.0).contains(&part) {
            return;
        }
        self.evidence = self.evidence * SHED_SERVICE_KEPT + part;
        let share = part / self.evidence;
        self.mean = self.mean.mul_f64(1.0 - share) + worked.mul_f64(share / part);
    }
}
