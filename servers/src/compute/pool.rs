//! The queue before the workers, on the core that owns it: whom to refuse, who is next, who has left.
//!
//! There is one for a whole server however many cores serve, so what a policy promises holds for the server. It knows
//! requests by who asked; connections and HTTP are the business of [`Compute`](super::Compute).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ringyard_runtime::app::{Commands, CoreIndex, Time};
use ringyard_scheduler::shedding::{ShedQueue, ShedReason};

use super::board::ComputeBoard;
use super::jobs::{Asker, Job, Jobs, Number, Place};
use super::{ComputeConfig, ComputeMail, Departures};
use crate::front::Ticket;

/// A request on its way to the queue.
#[derive(Debug)]
pub struct Errand {
    pub(super) ticket: Ticket,
    pub(super) input: Box<[u8]>,
    pub(super) arrived: Time,
    pub(super) deadline: Option<Time>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The end of its chain.
    Digest { input: Box<[u8]>, digest: Box<[u8; 32]>, worked: Duration, queued: Duration },
    /// It was refused.
    Refused { retry_after: Duration },
    /// Its deadline has passed.
    Expired,
}

/// An outcome on its way back to the request.
#[derive(Debug)]
pub struct Completion {
    pub(super) ticket: Ticket,
    pub(super) outcome: Outcome,
}

/// Requests and workers.
#[derive(Debug)]
pub(super) struct Pool {
    departures: Departures,
    /// What a request is.
    links: u64,
    queue: ShedQueue<Number>,
    free: Vec<CoreIndex>,
    jobs: Jobs,
    board: Arc<ComputeBoard>,
    /// What has been decided and not been told yet.
    completions: VecDeque<(CoreIndex, Completion)>,
}

impl Pool {
    /// A pool of these workers, with nothing to do.
    pub(super) fn new(
        config: &ComputeConfig,
        workers: Vec<CoreIndex>,
        board: Arc<ComputeBoard>,
    ) -> Self {
        Self {
            departures: config.departures,
            links: config.effort.links,
            queue: ShedQueue::new(config.policy, workers.len(), config.effort.work),
            free: workers,
            jobs: Jobs::default(),
            board,
            completions: VecDeque::new(),
        }
    }

    /// Admits a request of a client of `core`.
    ///
    /// # Errors
    ///
    /// If it is refused: after how long to try again.
    pub(super) fn ask(
        &mut self,
        now: Time,
        core: CoreIndex,
        errand: Errand,
        commands: &mut Commands<ComputeMail>,
    ) -> Result<(), Duration> {
        let Errand { ticket, input, arrived, deadline } = errand;
        let number = self.jobs.next_number();
        if let Err(reason) = self.queue.offer(number, deadline, now) {
            self.board.count_refused(reason);
            return Err(self.queue.predicted_wait(now));
        }
        let asker = Asker { core, ticket };
        let place = Place::Waiting;
        self.jobs.insert(Job { asker, input, arrived, deadline, place, disowned: None });
        self.dispatch(now, commands);
        Ok(())
    }

    /// The client of a request has left: it leaves the queue, or its worker is told.
    pub(super) fn leave(&mut self, now: Time, asker: Asker, commands: &mut Commands<ComputeMail>) {
        let Some(number) = self.jobs.of_asker(asker) else { return };
        match self.departures {
            Departures::Heed => self.give_up(number, now, commands),
            Departures::Ignore => {
                self.jobs.disown(number, now);
            }
        }
        self.dispatch(now, commands);
    }

    /// Takes a message of a worker, which is free again.
    pub(super) fn hear(
        &mut self,
        now: Time,
        worker: CoreIndex,
        message: ComputeMail,
        commands: &mut Commands<ComputeMail>,
    ) {
        match message {
            ComputeMail::Done { number, digest, links } => {
                let Some(job) = self.freed(now, worker, number) else { return };
                self.queue.finished(number, job.arrived, now);
                if job.disowned.is_some() {
                    self.board.links_wasted.add(links);
                } else {
                    self.board.links_answered.add(links);
                    let Place::Running { since, .. } = job.place else { return };
                    let [worked, queued] = [now.since(since), since.since(job.arrived)];
                    let outcome = Outcome::Digest { input: job.input, digest, worked, queued };
                    self.complete(job.asker, outcome);
                }
            }
            ComputeMail::GivenUp { number, links } => {
                let Some(job) = self.freed(now, worker, number) else { return };
                let part = links as f64 / self.links as f64;
                self.queue.stopped(number, part, job.arrived, now);
                self.board.links_wasted.add(links);
            }
            other => debug_assert!(false, "workers do not say {other:?}"),
        }
        self.dispatch(now, commands);
    }

    /// Does what its time has come for.
    pub(super) fn turn(&mut self, now: Time, commands: &mut Commands<ComputeMail>) {
        while let Some(number) = self.jobs.due(now) {
            let Some(job) = self.jobs.get_mut(number) else { break };
            let asker = job.asker;
            self.board.expired.add(1);
            self.give_up(number, now, commands);
            self.complete(asker, Outcome::Expired);
        }
        while let Some(number) = self.queue.expire(now) {
            let Some(job) = self.jobs.remove(number) else { continue };
            if job.disowned.is_none() {
                self.board.count_refused(ShedReason::Stale);
                let retry_after = self.queue.predicted_wait(now);
                self.complete(job.asker, Outcome::Refused { retry_after });
            }
        }
        self.dispatch(now, commands);
    }

    /// When [`Pool::turn`] has something to do, if nothing else happens.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        [self.jobs.next_deadline(), self.queue.next_expiry()].into_iter().flatten().min()
    }

    /// An outcome, and the core that has its client.
    pub(super) fn pop_completion(&mut self) -> Option<(CoreIndex, Completion)> {
        self.completions.pop_front()
    }

    /// Whether nothing waits, is computed or has still to be told.
    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.completions.is_empty()
    }

    fn complete(&mut self, asker: Asker, outcome: Outcome) {
        let Asker { core, ticket } = asker;
        self.completions.push_back((core, Completion { ticket, outcome }));
    }

    /// Gives free workers what to do.
    fn dispatch(&mut self, now: Time, commands: &mut Commands<ComputeMail>) {
        while let Some(number) = self.queue.start(now) {
            let worker = self.free.pop().expect("the queue knows how many are free");
            let job = self.jobs.get_mut(number).expect("what waits is known");
            job.place = Place::Running { worker, since: now };
            commands.mail(worker, ComputeMail::Begin { number, input: job.input.clone() });
        }
        self.board.computing.set(self.queue.running() as u64);
        self.board.waiting.set(self.queue.waiting() as u64);
        self.board.limit.set(self.queue.limit().unwrap_or(0.0).to_bits());
    }

    /// Nobody awaits the job any more: it leaves the queue, or its worker is told to stop.
    fn give_up(&mut self, number: Number, now: Time, commands: &mut Commands<ComputeMail>) {
        let Some(job) = self.jobs.disown(number, now) else { return };
        match job.place {
            Place::Waiting => {
                self.queue.cancel(number);
                self.jobs.remove(number);
            }
            Place::Running { worker, .. } => commands.mail(worker, ComputeMail::GiveUp { number }),
        }
    }

    /// A worker is free again; what it had.
    fn freed(&mut self, now: Time, worker: CoreIndex, number: Number) -> Option<Job> {
        self.free.push(worker);
        let job = self.jobs.remove(number)?;
        if let Place::Running { since, .. } = job.place {
            let after_leaving = job.disowned.map(|left| now.since(left.max(since)));
            self.board.count_work(now.since(since), after_leaving);
        }
        Some(job)
    }
}
