//! Every limit of the scheduler, with its unit.
//!
//! They stand in one place so that what bounds memory and time can be read at a glance. What a user may
//! set is only the default here; [`SchedulerConfig`](crate::SchedulerConfig) carries the value in force.

use std::time::Duration;

/// Jobs queued at once, by default; about 150 bytes each once the queue has been that long.
pub const QUEUE_JOBS_MAX: usize = 65_536;

/// How long first-come-first-served holds an incomplete batch, by default.
pub const LINGER_FCFS: Duration = Duration::from_millis(50);

/// How long every other strategy holds an incomplete batch, by default.
pub const LINGER_OTHERS: Duration = Duration::ZERO;

/// A queue may hold no more jobs than there are indices into its tables; the last one means "none".
pub(crate) const JOB_INDICES: usize = u32::MAX as usize;

const _: () = assert!(QUEUE_JOBS_MAX <= JOB_INDICES);
