//! The virtual network, and what each host's kernel knows of it.
//!
//! It carries bytes, ends and resets between the ends of circuits, in time and with the faults of its
//! configuration, and tells cores what is ready for them. It never calls an app: [`super::site`] does, and
//! asks here what there is to tell. [`connect`] makes circuits, [`transfer`] moves bytes, [`ends`] is what a
//! driver asks for, [`outage`] is what befalls whole hosts.

mod connect;
mod ends;
mod outage;
mod transfer;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use ringyard_runtime::app::{ConnError, ConnId, ConnectToken, CoreIndex, Now};
use ringyard_runtime::slab::{Key, Slab};
use ringyard_time::Time;

use super::agenda::{Agenda, Turns};
use super::circuit::{Circuit, EndKey, Stage};
use super::faults::NetworkConfig;
use super::limits::{SPARE_BUFFERS_MAX, UNIX_SECONDS_AT_START};
use super::random::Random;
use super::trace::Trace;
use super::{Action, HostId};

pub(super) use ends::Step;
pub use outage::{Exit, Phase};

/// Something on its way through the network, or due in a kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Occurrence {
    /// A request to connect reaches the host it is for.
    Syn { attempt: Key },
    /// The answer reaches the caller.
    Answer { attempt: Key, result: Result<Key, ConnError> },
    /// A driver has cancelled an attempt.
    CancelDone { attempt: Key },
    /// Bytes up to a position reach `end`.
    Data { end: EndKey, position: u64 },
    /// The end of the stream reaches `end`.
    Fin { end: EndKey },
    /// `end` hears that its circuit is no more.
    Reset { end: EndKey },
    /// `end` hears that its peer has read up to a position.
    Window { end: EndKey, position: u64 },
    /// `end`'s kernel looks whether what it sent has ever arrived.
    GiveUp { end: EndKey, position: u64 },
    /// A closed end that has sent all has waited long enough for its peer to close.
    LingerOver { end: EndKey },
    /// A closed end's driver looks whether it has sent more than up to a position.
    StallCheck { end: EndKey, position: u64 },
    /// The network kills a circuit.
    Doom { circuit: Key },
    /// A draining host has had its time.
    DrainOver { host: HostId, boots: u32 },
    /// A host's process thaws, unless another freeze has prolonged the first.
    Thaw { host: HostId },
}

/// What comes up next in the world.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Network(Occurrence),
    Act(Action),
}

/// Something that a core's driver has to look at in its next turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ready {
    End(EndKey),
    Attempt(Key),
}

/// One attempt to connect, as the caller's kernel knows it.
#[derive(Debug)]
struct Attempt {
    core: usize,
    token: ConnectToken,
    address: SocketAddr,
    started: Time,
    tries: u32,
    /// Drawn at its beginning: whatever it meets there, it will not be answered.
    unanswered: bool,
    /// The same for a refusal.
    refused: bool,
    result: Option<Result<Key, ConnError>>,
}

/// A core's table of connections.
#[derive(Debug, Default)]
struct Slot {
    held: u32,
    end: Option<EndKey>,
}

/// One core of a host, without its app.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) host: HostId,
    pub(super) index: CoreIndex,
    /// For the trace.
    pub(super) label: String,
    pub(super) ready: Vec<Ready>,
    dirty: Vec<EndKey>,
    /// Ends that grew congested since the app was last told.
    pub(super) congested: Vec<EndKey>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    attempts: Vec<Key>,
    backlog: usize,
    pub(super) busy_until: Time,
    /// The app has heard Drain: what still waits to be accepted is turned away.
    pub(super) draining: bool,
}

/// One machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    ports: Vec<u16>,
    pub(super) phase: Phase,
    accepting: bool,
    frozen_until: Time,
    pub(super) boots: u32,
    cores: Range<usize>,
    /// Those of them that listen: the first ones.
    listening: usize,
    /// Ends elsewhere whose packets ran into the void while this machine was off.
    parked: Vec<EndKey>,
}

/// Two hosts cannot reach one another.
#[derive(Clone, Copy, Debug)]
struct Partition {
    hosts: [HostId; 2],
    until: Time,
}

/// Hosts, circuits, and what is on its way between them.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) time: Time,
    pub(super) config: NetworkConfig,
    pub(super) random: Random,
    /// Makes the latency of each pair of hosts a function of the two.
    latency_seed: u64,
    pub(super) agenda: Agenda<Due>,
    pub(super) turns: Turns,
    pub(super) machines: Vec<Machine>,
    pub(super) cores: Vec<Core>,
    circuits: Slab<Circuit>,
    attempts: Slab<Attempt>,
    partitions: Vec<Partition>,
    spare_buffers: Vec<Vec<u8>>,
    pub(super) trace: Trace,
}

impl Network {
    pub(super) fn new(seed: u64, config: NetworkConfig) -> Self {
        let mut random = Random::new(seed);
        Self {
            time: Time::ZERO,
            config,
            latency_seed: random.next(),
            random,
            agenda: Agenda::default(),
            turns: Turns::default(),
            machines: Vec::new(),
            cores: Vec::new(),
            circuits: Slab::default(),
            attempts: Slab::default(),
            partitions: Vec::new(),
            spare_buffers: Vec::new(),
            trace: Trace::new(),
        }
    }

    /// Adds a machine of so many cores that listen at its ports, and so many workers.
    pub(super) fn add_machine(
        &mut self,
        name: &str,
        ports: &[u16],
        (listening, workers): (u16, u16),
    ) -> HostId {
        let host = HostId(u16::try_from(self.machines.len()).expect("a world of 2^16 hosts"));
        let first = self.cores.len();
        for index in 0..listening + workers {
            self.cores.push(Core {
                host,
                index: CoreIndex(index),
                label: format!("{name}/{index}"),
                ready: Vec::new(),
                dirty: Vec::new(),
                congested: Vec::new(),
                slots: Vec::new(),
                free: Vec::new(),
                attempts: Vec::new(),
                backlog: 0,
                busy_until: self.time,
                draining: false,
            });
        }
        self.turns.grow(self.cores.len());
        self.machines.push(Machine {
            name: name.to_owned(),
            ports: ports.to_vec(),
            phase: Phase::Off,
            accepting: false,
            frozen_until: Time::ZERO,
            boots: 0,
            cores: first..self.cores.len(),
            listening: usize::from(listening),
            parked: Vec::new(),
        });
        host
    }

    pub(super) fn machine(&self, host: HostId) -> &Machine {
        &self.machines[usize::from(host.0)]
    }

    fn machine_mut(&mut self, host: HostId) -> &mut Machine {
        &mut self.machines[usize::from(host.0)]
    }

    pub(super) fn now(&self) -> Now {
        let seconds = self.time.since(Time::ZERO).as_secs();
        Now { time: self.time, unix_seconds: UNIX_SECONDS_AT_START + seconds }
    }

    fn after(&mut self, delay: Duration, occurrence: Occurrence) {
        self.agenda.push(self.time + delay, Due::Network(occurrence));
    }

    /// Sees to it that `core` turns at `time`, or as soon after it as it can.
    pub(super) fn wake_at(&mut self, core: usize, time: Time) {
        let Core { host, busy_until, .. } = self.cores[core];
        if self.machine(host).phase == Phase::Running {
            let time = time.max(busy_until).max(self.time);
            if time < self.turns.get(core) {
                self.turns.set(core, time);
            }
        }
    }

    fn make_ready(&mut self, core: usize, ready: Ready) {
        self.cores[core].ready.push(ready);
        self.wake_at(core, self.time);
    }

    /// Puts `key` before its driver, once, however much happens to it until then.
    fn make_end_ready(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        if !std::mem::replace(&mut end.ready, true) {
            let core = end.core;
            self.make_ready(core, Ready::End(key));
        }
    }

    /// Has `key` flushed at the end of its core's next turn.
    fn make_end_dirty(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        if !std::mem::replace(&mut end.dirty, true) {
            let core = end.core;
            self.cores[core].dirty.push(key);
            self.wake_at(core, self.time);
        }
    }

    fn host_of(&self, core: usize) -> HostId {
        self.cores[core].host
    }

    /// The machine at `address`, if there is one.
    fn host_at(&self, address: SocketAddr) -> Option<HostId> {
        let IpAddr::V4(ip) = address.ip() else { return None };
        let [10, 0, high, low] = ip.octets() else { return None };
        let host = HostId(u16::from_be_bytes([high, low]).checked_sub(1)?);
        (usize::from(host.0) < self.machines.len()).then_some(host)
    }

    /// One way from one host to another; the same both ways and for ever.
    fn latency(&self, one: HostId, other: HostId) -> Duration {
        let pair = u64::from(one.0.min(other.0)) << 16 | u64::from(one.0.max(other.0));
        Random::new(self.latency_seed ^ pair.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .duration(self.config.latency)
    }

    /// Until when two hosts cannot reach one another, if they cannot now.
    fn partitioned_until(&self, one: HostId, other: HostId) -> Option<Time> {
        self.partitions
            .iter()
            .filter(|partition| partition.until > self.time)
            .filter(|partition| [[one, other], [other, one]].contains(&partition.hosts))
            .map(|partition| partition.until)
            .max()
    }

    /// The end that the app of `core` calls `conn`, while it is open.
    fn find(&self, core: usize, conn: ConnId) -> Option<EndKey> {
        let slot = self.cores[core].slots.get(conn.slot as usize)?;
        let key = slot.end?;
        (slot.held == conn.generation + 1).then_some(key)
    }

    /// Gives an end a place in its core's table.
    fn take_slot(&mut self, key: EndKey) -> ConnId {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { panic!("a live circuit") };
        let end = circuit.end_mut(key.side);
        let core = &mut self.cores[end.core];
        let index = if core.free.is_empty() {
            core.slots.push(Slot::default());
            core.slots.len() - 1
        } else {
            let choice = self.random.index(core.free.len());
            core.free.swap_remove(choice) as usize
        };
        let slot = &mut core.slots[index];
        let slot_number = u32::try_from(index).expect("a core has fewer than 2^32 connections");
        let conn = ConnId { slot: slot_number, generation: slot.held };
        slot.held += 1;
        slot.end = Some(key);
        end.conn = Some(conn);
        end.stage = Stage::Open;
        conn
    }

    /// Takes from an end the name that its app had for it.
    fn release_slot(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        if let Some(conn) = end.conn.take() {
            let core = &mut self.cores[end.core];
            core.slots[conn.slot as usize].end = None;
            core.free.push(conn.slot);
        }
    }

    /// Nothing is left of this end; of the circuit, perhaps.
    fn forget_end(&mut self, key: EndKey) {
        self.release_slot(key);
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        end.stage = Stage::Gone;
        if circuit.both_gone()
            && let Some(circuit) = self.circuits.remove(key.circuit)
        {
            for buffer in circuit.into_buffers() {
                if self.spare_buffers.len() < SPARE_BUFFERS_MAX {
                    self.spare_buffers.push(buffer);
                }
            }
        }
    }

    /// Circuits of which at least one end knows.
    pub(super) fn circuit_count(&self) -> usize {
        self.circuits.len()
    }

    /// Connections that apps of `host` have open.
    pub(super) fn open_count(&self, host: HostId) -> usize {
        let cores = self.machine(host).cores.clone();
        self.cores[cores].iter().map(|core| core.slots.len() - core.free.len()).sum()
    }

    pub(super) fn core_of(&self, host: HostId, index: CoreIndex) -> usize {
        self.machine(host).cores.start + usize::from(index.0)
    }

    pub(super) fn cores_of(&self, host: HostId) -> Range<usize> {
        self.machine(host).cores.clone()
    }

    /// Lets the network do what is due.
    pub(super) fn happen(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Syn { attempt } => self.on_syn(attempt),
            Occurrence::Answer { attempt, result } => self.on_answer(attempt, result),
            Occurrence::CancelDone { attempt } => self.on_cancel_done(attempt),
            Occurrence::Data { end, position } => self.on_data(end, position),
            Occurrence::Fin { end } => self.on_fin(end),
            Occurrence::Reset { end } => self.on_reset(end, ConnError::Reset),
            Occurrence::Window { end, position } => self.on_window(end, position),
            Occurrence::GiveUp { end, position } => self.on_give_up(end, position),
            Occurrence::LingerOver { end } => self.on_linger_over(end),
            Occurrence::StallCheck { end, position } => self.on_stall_check(end, position),
            Occurrence::Doom { circuit } => self.on_doom(circuit),
            Occurrence::DrainOver { host, boots } => self.on_drain_over(host, boots),
            Occurrence::Thaw { host } => self.thaw(host),
        }
    }
}

/// The address of a host.
pub(super) fn address_of(host: HostId) -> Ipv4Addr {
    let [high, low] = (host.0 + 1).to_be_bytes();
    Ipv4Addr::new(10, 0, high, low)
}
