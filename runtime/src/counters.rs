//! What an engine counts about itself, readable from any core.
//!
//! Each core writes its own counters and nobody else's, so a plain relaxed load and store suffices and no
//! cache line on the path is written by two cores. Apps read them for their metrics page, nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::app::CoreIndex;

/// A number that one core writes and any core reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`. Only the owning core calls this.
    #[inline]
    pub fn add(&self, amount: u64) {
        // The owner is the only writer, so the sum cannot lose an update.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// Sets the value. Only the owning core calls this.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value, perhaps a moment old.
    #[must_use]
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the engine of one core counts. Padded to keep two cores off one cache line (128 bytes: two lines,
/// because the adjacent-line prefetcher of x86 pulls them in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct EngineCounters {
    /// Turns of the loop.
    pub turns: Counter,
    /// System calls that the engine itself made.
    pub system_calls: Counter,
    /// Time spent looking for work instead of sleeping, in nanoseconds.
    pub spun_nanoseconds: Counter,
    /// Connections accepted since the start.
    pub accepted: Counter,
    /// Connections open now, accepted and connected.
    pub connections: Counter,
    /// Times that accepting failed for want of descriptors or memory.
    pub accept_failures: Counter,
    /// Times that a receive found no provided buffer.
    pub receive_buffers_exhausted: Counter,
    /// Completions that the kernel had to keep back because the completion queue was full.
    pub completion_overflows: Counter,
    /// Wake-ups sent to other cores that slept.
    pub wakeups: Counter,
    /// Messages returned because a mailbox was full.
    pub mail_returned: Counter,
    /// Bytes received.
    pub bytes_received: Counter,
    /// Bytes sent.
    pub bytes_sent: Counter,
}

/// What an app is told about its place when it is made.
#[derive(Clone, Debug)]
pub struct CoreContext {
    /// The core that this app will run on.
    pub core: CoreIndex,
    /// The engines' counters, one for each core of the plan, by [`CoreIndex`].
    pub counters: Arc<[EngineCounters]>,
}

impl CoreContext {
    /// The context of core `core` out of `cores`, with counters of its own; for tests and the simulator.
    #[must_use]
    pub fn detached(core: CoreIndex, cores: u16) -> Self {
        Self { core, counters: (0..cores).map(|_| EngineCounters::default()).collect() }
    }

    /// How many cores the plan has.
    #[must_use]
    pub fn cores(&self) -> usize {
        self.counters.len()
    }
}
