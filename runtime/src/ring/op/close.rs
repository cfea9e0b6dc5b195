//! Close: gives a descriptor back along with whatever else is submitted, without a system call of its own.

#![expect(unsafe_code, reason = "submits an operation that closes a descriptor")]

use std::os::fd::{IntoRawFd, OwnedFd};

use io_uring::types::Fd;
use io_uring::{opcode, squeue};

use super::{Kind, Token};
use crate::app::ConnId;
use crate::ring::queue::Queue;

/// Closes `descriptor`, which was that of `conn`. No operation may be using it, or it stays open until that
/// one ends.
pub(in crate::ring) fn submit(queue: &mut Queue, descriptor: OwnedFd, conn: ConnId) {
    let entry = opcode::Close::new(Fd(descriptor.into_raw_fd())).build();
    let entry = entry.flags(squeue::Flags::SKIP_SUCCESS);
    // SAFETY: the entry points to no memory, and the descriptor belongs to nobody else now.
    unsafe { queue.push(Token { kind: Kind::Close, id: conn }, entry) };
}
