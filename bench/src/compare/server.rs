//! A server's process: started on its CPU, watched from outside, ended.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use ringyard_runtime::affinity::{self, AffinityError};

use super::entrant::{BACKEND, Entrant, NOT_INSTALLED, Program};
use super::proc;
use crate::wall_clock::Stopwatch;

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(20);

/// How long it may take to end before it is killed.
const END_MAX: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(10);

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// It cannot be started.
    #[error("cannot start {name}: {error}")]
    Start {
        /// Which.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// It ended, or did not say where it listens.
    #[error("{name} did not begin to serve; it says above why")]
    Silent {
        /// Which.
        name: String,
    },
    /// The CPU for servers cannot be had.
    #[error("cannot pin {name}: {error}")]
    Affinity {
        /// Which.
        name: String,
        /// Why.
        error: AffinityError,
    },
    /// Connections that are to stay idle cannot be made.
    #[error(
        "{name}: only {open} idle connections could be opened: {error}; ulimit -n may be too low"
    )]
    Idle {
        /// Which.
        name: String,
        /// How many were.
        open: usize,
        /// Why no more.
        error: io::Error,
    },
}

/// A server that serves, ended when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    /// Held open, never used.
    idle: Vec<TcpStream>,
}

impl Server {
    /// Starts `entrant` on CPU `cpu` and waits until it serves. `None` if what it needs is not installed; the
    /// reason is on standard error.
    pub(super) fn start(
        entrant: &Entrant,
        cpu: usize,
        backend: Option<SocketAddr>,
    ) -> Result<Option<Self>, ServerError> {
        let name = || entrant.name.clone();
        let starting = |error| ServerError::Start { name: name(), error };
        let backend = backend.map_or_else(String::new, |address| address.to_string());
        let mut listens_at = None;
        let mut command = match &entrant.program {
            Program::Ringyard(words) => {
                let mut command = Command::new(std::env::current_exe().map_err(starting)?);
                command.args(words.iter().map(|word| word.replace(BACKEND, &backend)));
                command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
                command
            }
            Program::Script(path) => {
                let address = free_address().map_err(starting)?;
                listens_at = Some(address);
                let mut command = Command::new(path);
                command.arg(address.to_string()).arg(&backend).stdout(Stdio::null());
                command
            }
        };
        command.stdin(Stdio::null());
        let child = match spawn(command, entrant.is_pinned.then_some(cpu)) {
            Ok(child) => child,
            Err(SpawnError::Affinity(error)) => {
                return Err(ServerError::Affinity { name: name(), error });
            }
            Err(SpawnError::Os(error)) => return Err(starting(error)),
        };
        let mut server = Self {
            child,
            address: listens_at.unwrap_or((Ipv4Addr::LOCALHOST, 0).into()),
            idle: Vec::new(),
        };
        let beginning = match listens_at {
            Some(address) => server.wait_until_it_listens(address),
            None => server.read_address(),
        };
        match beginning {
            Beginning::Serves(address) => server.address = address,
            Beginning::NotInstalled => return Ok(None),
            Beginning::Silent => return Err(ServerError::Silent { name: name() }),
        }
        server.open_idle(entrant)?;
        Ok(Some(server))
    }

    /// Takes the address from the line with which our servers begin.
    fn read_address(&mut self) -> Beginning {
        let mut line = String::new();
        let read = self.child.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        let address = line
            .split_once("http://")
            .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        match (read, address) {
            (Some(Ok(_)), Some(address)) => Beginning::Serves(address),
            _ => Beginning::Silent,
        }
    }

    /// Waits until somebody listens at `address`.
    fn wait_until_it_listens(&mut self, address: SocketAddr) -> Beginning {
        let began = Stopwatch::start();
        while began.elapsed() < START_MAX {
            match self.child.try_wait() {
                Ok(Some(status)) if status.code() == Some(NOT_INSTALLED) => {
                    return Beginning::NotInstalled;
                }
                Ok(None) if TcpStream::connect(address).is_err() => thread::park_timeout(POLL),
                Ok(None) => return Beginning::Serves(address),
                Ok(Some(_)) | Err(_) => return Beginning::Silent,
            }
        }
        Beginning::Silent
    }

    fn open_idle(&mut self, entrant: &Entrant) -> Result<(), ServerError> {
        for open in 0..entrant.idle_connections {
            let stream = TcpStream::connect(self.address).map_err(|error| ServerError::Idle {
                name: entrant.name.clone(),
                open,
                error,
            })?;
            self.idle.push(stream);
        }
        Ok(())
    }

    /// The processor time of all its threads.
    pub(super) fn cpu_time(&self) -> Duration {
        proc::cpu_time(&self.pids())
    }

    /// Memory that it holds, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        proc::resident_kib(&self.pids())
    }

    /// Its process and those that it started.
    pub(super) fn pids(&self) -> Vec<u32> {
        proc::family(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever fails here, the process is gone already.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).stderr(Stdio::null()).status();
        let began = Stopwatch::start();
        while began.elapsed() < END_MAX {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::park_timeout(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a process began.
enum Beginning {
    Serves(SocketAddr),
    NotInstalled,
    Silent,
}

enum SpawnError {
    Affinity(AffinityError),
    Os(io::Error),
}

/// Starts a process. If `cpu` is given, all of its threads run there unless it chooses otherwise itself: it inherits
/// that from the thread that starts it.
fn spawn(mut command: Command, cpu: Option<usize>) -> Result<Child, SpawnError> {
    let starter = thread::spawn(move || {
        cpu.map_or(Ok(()), affinity::pin).map_err(SpawnError::Affinity)?;
        command.spawn().map_err(SpawnError::Os)
    });
    starter.join().expect("starting a process does not panic")
}

/// An address at which nobody listens just now.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
