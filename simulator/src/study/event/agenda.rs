//! What happens when: events by time, those of one instant in the order they were entered.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The next request arrives at a client.
    Arrive,
    /// A request reaches its server.
    Reach(u32),
    /// A request's work is done (first come, first served).
    Done(u32),
    /// The next of a processor-sharing server's requests is done, if its number of changes is still this.
    SharedDone(u32, u32),
    /// An answer reaches its client.
    Answer(u32),
    /// A client's probe of a channel reaches the server.
    Probe(u32, u32),
    /// A probe's answer, held in a table, reaches its client.
    ProbeAnswer(u32),
    /// Servers' states are published.
    Publish,
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(u64, u64, Event)>>,
    entered: u64,
}

impl Agenda {
    /// Enters `event` at `time`, which must not be negative.
    #[inline]
    pub(super) fn enter(&mut self, time: f64, event: Event) {
        debug_assert!(time >= 0.0, "time {time} is before the origin");
        // The bit patterns of non-negative doubles are ordered like the numbers.
        self.heap.push(Reverse((time.to_bits(), self.entered, event)));
        self.entered += 1;
    }

    /// The next event and its time.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(f64, Event)> {
        self.heap.pop().map(|Reverse((bits, _, event))| (f64::from_bits(bits), event))
    }
}
