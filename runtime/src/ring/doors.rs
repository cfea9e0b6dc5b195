//! The listeners of one core: when accepting is asked for, and when it is left alone for a while.
//!
//! With room for many connections one accept takes all that come. As the limit comes near, accepts take one
//! connection each, so that the limit is kept and those beyond it wait in the kernel's queue.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};

use ringyard_time::Time;

use super::op::accept::{self, Times};
use super::op::cancel;
use super::queue::Queue;
use crate::limits::{ACCEPT_RETRY, LISTEN_BACKLOG};
use crate::socket::{AcceptFailure, accept_failure};

/// Free places above which an accept takes all that come: as many as can wait in the kernel's queue.
const FREE_PLACES_FOR_ALL: usize = LISTEN_BACKLOG.unsigned_abs() as usize;

/// All listeners of one core.
#[derive(Debug)]
pub(super) struct Doors {
    doors: Vec<Door>,
    /// Accepting failed for want of something, and is to be tried again at this time.
    retry_at: Option<Time>,
}

#[derive(Debug)]
struct Door {
    listener: TcpListener,
    accepting: Accepting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepting {
    Idle,
    Armed(Times),
    Cancelling,
}

impl Doors {
    /// Nobody is let in until the first [`adjust`](Self::adjust).
    pub(super) fn new(listeners: Vec<TcpListener>) -> Self {
        let door = |listener| Door { listener, accepting: Accepting::Idle };
        Self { doors: listeners.into_iter().map(door).collect(), retry_at: None }
    }

    /// At the end of a turn: asks for as many connections as there is room for.
    pub(super) fn adjust(&mut self, mut free_places: usize, queue: &mut Queue) {
        if self.retry_at.is_some() {
            free_places = 0;
        }
        let wanted = if free_places > FREE_PLACES_FOR_ALL { Times::Always } else { Times::Once };
        for (index, door) in (0..).zip(&mut self.doors) {
            match door.accepting {
                Accepting::Idle if free_places > 0 => {
                    accept::submit(queue, door.listener.as_fd(), index, wanted);
                    door.accepting = Accepting::Armed(wanted);
                }
                Accepting::Armed(times) if free_places == 0 || times > wanted => {
                    door.cancel(index, queue);
                }
                _ => {}
            }
            // Each accept that takes one may take the place of the next.
            free_places = free_places.saturating_sub(usize::from(wanted == Times::Once));
        }
    }

    /// Takes the terminal completion of the accept on listener `index`, with its error if it had one. Returns
    /// whether it failed for want of something.
    pub(super) fn ended(&mut self, index: u16, errno: Option<i32>, now: Time) -> bool {
        if let Some(door) = self.doors.get_mut(usize::from(index)) {
            door.accepting = Accepting::Idle;
        }
        match errno.filter(|errno| *errno != libc::ECANCELED).map(accept_failure) {
            Some(AcceptFailure::Exhausted) => {
                self.retry_at = Some(now + ACCEPT_RETRY);
                true
            }
            Some(AcceptFailure::Passing) | None => false,
        }
    }

    /// Accepts again if it was given up: a connection has closed.
    pub(super) fn reopen(&mut self) {
        self.retry_at = None;
    }

    /// Accepts again if it is time to.
    pub(super) fn retry(&mut self, now: Time) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.reopen();
        }
    }

    /// When to call [`retry`](Self::retry).
    pub(super) fn retry_at(&self) -> Time {
        self.retry_at.unwrap_or(Time::FAR_FUTURE)
    }

    /// Stops accepting, for good.
    pub(super) fn begin_to_close(&mut self, queue: &mut Queue) {
        for (index, door) in (0..).zip(&mut self.doors) {
            door.cancel(index, queue);
        }
    }

    /// Closes the listeners once nobody accepts on them, handing out what came to their queues since.
    pub(super) fn close(&mut self) -> Vec<(u16, OwnedFd)> {
        let mut last = Vec::new();
        if self.doors.iter().any(|door| door.accepting != Accepting::Idle) {
            return last;
        }
        for (index, door) in (0..).zip(self.doors.drain(..)) {
            if door.listener.set_nonblocking(true).is_ok() {
                let streams = std::iter::from_fn(|| door.listener.accept().ok());
                last.extend(streams.map(|(stream, _)| (index, stream.into())));
            }
        }
        last
    }

    /// Whether any listener is open.
    pub(super) fn are_open(&self) -> bool {
        !self.doors.is_empty()
    }
}

impl Door {
    fn cancel(&mut self, index: u16, queue: &mut Queue) {
        if let Accepting::Armed(_) = self.accepting {
            cancel::submit(queue, accept::token(index));
            self.accepting = Accepting::Cancelling;
        }
    }
}
