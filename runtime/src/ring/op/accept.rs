//! Accept: takes connections from a listener, over and over or once.
//!
//! The completion of an accept *is* a descriptor, also when the accept was cancelled in the meantime, so
//! whoever takes the completion must take the descriptor.

#![expect(unsafe_code, reason = "submits an operation; takes descriptors from its completions")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use io_uring::opcode;
use io_uring::types::Fd;

use super::{Completion, Kind, Token};
use crate::app::ConnId;
use crate::ring::queue::Queue;

/// How many connections an accept takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ring) enum Times {
    /// One.
    Once,
    /// All that come, until it fails or is cancelled.
    Always,
}

/// Whom the accept on listener `index` belongs to.
pub(in crate::ring) fn token(index: u16) -> Token {
    Token { kind: Kind::Accept, id: ConnId { slot: u32::from(index), generation: 0 } }
}

/// Accepts on `listener`, the one of `index`, which must be in blocking mode: io_uring waits for no other.
/// The listener stays open until the terminal completion.
pub(in crate::ring) fn submit(
    queue: &mut Queue,
    listener: BorrowedFd<'_>,
    index: u16,
    times: Times,
) {
    let listener = Fd(listener.as_raw_fd());
    let entry = match times {
        Times::Once => opcode::Accept::new(listener, ptr::null_mut(), ptr::null_mut())
            .flags(libc::SOCK_CLOEXEC)
            .build(),
        Times::Always => opcode::AcceptMulti::new(listener).flags(libc::SOCK_CLOEXEC).build(),
    };
    // SAFETY: the entry points to no memory.
    unsafe { queue.push(token(index), entry) };
}

/// The listener and the connection of a completion, or the error number.
///
/// Called once for each completion of an accept.
pub(in crate::ring) fn complete(completion: &Completion) -> (u16, Result<OwnedFd, i32>) {
    debug_assert_eq!(completion.token.kind, Kind::Accept);
    let index = u16::try_from(completion.token.id.slot).expect("listeners have 16-bit indices");
    let accepted = completion.outcome().map(|_| {
        // SAFETY: the kernel made this descriptor for this completion, and nobody else has taken it.
        unsafe { OwnedFd::from_raw_fd(completion.result) }
    });
    (index, accepted)
}
