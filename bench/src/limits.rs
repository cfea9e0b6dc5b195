//! Every bound of this crate, with its unit and its reason.

use std::time::Duration;

/// Characters in one generated text. With the classifier's quadratic cost this is already 4,295 seconds.
pub const TEXT_CHARACTERS_MAX: u32 = 65_536;

/// Sequences in one request, as the contract has it.
pub const SEQUENCES_PER_REQUEST_MAX: u32 = 5;

/// Customers in one workload.
pub const CUSTOMERS_MAX: usize = 64;

/// Connections of one core's generator; each takes about half a KiB.
pub const CONNECTIONS_PER_CORE_MAX: u32 = 65_536;

/// Addresses that a generator may be told to connect from: a /22 of them, with tens of millions of ports.
pub const SOURCES_MAX: usize = 1_024;

/// The longest latency that is told apart from longer ones.
pub const LATENCY_MAX: Duration = Duration::from_secs(3_600);

/// Significant decimal digits of a recorded latency: quantiles are within 0.1 %.
pub const LATENCY_DIGITS: u8 = 3;

/// Points kept of one customer's run for the picture; further requests still count in every figure.
pub const POINTS_PER_CUSTOMER_MAX: usize = 20_000;

/// The shortest service time that a slowdown is taken against. Below it a request costs what its way
/// there and back costs, and the quotient would say more about the loopback than about the queue.
pub const SLOWDOWN_SERVICE_MIN: Duration = Duration::from_millis(1);

/// Bytes of one answer, headers and body.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How long a connection that was lost or refused waits at first before it is tried again; doubled
/// with each failure in a row.
pub const RECONNECT_WAIT_MIN: Duration = Duration::from_millis(5);

/// The longest that it waits.
pub const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(1);

const _: () = assert!(RECONNECT_WAIT_MIN.as_nanos() < RECONNECT_WAIT_MAX.as_nanos());

/// How many times within one timeout the generator looks at most for requests that have exceeded it: a timeout
/// is noticed at most this part of it too late.
pub const TIMEOUT_SWEEPS: u32 = 1_000;

/// Requests under way on one connection.
pub const PIPELINE_DEPTH_MAX: u32 = 1_024;

/// Bytes of an answer that the load generator recognises when it comes again, unparsed.
pub const REPEATED_ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The longest run of the load generator; one that is told no duration ends by then.
pub const LOAD_DURATION_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Intervals of a run that are kept for its report. Later ones still count in every figure.
pub const INTERVALS_MAX: usize = 24 * 3_600;

/// Instants of one trace; each takes 16 bytes.
pub const TRACE_INSTANTS_MAX: usize = 10_000_000;
