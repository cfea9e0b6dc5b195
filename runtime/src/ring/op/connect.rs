//! Connect: begins a connection to a peer.

#![expect(unsafe_code, reason = "submits an operation that reads our memory")]

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use io_uring::opcode;
use io_uring::types::Fd;
use socket2::{SockAddr, Socket};

use super::{Completion, Kind, Token};
use crate::app::{ConnError, ConnId, ConnectToken};
use crate::ring::queue::Queue;
use crate::socket::conn_error;

/// An attempt to connect. It owns what the kernel uses, so it lives until the completion.
pub(in crate::ring) struct Attempt {
    /// What the app calls it.
    pub(in crate::ring) token: ConnectToken,
    /// Where to.
    pub(in crate::ring) address: SocketAddr,
    pub(in crate::ring) socket: Socket,
    /// The address as the kernel reads it, in its place on the heap.
    target: Box<SockAddr>,
}

impl Attempt {
    /// An attempt from `socket`, which must be in blocking mode.
    pub(in crate::ring) fn new(token: ConnectToken, address: SocketAddr, socket: Socket) -> Self {
        Self { token, address, socket, target: Box::new(address.into()) }
    }
}

/// Whom attempt `id` belongs to.
pub(in crate::ring) fn token(id: ConnId) -> Token {
    Token { kind: Kind::Connect, id }
}

/// Begins `attempt`, the one of `id`.
///
/// # Safety
///
/// The attempt is dropped only after its completion; it may be moved.
pub(in crate::ring) unsafe fn submit(queue: &mut Queue, attempt: &Attempt, id: ConnId) {
    let socket = Fd(attempt.socket.as_raw_fd());
    let address = attempt.target.as_ptr().cast();
    let entry = opcode::Connect::new(socket, address, attempt.target.len()).build();
    // SAFETY: the entry points to the address on the heap, which lives as long as the attempt.
    unsafe { queue.push(token(id), entry) };
}

/// Whether it is connected.
pub(in crate::ring) fn complete(completion: &Completion) -> Result<(), ConnError> {
    debug_assert_eq!(completion.token.kind, Kind::Connect);
    match completion.outcome() {
        Ok(_) => Ok(()),
        Err(libc::EINTR) => Err(ConnError::Cancelled),
        Err(errno) => Err(conn_error(errno)),
    }
}
