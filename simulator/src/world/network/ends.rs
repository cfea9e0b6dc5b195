//! What a driver does with the ends of its apps' connections: ask what there is to tell, and carry out
//! what the app wants.

use ringyard_runtime::app::{
    ConnError, ConnId, Event, Origin, SEND_QUEUE_HIGH_BYTES, SEND_QUEUE_LOW_BYTES,
};

use super::super::HostId;
use super::super::circuit::{Congestion, EndKey, Side, Stage};
use super::super::limits::{RECEIVE_BYTES_MAX, TAKEN_BYTES_MAX};
use super::super::pipe::Fin;
use super::super::random::Chance;
use super::{Network, Occurrence};

/// How often a driver has already taken something from the socket when its app pauses.
const TAKEN_BEFORE_PAUSE: Chance = Chance::percent(50);

/// The next thing to tell an app about a connection.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Step {
    Opened { conn: ConnId, origin: Origin },
    Received { count: u64 },
    PeerClosed { conn: ConnId },
    Failed { conn: ConnId, error: ConnError },
    Drained { conn: ConnId },
    Nothing,
}

impl Network {
    /// The driver has come to `key` in its list of what is ready.
    pub(in super::super) fn take_up(&mut self, key: EndKey) {
        if let Some(circuit) = self.circuits.get_mut(key.circuit) {
            circuit.end_mut(key.side).ready = false;
        }
    }

    /// The next thing to tell `key`'s app.
    pub(in super::super) fn step(&mut self, key: EndKey) -> Step {
        match self.stage(key) {
            Some(Stage::Kernel) if key.side == Side::Callee => self.accept(key),
            Some(Stage::Open) => self.step_open(key),
            _ => Step::Nothing,
        }
    }

    fn accept(&mut self, key: EndKey) -> Step {
        let Some(circuit) = self.circuits.get(key.circuit) else { return Step::Nothing };
        let (core, origin) = (circuit.end(key.side).core, circuit.end(key.side).origin);
        self.cores[core].backlog -= 1;
        if self.cores[core].draining {
            self.destroy_end(key);
            return Step::Nothing;
        }
        Step::Opened { conn: self.take_slot(key), origin }
    }

    /// Makes the caller's end of a new circuit known to its app.
    pub(in super::super) fn open(&mut self, key: EndKey) -> ConnId {
        let conn = self.take_slot(key);
        self.make_end_ready(key);
        conn
    }

    fn step_open(&mut self, key: EndKey) -> Step {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return Step::Nothing };
        let incoming = circuit.incoming(key.side);
        let (readable, read_out) = (incoming.readable(), incoming.is_read_out());
        let peer_finished = incoming.fin == Fin::Arrived && read_out;
        let queued = circuit.outgoing(key.side).queued();
        let end = circuit.end_mut(key.side);
        let Some(conn) = end.conn else { return Step::Nothing };
        let allowed = if end.paused { end.taken.min(readable) } else { readable };
        if allowed > 0 && (end.error.is_none() || end.error_noticed) {
            let count = allowed.min(RECEIVE_BYTES_MAX);
            let count = match self.random.happens(self.config.split) {
                true => self.random.between(1..=count),
                false => count,
            };
            return Step::Received { count };
        }
        if peer_finished && !end.paused && end.error.is_none() && !end.told_peer_closed {
            end.told_peer_closed = true;
            return Step::PeerClosed { conn };
        }
        if let Some(error) = end.error.filter(|_| end.error_noticed) {
            self.forget_end(key);
            return Step::Failed { conn, error };
        }
        if end.congestion == Congestion::Told && queued < SEND_QUEUE_LOW_BYTES as u64 {
            end.congestion = Congestion::Clear;
            return Step::Drained { conn };
        }
        Step::Nothing
    }

    /// Whether the driver goes on with `key` in the turn in which it has just handed over a piece.
    pub(in super::super) fn goes_on(&mut self, key: EndKey) -> bool {
        let defer = self.random.happens(self.config.defer);
        if defer {
            self.make_end_ready(key);
        }
        !defer
    }

    /// Puts `key` back for the next turn.
    pub(in super::super) fn put_back(&mut self, key: EndKey) {
        self.make_end_ready(key);
    }

    /// What `key`'s app calls it.
    pub(in super::super) fn conn_of(&self, key: EndKey) -> Option<ConnId> {
        self.circuits.get(key.circuit)?.end(key.side).conn
    }

    /// The app of `core` is about to receive `count` bytes on `conn`.
    pub(in super::super) fn trace_received(
        &mut self,
        core: usize,
        conn: ConnId,
        key: EndKey,
        count: u64,
    ) {
        let Self { trace, circuits, cores, time, .. } = self;
        if let Some(circuit) = circuits.get(key.circuit) {
            let bytes = circuit.incoming(key.side).front(count);
            let event: Event<'_, ()> = Event::Received { conn, bytes };
            trace.event(*time, (core as u64, &cores[core].label), &event);
        }
    }

    /// The next `count` bytes that `key` receives.
    pub(in super::super) fn incoming(&self, key: EndKey, count: u64) -> &[u8] {
        self.circuits
            .get(key.circuit)
            .map_or(&[], |circuit| circuit.incoming(key.side).front(count))
    }

    /// `key`'s app has received `count` bytes.
    pub(in super::super) fn consume(&mut self, key: EndKey, count: u64) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        end.taken = end.taken.saturating_sub(count);
        let position = circuit.incoming_mut(key.side).consume(count);
        self.acknowledge(key, position);
    }

    /// Whether `key` has just to be told that it is congested.
    pub(in super::super) fn take_congestion(&mut self, key: EndKey) -> Option<ConnId> {
        let circuit = self.circuits.get_mut(key.circuit)?;
        let end = circuit.end_mut(key.side);
        let announced = end.stage == Stage::Open && end.congestion == Congestion::Announced;
        if announced {
            end.congestion = Congestion::Told;
        }
        end.conn.filter(|_| announced)
    }

    pub(in super::super) fn send(&mut self, core: usize, conn: ConnId, bytes: &[u8]) {
        let Some(key) = self.find(core, conn) else { return };
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let pipe = &mut circuit.outgoing_mut(key.side).pipe;
        if pipe.fin != Fin::Open {
            return;
        }
        pipe.write(bytes);
        let queued = pipe.queued();
        let end = circuit.end_mut(key.side);
        if queued > SEND_QUEUE_HIGH_BYTES as u64 && end.congestion == Congestion::Clear {
            end.congestion = Congestion::Announced;
            self.cores[core].congested.push(key);
        }
        self.make_end_dirty(key);
    }

    pub(in super::super) fn finish(&mut self, core: usize, conn: ConnId) {
        if let Some(key) = self.find(core, conn) {
            self.want_fin(key);
        }
    }

    fn want_fin(&mut self, key: EndKey) {
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let pipe = &mut circuit.outgoing_mut(key.side).pipe;
        pipe.fin = pipe.fin.max(Fin::Wanted);
        self.make_end_dirty(key);
    }

    pub(in super::super) fn close(&mut self, core: usize, conn: ConnId) {
        let Some(key) = self.find(core, conn) else { return };
        self.release_slot(key);
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        circuit.end_mut(key.side).stage = Stage::Lingering;
        let fin = circuit.outgoing(key.side).fin;
        let position = circuit.outgoing(key.side).sent();
        if fin >= Fin::Sent {
            self.after(self.config.linger_limit, Occurrence::LingerOver { end: key });
        } else {
            let check = Occurrence::StallCheck { end: key, position };
            self.after(self.config.flush_stall, check);
        }
        self.want_fin(key);
    }

    pub(in super::super) fn abort(&mut self, core: usize, conn: ConnId) {
        if let Some(key) = self.find(core, conn) {
            self.destroy_end(key);
        }
    }

    pub(in super::super) fn pause(&mut self, core: usize, conn: ConnId) {
        let Some(key) = self.find(core, conn) else { return };
        let taken = match self.random.happens(TAKEN_BEFORE_PAUSE) {
            true => self.random.between(0..=TAKEN_BYTES_MAX),
            false => 0,
        };
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let readable = circuit.incoming(key.side).readable();
        let end = circuit.end_mut(key.side);
        end.paused = true;
        end.taken = taken.min(readable);
        if end.taken > 0 {
            self.make_end_ready(key);
        }
    }

    pub(in super::super) fn resume(&mut self, core: usize, conn: ConnId) {
        let Some(key) = self.find(core, conn) else { return };
        let Some(circuit) = self.circuits.get_mut(key.circuit) else { return };
        let end = circuit.end_mut(key.side);
        end.paused = false;
        end.error_noticed = true;
        self.make_end_ready(key);
    }

    /// Whether drivers of `host` still have something queued for the network.
    pub(in super::super) fn has_unsent(&self, host: HostId) -> bool {
        self.circuits.iter().any(|(_, circuit)| {
            [Side::Caller, Side::Callee].into_iter().any(|side| {
                let end = circuit.end(side);
                let pipe = circuit.outgoing(side);
                self.host_of(end.core) == host
                    && matches!(end.stage, Stage::Open | Stage::Lingering)
                    && end.error.is_none()
                    && (pipe.queued() > 0 || pipe.fin == Fin::Wanted)
            })
        })
    }
}
