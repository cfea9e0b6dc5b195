//! Receive: goes on for as long as it finds buffers, one completion for each chunk.

#![expect(unsafe_code, reason = "submits an operation")]

use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::opcode;
use io_uring::types::Fd;

use super::{Completion, Kind, Token};
use crate::app::ConnId;
use crate::ring::buffers::{Buffers, GROUP, Lease};
use crate::ring::queue::Queue;

/// What a completion says.
#[derive(Debug)]
pub(in crate::ring) enum Received {
    /// Bytes.
    Bytes(Lease),
    /// The peer will send no more. Terminal.
    End,
    /// There was no free buffer. Terminal: the receive has to be submitted again.
    NoBuffer,
    /// It was cancelled, or interrupted. Terminal: it may be submitted again.
    Stopped,
    /// The connection is broken. Terminal.
    Failed(i32),
}

/// Whom the receive on `conn` belongs to.
pub(in crate::ring) fn token(conn: ConnId) -> Token {
    Token { kind: Kind::Receive, id: conn }
}

/// Receives on `socket`, which stays open until the terminal completion.
pub(in crate::ring) fn submit(queue: &mut Queue, socket: BorrowedFd<'_>, conn: ConnId) {
    let entry = opcode::RecvMulti::new(Fd(socket.as_raw_fd()), GROUP).build();
    // SAFETY: the entry names no memory but the group of buffers, which outlives all receives.
    unsafe { queue.push(token(conn), entry) };
}

/// What a completion says. A buffer that comes with anything but bytes goes straight back.
pub(in crate::ring) fn complete(completion: &Completion, buffers: &mut Buffers) -> Received {
    debug_assert_eq!(completion.token.kind, Kind::Receive);
    let length = completion.outcome().unwrap_or(0);
    let lease = buffers.lease(completion.flags, length);
    match (completion.outcome(), lease) {
        (Ok(1..), Some(lease)) => Received::Bytes(lease),
        (outcome, lease) => {
            if let Some(lease) = lease {
                buffers.give_back(lease);
            }
            match outcome {
                Ok(_) => Received::End,
                Err(libc::ENOBUFS) => Received::NoBuffer,
                Err(libc::ECANCELED | libc::EINTR | libc::EAGAIN) => Received::Stopped,
                Err(errno) => Received::Failed(errno),
            }
        }
    }
}
