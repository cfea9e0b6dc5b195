//! The handle to what has been launched: who it is, how to stop it, how it ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::{io, mem};

use crate::app::CoreIndex;
use crate::control::Control;
use crate::counters::EngineCounters;
use crate::plan::EngineKind;
use crate::probe::Unavailable;

/// A launched plan. Dropping it stops all cores at once and waits for their threads; use [`Running::drain`]
/// and [`Running::wait`] to end without loss.
#[derive(Debug)]
pub struct Running {
    pub(crate) facts: Facts,
    pub(crate) control: Arc<Control>,
    pub(crate) threads: Vec<JoinHandle<Result<CoreEnd, RunError>>>,
}

/// What does not change about a launched plan.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) engine: EngineKind,
    pub(crate) fallback_reason: Option<Unavailable>,
    pub(crate) cpus: Vec<usize>,
    pub(crate) counters: Arc<[EngineCounters]>,
}

impl Running {
    /// Where it listens, in the plan's order, with the ports that the kernel chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.facts.addresses
    }

    /// The engine that serves.
    #[must_use]
    pub fn engine(&self) -> EngineKind {
        self.facts.engine
    }

    /// Why the engine is not `ring`, if the plan would have preferred that.
    #[must_use]
    pub fn fallback_reason(&self) -> Option<&Unavailable> {
        self.facts.fallback_reason.as_ref()
    }

    /// How many cores serve.
    #[must_use]
    pub fn cores(&self) -> usize {
        self.facts.counters.len()
    }

    /// The CPUs to which the cores are pinned, in the plan's order; empty if they are not.
    #[must_use]
    pub fn cpus(&self) -> &[usize] {
        &self.facts.cpus
    }

    /// The counters of each core's engine.
    #[must_use]
    pub fn counters(&self) -> &Arc<[EngineCounters]> {
        &self.facts.counters
    }

    /// A handle by which another thread can end this plan.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        Stopper { control: Arc::clone(&self.control) }
    }

    /// Begins to drain: accept no more, finish what is in flight within the plan's limit, end.
    pub fn drain(&self) {
        self.control.drain();
    }

    /// Ends at once; all connections are reset or closed as the kernel sees fit.
    pub fn stop_now(&self) {
        self.control.stop();
    }

    /// Waits until all cores have ended, and says how.
    pub fn wait(mut self) -> Result<Ended, RunError> {
        self.join()
    }

    fn join(&mut self) -> Result<Ended, RunError> {
        let mut ended = Ended::default();
        let mut failure = None;
        for thread in mem::take(&mut self.threads) {
            match thread.join().expect("a core's thread catches its panics") {
                Ok(end) => ended.add(end),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(ended), Err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.control.stop();
            // Whoever wants to know how the cores ended calls `wait`.
            let _ = self.join();
        }
    }
}

/// Ends a launched plan from another thread. Orders to a plan that has ended are ignored.
#[derive(Clone, Debug)]
pub struct Stopper {
    control: Arc<Control>,
}

impl Stopper {
    /// As [`Running::drain`].
    pub fn drain(&self) {
        self.control.drain();
    }

    /// As [`Running::stop_now`].
    pub fn stop_now(&self) {
        self.control.stop();
    }
}

/// How a plan ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Cores whose app had not said that it was finished.
    pub unfinished_cores: usize,
    /// Connections that were open although their app was not finished.
    pub connections_cut: usize,
    /// Connections with bytes that were never sent.
    pub connections_unsent: usize,
}

impl Ended {
    /// Whether nothing was cut off.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, end: CoreEnd) {
        self.unfinished_cores += usize::from(!end.is_finished);
        self.connections_cut += end.connections_cut;
        self.connections_unsent += end.connections_unsent;
    }
}

/// How one core ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreEnd {
    pub(crate) is_finished: bool,
    pub(crate) connections_cut: usize,
    pub(crate) connections_unsent: usize,
}

/// Why a core ended that nobody had told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A bug: the app or the engine of the core panicked. The other cores were stopped.
    #[error("core {} panicked: {message}", .core.0)]
    Panicked {
        /// The core.
        core: CoreIndex,
        /// What the panic said.
        message: String,
    },
    /// The kernel refused what an engine cannot do without. The other cores were stopped.
    #[error("core {} cannot go on: {call}: {source}", .core.0)]
    Os {
        /// The core.
        core: CoreIndex,
        /// What was refused.
        call: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
}
