//! Send: moves the front of a connection's outbox, loudly or quietly.
//!
//! A *loud* send waits for room and always completes. A *quiet* one does not wait, and completes only if not
//! all of its bytes went out at once: nearly every answer fits into the socket's buffer, and then there is
//! nothing to say. That saves a completion per answer, and with it, on a server with little to do, the whole
//! turn that would only have taken it. Whoever sends quietly concludes success from silence, once everything
//! is submitted and every completion taken.

#![expect(unsafe_code, reason = "submits an operation that reads our memory")]

use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::types::Fd;
use io_uring::{opcode, squeue};

use super::{Completion, Kind, Token};
use crate::app::ConnId;
use crate::outbox::Outbox;
use crate::ring::queue::Queue;

/// Whether a send always completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ring) enum Manner {
    /// It waits for room and completes with what went out.
    Loud,
    /// It takes the room there is and completes only if that was too little.
    Quiet,
}

impl Manner {
    fn kind(self) -> Kind {
        match self {
            Self::Loud => Kind::Send,
            Self::Quiet => Kind::QuietSend,
        }
    }
}

/// Whom a loud send on `conn` belongs to.
pub(in crate::ring) fn token(conn: ConnId, manner: Manner) -> Token {
    Token { kind: manner.kind(), id: conn }
}

/// Sends the front of `outbox` on `socket`.
///
/// # Safety
///
/// Until the send is over, neither does the socket close nor is `outbox` advanced, cleared or dropped; pushing
/// to it is allowed. A loud send is over at its completion; a quiet one once everything pushed is submitted.
pub(in crate::ring) unsafe fn submit(
    queue: &mut Queue,
    socket: BorrowedFd<'_>,
    conn: ConnId,
    outbox: &mut Outbox,
    manner: Manner,
) {
    let bytes = outbox.next();
    let length = u32::try_from(bytes.len()).expect("an outbox names at most SEND_BYTES_MAX");
    let send = opcode::Send::new(Fd(socket.as_raw_fd()), bytes.as_ptr(), length);
    let entry = match manner {
        Manner::Loud => send.flags(libc::MSG_NOSIGNAL).build(),
        // Waiting for all makes a part that went out count as a failure, which is never silent.
        Manner::Quiet => send
            .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL)
            .build()
            .flags(squeue::Flags::SKIP_SUCCESS),
    };
    // SAFETY: the entry points to the outbox's front, which the caller promised to leave alone; pushing more
    // to the outbox goes to its back.
    unsafe { queue.push(token(conn, manner), entry) };
}

/// How much went out, or the error number. A send that found no room sent nothing.
pub(in crate::ring) fn complete(completion: &Completion) -> Result<usize, i32> {
    match completion.outcome() {
        Ok(count) => Ok(count as usize),
        Err(libc::EAGAIN | libc::EINTR) => Ok(0),
        Err(errno) => Err(errno),
    }
}
