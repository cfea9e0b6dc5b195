//! Cancel: asks the kernel to end an operation early. What it was asked for is seen at the operation's own
//! completion, which comes in any case; the cancel itself has nothing to say.

#![expect(unsafe_code, reason = "submits an operation")]

use io_uring::types::CancelBuilder;
use io_uring::{opcode, squeue};

use super::{Kind, Token};
use crate::app::ConnId;
use crate::ring::queue::Queue;

/// Cancels the operation of `token`.
pub(in crate::ring) fn submit(queue: &mut Queue, token: Token) {
    let entry = opcode::AsyncCancel::new(token.word()).build();
    let entry = entry.flags(squeue::Flags::SKIP_SUCCESS);
    // SAFETY: the entry points to no memory.
    unsafe { queue.push(Token { kind: Kind::Cancel, ..token }, entry) };
}

/// Cancels every operation of the ring.
pub(in crate::ring) fn submit_all(queue: &mut Queue) {
    let token = Token { kind: Kind::Cancel, id: ConnId { slot: 0, generation: 0 } };
    let entry = opcode::AsyncCancel2::new(CancelBuilder::any().all()).build();
    // SAFETY: the entry points to no memory.
    unsafe { queue.push(token, entry) };
}
