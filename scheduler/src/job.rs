//! A job: what the scheduler knows of a request.
//!
//! The request itself (its text, its connection) stays with the caller, who finds it again by
//! [`JobSpec::tag`]. Nothing here knows how jobs are stored.

use ringyard_time::Time;

/// Names a customer. Small numbers, given out from 0 upwards: the scheduler keeps a table by it as long as
/// the greatest it has seen, so whoever turns names into numbers bounds that table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerId(pub u32);

/// What a customer is entitled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustomerTerms {
    /// Its share under the fair strategies, beside those of others; at least 1, which is the default.
    pub weight: u32,
    /// Under `tiers`, lower tiers are served first; 0, the first, is the default.
    pub tier: u8,
}

impl Default for CustomerTerms {
    fn default() -> Self {
        Self::new(1, 0)
    }
}

impl CustomerTerms {
    /// This weight, of which 0 counts as 1, and this tier.
    #[must_use]
    pub const fn new(weight: u32, tier: u8) -> Self {
        Self { weight: if weight == 0 { 1 } else { weight }, tier }
    }
}

/// What a caller says of a job. Made with [`JobSpec::new`], which sets what it does not take to its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobSpec {
    /// Whose job it is.
    pub customer: CustomerId,
    /// How many sequences it holds; at least one. They are never spread over two batches: a request whose
    /// sequences may be is pushed as a job for each.
    pub sequences: u32,
    /// Characters of its longest sequence, which is what it costs a backend.
    pub longest: u32,
    /// The caller's own name for it, returned untouched.
    pub tag: u64,
    /// Characters of all its sequences; as many as if all were as long as the longest, unless said.
    pub characters: u64,
    /// How much its waiting counts beside that of others, where a strategy weighs jobs; 1 unless said.
    pub weight: u32,
    /// When it should be answered by, where a strategy goes by that; `None` unless said.
    pub deadline: Option<Time>,
}

impl JobSpec {
    /// A job of `customer` with so many sequences, the longest of them so many characters long.
    #[must_use]
    pub const fn new(customer: CustomerId, sequences: u32, longest: u32, tag: u64) -> Self {
        let characters = sequences as u64 * longest as u64;
        Self { customer, sequences, longest, tag, characters, weight: 1, deadline: None }
    }

    /// Says how many characters its sequences have together.
    #[must_use]
    pub const fn with_characters(mut self, characters: u64) -> Self {
        self.characters = characters;
        self
    }

    /// Says how much its waiting counts; 0 counts as 1.
    #[must_use]
    pub const fn with_weight(mut self, weight: u32) -> Self {
        self.weight = if weight == 0 { 1 } else { weight };
        self
    }

    /// Says when it should be answered by.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Time) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// Names a queued job, and no other: a job that has left is not found under its id again, even though its
/// place in the table is reused (until 2^32 jobs have held that one place).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    /// Place in the table.
    pub(crate) index: u32,
    /// How many jobs held the place before.
    pub(crate) generation: u32,
}

/// A job as the queue holds it and hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// What [`Scheduler::push`](crate::Scheduler::push) returned for it.
    pub id: JobId,
    /// What its caller said of it.
    pub spec: JobSpec,
    /// When it was pushed. Changing the strategy does not change it.
    pub arrived: Time,
}
