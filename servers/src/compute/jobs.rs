//! The requests that wait or are computed: by number, by who asked, by deadline.
//!
//! A job is *awaited* until its client leaves or its deadline passes. One that is awaited no more stays known until its
//! worker has said that it is free.

use std::collections::{BTreeSet, HashMap};

use ringyard_runtime::app::{CoreIndex, Time};

use crate::front::Ticket;

/// Names one request of a server, and never another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u64);

/// Who asked: the ticket of a request, and the core that has its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    pub(super) core: CoreIndex,
    pub(super) ticket: Ticket,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Waiting,
    Running { worker: CoreIndex, since: Time },
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) asker: Asker,
    pub(super) input: Box<[u8]>,
    pub(super) arrived: Time,
    pub(super) deadline: Option<Time>,
    pub(super) place: Place,
    /// Since when nobody awaits it.
    pub(super) disowned: Option<Time>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    next: u64,
    by_number: HashMap<Number, Job>,
    /// Those awaited.
    by_asker: HashMap<Asker, Number>,
    /// Those awaited that have one.
    deadlines: BTreeSet<(Time, Number)>,
}

impl Jobs {
    /// The number that the next job inserted will have.
    pub(super) fn next_number(&self) -> Number {
        Number(self.next)
    }

    /// Adds a job, awaited, under the next number.
    pub(super) fn insert(&mut self, job: Job) {
        let number = self.next_number();
        self.next += 1;
        self.by_asker.insert(job.asker, number);
        self.deadlines.extend(job.deadline.map(|deadline| (deadline, number)));
        self.by_number.insert(number, job);
    }

    pub(super) fn get_mut(&mut self, number: Number) -> Option<&mut Job> {
        self.by_number.get_mut(&number)
    }

    pub(super) fn of_asker(&self, asker: Asker) -> Option<Number> {
        self.by_asker.get(&asker).copied()
    }

    /// Notes that nobody awaits the job any more; `None` if that was known.
    pub(super) fn disown(&mut self, number: Number, now: Time) -> Option<&Job> {
        let job = self.by_number.get_mut(&number).filter(|job| job.disowned.is_none())?;
        job.disowned = Some(now);
        self.by_asker.remove(&job.asker);
        if let Some(deadline) = job.deadline {
            self.deadlines.remove(&(deadline, number));
        }
        Some(job)
    }

    /// Takes a job out, awaited or not.
    pub(super) fn remove(&mut self, number: Number) -> Option<Job> {
        let job = self.by_number.remove(&number)?;
        if job.disowned.is_none() {
            self.by_asker.remove(&job.asker);
            if let Some(deadline) = job.deadline {
                self.deadlines.remove(&(deadline, number));
            }
        }
        Some(job)
    }

    /// An awaited job whose deadline has come.
    pub(super) fn due(&self, now: Time) -> Option<Number> {
        let &(deadline, number) = self.deadlines.first()?;
        (deadline <= now).then_some(number)
    }

    /// When the first deadline comes.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Whether nothing waits or is computed.
    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }
}
