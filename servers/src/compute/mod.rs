//! The compute server: requests that keep a processor busy, the textbook case for shedding.
//!
//! `GET /calculate?input=TEXT` answers with the end of a chain of SHA-256 digests that takes as long as
//! [`Effort`] says. The chain is made by threads of their own ([`Worker`]), never where connections are served; both
//! are apps and speak by mail. Whom to refuse is decided by a [`ShedQueue`](ringyard_scheduler::shedding::ShedQueue). A
//! request that nobody waits for any more, for its client has left or its deadline has passed, is taken out of the queue
//! or stopped within one step of its chain.
//!
//! However many cores serve, one of them owns the queue, the policy and all workers; the others send it what they are
//! asked. So a policy's figures hold for the whole server.

mod board;
mod chain;
mod jobs;
mod pool;
mod service;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ringyard_runtime::app::{App, Commands, CoreIndex, Event, Now};
use ringyard_runtime::counters::CoreContext;
use ringyard_scheduler::shedding::SheddingPolicy;

use crate::front::{FrontConfig, HalfClosed, Pages, Server, Ticket};
use crate::metrics::{ServerCounters, answer_board};

pub use board::{ComputeBoard, ComputeTotals};
pub use chain::Effort;
pub use jobs::Number;
pub use pool::{Completion, Errand};
pub use service::Compute;
pub use worker::Worker;

/// The core that owns the queue and the workers.
const OWNER: CoreIndex = CoreIndex(0);

/// The page that a person can read, and the description that a program can.
const PAGES: Pages = Pages {
    docs: concat!(
        include_str!("../front/docs_head.html"),
        include_str!("docs.html"),
        include_str!("../front/docs_tail.html"),
    ),
    openapi: include_str!("openapi.json"),
};

/// How a compute server treats its clients unless told otherwise: one that has closed its sending side has left, for
/// each of its requests would cost a processor's time.
#[must_use]
pub fn front_default() -> FrontConfig {
    FrontConfig::new(HalfClosed::Abandon, PAGES)
}

/// Configuration of a compute server.
#[derive(Clone, Copy, Debug)]
pub struct ComputeConfig {
    /// What a request costs.
    pub effort: Effort,
    /// Threads that compute.
    pub workers: usize,
    /// Whom to refuse.
    pub policy: SheddingPolicy,
    /// By when a request is to be answered that does not say so itself. Default: whenever.
    pub deadline: Option<Duration>,
    /// What becomes of the work of clients that leave. Default: it stops.
    pub departures: Departures,
}

/// What becomes of the work of a client that leaves before its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Departures {
    /// It leaves the queue, or stops within a step.
    #[default]
    Heed,
    /// It is done all the same, as by most servers, to be compared with.
    Ignore,
}

/// What serving cores and workers say to one another.
#[derive(Debug)]
pub enum ComputeMail {
    /// To the owner: compute this.
    Ask(Box<Errand>),
    /// To the owner: the client of this ticket has left.
    Leave(Ticket),
    /// From the owner: what became of a request.
    Complete(Box<Completion>),
    /// To a free worker: compute this.
    Begin {
        /// Which request it is.
        number: Number,
        /// What to digest.
        input: Box<[u8]>,
    },
    /// To a worker: the answer is wanted no more.
    GiveUp {
        /// Which request.
        number: Number,
    },
    /// From a worker, which is free again.
    Done {
        /// Which request.
        number: Number,
        /// The end of its chain.
        digest: Box<[u8; 32]>,
        /// Links that were made.
        links: u64,
    },
    /// From a worker, which is free again: it has given up.
    GivenUp {
        /// Which request.
        number: Number,
        /// Links that were made in vain.
        links: u64,
    },
}

/// One thread of a compute server, as an engine drives it.
#[derive(Debug)]
pub enum ComputeServer {
    /// Serves connections.
    Serving(Box<Server<Compute>>),
    /// Computes.
    Working(Worker),
}

impl App for ComputeServer {
    type Mail = ComputeMail;

    fn on_event(
        &mut self,
        now: Now,
        event: Event<'_, ComputeMail>,
        commands: &mut Commands<ComputeMail>,
    ) {
        match self {
            Self::Serving(server) => server.on_event(now, event, commands),
            Self::Working(worker) => worker.on_event(now, event, commands),
        }
    }
}

/// Makes the app of each thread of a plan of `cores` serving cores followed by the workers. They count on `board`.
///
/// # Panics
///
/// If there is no worker.
pub fn factory(
    front: FrontConfig,
    config: ComputeConfig,
    cores: usize,
    board: Arc<ComputeBoard>,
) -> impl Fn(CoreContext) -> ComputeServer + Send + Sync + 'static {
    assert!(config.workers > 0, "somebody must do the work");
    let answers = answer_board(cores + config.workers);
    move |context| {
        if usize::from(context.core.0) >= cores {
            return ComputeServer::Working(Worker::new(config.effort));
        }
        let index = |thread| CoreIndex(u16::try_from(thread).expect("a plan's threads are few"));
        let workers = (cores..cores + config.workers).map(index).collect();
        let counters = ServerCounters::new(&context, Arc::clone(&answers));
        let service = Compute::new(context.core, config, workers, Arc::clone(&board));
        ComputeServer::Serving(Box::new(Server::new(front, counters, service)))
    }
}
