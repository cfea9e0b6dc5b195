//! The world: hosts, each with a process of apps, on one virtual network under one virtual clock.
//!
//! A [`World`] is made of a seed and a [`NetworkConfig`]. Hosts are added with what makes their apps; then
//! the world runs until a time, or until something is the case. Nothing in it is parallel and nothing is
//! real: the order of all that happens follows from the seed, [`World::trace_hash`] tells two histories
//! apart, and [`World::print_trace`] shows one.
//!
//! The world stands in the driver's place and keeps [`ringyard_runtime::app`]'s contract to the letter. Where
//! the contract leaves a driver free, the world makes use of every freedom. [`Checked`] holds both sides to
//! it at every event.
//!
//! What it does not model: TCP's own congestion control, loss and reordering of packets (a stream is delayed,
//! never damaged), costs of computing inside an app.

mod agenda;
mod circuit;
pub mod client;
mod contract;
mod faults;
mod limits;
mod network;
mod pipe;
mod random;
mod site;
mod timetable;
mod trace;

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use ringyard_runtime::app::{App, CoreIndex};
use ringyard_runtime::counters::CoreContext;
use ringyard_time::Time;

use network::{Due, Network, address_of};
use site::{Process, Site};

pub use contract::{Checked, Violation, Watch};
pub use faults::{Faults, HostFaults, NetworkConfig, Outages};
pub use network::{Exit, Phase};
pub use random::{Chance, Random, Span};
pub use timetable::timetable;

/// Names one host of a world, in the order in which they were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u16);

impl HostId {
    /// The host's address, with a port.
    #[must_use]
    pub fn address(self, port: u16) -> SocketAddr {
        SocketAddr::from((address_of(self), port))
    }
}

/// What a host is, but for its apps.
#[derive(Clone, Debug)]
pub struct HostPlan {
    name: String,
    cores: u16,
    workers: u16,
    ports: Vec<u16>,
}

impl HostPlan {
    /// A host of one core that listens nowhere. The name is for the trace.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), cores: 1, workers: 0, ports: Vec::new() }
    }

    /// How many cores it has, each with an app of its own.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[must_use]
    pub fn cores(mut self, cores: u16) -> Self {
        assert!(cores > 0, "a host has a core");
        self.cores = cores;
        self
    }

    /// Adds so many cores, after the others, to which nobody can connect.
    #[must_use]
    pub fn workers(mut self, workers: u16) -> Self {
        self.workers = workers;
        self
    }

    /// Has all its cores but the workers listen at `port`, as one more listener.
    #[must_use]
    pub fn listen(mut self, port: u16) -> Self {
        self.ports.push(port);
        self
    }
}

/// Something done to hosts from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The host's process is started, with new apps, unless it is running.
    Boot(HostId),
    /// The host's process is killed: its kernel closes or resets its connections.
    Kill(HostId),
    /// The host loses power: nobody is told.
    PowerCut(HostId),
    /// The host's process stands still.
    Freeze {
        /// The host.
        host: HostId,
        /// For how long.
        length: Duration,
    },
    /// Two hosts cannot reach one another.
    Partition {
        /// The two.
        hosts: [HostId; 2],
        /// For how long.
        length: Duration,
    },
    /// The host is told to drain, as by SIGTERM.
    Drain(HostId),
    /// The network resets all connections of the host.
    ResetConnections(HostId),
}

/// A deterministic world. See the [module](self).
pub struct World {
    network: Network,
    processes: Vec<Box<dyn Process>>,
    turns: u64,
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("World")
            .field("time", &self.network.time)
            .field("hosts", &self.processes.len())
            .finish_non_exhaustive()
    }
}

impl World {
    /// An empty world whose history will follow from `seed`.
    #[must_use]
    pub fn new(seed: u64, config: NetworkConfig) -> Self {
        Self { network: Network::new(seed, config), processes: Vec::new(), turns: 0 }
    }

    /// Adds a host and starts it. `make` makes the app of each core, now and at every later start.
    pub fn add_host<A: App + 'static>(
        &mut self,
        plan: &HostPlan,
        make: impl FnMut(CoreContext) -> A + 'static,
    ) -> HostId {
        let host = self.network.add_machine(&plan.name, &plan.ports, (plan.cores, plan.workers));
        self.processes.push(Box::new(Site::new(host, plan.cores + plan.workers, make)));
        self.network.boot(host);
        host
    }

    /// From now on, all that happens is also printed to standard error.
    pub fn print_trace(&mut self) {
        self.network.trace.print();
    }

    /// A hash over all that has happened.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.network.trace.hash()
    }

    /// What time it is.
    #[must_use]
    pub fn time(&self) -> Time {
        self.network.time
    }

    /// How many turns the cores of all hosts have taken: a world at rest takes none.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Does something to hosts, now.
    pub fn act(&mut self, action: Action) {
        match action {
            Action::Boot(host) => {
                if self.network.boot(host) {
                    self.process_mut(host).start();
                }
            }
            Action::Kill(host) => self.network.end_process(host, Exit::Killed),
            Action::PowerCut(host) => self.network.power_cut(host),
            Action::Freeze { host, length } => self.network.freeze(host, length),
            Action::Partition { hosts, length } => self.network.partition(hosts, length),
            Action::Drain(host) => {
                if self.network.drain(host) {
                    self.process_mut(host).drain();
                }
            }
            Action::ResetConnections(host) => self.network.reset_all(host),
        }
    }

    /// From now on the network does no harm of its own: it refuses and resets nothing.
    pub fn calm_down(&mut self) {
        self.network.config.do_no_harm();
    }

    /// Has something done to hosts at `time`, or now if that has passed.
    pub fn act_at(&mut self, time: Time, action: Action) {
        let time = time.max(self.network.time);
        self.network.agenda.push(time, Due::Act(action));
    }

    /// Lets the next thing happen, unless it is after `limit`. Whether it did.
    fn step(&mut self, limit: Time) -> bool {
        let agenda = self.network.agenda.next_time();
        let turn = self.network.turns.next_time();
        let time = agenda.min(turn);
        if time > limit || time == Time::FAR_FUTURE {
            return false;
        }
        self.network.time = time;
        if agenda <= turn {
            match self.network.agenda.pop() {
                Some(Due::Network(occurrence)) => self.network.happen(occurrence),
                Some(Due::Act(action)) => self.act(action),
                None => {}
            }
        } else {
            let core = self.network.turns.next_core();
            self.network.turns.set(core, Time::FAR_FUTURE);
            let host = self.network.cores[core].host;
            let Self { network, processes, turns } = self;
            *turns += 1;
            processes[usize::from(host.0)].turn(core, network);
        }
        true
    }

    /// Runs until `time`.
    pub fn run_until(&mut self, time: Time) {
        while self.step(time) {}
        self.network.time = self.network.time.max(time);
    }

    /// Runs for `duration`.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.network.time + duration);
    }

    /// Runs until `done`, looking every `pace`, but not beyond `limit`. Whether it came to be done.
    pub fn run_until_done(
        &mut self,
        pace: Duration,
        limit: Time,
        mut done: impl FnMut(&Self) -> bool,
    ) -> bool {
        while !done(self) {
            if self.network.time >= limit {
                return false;
            }
            self.run_until(limit.min(self.network.time + pace));
        }
        true
    }

    /// The app on a core of a host. Of a host that is not running: as it was last.
    ///
    /// # Panics
    ///
    /// If the host's apps are of another type, or there is no such core.
    #[must_use]
    pub fn app<A: App + 'static>(&self, host: HostId, core: CoreIndex) -> &A {
        self.checked(host, core).app()
    }

    /// The same with what is known of its dealings with its driver.
    ///
    /// # Panics
    ///
    /// If the host's apps are of another type, or there is no such core.
    #[must_use]
    pub fn checked<A: App + 'static>(&self, host: HostId, core: CoreIndex) -> &Checked<A> {
        let process: &dyn Any = &*self.processes[usize::from(host.0)];
        let site = process.downcast_ref::<Site<A>>().expect("the host's apps are of this type");
        site.checked(core)
    }

    /// What a host is doing.
    #[must_use]
    pub fn phase(&self, host: HostId) -> Phase {
        self.network.machine(host).phase
    }

    /// How often a host was started.
    #[must_use]
    pub fn boots(&self, host: HostId) -> u32 {
        self.network.machine(host).boots
    }

    /// Connections and attempts to connect that the apps of a host have.
    #[must_use]
    pub fn connections(&self, host: HostId) -> usize {
        self.network.open_count(host) + self.network.attempt_count(host)
    }

    /// Circuits that at least one end still knows of, in the whole world.
    #[must_use]
    pub fn circuits(&self) -> usize {
        self.network.circuit_count()
    }

    fn process_mut(&mut self, host: HostId) -> &mut dyn Process {
        &mut *self.processes[usize::from(host.0)]
    }
}
