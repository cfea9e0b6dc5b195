//! Anchor: the job whose turn it is, and with it waiting jobs no longer than it, longest first.
//!
//! Where the longest sequence decides what a batch costs, riders cost nothing, and taking the longest of them
//! leaves the short ones for batches that are cheap. A batch is never filled just because there is room: a
//! longer job would make all of it wait. Riders do not pass the turn on.

use ringyard_time::Time;

use super::Composition;
use crate::batch::{Batch, Slot};
use crate::jobs::JobIndex;
use crate::limits::RIDERS_LOOKED_AT_MAX;
use crate::queue::Queue;

#[derive(Debug, Default)]
pub(crate) struct Anchor {
    riders: Vec<JobIndex>,
}

impl Composition for Anchor {
    fn needs_lengths(&self) -> bool {
        true
    }

    fn compose(&mut self, queue: &mut Queue, now: Time, slot: &Slot, batch: &mut Batch) {
        let Some(anchor) = queue.first_in_time(now, batch) else { return };
        let longest = queue.jobs().job(anchor).spec.longest;
        batch.push(queue.serve(anchor));

        self.riders.clear();
        let mut extent = batch.extent();
        let mut room = slot.sequences_max.saturating_sub(batch.sequences);
        let mut looks = queue.by_length().downwards(longest).take(RIDERS_LOOKED_AT_MAX);
        while room > 0
            && let Some(index) = looks.next()
        {
            let spec = &queue.jobs().job(index).spec;
            let joined = extent.with(spec);
            if spec.longest <= longest && spec.sequences <= room && queue.is_in_time(now, &joined) {
                room -= spec.sequences;
                extent = joined;
                self.riders.push(index);
            }
        }
        drop(looks);
        for index in &self.riders {
            batch.push(queue.remove(*index));
        }
    }

    #[cfg(test)]
    fn capacities(&self, into: &mut Vec<usize>) {
        into.push(self.riders.capacity());
    }
}
