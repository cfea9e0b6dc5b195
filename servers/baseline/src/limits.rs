//! The bounds that this server has of its own; those of requests and queues come with its configuration.

use std::time::Duration;

/// Connections waiting in the kernel to be accepted.
pub(crate) const LISTEN_BACKLOG: u32 = 4096;

/// Pause after an accept that failed for want of descriptors or memory.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How long a refused connection waits for its peer to close, dropping what still arrives.
pub(crate) const LINGER: Duration = Duration::from_secs(2);

/// Bytes that hyper must be given for a head at the least; it panics below.
pub(crate) const HEAD_BYTES_MIN: usize = 8192;

/// Idle connections to a backend are kept this long.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(60);

/// How long `GET /readyz` tries to connect to a backend.
pub(crate) const READY_CONNECT: Duration = Duration::from_millis(500);

/// How long tasks may take to end once the server has.
pub(crate) const SHUTDOWN: Duration = Duration::from_millis(500);
