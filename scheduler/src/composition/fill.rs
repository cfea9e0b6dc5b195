//! Fill: jobs in the order's own sequence for as long as the next one fits, and makes nobody come too late.
//!
//! The first that does not fit ends the batch, even if a later one would: nobody is overtaken for the sake of
//! a fuller batch. It takes no account of what mixing lengths costs.

use ringyard_time::Time;

use super::Composition;
use crate::batch::{Batch, Slot};
use crate::queue::Queue;

#[derive(Debug)]
pub(crate) struct Fill;

impl Composition for Fill {
    fn compose(&mut self, queue: &mut Queue, now: Time, slot: &Slot, batch: &mut Batch) {
        while let Some(index) = queue.first_in_time(now, batch) {
            let spec = &queue.jobs().job(index).spec;
            let fits = batch.has_room_for(spec, slot);
            if !fits || !queue.is_in_time(now, &batch.extent().with(spec)) {
                return;
            }
            batch.push(queue.serve(index));
        }
    }

    #[cfg(test)]
    fn capacities(&self, _into: &mut Vec<usize>) {}
}
