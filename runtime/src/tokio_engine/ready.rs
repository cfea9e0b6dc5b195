//! Who is ready: wakers that each name one source and put it into a queue.
//!
//! The engine is one future, so without names a wake-up would mean looking at every connection. A source
//! stands in the queue at most once, however often it is woken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use crossbeam_queue::SegQueue;

use crate::app::ConnId;

/// What can become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The core's bell was rung.
    Bell,
    /// A peer wants to connect.
    Listener(u16),
    /// A connection can be read from or written to.
    Connection(ConnId),
    /// An attempt to connect is settled. Its id is its own, from the table of attempts.
    Attempt(ConnId),
}

/// The sources that are ready, and the waker of the engine itself.
#[derive(Debug)]
pub(super) struct Ready {
    queue: SegQueue<Arc<Signal>>,
    engine: Waker,
}

/// The waker of one source.
#[derive(Debug)]
pub(super) struct Signal {
    source: Source,
    ready: Arc<Ready>,
    is_queued: AtomicBool,
}

impl Ready {
    /// Nobody is ready. Wake-ups are passed on to `engine`.
    pub(super) fn new(engine: Waker) -> Arc<Self> {
        Arc::new(Self { queue: SegQueue::new(), engine })
    }

    /// A waker for `source`, which counts as woken from the start: whoever makes one has to look at the
    /// source once to be woken by it at all.
    pub(super) fn signal(self: &Arc<Self>, source: Source) -> Waker {
        let signal = Signal { source, ready: Arc::clone(self), is_queued: AtomicBool::new(false) };
        let waker = Waker::from(Arc::new(signal));
        waker.wake_by_ref();
        waker
    }

    /// How many sources are ready.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The next source that is ready; from now on it can be woken again.
    pub(super) fn next(&self) -> Option<Source> {
        let signal = self.queue.pop()?;
        signal.is_queued.store(false, Ordering::Release);
        Some(signal.source)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            self.ready.queue.push(Arc::clone(self));
            self.ready.engine.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_queued_once_until_it_is_taken() {
        let ready = Ready::new(Waker::noop().clone());
        let waker = ready.signal(Source::Bell);
        waker.wake_by_ref();
        assert_eq!(ready.len(), 1);
        assert_eq!(ready.next(), Some(Source::Bell));
        assert_eq!(ready.next(), None);
        waker.wake();
        assert_eq!(ready.next(), Some(Source::Bell));
    }
}
