//! What the dispatcher tells of its decisions, where it is asked to.

use ringyard_runtime::app::Time;
use ringyard_scheduler::{AutoSwitch, Batch, StrategyKind};

use super::{Dispatcher, Flight};
use crate::proxy::config::{BackendTarget, Explain};
use crate::proxy::decisions::{Decisions, Why};
use crate::proxy::explain::{Explanation, Facts};

/// A place for decisions, where they are to be kept.
pub(super) fn decisions_kept(explain: Explain) -> Option<Box<Decisions>> {
    match explain {
        Explain::Never => None,
        Explain::Always { decisions_kept } => Some(Box::new(Decisions::new(decisions_kept))),
    }
}

/// What is to be told to the members of a batch that has been answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Explained {
    facts: Facts,
    dispatched: Time,
    replied: Time,
    position: usize,
}

impl Explained {
    /// The same, to the member at `position`.
    pub(super) fn to(self, position: usize) -> Self {
        Self { position, ..self }
    }

    /// How a member that arrived at `arrived` was served.
    pub(super) fn of(self, arrived: Time) -> Explanation {
        Explanation {
            facts: self.facts,
            role: self.facts.role_of(self.position),
            queued: self.dispatched.since(arrived),
            took: self.replied.since(self.dispatched),
        }
    }
}

impl Dispatcher {
    /// Takes note of what is known of a batch that has just been put on a lane.
    pub(super) fn note_dispatch(&mut self, now: Time, lane: usize, batch: &Batch) {
        self.batches += 1;
        let facts = Facts {
            number: self.batches,
            requests: batch.jobs.len(),
            sequences: batch.sequences,
            sequences_max: self.config.batch_sequences_max,
            anchor: batch.anchor,
            strategy: self.scheduler.active_strategy(),
            composition: self.scheduler.composition(),
            predicted: batch.cost,
            policy: self.config.balance,
            chosen: self.balancer.explain().reason,
        };
        self.flights[lane].facts = facts;
        if let Some(decisions) = &mut self.decisions {
            let backend = self.lanes.backend_of(lane);
            let customers = &self.customers;
            let members = batch.jobs.iter().map(|job| (customers.name(job.spec.customer), job));
            decisions.dispatched(now, facts, backend, self.scheduler.len(), members);
        }
    }

    /// What the members of a batch are to be told, now that its reply is there; `None` for nothing.
    pub(super) fn explained(&mut self, now: Time, flight: &Flight) -> Option<Explained> {
        let decisions = self.decisions.as_mut()?;
        let Flight { facts, dispatched, .. } = *flight;
        decisions.replied(facts.number, now.since(dispatched));
        Some(Explained { facts, dispatched, replied: now, position: 0 })
    }

    /// Takes note that somebody asks for a strategy.
    pub(super) fn note_switch(&mut self, now: Time, to: StrategyKind) {
        let from = self.scheduler.strategy();
        if let Some(decisions) = &mut self.decisions {
            decisions.switched(now, from, to, Why::Asked);
        }
    }

    /// Takes note of a switch that `auto` has made, if it has made one since `before`.
    pub(super) fn note_own_switch(&mut self, before: Option<AutoSwitch>) {
        let Some(decisions) = &mut self.decisions else { return };
        if let Some(switch) = self.scheduler.last_switch()
            && Some(switch) != before
        {
            decisions.switched(switch.at, switch.from, switch.to, Why::Auto(switch.reason));
        }
    }

    /// The last decisions as JSON; `None` where none are kept.
    pub(in crate::proxy) fn decisions(&self, now: Time) -> Option<Vec<u8>> {
        let decisions = self.decisions.as_ref()?;
        let mut out = Vec::new();
        let address = |backend: usize| {
            let BackendTarget { host, .. } = &self.config.backends[backend];
            host.as_str()
        };
        decisions.write(now, address, &mut out);
        Some(out)
    }
}
