//! The listeners of one core, and when they are left alone for a while.

use std::io;
use std::net;
use std::task::{Context, Poll, Waker};

use ringyard_time::Time;
use tokio::net::{TcpListener, TcpStream};

use super::ready::{Ready, Source};
use crate::limits::ACCEPT_RETRY;
use crate::socket::{AcceptFailure, accept_failure};

/// All listeners of one core.
#[derive(Debug, Default)]
pub(super) struct Doors {
    doors: Vec<Door>,
    /// Accepting failed for want of something, and is to be tried again at this time.
    retry_at: Option<Time>,
    /// There are as many connections as there may be.
    is_full: bool,
}

#[derive(Debug)]
struct Door {
    listener: TcpListener,
    waker: Waker,
}

/// What accepting came to.
#[derive(Debug)]
pub(super) enum Accepted {
    /// A connection.
    Stream(TcpStream),
    /// One that came to nothing; there may be more.
    Failed,
    /// There is nothing to accept with; try again later.
    Exhausted,
    /// Nobody waits.
    Nobody,
}

impl Doors {
    /// Watches `listeners`.
    pub(super) fn new(
        listeners: Vec<net::TcpListener>,
        ready: &std::sync::Arc<Ready>,
    ) -> io::Result<Self> {
        let door = |(index, listener): (u16, net::TcpListener)| {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            Ok(Door { listener, waker: ready.signal(Source::Listener(index)) })
        };
        let doors = (0..).zip(listeners).map(door).collect::<io::Result<_>>()?;
        Ok(Self { doors, ..Self::default() })
    }

    /// Accepts once. Registers for more where nobody waits.
    pub(super) fn accept(&mut self, index: u16, now: Time) -> Accepted {
        let Some(door) = self.doors.get(usize::from(index)) else { return Accepted::Nobody };
        if self.is_full || self.retry_at.is_some() {
            return Accepted::Nobody;
        }
        match door.listener.poll_accept(&mut Context::from_waker(&door.waker)) {
            Poll::Pending => Accepted::Nobody,
            Poll::Ready(Ok((stream, _))) => Accepted::Stream(stream),
            Poll::Ready(Err(error)) => match accept_failure(error.raw_os_error().unwrap_or(0)) {
                AcceptFailure::Passing => Accepted::Failed,
                AcceptFailure::Exhausted => {
                    self.retry_at = Some(now + ACCEPT_RETRY);
                    Accepted::Exhausted
                }
            },
        }
    }

    /// Looks at listener `index` again in the next turn.
    pub(super) fn look_again(&self, index: u16) {
        self.doors[usize::from(index)].waker.wake_by_ref();
    }

    /// Leaves the listeners alone until a connection closes.
    pub(super) fn set_full(&mut self) {
        self.is_full = true;
    }

    /// Accepts again, if it was given up: a connection has closed.
    pub(super) fn reopen(&mut self) {
        if self.is_full || self.retry_at.is_some() {
            self.is_full = false;
            self.retry_at = None;
            for door in &self.doors {
                door.waker.wake_by_ref();
            }
        }
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

    /// Closes the listeners, handing out what still waits in their queues: asked for directly, because the
    /// reactor may not have heard of the last arrivals.
    pub(super) fn close(&mut self) -> Vec<(u16, TcpStream)> {
        let mut last = Vec::new();
        for (index, door) in (0..).zip(self.doors.drain(..)) {
            let Ok(listener) = door.listener.into_std() else { continue };
            while let Ok((stream, _)) = listener.accept() {
                let stream =
                    stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                last.extend(stream.ok().map(|stream| (index, stream)));
            }
        }
        last
    }

    /// Whether any listener is open.
    pub(super) fn are_open(&self) -> bool {
        !self.doors.is_empty()
    }
}
