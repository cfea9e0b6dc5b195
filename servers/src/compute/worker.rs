//! A compute thread as an app: it has no listener and speaks by mail alone.
//!
//! It makes one step of its chain per turn and hears its mail between two steps, so what is given up stops within one
//! step. It has one job at a time; whose turn it is has been decided before.

use ringyard_runtime::app::{App, Commands, CoreIndex, Event, Now, Time};

use super::chain::{Chain, Effort};
use super::{ComputeMail, Number};

/// One compute thread.
#[derive(Debug)]
pub struct Worker {
    effort: Effort,
    current: Option<Current>,
    finished: bool,
}

#[derive(Debug)]
struct Current {
    owner: CoreIndex,
    number: Number,
    chain: Chain,
    links: u64,
    /// The answer that found its owner's mailbox full and waits to be sent again.
    unsent: Option<ComputeMail>,
}

impl Worker {
    /// A thread with nothing to do.
    pub(super) fn new(effort: Effort) -> Self {
        Self { effort, current: None, finished: false }
    }

    fn hear(&mut self, from: CoreIndex, message: ComputeMail) {
        match message {
            ComputeMail::Begin { number, input } => {
                debug_assert!(self.current.is_none(), "a worker has one job at a time");
                let chain = Chain::new(&input, self.effort.links);
                self.current = Some(Current { owner: from, number, chain, links: 0, unsent: None });
            }
            ComputeMail::GiveUp { number } => {
                let is_it = |current: &&mut Current| current.number == number;
                if let Some(current) = self.current.as_mut().filter(is_it) {
                    current
                        .unsent
                        .get_or_insert(ComputeMail::GivenUp { number, links: current.links });
                }
            }
            other => debug_assert!(false, "workers do not say {other:?} to workers"),
        }
    }

    /// Makes a step, or sends what came of the last one.
    fn step(&mut self, commands: &mut Commands<ComputeMail>) {
        let Some(current) = &mut self.current else { return };
        if current.unsent.is_none() {
            current.links += current.chain.advance(self.effort.step);
            let Some(digest) = current.chain.done() else { return };
            let Current { number, links, .. } = *current;
            current.unsent = Some(ComputeMail::Done { number, digest: Box::new(digest), links });
        }
        if let Some(message) = current.unsent.take() {
            commands.mail(current.owner, message);
            self.current = None;
        }
    }
}

impl App for Worker {
    type Mail = ComputeMail;

    fn on_event(
        &mut self,
        now: Now,
        event: Event<'_, ComputeMail>,
        commands: &mut Commands<ComputeMail>,
    ) {
        match event {
            Event::Mail { from, message } => self.hear(from, message),
            Event::Deadline => self.step(commands),
            Event::MailReturned { to, message } => {
                let (ComputeMail::Done { number, links, .. }
                | ComputeMail::GivenUp { number, links }) = message
                else {
                    return;
                };
                let chain = Chain::new(&[], 0);
                let unsent = Some(message);
                self.current = Some(Current { owner: to, number, chain, links, unsent });
            }
            // Cores that still have work for it are heard until all of them are finished.
            Event::Drain if !self.finished => {
                self.finished = true;
                commands.finished();
            }
            _ => {}
        }
        let next: Option<Time> = self.current.as_ref().map(|_| now.time);
        commands.set_deadline(next);
    }
}
