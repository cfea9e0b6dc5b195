//! What a free backend offers and what it is given.

use crate::cost::{BatchShape, Cost, CostModel};
use crate::job::{Job, JobSpec};

/// A free backend slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Sequences that one batch may hold. A job with more than that can share a batch with none and goes
    /// alone.
    pub sequences_max: u32,
}

/// Jobs that go to a backend together, in the order in which they were chosen.
///
/// Meant to be kept and filled again: its buffer outlives its contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The jobs: first the one whose turn it was, except in a planned batch, which has them by length.
    pub jobs: Vec<Job>,
    /// Where in `jobs` the one stands that the batch was made around: whose turn it was, or in a planned batch the
    /// longest, which decides what it costs. The others ride along.
    pub anchor: usize,
    /// Sequences of all jobs together.
    pub sequences: u32,
    /// Characters of the longest sequence, which decides what the batch costs.
    pub longest: u32,
    /// What it is expected to cost.
    pub cost: Cost,
}

impl Batch {
    /// Takes all jobs out and keeps the buffer.
    pub fn clear(&mut self) {
        self.jobs.clear();
        self.anchor = 0;
        self.sequences = 0;
        self.longest = 0;
        self.cost = Cost::default();
    }

    /// Whether there is no job in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether the whole job may join. An empty batch takes any job, even one too large for the slot:
    /// nothing else could ever become of it.
    pub(crate) fn has_room_for(&self, spec: &JobSpec, slot: &Slot) -> bool {
        self.jobs.is_empty()
            || self
                .sequences
                .checked_add(spec.sequences)
                .is_some_and(|sequences| sequences <= slot.sequences_max)
    }

    /// Adds a job for which there is room.
    pub(crate) fn push(&mut self, job: Job) {
        self.sequences += job.spec.sequences;
        self.longest = self.longest.max(job.spec.longest);
        self.jobs.push(job);
    }

    /// Works out what it is expected to cost.
    pub(crate) fn price(&mut self, model: &CostModel) {
        let shapes = self.jobs.iter().map(|job| BatchShape::of(&job.spec));
        self.cost = model.cost(&shapes.fold(BatchShape::default(), BatchShape::with));
    }
}
