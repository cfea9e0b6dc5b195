//! What engines do to sockets with plain system calls, and what the kernel's errors mean.
//!
//! Only what happens once per connection or less: bytes move through the engines.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::app::{ConnError, Resource};
use crate::source::Sources;

/// What every connection of a plan is given, accepted or not.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketOptions {
    /// The congestion control to use; the system's default where none is named.
    pub(crate) congestion_control: Option<String>,
    /// Where connections that apps ask for come from.
    pub(crate) sources: Sources,
}

impl SocketOptions {
    /// Sets the options on a socket that will listen or connect. Accepted sockets inherit them from their
    /// listener.
    pub(crate) fn apply(&self, socket: &Socket) -> io::Result<()> {
        socket.set_tcp_nodelay(true)?;
        match &self.congestion_control {
            Some(name) => socket.set_tcp_congestion(name.as_bytes()),
            None => Ok(()),
        }
    }

    /// A socket from which to connect to `address`.
    pub(crate) fn connecting(&mut self, address: SocketAddr) -> io::Result<Socket> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        self.apply(&socket)?;
        self.sources.bind(&socket, address)?;
        Ok(socket)
    }
}

/// Tells the peer that no more will come. A peer that is already gone needs no telling.
///
/// A plain system call on either engine: io_uring hands its own shutdown to a worker thread, which costs more.
pub(crate) fn end_sending(socket: BorrowedFd<'_>) {
    let _ = SockRef::from(&socket).shutdown(Shutdown::Write);
}

/// Makes the close that follows a reset. On a socket that is already reset it has no effect.
pub(crate) fn reset_on_close(socket: BorrowedFd<'_>) {
    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
}

/// Whether a connected socket is connected to itself. TCP allows it: a connect to a free port of this host
/// whose own port happens to be chosen the same meets itself. To the app that is a peer that echoes, and the
/// port stays taken for whoever should listen there, so engines treat it as refused.
pub(crate) fn is_connected_to_itself(socket: BorrowedFd<'_>, address: SocketAddr) -> bool {
    let local = SockRef::from(&socket).local_addr().ok().and_then(|local| local.as_socket());
    local == Some(address)
}

/// What an error of connect, receive or send means to an app.
pub(crate) fn conn_error(errno: i32) -> ConnError {
    match errno {
        libc::ECONNREFUSED => ConnError::Refused,
        libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED => ConnError::Reset,
        libc::ETIMEDOUT => ConnError::TimedOut,
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN => {
            ConnError::Unreachable
        }
        libc::ECANCELED => ConnError::Cancelled,
        libc::EMFILE | libc::ENFILE => ConnError::Exhausted(Resource::Descriptors),
        libc::EADDRNOTAVAIL => ConnError::Exhausted(Resource::Ports),
        libc::ENOMEM | libc::ENOBUFS => ConnError::Exhausted(Resource::Memory),
        _ => ConnError::Other(errno),
    }
}

/// The same for the standard library's error.
pub(crate) fn conn_error_from(error: &io::Error) -> ConnError {
    conn_error(error.raw_os_error().unwrap_or(libc::EIO))
}

/// What a failed accept asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// That one connection came to nothing; go on.
    Passing,
    /// Nothing can be accepted until something is freed; wait.
    Exhausted,
}

/// What a failed accept asks for. An error nobody foresaw counts as exhaustion, because waiting is safe and
/// going on at once might never end.
pub(crate) fn accept_failure(errno: i32) -> AcceptFailure {
    match errno {
        // accept(2): errors already pending on the new socket are passed on, and are to be retried.
        libc::ECONNABORTED
        | libc::EINTR
        | libc::EAGAIN
        | libc::EPERM
        | libc::EPROTO
        | libc::ENETDOWN
        | libc::ENOPROTOOPT
        | libc::EHOSTDOWN
        | libc::ENONET
        | libc::EHOSTUNREACH
        | libc::ENETUNREACH => AcceptFailure::Passing,
        _ => AcceptFailure::Exhausted,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn accepted_sockets_inherit_no_delay_and_congestion_control() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        let options =
            SocketOptions { congestion_control: Some("reno".into()), ..SocketOptions::default() };
        options.apply(&socket).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(1).unwrap();
        let listener = TcpListener::from(socket);
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
        let name = SockRef::from(&accepted).tcp_congestion().unwrap();
        assert!(name.starts_with(b"reno"), "{name:?}");
    }

    #[test]
    fn a_socket_connected_to_itself_is_recognised() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let own = socket.local_addr().unwrap().as_socket().unwrap();
        socket.connect(&own.into()).unwrap();
        assert!(is_connected_to_itself(socket.as_fd(), own));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        assert!(!is_connected_to_itself(client.as_fd(), address));
    }
}
