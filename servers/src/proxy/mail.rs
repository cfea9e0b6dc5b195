//! What the cores of a proxy say to one another.
//!
//! Clients are spread over all cores; one core owns the queue. The others send it what they are asked and get
//! the outcome back, each under the ticket of the request.

use std::time::Duration;

use ringyard_runtime::app::{CoreIndex, Time};
use ringyard_scheduler::StrategyKind;

use super::strategy_route::Scope;
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
    pub(super) sequences: u32,
    /// Characters of the longest sequence.
    pub(super) longest: u32,
    pub(super) arrived: Time,
}

/// Why a request got no results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// More waits than can be answered in good time.
    #[error("Overloaded: {waiting} requests wait; try again later")]
    Overloaded { waiting: usize, retry_after: Duration },
    /// The owner of the queue has more messages waiting than its mailbox holds.
    #[error("Overloaded: too many requests between cores; try again later")]
    MailboxFull,
    /// The request's deadline passed.
    #[error("Downstream service too slow: no answer within {} ms", limit.as_millis())]
    TooSlow { limit: Duration },
    /// The backend failed, or none can be reached.
    #[error("Downstream service error: {0}")]
    Backend(String),
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A JSON array: the results in the order of the sequences.
    Results(Vec<u8>),
    Failed(Failure),
    /// The strategy in force, after a question or a change.
    Strategy(StrategyKind, Scope),
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
        /// The strategy to change to.
        change: Option<StrategyKind>,
        /// When the request arrived.
        arrived: Time,
    },
    /// From the owner.
    Complete(Box<Completion>),
}
