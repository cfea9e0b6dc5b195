//! A server of one queue and a known law: each byte `?` is a job, each answer a byte `!`.

use std::collections::VecDeque;
use std::time::Duration;

use ringyard_bench::random::Random;
use ringyard_runtime::app::{App, Commands, ConnId, Event, Now, Time};

/// How long a job takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Law {
    /// Always the same: with Poisson arrivals, M/D/1.
    Constant(Duration),
    /// Memoryless with this mean: with Poisson arrivals, M/M/1.
    Exponential(Duration),
}

/// What is peculiar about a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// From when to when it does nothing at all.
    pub(crate) stall: Option<(Time, Duration)>,
    /// After how many answers it closes a connection.
    pub(crate) closes_after: Option<u32>,
    /// Never answers.
    pub(crate) mute: bool,
    /// Answers with a byte that is no answer.
    pub(crate) babbles: bool,
}

/// The server: first come, first served, one at a time.
#[derive(Debug)]
pub(crate) struct Fake {
    law: Law,
    habits: Habits,
    random: Random,
    queue: VecDeque<ConnId>,
    /// When the job at the head of the queue is done.
    done: Option<Time>,
    answers: Vec<(ConnId, u32)>,
}

impl Fake {
    pub(crate) fn new(law: Law, habits: Habits) -> Self {
        Self::seeded(law, habits, 77)
    }

    /// A server whose service times follow from `seed`.
    pub(crate) fn seeded(law: Law, habits: Habits, seed: u64) -> Self {
        let random = Random::stream(seed, u64::MAX);
        Self { law, habits, random, queue: VecDeque::new(), done: None, answers: Vec::new() }
    }

    /// When a job that is begun at `start` is done.
    fn completion(&mut self, start: Time) -> Time {
        let service = match self.law {
            Law::Constant(service) => service,
            Law::Exponential(mean) => mean.mul_f64(self.random.exponential()),
        };
        match self.habits.stall {
            Some((from, length)) if start < from + length && start + service > from => {
                start.max(from) + length + service
            }
            _ => start + service,
        }
    }

    fn work(&mut self, now: Time, commands: &mut Commands<()>) {
        while let Some(done) = self.done
            && done <= now
        {
            let conn = self.queue.pop_front().expect("a job is done that was queued");
            if !self.habits.mute {
                commands.send(conn, if self.habits.babbles { b"#" } else { b"!" });
                self.count(conn, commands);
            }
            self.done = (!self.queue.is_empty()).then(|| self.completion(done));
        }
        commands.set_deadline(self.done);
    }

    fn count(&mut self, conn: ConnId, commands: &mut Commands<()>) {
        let Some(most) = self.habits.closes_after else { return };
        let index = self.answers.iter().position(|(known, _)| *known == conn);
        let index = index.unwrap_or_else(|| {
            self.answers.push((conn, 0));
            self.answers.len() - 1
        });
        self.answers[index].1 += 1;
        if self.answers[index].1 >= most {
            self.answers.swap_remove(index);
            commands.close(conn);
        }
    }
}

impl App for Fake {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        let now = now.time;
        match event {
            Event::Received { conn, bytes } => {
                for _ in bytes.iter().filter(|byte| **byte == b'?') {
                    if self.queue.is_empty() {
                        self.done = Some(self.completion(now));
                    }
                    self.queue.push_back(conn);
                }
            }
            Event::PeerClosed { conn } => commands.close(conn),
            Event::Drain => commands.finished(),
            _ => {}
        }
        self.work(now, commands);
    }
}
