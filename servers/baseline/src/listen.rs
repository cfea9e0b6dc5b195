//! Binds the listeners and builds the runtime, before anything is served.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringyard_runtime::affinity::{self, AffinityError};
use ringyard_runtime::launch::Plan;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Runtime};

use crate::limits::LISTEN_BACKLOG;

/// Why a server cannot be launched. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// An address on which it cannot listen.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A CPU that is not there, or not for this process.
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    /// The operating system refuses what tokio needs.
    #[error("cannot start tokio's worker threads: {0}")]
    Runtime(io::Error),
}

/// A runtime of `workers` threads, pinned in turn to the CPUs of `plan` if it names any.
pub(crate) fn runtime(plan: &Plan, workers: usize) -> Result<Runtime, LaunchError> {
    let available = affinity::allowed().map_err(AffinityError::Os)?;
    if let Some(&cpu) = plan.cores.iter().find(|cpu| !available.contains(cpu)) {
        return Err(AffinityError::NotAvailable { cpu, available }.into());
    }
    let cpus = plan.cores.clone();
    let started = AtomicUsize::new(0);
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .thread_name("ringyard-baseline")
        .on_thread_start(move || {
            let number = started.fetch_add(1, Ordering::Relaxed);
            if let Some(cpu) = cpus.get(number % cpus.len().max(1)) {
                affinity::pin(*cpu).expect("the CPU was available a moment ago");
            }
        })
        .build()
        .map_err(LaunchError::Runtime)
}

/// A listener for every address of `plan`. Called within a runtime.
pub(crate) fn bind(plan: &Plan) -> Result<Vec<TcpListener>, LaunchError> {
    let congestion = plan.congestion_control.as_deref();
    let bind = |&address: &SocketAddr| {
        listen(address, congestion).map_err(|source| LaunchError::Listen { address, source })
    };
    plan.listen.iter().map(bind).collect()
}

fn listen(address: SocketAddr, congestion: Option<&str>) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    if let Some(name) = congestion {
        SockRef::from(&socket).set_tcp_congestion(name.as_bytes())?;
    }
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}
