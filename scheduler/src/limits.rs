//! Every limit of the scheduler, with its unit.
//!
//! They stand in one place so that what bounds memory and time can be read at a glance. What a user may
//! set is only the default here; [`SchedulerConfig`](crate::SchedulerConfig) carries the value in force.

use std::time::Duration;

use crate::auto::Bounds;

/// Jobs queued at once, by default; about 150 bytes each once the queue has been that long.
pub const QUEUE_JOBS_MAX: usize = 65_536;

/// How long first-come-first-served holds an incomplete batch, by default.
pub const LINGER_FCFS: Duration = Duration::from_millis(50);

/// How long every other strategy holds an incomplete batch, by default.
pub const LINGER_OTHERS: Duration = Duration::ZERO;

/// Coefficients of a cost model, in nanoseconds per unit and per batch: eleven days. It keeps every sum of
/// costs that a plan may come to finite.
pub const COST_COEFFICIENT_MAX: f64 = 1e15;

/// How much less a waiting job costs, by default, for each unit of time that it has waited: a job is
/// overtaken only for as long as five times what it costs more than the other. With planned batches this halves the
/// longest waits of long jobs, and the mean stays what it is.
pub const AGEING_COST_PER_WAIT: f64 = 0.2;

/// How long a job waits under shortest-first with ageing, by default, before it goes first whatever it costs.
pub const AGEING_WAIT_MAX: Duration = Duration::from_secs(10);

/// The most that age can multiply a job's weight by in a plan.
pub const AGEING_WEIGHT_MAX: f64 = 1_024.0;

/// Tiers told apart; the last takes all beyond.
pub const TIERS: usize = 8;

/// A tier that others go before is owed one nanosecond for every so many that are served before it.
pub const TIER_TRICKLE: u64 = 16;

/// How much `auto` keeps of what it has seen from one job to the next: the last two hundred or so decide.
pub const AUTO_FORGETTING: f64 = 0.995;

/// How long a choice of `auto` stands at least.
pub const AUTO_DWELL: Duration = Duration::from_secs(2);

/// How many times as long as alone a job takes that counts as slow.
pub const AUTO_SLOWDOWN_HIGH: f64 = 20.0;

/// The spread of costs, as standard deviation over mean, at which lengths count as different.
pub(crate) const AUTO_DISPERSION: Bounds = Bounds { appears: 1.0, vanishes: 0.6 };

/// Customers backlogged at once that count as a crowd.
pub const AUTO_CUSTOMERS: usize = 2;

/// The part of decisions that find a crowd at which several customers count as waiting. Served fairly, one that asks
/// for little is seldom found waiting, and is still to be served so.
pub(crate) const AUTO_CROWDED: Bounds = Bounds { appears: 0.3, vanishes: 0.1 };

/// The part of jobs that are slow at which the tail counts as slow.
pub(crate) const AUTO_SLOW_PART: Bounds = Bounds { appears: 0.05, vanishes: 0.01 };

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

/// Sequences of a batch up to which plans over so few jobs pack batches exactly; the effort grows with both.
pub const PLAN_PACKED_SEQUENCES_MAX: u32 = 64;

/// Jobs that wait before a [`ShedQueue`](crate::shedding::ShedQueue) whatever its policy.
pub const SHED_WAITING_MAX: usize = 4_096;

/// How long a job may be predicted to wait in a crowd under `codel-lifo`, in jobs' own times.
pub const SHED_TARGET_SERVICES: u32 = 1;

/// How long it may wait otherwise, and how long a crowd lasts that counts as overload, likewise.
pub const SHED_INTERVAL_SERVICES: u32 = 2;

/// How much of what is known of a job's time is kept from one job to the next.
pub const SHED_SERVICE_KEPT: f64 = 0.9;

/// The least part of a job that was cut off from which it can be told how long all of it would have taken.
pub const SHED_PART_MIN: f64 = 0.1;

/// Jobs that the `adaptive` policy may come to admit.
pub const SHED_LIMIT_MAX: f64 = 1_024.0;

/// The part of the learned limit that must be admitted for it to grow.
pub const SHED_LIMIT_USED: f64 = 0.5;

/// How far the learned limit moves at once towards what a job's time asks for.
pub const SHED_LIMIT_STEP: f64 = 0.2;

/// How far the ceiling of the learned limit comes down for a job cut off after all of its work, as a part of it.
pub const SHED_CEILING_STEP: f64 = 0.1;

/// The part of the work that the learned limit puts up with being cut off.
pub const SHED_CUT_OFF_PART: f64 = 0.01;

/// The least that one job's time can make of the learned limit.
pub const SHED_GRADIENT_MIN: f64 = 0.1;

/// Lengths told apart where jobs are kept by length, in characters; longer jobs count as equally long.
pub(crate) const LENGTHS_MAX: u32 = 1 << 18;

/// A queue may hold no more jobs than there are indices into its tables; the last one means "none".
pub(crate) const JOB_INDICES: usize = u32::MAX as usize;

const _: () = assert!(QUEUE_JOBS_MAX <= JOB_INDICES);
