//! Every limit and time-out of the servers, named, with its unit and default.
//!
//! Limits of the wire format (header bytes, body bytes and the like) are the protocol's own:
//! `ringyard_protocol::limits`. Limits of an engine (connections, buffers) are the runtime's.

use std::time::Duration;

/// Requests of one connection that may be parsed and unanswered at once. Further pipelined requests wait
/// in the connection's buffer, and the peer's window fills.
pub const PIPELINED_REQUESTS_MAX: usize = 128;

/// Bytes of a body that are let by when its request was refused for what its head says; a longer one ends the
/// connection.
pub const UNWANTED_BODY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of answers after which a connection's further requests wait for the end of the turn, by when the
/// driver has said whether the client reads.
pub const ANSWER_BYTES_AT_ONE_GO: usize = 64 * 1024;

/// Header lines of one answer beside those that every answer has.
pub const ANSWER_HEADERS_MAX: usize = 12;

/// From the first byte of a request to the end of its head.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// From the last answer (or from the connection's start) to the first byte of the next request.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// Between two arrivals of bytes of one body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a peer may leave a congested connection without reading.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// While draining: how long a connection that has not carried a request yet may still bring its first.
pub const DRAIN_FIRST_REQUEST_GRACE: Duration = Duration::from_millis(500);

/// Sequences in one classifier request, by default: the contract's 1 to 5.
pub const SEQUENCES_PER_REQUEST_MAX: u32 = 5;

/// The most that `--max-items` may ask for: the labels of one request are kept as the bits of one word.
pub const SEQUENCES_PER_REQUEST_CEILING: u32 = 64;

/// Sequences in one batch to a backend, by default.
pub const BATCH_SEQUENCES_MAX: u32 = 5;

/// The most sequences a batch may be configured to have.
pub const BATCH_SEQUENCES_CEILING: u32 = 4096;

/// Bytes of a customer's name in `X-Customer-Id`.
pub const CUSTOMER_NAME_BYTES_MAX: usize = 128;

/// Milliseconds that a client may say in `X-Deadline-Ms` that it will wait: a day.
pub const PATIENCE_MS_MAX: u64 = 86_400_000;

/// Jobs waiting in the proxy's queue.
pub const QUEUE_JOBS_MAX: usize = 16_384;

/// Bytes of the texts in the proxy's queue.
pub const QUEUE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Jobs that may always wait, however slow the backends: a burst this small is never refused for its
/// predicted wait.
pub const QUEUE_JOBS_ALWAYS: usize = 64;

/// Predicted wait in the queue above which a request is refused at once, when more than
/// [`QUEUE_JOBS_ALWAYS`] wait. Also how long after an overload the last queued request is answered.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_millis(500);

/// In a queue that stands, whoever has waited for longer than so many batches take is refused, where that was
/// asked for.
pub const CODEL_TARGET_BATCHES: u32 = 4;

/// A queue stands if its oldest has waited for too long for as long as so many batches take.
pub const CODEL_INTERVAL_BATCHES: u32 = 20;

/// The shortest wait that counts as too long.
pub const CODEL_TARGET_MIN: Duration = Duration::from_millis(5);

/// Decisions kept for `GET /debug/decisions`, by default.
pub const DECISIONS_KEPT: u32 = 256;

/// The most decisions that may be asked to be kept.
pub const DECISIONS_KEPT_CEILING: u32 = 1_024;

/// Members of a batch that are kept of one decision, the first; of the others their number is.
pub const DECISION_MEMBERS_KEPT: usize = 64;

/// From a request's arrival to its answer; past it the answer is 504.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// How long queued requests wait for an unreachable backend to come back before they are answered 502.
pub const BACKEND_GRACE: Duration = Duration::from_secs(1);

/// An attempt to connect to a backend is given up after this.
pub const BACKEND_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause before the first new attempt to connect; doubles up to [`BACKEND_RECONNECT_MAX`].
pub const BACKEND_RECONNECT_MIN: Duration = Duration::from_millis(20);

/// Longest pause between two attempts to connect. Well under a second, so that service is normal again
/// within a second of a backend's return.
pub const BACKEND_RECONNECT_MAX: Duration = Duration::from_millis(400);

/// How long a connection to a backend may have been idle and still carry a batch. After that it is replaced
/// first: the backend may be about to close it, or gone without a word, and the batch would be lost with it.
/// Below the 5 s after which common servers close what is idle.
pub const BACKEND_IDLE_MAX: Duration = Duration::from_secs(4);

/// Batches in flight at one backend, by default: one, as a single accelerator wants it.
pub const BACKEND_CONCURRENCY: u32 = 1;

/// The most batches in flight that one backend may be configured to have.
pub const BACKEND_CONCURRENCY_CEILING: u32 = 1024;

/// Batches that may follow one another on one connection to a backend before the first is answered, by default.
/// One: HTTP/1.1 has answers come in the order of the requests, so a batch would wait for those before it, and
/// many servers of models work on one connection's requests one by one.
pub const BACKEND_PIPELINE: u32 = 1;

/// Bytes of a backend's reply.
pub const BACKEND_REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Pause before a message that found a full mailbox is sent again.
pub const MAIL_RETRY: Duration = Duration::from_millis(1);

/// Buffers kept for reuse by one pool.
pub const POOLED_BUFFERS_MAX: usize = 1024;

/// Bytes above which a buffer is given back to the allocator instead of its pool.
pub const POOLED_BUFFER_BYTES_MAX: usize = 16 * 1024;

/// What a compute worker does before it looks for mail: the longest that it works on for nobody.
pub const COMPUTE_STEP: Duration = Duration::from_millis(1);

/// How long each of the timings lasts by which it is found how many links make up a request.
pub const COMPUTE_CALIBRATION: Duration = Duration::from_millis(10);

/// Links of one such timing.
pub const COMPUTE_CALIBRATION_LINKS_MAX: u64 = 1 << 24;

/// How many timings there are, of which the median counts: half a second in all or a little more.
pub const COMPUTE_CALIBRATIONS: usize = 35;

const _: () = assert!(SEQUENCES_PER_REQUEST_MAX <= SEQUENCES_PER_REQUEST_CEILING);
const _: () = assert!(SEQUENCES_PER_REQUEST_CEILING <= u64::BITS);
const _: () = assert!(DECISIONS_KEPT <= DECISIONS_KEPT_CEILING);
const _: () = assert!(BATCH_SEQUENCES_MAX <= BATCH_SEQUENCES_CEILING);
const _: () = assert!(QUEUE_JOBS_ALWAYS <= QUEUE_JOBS_MAX);
const _: () = assert!(BACKEND_RECONNECT_MIN.as_millis() <= BACKEND_RECONNECT_MAX.as_millis());

/// How patient a server is with its clients. Each field is a flag of the command line.
#[derive(Clone, Copy, Debug)]
pub struct ClientTimeouts {
    /// See [`HEADER_TIMEOUT`].
    pub header: Duration,
    /// See [`IDLE_TIMEOUT`].
    pub idle: Duration,
    /// See [`BODY_TIMEOUT`].
    pub body: Duration,
    /// See [`SEND_TIMEOUT`].
    pub send: Duration,
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self { header: HEADER_TIMEOUT, idle: IDLE_TIMEOUT, body: BODY_TIMEOUT, send: SEND_TIMEOUT }
    }
}
