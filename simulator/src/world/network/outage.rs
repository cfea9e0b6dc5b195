//! What befalls hosts as a whole: boots, deaths, stand-stills, partitions, and the end of a process.

use std::time::Duration;

use ringyard_time::Time;

use super::super::HostId;
use super::super::circuit::{EndKey, Side, Stage};
use super::super::limits::RETRANSMISSION_DELAY_MAX;
use super::super::pipe::Fin;
use super::super::random::Span;
use super::{Network, Occurrence, Partition};

/// What a machine and the process on it are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Without power, or not started yet.
    Off,
    /// Serving.
    Running,
    /// The process stands still; its kernel does not.
    Frozen,
    /// The process has ended; its kernel refuses in its stead.
    Exited(Exit),
}

/// How a process came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was killed.
    Killed,
    /// It was told to drain, and all its apps have finished.
    Finished,
    /// It was told to drain, and its time was up.
    Overdue,
}

impl Network {
    /// Starts a host's process. Whether it was not running before.
    pub(in super::super) fn boot(&mut self, host: HostId) -> bool {
        let machine = self.machine_mut(host);
        if matches!(machine.phase, Phase::Running | Phase::Frozen) {
            return false;
        }
        machine.phase = Phase::Running;
        machine.accepting = true;
        machine.boots += 1;
        let parked = std::mem::take(&mut machine.parked);
        for key in parked {
            if self.stage(key).is_some_and(|stage| stage != Stage::Gone) {
                let longest = Span::between(Duration::ZERO, RETRANSMISSION_DELAY_MAX);
                let delay = self.random.duration(longest);
                self.after(delay, Occurrence::Reset { end: key });
            }
        }
        for core in self.cores_of(host) {
            self.cores[core].busy_until = self.time;
            self.cores[core].draining = false;
            self.wake_at(core, self.time);
        }
        self.note(host, "starts");
        true
    }

    /// A host's process ends; its kernel closes what it had open, as kernels do.
    pub(in super::super) fn end_process(&mut self, host: HostId, exit: Exit) {
        if !matches!(self.machine(host).phase, Phase::Running | Phase::Frozen) {
            return;
        }
        for key in self.ends_of(host) {
            let Some(circuit) = self.circuits.get_mut(key.circuit) else { continue };
            let unread = circuit.incoming(key.side).readable() > 0;
            let broken = circuit.end(key.side).error.is_some();
            let pipe = &mut circuit.outgoing_mut(key.side).pipe;
            pipe.drop_queued();
            if unread && !broken {
                self.destroy_end(key);
                continue;
            }
            if pipe.fin < Fin::Sent && !broken {
                pipe.fin = Fin::Sent;
                self.send_fin(key);
            }
            self.forget_end(key);
        }
        self.clear_process(host);
        self.machine_mut(host).phase = Phase::Exited(exit);
        self.note(
            host,
            match exit {
                Exit::Killed => "is killed",
                Exit::Finished => "has finished",
                Exit::Overdue => "is ended, having drained for too long",
            },
        );
    }

    /// A machine loses power.
    pub(in super::super) fn power_cut(&mut self, host: HostId) {
        for key in self.ends_of(host) {
            self.forget_end(key);
        }
        self.clear_process(host);
        self.machine_mut(host).phase = Phase::Off;
        self.note(host, "loses power");
    }

    /// The ends that `host` knows of.
    fn ends_of(&self, host: HostId) -> Vec<EndKey> {
        let mut keys = Vec::new();
        for (circuit, value) in self.circuits.iter() {
            for side in [Side::Caller, Side::Callee] {
                let end = value.end(side);
                if self.host_of(end.core) == host && end.stage != Stage::Gone {
                    keys.push(EndKey { circuit, side });
                }
            }
        }
        keys
    }

    /// Nothing is left of what the drivers of `host` knew.
    fn clear_process(&mut self, host: HostId) {
        self.machine_mut(host).accepting = false;
        for index in self.cores_of(host) {
            self.forget_attempts(index);
            let core = &mut self.cores[index];
            core.ready.clear();
            core.dirty.clear();
            core.congested.clear();
            core.slots.clear();
            core.free.clear();
            core.backlog = 0;
            self.turns.set(index, Time::FAR_FUTURE);
        }
    }

    /// A host's process stands still.
    pub(in super::super) fn freeze(&mut self, host: HostId, length: Duration) {
        let until = self.time + length;
        let machine = self.machine_mut(host);
        if !matches!(machine.phase, Phase::Running | Phase::Frozen) {
            return;
        }
        machine.phase = Phase::Frozen;
        machine.frozen_until = machine.frozen_until.max(until);
        for core in self.cores_of(host) {
            self.turns.set(core, Time::FAR_FUTURE);
        }
        self.after(length, Occurrence::Thaw { host });
        self.note(host, "freezes");
    }

    pub(super) fn thaw(&mut self, host: HostId) {
        let time = self.time;
        let machine = self.machine_mut(host);
        if machine.phase != Phase::Frozen || machine.frozen_until > time {
            return;
        }
        machine.phase = Phase::Running;
        for core in self.cores_of(host) {
            self.wake_at(core, time);
        }
        self.note(host, "thaws");
    }

    /// Two hosts lose sight of one another.
    pub(in super::super) fn partition(&mut self, hosts: [HostId; 2], length: Duration) {
        let time = self.time;
        self.partitions.retain(|partition| partition.until > time);
        self.partitions.push(Partition { hosts, until: time + length });
        self.trace.note(
            time,
            format_args!(
                "{} and {} lose sight of one another for {length:?}",
                self.machine(hosts[0]).name,
                self.machine(hosts[1]).name
            ),
        );
    }

    /// A host is told to finish. Whether it was running and had not been told before.
    pub(in super::super) fn drain(&mut self, host: HostId) -> bool {
        let machine = self.machine_mut(host);
        let running = matches!(machine.phase, Phase::Running | Phase::Frozen);
        if !running || !std::mem::replace(&mut machine.accepting, false) {
            return false;
        }
        let boots = machine.boots;
        self.after(self.config.drain_limit, Occurrence::DrainOver { host, boots });
        for core in self.cores_of(host) {
            self.wake_at(core, self.time);
        }
        self.note(host, "is told to drain");
        true
    }

    pub(super) fn on_drain_over(&mut self, host: HostId, boots: u32) {
        if self.machine(host).boots == boots {
            self.end_process(host, Exit::Overdue);
        }
    }

    /// The network resets every connection of `host`.
    pub(in super::super) fn reset_all(&mut self, host: HostId) {
        for key in self.ends_of(host) {
            self.on_doom(key.circuit);
        }
    }

    fn note(&self, host: HostId, what: &str) {
        self.trace.note(self.time, format_args!("{} {what}", self.machine(host).name));
    }
}
