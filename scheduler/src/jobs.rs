//! The table of queued jobs: where each lives, in which order they came, how much of it is whose, and what is
//! known of its customers and of what jobs cost.
//!
//! Whatever the strategy, this part stays the same, so that a switch of strategy rebuilds an order from it
//! and leaves ids, arrival times and counts alone. It decides nothing.

use ringyard_time::Time;

use crate::cost::{BatchShape, Cost, CostModel};
use crate::job::{CustomerId, CustomerTerms, Job, JobId, JobSpec};
use crate::list::{Links, List};

/// Where a queued job stands in the table. Unlike a [`JobId`] it is only good while the job is queued.
pub(crate) type JobIndex = u32;

/// What one customer has queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Jobs.
    pub jobs: usize,
    /// Sequences of these jobs.
    pub sequences: u64,
}

impl Backlog {
    fn add(&mut self, spec: &JobSpec) {
        self.jobs += 1;
        self.sequences += u64::from(spec.sequences);
    }

    fn subtract(&mut self, spec: &JobSpec) {
        self.jobs -= 1;
        self.sequences -= u64::from(spec.sequences);
    }
}

#[derive(Debug)]
struct Entry {
    /// The job that has the place, or the last that had it, under the id of the next to have it.
    job: Job,
    /// How many jobs had arrived before.
    rank: u64,
}

/// All queued jobs.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    entries: Vec<Entry>,
    /// Neighbours in `arrivals` or in `free`: a place is in one of them.
    links: Links,
    arrivals: List,
    free: List,
    arrived: u64,
    total: Backlog,
    by_customer: Vec<Backlog>,
    /// Customers that have jobs queued.
    backlogged: usize,
    /// As far as anything was said; the rest have the default.
    terms: Vec<CustomerTerms>,
    cost_model: CostModel,
}

impl Jobs {
    /// Adds a job that arrives now.
    pub(crate) fn insert(&mut self, spec: JobSpec, now: Time) -> JobIndex {
        let index = self.free_place(spec, now);
        let entry = &mut self.entries[index as usize];
        entry.job = Job { id: entry.job.id, spec, arrived: now };
        entry.rank = self.arrived;
        self.arrived += 1;
        self.arrivals.push_back(&mut self.links, index);
        self.total.add(&spec);
        let customer = spec.customer.0 as usize;
        if customer >= self.by_customer.len() {
            self.by_customer.resize(customer + 1, Backlog::default());
        }
        self.by_customer[customer].add(&spec);
        self.backlogged += usize::from(self.by_customer[customer].jobs == 1);
        index
    }

    /// A place that is in no list; a new one is filled with `spec` for want of anything better.
    fn free_place(&mut self, spec: JobSpec, now: Time) -> JobIndex {
        if let Some(index) = self.free.first() {
            self.free.remove(&mut self.links, index);
            return index;
        }
        let index = u32::try_from(self.entries.len()).expect("the queue's bound is below 2^32");
        let id = JobId { index, generation: 0 };
        self.entries.push(Entry { job: Job { id, spec, arrived: now }, rank: 0 });
        self.links.reserve(index);
        index
    }

    /// Removes a queued job and makes its id invalid.
    pub(crate) fn remove(&mut self, index: JobIndex) -> Job {
        let entry = &mut self.entries[index as usize];
        let job = entry.job;
        entry.job.id.generation = entry.job.id.generation.wrapping_add(1);
        self.arrivals.remove(&mut self.links, index);
        self.free.push_back(&mut self.links, index);
        self.total.subtract(&job.spec);
        let backlog = &mut self.by_customer[job.spec.customer.0 as usize];
        backlog.subtract(&job.spec);
        self.backlogged -= usize::from(backlog.jobs == 0);
        job
    }

    /// Where the job is, if it is still queued.
    pub(crate) fn find(&self, id: JobId) -> Option<JobIndex> {
        let entry = self.entries.get(id.index as usize)?;
        (entry.job.id == id).then_some(id.index)
    }

    /// A queued job.
    pub(crate) fn job(&self, index: JobIndex) -> &Job {
        &self.entries[index as usize].job
    }

    /// How many jobs had arrived before this one; no two have the same.
    pub(crate) fn rank(&self, index: JobIndex) -> u64 {
        self.entries[index as usize].rank
    }

    /// The job that has been queued longest.
    pub(crate) fn oldest(&self) -> Option<JobIndex> {
        self.arrivals.first()
    }

    /// The job that has been queued for the shortest time.
    pub(crate) fn newest(&self) -> Option<JobIndex> {
        self.arrivals.last()
    }

    /// All queued jobs, oldest first.
    pub(crate) fn by_arrival(&self) -> impl Iterator<Item = JobIndex> + '_ {
        self.arrivals.iter(&self.links)
    }

    /// What is queued altogether.
    pub(crate) fn total(&self) -> Backlog {
        self.total
    }

    /// What `customer` has queued.
    pub(crate) fn backlog(&self, customer: CustomerId) -> Backlog {
        self.by_customer.get(customer.0 as usize).copied().unwrap_or_default()
    }

    /// Every customer seen so far, by id, with what it has queued.
    pub(crate) fn backlogs(&self) -> impl Iterator<Item = (CustomerId, Backlog)> + '_ {
        (0u32..).map(CustomerId).zip(self.by_customer.iter().copied())
    }

    /// How many customers have jobs queued.
    pub(crate) fn backlogged(&self) -> usize {
        self.backlogged
    }

    /// What a queued job would cost alone.
    pub(crate) fn cost(&self, index: JobIndex) -> Cost {
        self.cost_model.cost(&BatchShape::of(&self.job(index).spec))
    }

    pub(crate) fn cost_model(&self) -> &CostModel {
        &self.cost_model
    }

    pub(crate) fn set_cost_model(&mut self, model: CostModel) {
        self.cost_model = model;
    }

    pub(crate) fn terms(&self, customer: CustomerId) -> CustomerTerms {
        self.terms.get(customer.0 as usize).copied().unwrap_or_default()
    }

    pub(crate) fn set_terms(&mut self, customer: CustomerId, terms: CustomerTerms) {
        let customer = customer.0 as usize;
        if customer >= self.terms.len() {
            self.terms.resize(customer + 1, CustomerTerms::default());
        }
        self.terms[customer] = terms;
    }

    #[cfg(test)]
    pub(crate) fn capacities(&self, into: &mut Vec<usize>) {
        into.extend([self.entries.capacity(), self.links.capacity(), self.by_customer.capacity()]);
    }
}
