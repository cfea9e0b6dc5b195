//! One client's connection: requests in, answers out in the order of the requests.
//!
//! A connection keeps a slot for each request parsed and not yet answered. An answer that comes before its
//! turn waits in its slot as encoded bytes; the answer whose turn it is goes straight to the engine.

use std::collections::VecDeque;

use ringyard_protocol::http1::{Phase, ServerCodec};
use ringyard_runtime::app::{ConnId, Time};

use crate::limits::PIPELINED_REQUESTS_MAX;
use crate::response::Framing;

/// Where the answer to one request stands.
#[derive(Debug)]
pub(super) enum Answer {
    /// Not known yet.
    Awaited,
    /// Encoded, waiting for the answers before it.
    Ready(Vec<u8>),
}

/// One request that was parsed and whose answer has not been handed to the engine.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) framing: Framing,
    pub(super) answer: Answer,
}

/// How far the client's side of a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// More requests may come.
    Open,
    /// The last request that we will look at has been parsed; what follows is dropped.
    Ended,
}

/// One client's connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnId,
    pub(super) codec: ServerCodec,
    pub(super) slots: VecDeque<Slot>,
    /// The number of the request in the first slot; requests are numbered from 0 on each connection.
    pub(super) first_number: u32,
    /// Bytes received while the connection was blocked.
    pub(super) held: Vec<u8>,
    pub(super) input: Input,
    /// By when the head that has begun to arrive must be whole.
    pub(super) head_deadline: Option<Time>,
    pub(super) peer_closed: bool,
    pub(super) congested: bool,
    /// So much was answered at one go that the driver has to be heard before more is.
    pub(super) yielded: bool,
    pub(super) receiving_paused: bool,
    /// The request that is coming has been refused for what its head says; its body is let by.
    pub(super) unwanted: bool,
    /// A client waits for `100 Continue`, which has to come after the answers before it.
    pub(super) continue_owed: bool,
    /// Listed as able to go on with input that had to wait.
    pub(super) resumable: bool,
}

impl Connection {
    pub(super) fn new(id: ConnId) -> Self {
        Self {
            id,
            codec: ServerCodec::new(),
            slots: VecDeque::new(),
            first_number: 0,
            held: Vec::new(),
            input: Input::Open,
            head_deadline: None,
            peer_closed: false,
            congested: false,
            yielded: false,
            receiving_paused: false,
            unwanted: false,
            continue_owed: false,
            resumable: false,
        }
    }

    /// Whether parsing has to wait: the client reads too slowly or asks too much at one go, or has too many
    /// requests unanswered.
    pub(super) fn blocked(&self) -> bool {
        self.congested || self.yielded || self.slots.len() >= PIPELINED_REQUESTS_MAX
    }

    /// The number that the next request will get.
    pub(super) fn next_number(&self) -> u32 {
        let waiting = u32::try_from(self.slots.len()).expect("slots are bounded by a small limit");
        self.first_number.wrapping_add(waiting)
    }

    /// The slot of request `number`, if it is still unanswered.
    pub(super) fn slot_index(&self, number: u32) -> Option<usize> {
        let index = number.wrapping_sub(self.first_number) as usize;
        (index < self.slots.len()).then_some(index)
    }

    /// Drops the first slot, whose answer has gone out.
    pub(super) fn pop_answered(&mut self) {
        self.slots.pop_front();
        self.first_number = self.first_number.wrapping_add(1);
    }

    /// Whether no byte of an unanswered request is here: not parsed, not half parsed, not held back.
    pub(super) fn at_rest(&self) -> bool {
        self.slots.is_empty() && !self.has_unparsed()
    }

    /// Whether bytes of a request not yet parsed are here.
    pub(super) fn has_unparsed(&self) -> bool {
        self.codec.phase() != Phase::Idle || self.receiving_paused || !self.held.is_empty()
    }

    /// Whether a request was ever parsed.
    pub(super) fn is_fresh(&self) -> bool {
        self.first_number == 0 && self.slots.is_empty()
    }
}
