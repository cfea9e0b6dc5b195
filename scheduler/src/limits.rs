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

/// Coefficients of a cost model, in nanoseconds per unit and per batch: eleven days. It keeps every sum of
/// costs that a plan may come to finite.
pub const COST_COEFFICIENT_MAX: f64 = 1e15;

/// How much of the evidence on batch costs is kept from one observation to the next: the last fifty or so
/// decide.
pub const COST_FORGETTING: f64 = 0.98;

/// The least evidence on batch costs in any direction, in observations. It bounds how far one observation
/// moves what is hardly ever observed.
pub const COST_EVIDENCE_MIN: f64 = 0.05;

/// Observations before another kind of cost model than the first may be chosen.
pub const COST_OBSERVATIONS_MIN: u64 = 16;

/// Another kind of cost model takes over when its error is below this part of the present one's.
pub const COST_SWITCH_ADVANTAGE: f64 = 0.5;

/// Waiting jobs that the anchor's batch looks at to fill itself.
pub const RIDERS_LOOKED_AT_MAX: usize = 256;

/// Jobs that a plan covers: the shortest.
pub const PLAN_JOBS_MAX: usize = 512;

/// Batches that a plan covers, counted as if every job had one sequence. It keeps plans for small batches,
/// whose effort grows with the number of batches, as cheap as those for large ones.
pub const PLAN_BATCHES_MAX: usize = 32;

/// Jobs up to which a plan is sought by trying every first batch; the effort grows with the cube.
pub const PLAN_FIRST_BATCHES_MAX: usize = 24;

/// Lengths told apart where jobs are kept by length, in characters; longer jobs count as equally long.
pub(crate) const LENGTHS_MAX: u32 = 1 << 18;

/// A queue may hold no more jobs than there are indices into its tables; the last one means "none".
pub(crate) const JOB_INDICES: usize = u32::MAX as usize;

const _: () = assert!(QUEUE_JOBS_MAX <= JOB_INDICES);
