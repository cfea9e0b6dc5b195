//! Every limit of the simulated world, named, with its unit.
//!
//! What varies from world to world stands in [`super::faults`]; here are the figures that do not.

use std::time::Duration;

/// Bytes of one [`Received`](ringyard_runtime::app::Event::Received) at most: what an engine's receive
/// buffer might hold.
pub(super) const RECEIVE_BYTES_MAX: u64 = 16 * 1024;

/// Pieces of one connection's input handed over in one turn at most.
pub(super) const PIECES_PER_TURN_MAX: u32 = 8;

/// Connections that may wait at one core to be accepted. More are left unanswered, as by a kernel.
pub(super) const BACKLOG_MAX: usize = 511;

/// Pause before an unanswered attempt to connect is repeated; doubles each time, as a kernel's does.
pub(super) const SYN_RETRY: Duration = Duration::from_secs(1);

/// Longest delay of the retransmissions that follow when a partition heals or a host comes back.
pub(super) const RETRANSMISSION_DELAY_MAX: Duration = Duration::from_secs(1);

/// How long a driver may take to carry out the cancelling of an attempt to connect.
pub(super) const CANCEL_DELAY_MAX: Duration = Duration::from_micros(200);

/// Bytes of a paused connection that a driver may have taken from the socket already.
pub(super) const TAKEN_BYTES_MAX: u64 = 64 * 1024;

/// Messages that one core is handed in one turn at most.
pub(super) const LETTERS_PER_TURN_MAX: usize = 64;

/// Messages returned to one app in one turn above which it is taken to resend them for ever.
pub(super) const RETURNED_PER_TURN_MAX: u32 = 100_000;

/// Byte buffers kept for the next connections.
pub(super) const SPARE_BUFFERS_MAX: usize = 256;

/// Consumed bytes at the front of a pipe's buffer above which the rest is moved to the front.
pub(super) const COMPACT_BYTES: usize = 64 * 1024;

/// Seconds since 1970 at the beginning of the world: 2023-11-14 22:13:20 UTC.
pub(super) const UNIX_SECONDS_AT_START: u64 = 1_700_000_000;

/// Bytes that an app may send on a connection between Congested and Drained before that counts as
/// going on sending. What was under way when it heard of the congestion has to fit.
pub(super) const CONGESTED_EXCESS_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that a driver may hand over on a paused connection: more was not "already taken".
pub(super) const PAUSED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Deadlines in a row, with nothing else between, each leaving a new deadline that is due at once, above
/// which an app is taken to spin.
pub(super) const SPINS_MAX: u32 = 1_000;

const _: () = assert!(RECEIVE_BYTES_MAX <= TAKEN_BYTES_MAX);
const _: () = assert!(TAKEN_BYTES_MAX < PAUSED_BYTES_MAX as u64);
