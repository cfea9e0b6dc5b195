//! The limit that learns: how many jobs may be admitted so that a queue forms, but a short one.
//!
//! After each job the limit moves towards `limit * gradient + sqrt(limit)`, where the gradient is the time that a job was
//! worked on over the time it took in all. With nobody waiting the gradient is 1 and the limit grows by its square root;
//! the longer the queue, the smaller the gradient. For one worker it comes to rest at 2.6 jobs, for many at the
//! workers and the square root of what is admitted. Dividing by the work itself keeps a change in how long jobs are
//! from looking like a change in load. It does not grow where nobody asks for more: what a quiet hour shows of a limit is
//! nothing.
//!
//! How long clients wait it cannot know, only that some have left: jobs that were cut off, and would not have been
//! without their wait, show that fewer should have been admitted. So there is a ceiling above the limit, which comes
//! down to below the limit with each of them and goes up by little with each job that was done, in such a proportion that
//! at rest [`SHED_CUT_OFF_PART`] of the work is cut off.

use std::time::Duration;

use crate::limits::{
    SHED_CEILING_STEP, SHED_CUT_OFF_PART, SHED_GRADIENT_MIN, SHED_LIMIT_MAX, SHED_LIMIT_STEP,
    SHED_LIMIT_USED,
};

/// The limit.
#[derive(Debug)]
pub(super) struct Gradient {
    limit: f64,
    least: f64,
    ceiling: f64,
}

impl Gradient {
    /// Where every worker may be busy and one job may wait. It never comes to less: a worker that is done must not
    /// have to wait for somebody to come.
    pub(super) fn new(workers: usize) -> Self {
        let workers = f64::from(u32::try_from(workers).unwrap_or(u32::MAX));
        Self { limit: workers + 1.0, least: workers + 1.0, ceiling: SHED_LIMIT_MAX }
    }

    pub(super) fn limit(&self) -> f64 {
        self.limit
    }

    /// Whether one more may be admitted beside `admitted`.
    pub(super) fn has_room_for(&self, admitted: usize) -> bool {
        let admitted = f64::from(u32::try_from(admitted).unwrap_or(u32::MAX));
        admitted + 1.0 <= self.limit
    }

    /// A job was worked on for `worked` of the `sojourn` that it took, and is one of `admitted`.
    pub(super) fn observe(&mut self, sojourn: Duration, worked: Duration, admitted: usize) {
        self.ceiling *= 1.0 + SHED_CEILING_STEP * SHED_CUT_OFF_PART;
        self.ceiling = self.ceiling.min(SHED_LIMIT_MAX.max(self.least));
        if sojourn.is_zero() {
            return;
        }
        let admitted = f64::from(u32::try_from(admitted).unwrap_or(u32::MAX));
        let gradient = worked.div_duration_f64(sojourn).clamp(SHED_GRADIENT_MIN, 1.0);
        let wanted = self.limit * gradient + self.limit.sqrt();
        if wanted > self.limit && admitted < self.limit * SHED_LIMIT_USED {
            return;
        }
        self.limit += SHED_LIMIT_STEP * (wanted - self.limit);
        self.limit = self.limit.clamp(self.least, self.ceiling);
    }

    /// A job was cut off, this part of it done in vain, because it had waited.
    pub(super) fn cut_off(&mut self, part: f64) {
        self.ceiling = self.ceiling.min(self.limit) * (1.0 - SHED_CEILING_STEP * part);
        self.ceiling = self.ceiling.max(self.least);
        self.limit = self.limit.min(self.ceiling);
    }
}
