//! A connection as the network sees it: two ends, a pipe each way, and who knows what of it.
//!
//! One end may be long gone while the other still believes in the connection; that is what makes networks
//! hard, so each end has a stage of its own.

use std::time::Duration;

use ringyard_runtime::app::{ConnError, ConnId, Origin};
use ringyard_runtime::slab::Key;
use ringyard_time::Time;

use super::pipe::Pipe;

/// Which end of a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The one that connected.
    Caller,
    /// The one that accepted.
    Callee,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// Names one end of one circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndKey {
    pub(super) circuit: Key,
    pub(super) side: Side,
}

impl EndKey {
    pub(super) const fn peer(self) -> Self {
        Self { circuit: self.circuit, side: self.side.other() }
    }
}

/// What an end's driver knows of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Known to the kernel only: waiting for the answer, or to be accepted.
    Kernel,
    /// The app has heard Opened and has not closed.
    Open,
    /// The app has closed; the driver waits for the queue and for the peer.
    Lingering,
    /// Nothing is left of it.
    Gone,
}

/// What an end's app was told of its send queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Congestion {
    Clear,
    /// Above high water, the event is on its way.
    Announced,
    /// The app has heard of it.
    Told,
}

/// One end of a circuit.
#[derive(Debug)]
pub(super) struct End {
    pub(super) core: usize,
    pub(super) origin: Origin,
    pub(super) stage: Stage,
    /// The app's name for it while it is open.
    pub(super) conn: Option<ConnId>,
    pub(super) paused: bool,
    /// Bytes that may still be handed over although receiving is paused.
    pub(super) taken: u64,
    pub(super) congestion: Congestion,
    pub(super) told_peer_closed: bool,
    /// What has befallen it.
    pub(super) error: Option<ConnError>,
    /// Whether the driver has noticed.
    pub(super) error_noticed: bool,
    /// Whether it stands in its core's list of what is ready.
    pub(super) ready: bool,
    /// Whether it stands in its core's list of what is to be flushed.
    pub(super) dirty: bool,
}

impl End {
    pub(super) fn new(core: usize, origin: Origin) -> Self {
        Self {
            core,
            origin,
            stage: Stage::Kernel,
            conn: None,
            paused: false,
            taken: 0,
            congestion: Congestion::Clear,
            told_peer_closed: false,
            error: None,
            error_noticed: false,
            ready: false,
            dirty: false,
        }
    }
}

/// A wire in one direction.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) pipe: Pipe,
    pub(super) byte_nanoseconds: u64,
    /// Nothing sent later arrives earlier than this.
    pub(super) last_arrival: Time,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Circuit {
    pub(super) latency: Duration,
    ends: [End; 2],
    /// By the side that sends.
    wires: [Wire; 2],
}

impl Circuit {
    pub(super) fn new(latency: Duration, ends: [End; 2], wires: [Wire; 2]) -> Self {
        Self { latency, ends, wires }
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    /// What `side` sends.
    pub(super) fn outgoing(&self, side: Side) -> &Pipe {
        &self.wires[side as usize].pipe
    }

    pub(super) fn outgoing_mut(&mut self, side: Side) -> &mut Wire {
        &mut self.wires[side as usize]
    }

    /// What `side` receives.
    pub(super) fn incoming(&self, side: Side) -> &Pipe {
        self.outgoing(side.other())
    }

    pub(super) fn incoming_mut(&mut self, side: Side) -> &mut Pipe {
        &mut self.wires[side.other() as usize].pipe
    }

    pub(super) fn both_gone(&self) -> bool {
        self.ends.iter().all(|end| end.stage == Stage::Gone)
    }

    pub(super) fn into_buffers(self) -> [Vec<u8>; 2] {
        self.wires.map(|wire| wire.pipe.into_buffer())
    }
}
