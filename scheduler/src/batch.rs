//! What a free backend offers and what it is given.

use ringyard_time::Time;

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
    /// Jobs that would have come too late: out of the queue, and not in the batch.
    pub late: Vec<Job>,
    /// Sequences of all jobs together.
    pub sequences: u32,
    /// Characters of the longest sequence, which decides what the batch costs.
    pub longest: u32,
    /// What it is expected to cost.
    pub cost: Cost,
    extent: Extent,
}

/// What decides how long a batch takes and when it must be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) shape: BatchShape,
    /// The earliest deadline of any member.
    pub(crate) deadline: Option<Time>,
}

impl Extent {
    /// The same with a job more.
    pub(crate) fn with(self, spec: &JobSpec) -> Self {
        let deadlines = [self.deadline, spec.deadline].into_iter().flatten();
        Self { shape: self.shape.with(BatchShape::of(spec)), deadline: deadlines.min() }
    }
}

impl Batch {
    /// Takes all jobs out and keeps the buffer.
    pub fn clear(&mut self) {
        self.jobs.clear();
        self.late.clear();
        self.reset();
    }

    /// As if there were no jobs in it.
    fn reset(&mut self) {
        self.anchor = 0;
        self.sequences = 0;
        self.longest = 0;
        self.cost = Cost::default();
        self.extent = Extent::default();
    }

    /// Keeps those jobs that `keep` says and works everything out anew, under `model`.
    pub fn retain(&mut self, model: &CostModel, keep: impl FnMut(&Job) -> bool) {
        let anchor = self.jobs.get(self.anchor).map(|job| job.id);
        self.jobs.retain(keep);
        let jobs = std::mem::take(&mut self.jobs);
        self.reset();
        jobs.iter().for_each(|job| self.count(job));
        self.anchor = jobs.iter().position(|job| Some(job.id) == anchor).unwrap_or(0);
        self.jobs = jobs;
        self.price(model);
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

    /// What decides how long it takes and when it must be done.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// Adds a job for which there is room.
    pub(crate) fn push(&mut self, job: Job) {
        self.count(&job);
        self.jobs.push(job);
    }

    fn count(&mut self, job: &Job) {
        self.extent = self.extent.with(&job.spec);
        self.sequences += job.spec.sequences;
        self.longest = self.longest.max(job.spec.longest);
    }

    /// Works out what it is expected to cost.
    pub(crate) fn price(&mut self, model: &CostModel) {
        self.cost = model.cost(&self.extent.shape);
    }
}
