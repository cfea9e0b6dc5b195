//! What an answer says of how its request was served, where the proxy is to explain itself.
//!
//! It is said in headers, so that bodies stay as clients know them. What was decided about others is in
//! `decisions`.

use std::time::Duration;

use ringyard_scheduler::balance::Reason;
use ringyard_scheduler::balance::live::LiveKind;
use ringyard_scheduler::cost::Cost;
use ringyard_scheduler::{CompositionKind, StrategyKind};

use crate::response::Response;

/// What is known of a batch when it leaves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// Batches are numbered from 1.
    pub(super) number: u64,
    pub(super) requests: usize,
    pub(super) sequences: u32,
    pub(super) sequences_max: u32,
    /// Which of its members it was made around.
    pub(super) anchor: usize,
    pub(super) strategy: StrategyKind,
    pub(super) composition: CompositionKind,
    pub(super) predicted: Cost,
    /// Who chose its backend, and why.
    pub(super) policy: LiveKind,
    pub(super) chosen: Reason,
}

/// What a request is to its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The batch was made around it.
    Anchor,
    /// It went along.
    Rider,
}

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::Rider => "rider",
        }
    }
}

impl Facts {
    /// What the member at `position` is to the batch.
    pub(super) fn role_of(&self, position: usize) -> Role {
        if position == self.anchor { Role::Anchor } else { Role::Rider }
    }
}

/// How a request was served. One that was split tells of the batch of its last part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Explanation {
    pub(super) facts: Facts,
    pub(super) role: Role,
    /// From its arrival to when its batch left.
    pub(super) queued: Duration,
    /// From when its batch left to the reply.
    pub(super) took: Duration,
}

impl Explanation {
    /// Adds it to an answer.
    pub(super) fn write(&self, response: &mut Response) {
        let facts = &self.facts;
        let fill = f64::from(facts.sequences) / f64::from(facts.sequences_max);
        response.add_header("x-ringyard-queue-us", self.queued.as_micros());
        response.add_header("x-ringyard-batch", facts.number);
        response.add_header("x-ringyard-batch-requests", facts.requests);
        response.add_header("x-ringyard-batch-sequences", facts.sequences);
        response.add_header("x-ringyard-batch-fill", format_args!("{fill:.2}"));
        response.add_header("x-ringyard-role", self.role.name());
        response.add_header("x-ringyard-strategy", facts.strategy);
        response.add_header("x-ringyard-composition", facts.composition);
        response.add_header("x-ringyard-cost-predicted-us", facts.predicted.duration().as_micros());
        response.add_header("x-ringyard-cost-actual-us", self.took.as_micros());
    }
}
