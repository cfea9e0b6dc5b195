//! Carries out a plan: binds the listeners, starts one thread per core, and sees that all of them can serve
//! before any of them does.

use std::any::Any;
use std::net::TcpListener;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, iter, mem};

use crate::affinity::{self, AffinityError};
use crate::app::{App, CoreIndex};
use crate::clock::Origin;
use crate::control::Control;
use crate::counters::{CoreContext, EngineCounters};
use crate::dispatcher::{OwnCounters, Shared};
use crate::limits::{CORES_MAX, EngineLimits, LISTENERS_MAX, LimitError};
use crate::listener::Listeners;
use crate::mailbox::Mailboxes;
use crate::running::{CoreEnd, Facts};
use crate::socket::SocketOptions;
use crate::source::{SourceError, Sources};
use crate::urgency::{self, Urgency};
use crate::{descriptors, ring, tokio_engine};
#[cfg(feature = "peers")]
use crate::{glommio_engine, monoio_engine};

pub use crate::listener::ListenError;
pub use crate::plan::{EngineChoice, EngineKind, Plan, UnknownEngine};
pub use crate::probe::Unavailable;
pub use crate::running::{Ended, RunError, Running, Stopper};

/// Why a plan cannot be launched. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A limit outside of what an engine can keep.
    #[error(transparent)]
    Limits(#[from] LimitError),
    /// Too many cores.
    #[error("a plan has at most {CORES_MAX} cores")]
    TooManyCores,
    /// Too many addresses.
    #[error("a plan listens on at most {LISTENERS_MAX} addresses")]
    TooManyListeners,
    /// An address on which it cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// An address from which it cannot connect.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Addresses to connect from, for an engine that cannot be told them.
    #[error(
        "the engine {0} connects from where the kernel chooses; ring and tokio can be told addresses"
    )]
    NoSources(EngineKind),
    /// A thread that cannot be pinned.
    #[error(transparent)]
    Affinity(#[from] AffinityError),
    /// The plan asks for `ring` and nothing else, and io_uring is not to be had.
    #[error("the ring engine was asked for, but {0}")]
    Ring(Unavailable),
    /// The operating system refuses what any engine needs.
    #[error("cannot create {what}: {source}")]
    Os {
        /// What could not be created.
        what: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// What one core is given to start with.
#[derive(Debug)]
pub(crate) struct Seat<M> {
    pub(crate) core: CoreIndex,
    pub(crate) cpu: Option<usize>,
    pub(crate) urgency: Urgency,
    pub(crate) options: SocketOptions,
    pub(crate) limits: EngineLimits,
    pub(crate) drain_limit: Duration,
    pub(crate) origin: Origin,
    pub(crate) shared: Arc<Shared<M>>,
}

/// Starts one thread per core of `plan`, each with an app that `make` makes on that thread.
///
/// Raises this process's soft limit of descriptors to the hard limit. Returns once every core has all that it
/// needs of the operating system. A panic of `make` or of an app
/// stops all cores and is reported by [`Running::wait`].
pub fn launch<A: App + 'static>(
    plan: Plan,
    make: impl Fn(CoreContext) -> A + Send + Sync + 'static,
) -> Result<Running, LaunchError> {
    launch_with_workers(plan, &[], make)
}

/// As [`launch`], with one more thread for each of `workers`, pinned to that CPU if one is named. They count as cores
/// after those of the plan, but nobody can connect to them: they are for apps that compute, and hear of it by mail.
/// Where they share a CPU with a core of the plan they make way for it (from Linux 6.12 on).
pub fn launch_with_workers<A: App + 'static>(
    plan: Plan,
    workers: &[Option<usize>],
    make: impl Fn(CoreContext) -> A + Send + Sync + 'static,
) -> Result<Running, LaunchError> {
    plan.limits.check()?;
    if plan.cores.len() + workers.len() > CORES_MAX {
        return Err(LaunchError::TooManyCores);
    }
    if plan.listen.len() > LISTENERS_MAX {
        return Err(LaunchError::TooManyListeners);
    }
    descriptors::raise_limit();
    let cores = plan.cores.len().max(1);
    let sources = Sources::new(&plan.sources)?;
    if let EngineChoice::Exactly(engine) = plan.engine
        && !(sources.is_empty() || engine.knows_sources())
    {
        return Err(LaunchError::NoSources(engine));
    }
    let options = SocketOptions { congestion_control: plan.congestion_control.clone(), sources };
    let mut listeners = Listeners::bind(&plan.listen, cores, &options)?;
    listeners.by_core.resize_with(cores + workers.len(), Vec::new);
    let make = Arc::new(make);
    match plan.engine {
        EngineChoice::Exactly(engine) => {
            Ok(Ready::start(engine, (&plan, workers), &options, &make)?.go(listeners, None))
        }
        EngineChoice::Auto => {
            match Ready::start(EngineKind::Ring, (&plan, workers), &options, &make) {
                Err(LaunchError::Ring(reason)) => {
                    let ready = Ready::start(EngineKind::Tokio, (&plan, workers), &options, &make)?;
                    Ok(ready.go(listeners, Some(reason)))
                }
                ready => Ok(ready?.go(listeners, None)),
            }
        }
    }
}

/// Threads that have all they need and wait for their listeners. Dropped, it lets them end.
struct Ready {
    engine: EngineKind,
    cpus: Vec<usize>,
    control: Arc<Control>,
    counters: Arc<[EngineCounters]>,
    threads: Vec<ReadyThread>,
}

/// One such thread, and how to tell it to go.
type ReadyThread = (mpsc::Sender<Vec<TcpListener>>, JoinHandle<Result<CoreEnd, RunError>>);

impl Ready {
    /// Starts the threads one after the other: what they take from the system (locked memory above all) runs
    /// out at one of them, and that one says so.
    fn start<A, F>(
        engine: EngineKind,
        (plan, workers): (&Plan, &[Option<usize>]),
        options: &SocketOptions,
        make: &Arc<F>,
    ) -> Result<Self, LaunchError>
    where
        A: App + 'static,
        F: Fn(CoreContext) -> A + Send + Sync + 'static,
    {
        let serving = plan.cores.len().max(1);
        let cores = serving + workers.len();
        let control = Control::new(cores)
            .map_err(|source| LaunchError::Os { what: "an eventfd per core", source })?;
        let shared = Arc::new(Shared {
            control: Arc::new(control),
            counters: iter::repeat_with(EngineCounters::default).take(cores).collect(),
            mailboxes: Mailboxes::new(cores, plan.limits.mailbox_messages),
        });
        let mut ready = Self {
            engine,
            cpus: plan.cores.clone(),
            control: Arc::clone(&shared.control),
            counters: Arc::clone(&shared.counters),
            threads: Vec::new(),
        };
        let origin = Origin::now();
        for core in (0..).take(cores) {
            let worker = usize::from(core).checked_sub(serving);
            let seat = Seat {
                core: CoreIndex(core),
                cpu: match worker {
                    Some(worker) => workers[worker],
                    None => plan.cores.get(usize::from(core)).copied(),
                },
                urgency: match worker {
                    Some(_) => Urgency::Patient,
                    None if workers.is_empty() => Urgency::Usual,
                    None => Urgency::Prompt,
                },
                options: options.clone(),
                limits: plan.limits.clone(),
                drain_limit: plan.drain_limit,
                origin,
                shared: Arc::clone(&shared),
            };
            ready.add(seat, Arc::clone(make))?;
        }
        Ok(ready)
    }

    fn add<A, F>(&mut self, seat: Seat<A::Mail>, make: Arc<F>) -> Result<(), LaunchError>
    where
        A: App + 'static,
        F: Fn(CoreContext) -> A + Send + Sync + 'static,
    {
        let (go, may_go) = mpsc::channel();
        let (report, reported) = mpsc::channel();
        let engine = self.engine;
        let thread = thread::Builder::new()
            .name(format!("ringyard-{}", seat.core.0))
            .spawn(move || serve(engine, seat, &report, &may_go, |context| make(context)))
            .map_err(|source| LaunchError::Os { what: "a thread per core", source })?;
        self.threads.push((go, thread));
        reported.recv().expect("a core's thread reports before it ends")
    }

    fn go(mut self, listeners: Listeners, fallback_reason: Option<Unavailable>) -> Running {
        let addresses = listeners.addresses;
        let threads = iter::zip(mem::take(&mut self.threads), listeners.by_core)
            .map(|((go, thread), listeners)| {
                go.send(listeners).expect("a core that has reported waits");
                thread
            })
            .collect();
        let facts = Facts {
            addresses,
            engine: self.engine,
            fallback_reason,
            cpus: mem::take(&mut self.cpus),
            counters: Arc::clone(&self.counters),
        };
        Running { facts, control: Arc::clone(&self.control), threads }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        for (go, thread) in self.threads.drain(..) {
            // Never told to go, the thread gives back what it took, and ends.
            drop(go);
            // How it ended is of no interest: the launch has failed already, and says why.
            let _ = thread.join();
        }
    }
}

/// The body of one core's thread.
fn serve<A: App + 'static>(
    engine: EngineKind,
    seat: Seat<A::Mail>,
    report: &mpsc::Sender<Result<(), LaunchError>>,
    may_go: &mpsc::Receiver<Vec<TcpListener>>,
    make: impl FnOnce(CoreContext) -> A,
) -> Result<CoreEnd, RunError> {
    let core = seat.core;
    let control = Arc::clone(&seat.shared.control);
    let serve = || match engine {
        EngineKind::Ring => {
            let counters = OwnCounters::new(Arc::clone(&seat.shared.counters), core);
            prepare(&seat, report, may_go, || {
                ring::Machine::new(&seat.limits, counters).map_err(LaunchError::Ring)
            })
            .map(|(machine, listeners)| machine.serve(seat, listeners, make))
        }
        EngineKind::Tokio => prepare(&seat, report, may_go, || {
            tokio_engine::Machine::new()
                .map_err(|source| LaunchError::Os { what: "a tokio runtime", source })
        })
        .map(|(machine, listeners)| machine.serve(seat, listeners, make)),
        #[cfg(feature = "peers")]
        EngineKind::Monoio => prepare(&seat, report, may_go, || {
            monoio_engine::Machine::new(seat.limits.ring_entries)
                .map_err(|source| LaunchError::Os { what: "a monoio runtime", source })
        })
        .map(|(machine, listeners)| machine.serve(seat, listeners, make)),
        #[cfg(feature = "peers")]
        EngineKind::Glommio => prepare(&seat, report, may_go, || {
            glommio_engine::Machine::new()
                .map_err(|source| LaunchError::Os { what: "a glommio executor", source })
        })
        .map(|(machine, listeners)| machine.serve(seat, listeners, make)),
    };
    let end = match panic::catch_unwind(AssertUnwindSafe(serve)) {
        // Never told to go: nobody asks how it ended.
        Ok(None) => Ok(CoreEnd { is_finished: true, connections_cut: 0, connections_unsent: 0 }),
        Ok(Some(end)) => end,
        Err(panic) => Err(RunError::Panicked { core, message: message_of(panic.as_ref()) }),
    };
    if end.is_err() {
        control.stop();
    }
    end
}

/// Pins the thread, makes what its engine needs, reports, and waits to be told to go.
fn prepare<M, T>(
    seat: &Seat<M>,
    report: &mpsc::Sender<Result<(), LaunchError>>,
    may_go: &mpsc::Receiver<Vec<TcpListener>>,
    make: impl FnOnce() -> Result<T, LaunchError>,
) -> Option<(T, Vec<TcpListener>)> {
    // Pinned first, so that memory is taken from the CPU's own node.
    affinity::sharpen_timers();
    urgency::set(seat.urgency);
    let pinned = seat.cpu.map_or(Ok(()), affinity::pin);
    match pinned.map_err(LaunchError::from).and_then(|()| make()) {
        Ok(machine) => {
            report.send(Ok(())).ok()?;
            Some((machine, may_go.recv().ok()?))
        }
        Err(error) => {
            report.send(Err(error)).ok()?;
            None
        }
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref().cloned()).unwrap_or_else(|| "(no message)".to_owned())
}
