//! Every number that bounds an engine, with its unit.
//!
//! [`EngineLimits`] holds those that a plan may set; the constants below are the engines' own. What bounds an
//! app (requests, headers, queues) is the app's business and not here.

use std::time::Duration;

use crate::app::{SEND_QUEUE_HIGH_BYTES, SEND_QUEUE_LOW_BYTES};

/// Connections waiting in the kernel for an engine to accept them, per listener. The kernel lowers this to
/// `net.core.somaxconn` (4096 by default since Linux 5.4) without saying so.
pub(crate) const LISTEN_BACKLOG: i32 = 4096;

/// How long a launch waits for a port that somebody listens on, in case it is a killed process whose ring the
/// kernel is still tearing down.
pub(crate) const LISTENER_RELEASE_LIMIT: Duration = Duration::from_millis(500);

/// How often it looks.
pub(crate) const LISTENER_RELEASE_POLL: Duration = Duration::from_millis(10);

/// How long a core that ran out of descriptors or memory waits before it accepts again, unless a connection
/// closes first.
pub(crate) const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How long a core flushes and lingers on its last connections once its app has finished or the drain's
/// limit has passed.
pub(crate) const PARTING_LIMIT: Duration = Duration::from_secs(1);

/// Messages that a core takes from its mailbox in one turn. More would keep its connections waiting.
pub(crate) const MAIL_PER_TURN: usize = 1024;

/// Bytes of spare send buffers that a core keeps between turns.
pub(crate) const SPARE_SEND_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Capacity above which a send buffer is freed after use and not kept.
pub(crate) const SPARE_SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Capacity of a new send buffer. An answer of the usual size fits.
pub(crate) const SEND_BUFFER_BYTES_MIN: usize = 512;

/// Bytes that one send may name: the kernel moves at most `MAX_RW_COUNT`, a page less than 2 GiB.
pub(crate) const SEND_BYTES_MAX: usize = 1 << 30;

/// Bits of a connection's slot; see [`EngineLimits::connections`].
pub(crate) const SLOT_BITS: u32 = 24;

/// Cores that one plan may have; their index is 16 bits wide.
pub(crate) const CORES_MAX: usize = 1024;

/// Listeners that one plan may have; their index is 16 bits wide.
pub(crate) const LISTENERS_MAX: usize = 64;

const _: () = assert!(SEND_QUEUE_HIGH_BYTES < SEND_BYTES_MAX);
const _: () = assert!(SEND_QUEUE_LOW_BYTES <= SPARE_SEND_BUFFER_BYTES_MAX);
const _: () = assert!(SPARE_SEND_BUFFER_BYTES_MAX < SPARE_SEND_BYTES_MAX);
const _: () = assert!(SEND_BUFFER_BYTES_MIN < SPARE_SEND_BUFFER_BYTES_MAX);

/// What bounds the engine of each core. All sizes are per core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Connections above which a core accepts no more until one closes. Those that the app asked for count,
    /// but are never refused. Default 65,536; at most 2^24 - 1. Costs nothing until they are there.
    pub connections: u32,
    /// Buffers that the kernel receives into. A power of two, at most 32,768. Default 512.
    pub receive_buffers: u16,
    /// Bytes of one such buffer. Default 8,192; together with the number above, 4 MiB.
    pub receive_buffer_bytes: u32,
    /// Entries of the submission queue; the completion queue has four times as many. A power of two, at
    /// most 8,192. Default 1,024, which takes 128 KiB of memory that the kernel counts as locked.
    pub ring_entries: u32,
    /// Messages that wait for a core before they are returned to their senders. Default 4,096.
    pub mailbox_messages: usize,
    /// How long a core without work looks for some before it sleeps. It answers sooner and takes the whole of its
    /// CPU for it; for the engines `ring` and `tokio`. Default 0.
    pub spin: Duration,
    /// How long before a deadline of its app a core is awake and looks for other work until then. Being woken takes
    /// tens of microseconds; an app that must keep its times to the microsecond asks for more than that. For the
    /// engine `ring`. Default 0.
    pub wake_early: Duration,
    /// How long a connection that the app closed waits for its peer to close too. Default 2 s.
    pub linger: Duration,
    /// How long a connection that the app closed may go without its peer taking a byte of what is still to
    /// be sent. Default 30 s.
    pub flush_stall: Duration,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            connections: 65_536,
            receive_buffers: 512,
            receive_buffer_bytes: 8 * 1024,
            ring_entries: 1024,
            mailbox_messages: 4096,
            spin: Duration::ZERO,
            wake_early: Duration::ZERO,
            linger: Duration::from_secs(2),
            flush_stall: Duration::from_secs(30),
        }
    }
}

/// A limit outside of what an engine can keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// See [`EngineLimits::connections`].
    #[error("connections per core must be between 1 and {max}", max = (1u32 << SLOT_BITS) - 1)]
    Connections,
    /// See [`EngineLimits::receive_buffers`].
    #[error("the number of receive buffers must be a power of two between 1 and 32768")]
    ReceiveBuffers,
    /// See [`EngineLimits::receive_buffer_bytes`].
    #[error("a receive buffer must have between 64 bytes and 1 MiB")]
    ReceiveBufferBytes,
    /// See [`EngineLimits::ring_entries`].
    #[error("the number of ring entries must be a power of two between 8 and 8192")]
    RingEntries,
    /// See [`EngineLimits::mailbox_messages`].
    #[error("a mailbox must hold at least one message")]
    MailboxMessages,
}

impl EngineLimits {
    /// Checks that an engine can keep to these limits.
    pub(crate) fn check(&self) -> Result<(), LimitError> {
        if self.connections == 0 || self.connections >= 1 << SLOT_BITS {
            return Err(LimitError::Connections);
        }
        if !self.receive_buffers.is_power_of_two() {
            return Err(LimitError::ReceiveBuffers);
        }
        if !(64..=1 << 20).contains(&self.receive_buffer_bytes) {
            return Err(LimitError::ReceiveBufferBytes);
        }
        if !self.ring_entries.is_power_of_two() || !(8..=8192).contains(&self.ring_entries) {
            return Err(LimitError::RingEntries);
        }
        if self.mailbox_messages == 0 {
            return Err(LimitError::MailboxMessages);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_bounds_and_the_bounds_hold() {
        let check = |change: fn(&mut EngineLimits)| {
            let mut limits = EngineLimits::default();
            change(&mut limits);
            limits.check()
        };
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|limits| limits.connections = 0), Err(LimitError::Connections));
        assert_eq!(check(|limits| limits.connections = 1 << 24), Err(LimitError::Connections));
        assert_eq!(check(|limits| limits.receive_buffers = 3), Err(LimitError::ReceiveBuffers));
        assert_eq!(check(|limits| limits.receive_buffers = 1 << 15), Ok(()));
        assert_eq!(
            check(|limits| limits.receive_buffer_bytes = 1),
            Err(LimitError::ReceiveBufferBytes)
        );
        assert_eq!(check(|limits| limits.ring_entries = 100), Err(LimitError::RingEntries));
        assert_eq!(check(|limits| limits.mailbox_messages = 0), Err(LimitError::MailboxMessages));
    }
}
