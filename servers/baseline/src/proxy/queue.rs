//! The queue: a scheduler and what belongs to its jobs, behind one mutex.

#![expect(clippy::disallowed_types, reason = "worker threads share this queue, as is usual")]

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ringyard_scheduler::{
    Batch, CustomerId, JobId, JobSpec, Scheduler, SchedulerConfig, Slot, StrategyKind,
};
use ringyard_servers::limits::QUEUE_JOBS_ALWAYS;
use ringyard_servers::proxy::ProxyConfig;
use ringyard_time::Time;
use serde_json::value::RawValue;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::customers::Customers;
use super::pace::Pace;
use crate::metrics::Number;
use crate::sequences::longest;

/// One result for each sequence, as the backend wrote it.
pub(super) type Results = Vec<Box<RawValue>>;

/// Why a batch has no results.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// No backend can be reached, or its answer is of no use.
    Backend(String),
    /// The backend had the batch for as long as a request may take.
    TooSlow,
}

/// A request's results, or what its batch failed of.
pub(super) type Outcome = Result<Results, Failure>;

/// The queue is too long to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overloaded {
    /// Requests that wait.
    pub(super) waiting: usize,
    /// How long one more would.
    pub(super) wait: Duration,
}

/// Requests that wait for a batch.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Something came or changed that may allow a batch to leave.
    stirred: Notify,
    origin: Instant,
    slot: Slot,
    jobs_max: usize,
    wait_max: Duration,
    lanes: usize,
    pub(super) figures: Figures,
}

/// What the metrics page shows.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) batches: Number,
    pub(super) batches_in_flight: Number,
    pub(super) batches_failed: Number,
    pub(super) refused: Number,
    pub(super) expired: Number,
}

#[derive(Debug)]
struct Inner {
    scheduler: Scheduler,
    customers: Customers,
    waiting: HashMap<u64, Member>,
    next_tag: u64,
    pace: Pace,
    batch: Batch,
}

/// A request on its way through the proxy.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) sequences: Vec<String>,
    pub(super) answer: oneshot::Sender<Outcome>,
    pub(super) customer: CustomerId,
}

/// A request that has been queued. Dropped before it is answered, it leaves the queue.
#[derive(Debug)]
pub(super) struct Queued {
    queue: Arc<Queue>,
    answer: oneshot::Receiver<Outcome>,
    job: JobId,
    tag: u64,
    is_answered: bool,
}

impl Queue {
    pub(super) fn new(config: &ProxyConfig) -> Self {
        let scheduler = Scheduler::new(SchedulerConfig {
            strategy: config.strategy,
            linger: config.linger,
            queue_jobs_max: config.queue_jobs_max,
            ..SchedulerConfig::default()
        });
        let inner = Inner {
            scheduler,
            customers: Customers::default(),
            waiting: HashMap::new(),
            next_tag: 0,
            pace: Pace::default(),
            batch: Batch::default(),
        };
        Self {
            inner: Mutex::new(inner),
            stirred: Notify::new(),
            origin: Instant::now(),
            slot: Slot { sequences_max: config.batch_sequences_max },
            jobs_max: config.queue_jobs_max,
            wait_max: config.queue_wait_max,
            lanes: config.backends.len() * config.backend_concurrency as usize,
            figures: Figures::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds the queue")
    }

    fn now(&self) -> Time {
        Time::ZERO + self.origin.elapsed()
    }

    /// Queues a request.
    pub(super) fn submit(
        self: &Arc<Self>,
        customer: &str,
        sequences: Vec<String>,
    ) -> Result<Queued, Overloaded> {
        let count = u32::try_from(sequences.len()).expect("the count was checked");
        let longest = longest(&sequences);
        let (sender, answer) = oneshot::channel();
        let mut inner = self.lock();
        let now = self.now();
        let waiting = inner.scheduler.len();
        let wait = inner.pace.predicted_wait(waiting, self.lanes);
        if waiting >= self.jobs_max || (waiting > QUEUE_JOBS_ALWAYS && wait > self.wait_max) {
            self.figures.refused.add(1);
            return Err(Overloaded { waiting, wait });
        }
        let customer = inner.customers.enter(customer);
        let tag = inner.next_tag;
        inner.next_tag += 1;
        let job = inner
            .scheduler
            .push(JobSpec::new(customer, count, longest, tag), now)
            .expect("there is room for one more");
        inner.waiting.insert(tag, Member { sequences, answer: sender, customer });
        drop(inner);
        self.stirred.notify_one();
        Ok(Queued { queue: Arc::clone(self), answer, job, tag, is_answered: false })
    }

    /// The next batch, when it is due.
    pub(super) async fn next_batch(&self) -> Vec<Member> {
        loop {
            let due = {
                let mut inner = self.lock();
                let now = self.now();
                if let Some(members) = inner.pop(now, &self.slot) {
                    return members;
                }
                inner.scheduler.next_deadline(&self.slot)
            };
            let Some(due) = due else {
                self.stirred.notified().await;
                continue;
            };
            let due = self.origin + due.since(Time::ZERO);
            tokio::select! {
                () = self.stirred.notified() => {}
                () = tokio::time::sleep_until(due) => {}
            }
        }
    }

    /// The requests of a batch have their answers, after the backend had them for so long.
    pub(super) fn batch_ended(&self, customers: &[CustomerId], took: Option<Duration>) {
        let mut inner = self.lock();
        for customer in customers {
            inner.customers.leave(*customer);
        }
        if let Some(took) = took {
            inner.pace.record(took, customers.len());
        }
    }

    /// The strategy in force, after a change if one is asked for.
    pub(super) fn strategy(&self, change: Option<StrategyKind>) -> StrategyKind {
        let mut inner = self.lock();
        if let Some(kind) = change {
            let now = self.now();
            inner.scheduler.set_strategy(kind, now);
            self.stirred.notify_one();
        }
        inner.scheduler.strategy()
    }

    /// Requests and sequences that wait.
    pub(super) fn lengths(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.scheduler.len() as u64, inner.scheduler.sequences())
    }
}

impl Inner {
    fn pop(&mut self, now: Time, slot: &Slot) -> Option<Vec<Member>> {
        let mut batch = mem::take(&mut self.batch);
        let found = self.scheduler.pop_batch(now, slot, &mut batch);
        let take = |job: &ringyard_scheduler::Job| {
            self.waiting.remove(&job.spec.tag).expect("a queued job has its request")
        };
        let members = found.then(|| batch.jobs.iter().map(take).collect());
        self.batch = batch;
        members
    }
}

impl Figures {
    /// Counts a batch, as in flight until what is returned is dropped.
    pub(super) fn batch(&self) -> InFlight<'_> {
        self.batches.add(1);
        self.batches_in_flight.add(1);
        InFlight(self)
    }
}

/// A batch at a backend.
pub(super) struct InFlight<'a>(&'a Figures);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.batches_in_flight.subtract(1);
    }
}

impl Queued {
    /// Resolves to the request's results.
    pub(super) async fn outcome(mut self) -> Outcome {
        let outcome = (&mut self.answer).await;
        self.is_answered = true;
        outcome.unwrap_or_else(|_gone| Err(Failure::Backend(String::from("the server is ending"))))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if self.is_answered {
            return;
        }
        let mut inner = self.queue.lock();
        if inner.scheduler.cancel(self.job).is_some()
            && let Some(member) = inner.waiting.remove(&self.tag)
        {
            inner.customers.leave(member.customer);
        }
    }
}
