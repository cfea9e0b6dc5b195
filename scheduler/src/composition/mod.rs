//! Compositions: which jobs share a batch, given whose turn it is.

mod fill;

use std::fmt::Debug;

use ringyard_time::Time;

use crate::batch::{Batch, Slot};
use crate::queue::Queue;

pub(crate) use fill::Fill;

/// An exchangeable rule for which jobs share a batch.
pub(crate) trait Composition: Debug + Send {
    /// Moves at least one job from a queue that is not empty into an empty batch.
    fn compose(&mut self, queue: &mut Queue, now: Time, slot: &Slot, batch: &mut Batch);
}
