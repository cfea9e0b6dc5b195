//! Binds a plan's listeners: for each address one socket per core, sharing the port.
//!
//! `SO_REUSEPORT` shares a port with *any* socket of the same user that sets it too, another server
//! included, and then half of the connections silently go there. So the first socket of an address is bound
//! and set to listen without it, which fails if anyone else listens there, and joins the sharing only
//! afterwards. Two programs that do this at the same moment cannot both succeed: the kernel looks at the
//! port again when a socket starts to listen. `SO_REUSEADDR` keeps connections of an earlier run that still
//! wait out their end from blocking the port.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::limits::{LISTEN_BACKLOG, LISTENER_RELEASE_LIMIT, LISTENER_RELEASE_POLL};
use crate::socket::SocketOptions;

/// Why a plan cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else listens there.
    #[error("{address} is already in use by another process; stop that one or choose another port")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// This host has no such address.
    #[error("{address} is not an address of this host")]
    NoSuchAddress {
        /// The address.
        address: SocketAddr,
    },
    /// The user may not listen there.
    #[error(
        "not permitted to listen on {address}; ports below {first} need CAP_NET_BIND_SERVICE \
         (net.ipv4.ip_unprivileged_port_start)", first = first_unprivileged_port()
    )]
    NotPermitted {
        /// The address.
        address: SocketAddr,
    },
    /// The kernel does not offer the congestion control.
    #[error("congestion control {name:?} is not available; this kernel offers: {available}")]
    CongestionControl {
        /// The name asked for.
        name: String,
        /// What `net.ipv4.tcp_available_congestion_control` says.
        available: String,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// The listeners of a plan, bound and listening.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// For each core the listeners of all addresses, in the plan's order.
    pub(crate) by_core: Vec<Vec<TcpListener>>,
    /// The addresses, with the port that the kernel chose where 0 was asked for.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// An address that stands for none in particular.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Listeners {
    /// Listens on every one of `addresses` for each of `cores` cores. Options that no socket takes are refused even where
    /// there is nothing to listen on: those who only connect are to hear of it before the first attempt.
    pub(crate) fn bind(
        addresses: &[SocketAddr],
        cores: usize,
        options: &SocketOptions,
    ) -> Result<Self, ListenError> {
        let mut by_core: Vec<Vec<TcpListener>> = (0..cores).map(|_| Vec::new()).collect();
        let mut bound = Vec::new();
        if addresses.is_empty() {
            new_socket(ANY, options).map_err(|source| failure(ANY, options, source))?;
        }
        for &wanted in addresses {
            let (first, address) = claim(wanted, options)?;
            if cores > 1 {
                first.set_reuse_port(true).map_err(|source| failure(address, options, source))?;
            }
            by_core[0].push(first.into());
            for listeners in &mut by_core[1..] {
                listeners.push(join(address, options)?.into());
            }
            bound.push(address);
        }
        Ok(Self { by_core, addresses: bound })
    }
}

/// Listens on `address` with nobody beside, and says which port that is.
///
/// Tries again for a while where somebody listens there: a process that was killed with an accept in flight on
/// its io_uring keeps its listener until the kernel has torn that ring down, which is after the process is
/// gone. Whoever starts it again at once would be refused without reason.
fn claim(
    address: SocketAddr,
    options: &SocketOptions,
) -> Result<(Socket, SocketAddr), ListenError> {
    let mut waited = Duration::ZERO;
    loop {
        match try_claim(address, options) {
            Err(ListenError::AddressInUse { .. }) if waited < LISTENER_RELEASE_LIMIT => {
                thread::park_timeout(LISTENER_RELEASE_POLL);
                waited += LISTENER_RELEASE_POLL;
            }
            settled => return settled,
        }
    }
}

fn try_claim(
    address: SocketAddr,
    options: &SocketOptions,
) -> Result<(Socket, SocketAddr), ListenError> {
    let listen = || {
        let socket = new_socket(address, options)?;
        socket.bind(&address.into())?;
        socket.listen(LISTEN_BACKLOG)?;
        let bound = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::InvalidData)?;
        Ok((socket, bound))
    };
    listen().map_err(|source| failure(address, options, source))
}

/// Listens on `address` beside those of this plan that already do.
fn join(address: SocketAddr, options: &SocketOptions) -> Result<Socket, ListenError> {
    let listen = || {
        let socket = new_socket(address, options)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(LISTEN_BACKLOG)?;
        Ok(socket)
    };
    listen().map_err(|source| failure(address, options, source))
}

fn new_socket(address: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // An IPv6 address means IPv6, so that 0.0.0.0 and [::] can stand side by side in one plan.
        socket.set_only_v6(true)?;
    }
    options.apply(&socket)?;
    Ok(socket)
}

fn failure(address: SocketAddr, options: &SocketOptions, source: io::Error) -> ListenError {
    match (source.raw_os_error(), &options.congestion_control) {
        (Some(libc::EADDRINUSE), _) => ListenError::AddressInUse { address },
        (Some(libc::EADDRNOTAVAIL), _) => ListenError::NoSuchAddress { address },
        (Some(libc::EACCES), _) => ListenError::NotPermitted { address },
        // The kernel knows no such module, or does not let this user choose it.
        (Some(libc::ENOENT | libc::EPERM), Some(name)) => ListenError::CongestionControl {
            name: name.clone(),
            available: read_setting("tcp_available_congestion_control", "unknown"),
        },
        _ => ListenError::Other { address, source },
    }
}

fn first_unprivileged_port() -> String {
    read_setting("ip_unprivileged_port_start", "1024")
}

fn read_setting(name: &str, otherwise: &str) -> String {
    fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"))
        .map_or_else(|_| otherwise.to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    fn bind(address: SocketAddr, cores: usize) -> Result<Listeners, ListenError> {
        Listeners::bind(&[address], cores, &SocketOptions::default())
    }

    /// Listens on `address` as a stranger would that shares its port with anyone.
    fn stranger(address: SocketAddr) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        socket.listen(16)?;
        Ok(socket)
    }

    #[test]
    fn all_cores_share_one_port_and_all_get_connections() {
        let listeners = bind(LOOPBACK, 3).unwrap();
        let address = listeners.addresses[0];
        let clients: Vec<_> = (0..96).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut accepted = 0;
        for listener in listeners.by_core.iter().flatten() {
            listener.set_nonblocking(true).unwrap();
            let count = std::iter::from_fn(|| listener.accept().ok()).count();
            assert!(count > 0, "a core is left out");
            accepted += count;
        }
        assert_eq!(accepted, clients.len());
    }

    #[test]
    fn a_port_on_which_anyone_listens_is_refused() {
        for cores in [1, 2] {
            let stranger = stranger(LOOPBACK).unwrap();
            let address = stranger.local_addr().unwrap().as_socket().unwrap();
            let error = bind(address, cores).unwrap_err();
            assert!(matches!(error, ListenError::AddressInUse { .. }), "{error}");

            let own = bind(LOOPBACK, cores).unwrap();
            let error = bind(own.addresses[0], cores).unwrap_err();
            assert!(matches!(error, ListenError::AddressInUse { .. }), "{error}");
        }
    }

    #[test]
    fn a_plan_of_one_core_shares_its_port_with_nobody() {
        let own = bind(LOOPBACK, 1).unwrap();
        assert_eq!(stranger(own.addresses[0]).unwrap_err().raw_os_error(), Some(libc::EADDRINUSE));
    }

    #[test]
    fn connections_of_an_earlier_run_do_not_block_the_port() {
        let listeners = bind(LOOPBACK, 2).unwrap();
        let address = listeners.addresses[0];
        let client = TcpStream::connect(address).unwrap();
        let mut server = None;
        for listener in listeners.by_core.iter().flatten() {
            listener.set_nonblocking(true).unwrap();
            server = server.or_else(|| listener.accept().ok());
        }
        // The server's side closes first and waits out its end.
        drop(server.unwrap());
        drop(listeners);
        drop(client);
        bind(address, 2).unwrap();
    }

    #[test]
    fn errors_say_what_to_do() {
        let options = SocketOptions {
            congestion_control: Some("none-such".into()),
            ..SocketOptions::default()
        };
        for addresses in [&[LOOPBACK][..], &[]] {
            let error = Listeners::bind(addresses, 1, &options).unwrap_err().to_string();
            assert!(error.contains("none-such") && error.contains("cubic"), "{error}");
        }
        let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
        let error = bind(foreign, 1).unwrap_err();
        assert!(matches!(error, ListenError::NoSuchAddress { .. }), "{error}");
    }
}
