//! How bytes, ends of streams and resets get from one end of a circuit to the other.

use std::time::Duration;

use ringyard_runtime::app::{ConnError, SEND_QUEUE_LOW_BYTES};
use ringyard_runtime::slab::Key;
use ringyard_time::Time;

use super::super::circuit::{Congestion, EndKey, Side, Stage};
use super::super::limits::RETRANSMISSION_DELAY_MAX;
use super::super::pipe::Fin;
use super::super::random::Span;
use super::{Due, Network, Occurrence, Phase};

/// What a packet finds at the end it was sent to.
enum Reception {
    /// Somebody who takes it.
    Taken,
    /// Nobody: if the machine is up its kernel has said so to the sender.
    Void,
}

impl Network {
    /// Gives the network what the turn has produced, as far as windows allow.
    pub(in super::super) fn flush_core(&mut self, core: usize) {
        let mut dirty = std::mem::take(&mut self.cores[core].dirty);
        for key in dirty.drain(..) {
            self.flush_end(key);
        }
        // Flushing makes nothing dirty, so the list that was put in its place has stayed empty.
        self.cores[core].dirty = dirty;
    }

    fn flush_end(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        end.dirty = false;
        let (stage, congestion) = (end.stage, end.congestion);
        if end.error.is_some() {
            match stage {
                Stage::Lingering => self.forget_end(key),
                Stage::Open => {
                    end.error_noticed = true;
                    self.make_end_ready(key);
                }
                Stage::Kernel | Stage::Gone => {}
            }
            return;
        }
        if matches!(stage, Stage::Kernel | Stage::Gone) {
            return;
        }
        let pipe = &mut circuit.outgoing_mut(key.side).pipe;
        let count = pipe.transmit();
        let (position, queued) = (pipe.sent(), pipe.queued());
        let ends = queued == 0 && pipe.fin == Fin::Wanted;
        if ends {
            pipe.fin = Fin::Sent;
        }
        if count > 0 {
            let time = self.arrival(key, count);
            let data = Occurrence::Data { end: key.peer(), position };
            self.agenda.push(time, Due::Network(data));
        }
        if ends {
            self.send_fin(key);
            if stage == Stage::Lingering {
                self.after(self.config.linger_limit, Occurrence::LingerOver { end: key });
            }
        }
        if stage == Stage::Lingering {
            self.drop_incoming(key);
            self.finish_lingering(key);
        } else if congestion == Congestion::Told && queued < SEND_QUEUE_LOW_BYTES as u64 {
            self.make_end_ready(key);
        }
    }

    /// When `bytes` more bytes sent now by `key` arrive at its peer.
    pub(super) fn arrival(&mut self, key: EndKey, bytes: u64) -> Time {
        let jitter = self.random.duration(self.config.jitter);
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return self.time };
        let latency = circuit.latency;
        let wire = circuit.outgoing_mut(key.side);
        let first = wire.last_arrival.max(self.time + latency + jitter);
        wire.last_arrival = first + Duration::from_nanos(bytes * wire.byte_nanoseconds);
        wire.last_arrival
    }

    /// The end of `key`'s stream goes out, behind all that was sent.
    pub(super) fn send_fin(&mut self, key: EndKey) {
        let time = self.arrival(key, 0);
        self.agenda.push(time, Due::Network(Occurrence::Fin { end: key.peer() }));
    }

    /// Tells `key`'s peer that there is no circuit any more.
    pub(super) fn reset_peer(&mut self, key: EndKey) {
        let time = self.arrival(key, 0);
        self.agenda.push(time, Due::Network(Occurrence::Reset { end: key.peer() }));
    }

    /// Ends `key` at once; the peer sees a reset.
    pub(super) fn destroy_end(&mut self, key: EndKey) {
        if self.stage(key).is_some_and(|stage| stage != Stage::Gone) {
            self.reset_peer(key);
            self.forget_end(key);
        }
    }

    /// Until when no packet gets to `key`, if there is a partition in its way.
    pub(super) fn cut_off(&self, key: EndKey) -> Option<Time> {
        if self.partitions.is_empty() {
            return None;
        }
        let circuit = self.circuits.get(key.circuit)?;
        let [one, other] =
            [Side::Caller, Side::Callee].map(|side| self.host_of(circuit.end(side).core));
        self.partitioned_until(one, other)
    }

    /// Has a packet try again some time after `until`.
    pub(super) fn postpone(&mut self, until: Time, occurrence: Occurrence) {
        let delay = self.random.duration(Span::between(Duration::ZERO, RETRANSMISSION_DELAY_MAX));
        self.agenda.push(until + delay, Due::Network(occurrence));
    }

    /// What a packet with part of a stream finds at `key`.
    fn receive(&mut self, key: EndKey) -> Reception {
        let Some(circuit) = self.circuits.get(key.circuit) else { return Reception::Void };
        let end = circuit.end(key.side);
        let host = self.host_of(end.core);
        if end.stage != Stage::Gone && end.error.is_none() {
            return Reception::Taken;
        }
        let position = circuit.incoming(key.side).sent();
        if self.machine(host).phase == Phase::Off {
            self.machine_mut(host).parked.push(key.peer());
            let give_up = Occurrence::GiveUp { end: key.peer(), position };
            self.after(self.config.retransmission_limit, give_up);
        } else if self.stage(key.peer()) != Some(Stage::Gone) {
            self.reset_peer(key);
        }
        Reception::Void
    }

    pub(super) fn on_data(&mut self, key: EndKey, position: u64) {
        if let Some(until) = self.cut_off(key) {
            if until.since(self.time) > self.config.retransmission_limit {
                let give_up = Occurrence::GiveUp { end: key.peer(), position };
                self.after(self.config.retransmission_limit, give_up);
            }
            return self.postpone(until, Occurrence::Data { end: key, position });
        }
        let Reception::Taken = self.receive(key) else { return };
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        circuit.incoming_mut(key.side).arrive(position);
        self.announce(key);
    }

    pub(super) fn on_fin(&mut self, key: EndKey) {
        if let Some(until) = self.cut_off(key) {
            return self.postpone(until, Occurrence::Fin { end: key });
        }
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let closed_before = circuit.end(key.side).stage == Stage::Gone
            && circuit.outgoing(key.side).fin >= Fin::Sent;
        if closed_before {
            return;
        }
        let Reception::Taken = self.receive(key) else { return };
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        circuit.incoming_mut(key.side).arrive_fin();
        self.announce(key);
    }

    /// Something has arrived at `key`: who has to know?
    fn announce(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get(key.circuit) else { return };
        let end = circuit.end(key.side);
        match end.stage {
            Stage::Open if !end.paused => self.make_end_ready(key),
            Stage::Lingering => self.make_end_dirty(key),
            // A paused end reads when it resumes, a new one once its app has heard of it.
            Stage::Open | Stage::Kernel | Stage::Gone => {}
        }
    }

    pub(super) fn on_window(&mut self, key: EndKey, position: u64) {
        if let Some(until) = self.cut_off(key) {
            return self.postpone(until, Occurrence::Window { end: key, position });
        }
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let pipe = &mut circuit.outgoing_mut(key.side).pipe;
        pipe.acknowledge(position);
        if pipe.queued() > 0 {
            self.make_end_dirty(key);
        }
    }

    pub(super) fn on_reset(&mut self, key: EndKey, error: ConnError) {
        // A reset is sent once and not repeated: the partition has swallowed it.
        if self.cut_off(key).is_none() {
            self.fail_end(key, error);
        }
    }

    pub(super) fn on_give_up(&mut self, key: EndKey, position: u64) {
        let Some(circuit) = self.circuits.get(key.circuit) else { return };
        if !circuit.outgoing(key.side).has_arrived(position) {
            self.fail_end(key, ConnError::TimedOut);
        }
    }

    /// `key`'s kernel learns that its circuit is no more.
    fn fail_end(&mut self, key: EndKey, error: ConnError) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        let stage = end.stage;
        match stage {
            Stage::Gone => return,
            Stage::Lingering => return self.forget_end(key),
            Stage::Kernel | Stage::Open => {}
        }
        if end.error.is_some() {
            return;
        }
        end.error = Some(error);
        end.error_noticed = stage == Stage::Kernel
            || !end.paused
            || self.random.happens(self.config.reset_noticed_while_paused);
        if self.random.happens(self.config.reset_loses_unread) {
            let pipe = circuit.incoming_mut(key.side);
            pipe.consume(pipe.readable());
        }
        if stage == Stage::Open {
            self.make_end_ready(key);
        }
    }

    pub(super) fn on_linger_over(&mut self, key: EndKey) {
        if self.stage(key) == Some(Stage::Lingering) {
            self.forget_end(key);
        }
    }

    pub(super) fn on_stall_check(&mut self, key: EndKey, before: u64) {
        let Some(circuit) = self.circuits.get(key.circuit) else { return };
        let pipe = circuit.outgoing(key.side);
        let (position, fin) = (pipe.sent(), pipe.fin);
        if circuit.end(key.side).stage != Stage::Lingering || fin >= Fin::Sent {
            return;
        }
        if position == before {
            self.destroy_end(key);
        } else {
            let check = Occurrence::StallCheck { end: key, position };
            self.after(self.config.flush_stall, check);
        }
    }

    pub(super) fn on_doom(&mut self, circuit: Key) {
        let Some(latency) = self.circuits.get(circuit).map(|circuit| circuit.latency) else {
            return;
        };
        let spared =
            if self.random.happens(self.config.reset_one_sided) { self.random.below(2) } else { 2 };
        for (number, side) in (0..).zip([Side::Caller, Side::Callee]) {
            if number != spared {
                self.after(latency, Occurrence::Reset { end: EndKey { circuit, side } });
            }
        }
        self.trace
            .note(self.time, format_args!("the network resets circuit {}", circuit.to_word()));
    }

    /// A closed end drops what still arrives.
    fn drop_incoming(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let pipe = circuit.incoming_mut(key.side);
        let position = pipe.consume(pipe.readable());
        self.acknowledge(key, position);
    }

    /// Tells `key`'s peer up to where `key` has read, where that matters to it.
    pub(super) fn acknowledge(&mut self, key: EndKey, position: Option<u64>) {
        let Some(position) = position else { return };
        let Some(circuit) = self.circuits.get(key.circuit) else { return };
        self.after(circuit.latency, Occurrence::Window { end: key.peer(), position });
    }

    /// A closed end is done once both streams have come to their ends.
    fn finish_lingering(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get(key.circuit) else { return };
        let sent = circuit.outgoing(key.side).fin >= Fin::Sent;
        if sent && circuit.incoming(key.side).fin == Fin::Arrived {
            self.forget_end(key);
        }
    }
}
