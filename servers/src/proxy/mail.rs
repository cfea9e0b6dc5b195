//! What the cores of a proxy say to one another.
//!
//! Clients are spread over all cores; one core owns the queue. The others send it what they are asked and get
//! the outcome back, each under the ticket of the request.

use std::time::Duration;

use ringyard_protocol::json::ItemSpan;
use ringyard_runtime::app::{CoreIndex, Time};
use ringyard_scheduler::cost::BatchShape;

use super::explain::Explanation;
use super::refusal::Refusal;
use super::strategy_route::{Change, Scope, State};
use crate::front::Ticket;

/// The core that owns the queue and the connections to the backends.
pub(super) const OWNER: CoreIndex = CoreIndex(0);

/// A request as it enters the queue.
#[derive(Debug)]
pub struct Submission {
    pub(super) ticket: Ticket,
    pub(super) customer: Box<str>,
    /// The sequences as they stood in the request, quotes and escapes included, with commas between.
    pub(super) payload: Vec<u8>,
    pub(super) shape: BatchShape,
    /// Each sequence, where they need not stay together; empty where they do.
    pub(super) apart: Vec<Sequence>,
    pub(super) arrived: Time,
    /// How long the client is ready to wait, if it said so.
    pub(super) patience: Option<Duration>,
}

/// One sequence of a submission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequence {
    pub(super) bytes: usize,
    pub(super) characters: u32,
}

impl Sequence {
    pub(super) fn of(item: &ItemSpan) -> Self {
        Self { bytes: (item.end - item.start) as usize, characters: item.characters }
    }
}

/// Why a request got no results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// It is not worth queueing, or there is no room.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The request's deadline passed.
    #[error("Downstream service too slow: no answer within {} ms", limit.as_millis())]
    TooSlow { limit: Duration },
    /// The backend failed.
    #[error("Downstream service error: {0}")]
    Backend(String),
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The results in the order of the sequences, as JSON, with commas between.
    Results {
        results: Vec<u8>,
        /// How it was served, where that is to be said.
        explanation: Option<Explanation>,
    },
    Failed(Failure),
    /// The strategy in force, after a question or a change.
    Strategy(State, Scope),
    /// The last decisions, as JSON; `None` where none are kept.
    Decisions(Option<Vec<u8>>),
}

/// An outcome on its way back to the request.
#[derive(Debug)]
pub struct Completion {
    pub(super) ticket: Ticket,
    pub(super) arrived: Time,
    pub(super) outcome: Outcome,
}

/// A message between two cores of a proxy.
#[derive(Debug)]
pub enum ProxyMail {
    /// To the owner: queue this.
    Submit(Box<Submission>),
    /// To the owner: the client of this ticket has left.
    Abandon(Ticket),
    /// To the owner: tell the strategy, after changing it if one is named.
    Strategy {
        /// The request that asks.
        ticket: Ticket,
        /// What to change.
        change: Change,
        /// When the request arrived.
        arrived: Time,
    },
    /// To the owner: tell the last decisions.
    Decisions {
        /// The request that asks.
        ticket: Ticket,
        /// When the request arrived.
        arrived: Time,
    },
    /// From the owner.
    Complete(Box<Completion>),
}
