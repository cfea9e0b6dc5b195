//! Where connections that apps ask for come from.
//!
//! A connection is named by both its ends, so one local address has as many connections to one peer as there are local
//! ports. Whoever needs more comes from several addresses.

#![expect(unsafe_code, reason = "sets an option of sockets that no wrapper offers")]

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::{fs, io};

use socket2::{Domain, Protocol, Socket, Type};

/// The first and the last of the ports from which the kernel chooses for connections, where it tells.
#[must_use]
pub fn local_ports() -> Option<(u64, u64)> {
    ports_of(&fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?)
}

fn ports_of(range: &str) -> Option<(u64, u64)> {
    let (first, last) = range.trim().split_once(char::is_whitespace)?;
    Some((first.parse().ok()?, last.trim().parse().ok()?))
}

/// An address from which nobody on this host can connect.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect from {address}: {source}; `ip address` lists those that this host has")]
pub struct SourceError {
    /// The address.
    pub address: IpAddr,
    /// What the operating system says.
    pub source: io::Error,
}

/// Addresses of this host to connect from, each in its turn. None: the kernel chooses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    addresses: Vec<IpAddr>,
    /// Whose turn it is.
    next: usize,
}

impl Sources {
    /// These addresses, each of which this host must have.
    pub(crate) fn new(addresses: &[IpAddr]) -> Result<Self, SourceError> {
        for &address in addresses {
            check(address).map_err(|source| SourceError { address, source })?;
        }
        Ok(Self { addresses: addresses.to_vec(), next: 0 })
    }

    /// Whether any was named.
    pub(crate) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Binds a socket that is about to connect to `peer` to the next address of the peer's family. Where none is of that
    /// family the kernel chooses.
    pub(crate) fn bind(&mut self, socket: &Socket, peer: SocketAddr) -> io::Result<()> {
        self.next(peer).map_or(Ok(()), |address| bind(socket, address))
    }

    fn next(&mut self, peer: SocketAddr) -> Option<IpAddr> {
        let count = self.addresses.len();
        let turns = (0..count).map(|step| (self.next + step) % count);
        let index =
            turns.into_iter().find(|&index| self.addresses[index].is_ipv4() == peer.is_ipv4())?;
        self.next = (index + 1) % count;
        Some(self.addresses[index])
    }
}

/// Whether this host has an address. Its ports may all be in use for the moment.
fn check(address: IpAddr) -> io::Result<()> {
    let domain = Domain::for_address(SocketAddr::new(address, 0));
    bind(&Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?, address)
}

/// Binds a socket to an address and to no port yet.
fn bind(socket: &Socket, address: IpAddr) -> io::Result<()> {
    choose_port_late(socket)?;
    socket.bind(&SocketAddr::new(address, 0).into())
}

/// Has the kernel choose the port when the socket connects (Linux 4.2): it then has to be free for that one peer, and not
/// for all. The option is of IPv4, and holds for IPv6 as well.
fn choose_port_late(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).expect("an integer is small");
    // SAFETY: the pointer is to an integer of that length, which lives for the call; the descriptor is the socket's.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_range_of_ports_is_read() {
        assert_eq!(ports_of("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(ports_of("32768"), None);
    }

    #[test]
    fn each_address_has_its_turn_with_peers_of_its_family() {
        let addresses = ["127.0.0.2", "::1", "127.0.0.3"].map(address);
        let mut sources = Sources { addresses: addresses.to_vec(), next: 0 };
        let four = SocketAddr::from(([127, 0, 0, 1], 80));
        let six: SocketAddr = "[::1]:80".parse().unwrap();
        let turns = [four, four, four, six, four, six, six].map(|peer| sources.next(peer).unwrap());
        let expected =
            ["127.0.0.2", "127.0.0.3", "127.0.0.2", "::1", "127.0.0.3", "::1", "::1"].map(address);
        assert_eq!(turns, expected);
        assert_eq!(Sources::default().next(four), None);
    }

    #[test]
    fn a_port_is_chosen_for_the_one_peer_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let mut sources = Sources::new(&[address("127.0.0.5")]).unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        sources.bind(&socket, peer).unwrap();
        let local = || socket.local_addr().unwrap().as_socket().unwrap();
        assert_eq!((local().ip(), local().port()), (address("127.0.0.5"), 0));
        socket.connect(&peer.into()).unwrap();
        assert_ne!(local().port(), 0);
        assert_eq!(listener.accept().unwrap().1, local());
    }

    #[test]
    fn an_address_of_somebody_else_is_told() {
        // Kept for documentation (RFC 5737): nobody has it.
        let error = Sources::new(&[address("192.0.2.1")]).unwrap_err().to_string();
        assert!(error.starts_with("cannot connect from 192.0.2.1: "), "{error}");
    }
}
