//! Shedding: whom to refuse when more is asked for than can be done.
//!
//! A [`ShedQueue`] stands before a fixed number of workers that take one job at a time and need about the same time for
//! each. It decides at the door whether a job may wait, and whose turn it is when a worker is free. A refusal is only
//! worth something while its client can still go elsewhere, so every policy refuses at the door whom it will not serve;
//! to have waited for nothing is for jobs whose wait was predicted wrongly. It does not know what a job is or who asks: fairness is the business of the orders of
//! [`Scheduler`](crate::Scheduler). `now` is an argument and must not go back.

mod gradient;
mod policy;
mod service;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use ringyard_time::Time;

use crate::limits::{SHED_INTERVAL_SERVICES, SHED_TARGET_SERVICES, SHED_WAITING_MAX};
use gradient::Gradient;
pub use policy::{SheddingPolicy, UnknownPolicy};
use service::ServiceTime;

/// Why a job was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShedReason {
    /// As many are admitted as the policy, or memory, allows.
    QueueFull,
    /// It would have been answered too late.
    TooLate,
    /// It had waited too long when its turn might have come.
    Stale,
    /// As many are admitted as the backend has lately shown that it can bear.
    Limit,
}

impl ShedReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::TooLate, Self::Stale, Self::Limit];

    /// As a metric names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLate => "too_late",
            Self::Stale => "stale",
            Self::Limit => "limit",
        }
    }
}

/// A job that waits or is worked on.
#[derive(Clone, Copy, Debug)]
struct Entry<K> {
    key: K,
    since: Time,
}

/// Jobs before `workers` workers, under one policy.
#[derive(Debug)]
pub struct ShedQueue<K> {
    policy: SheddingPolicy,
    workers: usize,
    waiting: VecDeque<Entry<K>>,
    running: Vec<Entry<K>>,
    service: ServiceTime,
    gradient: Gradient,
    /// Since when there has always been more to do than workers: from when somebody waited until a worker is idle.
    crowded_since: Option<Time>,
}

impl<K: Copy + Eq> ShedQueue<K> {
    /// An empty queue before so many workers, that need about `service` for a job.
    ///
    /// # Panics
    ///
    /// If there is no worker.
    #[must_use]
    pub fn new(policy: SheddingPolicy, workers: usize, service: Duration) -> Self {
        assert!(workers > 0, "somebody must do the work");
        Self {
            policy,
            workers,
            waiting: VecDeque::new(),
            running: Vec::with_capacity(workers),
            service: ServiceTime::new(service),
            gradient: Gradient::new(workers),
            crowded_since: None,
        }
    }

    /// Admits a job that is worth its work only until `deadline`, or says why not.
    ///
    /// Whatever the policy predicts, a job that finds a worker idle is admitted: only jobs that are done show that the
    /// work has become quicker again.
    ///
    /// # Errors
    ///
    /// The reason, and the queue is as before.
    pub fn offer(&mut self, key: K, deadline: Option<Time>, now: Time) -> Result<(), ShedReason> {
        if self.waiting.len() >= SHED_WAITING_MAX {
            return Err(ShedReason::QueueFull);
        }
        self.judge(deadline, now)?;
        self.waiting.push_back(Entry { key, since: now });
        self.note_crowd(now);
        Ok(())
    }

    /// What the policy has against one more job.
    fn judge(&self, deadline: Option<Time>, now: Time) -> Result<(), ShedReason> {
        let admitted = self.waiting.len() + self.running.len();
        let wait = self.predicted_wait(now);
        let is_met = |deadline| now + wait + self.service.mean() <= deadline;
        let (admits, reason) = match self.policy {
            SheddingPolicy::None => return Ok(()),
            SheddingPolicy::Queue(most) => (admitted < most, ShedReason::QueueFull),
            SheddingPolicy::Time(limit) => {
                (wait.is_zero() || wait + self.service.mean() <= limit, ShedReason::TooLate)
            }
            SheddingPolicy::CodelLifo => (wait <= self.patience(now), ShedReason::TooLate),
            SheddingPolicy::Adaptive => (self.gradient.has_room_for(admitted), ShedReason::Limit),
        };
        if !admits {
            return Err(reason);
        }
        match deadline {
            Some(deadline) if !wait.is_zero() && !is_met(deadline) => Err(ShedReason::TooLate),
            _ => Ok(()),
        }
    }

    /// The job that a free worker takes next; `None` if none is free or nobody waits.
    pub fn start(&mut self, now: Time) -> Option<K> {
        if self.running.len() >= self.workers {
            return None;
        }
        let next = match self.policy {
            SheddingPolicy::CodelLifo if self.may_overtake(now) => self.waiting.pop_back(),
            _ => self.waiting.pop_front(),
        };
        let Entry { key, .. } = next?;
        self.running.push(Entry { key, since: now });
        self.note_idle();
        Some(key)
    }

    /// Takes out one job that has waited too long to be worth it, to be refused as [`ShedReason::Stale`].
    pub fn expire(&mut self, now: Time) -> Option<K> {
        // The oldest is at the front whichever end is served.
        if self.next_expiry()? > now {
            return None;
        }
        let entry = self.waiting.pop_front()?;
        self.note_idle();
        Some(entry.key)
    }

    /// When [`ShedQueue::expire`] has a job, if nothing else happens.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Time> {
        let oldest = self.waiting.front()?;
        // Nobody is admitted who would wait for more than an interval; a target on top is for work that takes longer
        // than was predicted.
        let patience = self.interval() + self.target();
        (self.policy == SheddingPolicy::CodelLifo).then(|| oldest.since + patience)
    }

    /// A worker is done with the job: what it took is what the next one is expected to take.
    pub fn finished(&mut self, key: K, arrived: Time, now: Time) {
        let admitted = self.waiting.len() + self.running.len();
        let Some(entry) = self.take_running(key) else { return };
        let worked = now.since(entry.since);
        self.gradient.observe(now.since(arrived), worked, admitted);
        self.service.observe(worked, 1.0);
    }

    /// A worker has given the job up, of which this part was done, for nobody awaits it any more.
    ///
    /// It counts against the learned limit where it was the waiting that did it: if the job would have been done by now
    /// had a worker taken it at once.
    pub fn stopped(&mut self, key: K, part: f64, arrived: Time, now: Time) {
        let Some(entry) = self.take_running(key) else { return };
        self.service.observe(now.since(entry.since), part);
        if now.since(arrived) >= self.service.mean() {
            self.gradient.cut_off(part);
        }
    }

    /// Takes out a job that waits and is wanted no more; `false` if it does not wait.
    pub fn cancel(&mut self, key: K) -> bool {
        let Some(index) = self.waiting.iter().position(|entry| entry.key == key) else {
            return false;
        };
        self.waiting.remove(index);
        self.note_idle();
        true
    }

    /// How long a job that came now would wait for a worker.
    #[must_use]
    pub fn predicted_wait(&self, now: Time) -> Duration {
        if self.running.len() < self.workers && self.waiting.is_empty() {
            return Duration::ZERO;
        }
        let left = |entry: &Entry<K>| self.service.mean().saturating_sub(now.since(entry.since));
        let running: Duration = self.running.iter().map(left).sum();
        let jobs = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        let workers = u32::try_from(self.workers).unwrap_or(u32::MAX);
        (running + self.service.mean().saturating_mul(jobs)) / workers
    }

    /// Jobs that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Jobs that are worked on.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Jobs that may be admitted at once, where the policy learns that.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        (self.policy == SheddingPolicy::Adaptive).then(|| self.gradient.limit())
    }

    fn take_running(&mut self, key: K) -> Option<Entry<K>> {
        let index = self.running.iter().position(|entry| entry.key == key)?;
        let entry = self.running.swap_remove(index);
        self.note_idle();
        Some(entry)
    }

    fn note_crowd(&mut self, now: Time) {
        if !self.waiting.is_empty() {
            self.crowded_since.get_or_insert(now);
        }
    }

    fn note_idle(&mut self) {
        if self.waiting.is_empty() && self.running.len() < self.workers {
            self.crowded_since = None;
        }
    }

    /// Whether there has been more to do than workers for an interval.
    fn is_overloaded(&self, now: Time) -> bool {
        self.crowded_since.is_some_and(|since| now >= since + self.interval())
    }

    /// Whether the newest job may go first: there is overload, and the others will not be stale for that.
    fn may_overtake(&self, now: Time) -> bool {
        let others = self.waiting.len().saturating_sub(1).div_ceil(self.workers);
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let last_start = now + self.service.mean().saturating_mul(others);
        let oldest = self.waiting.front();
        self.is_overloaded(now)
            && oldest.is_some_and(|oldest| last_start <= oldest.since + self.interval())
    }

    /// For how long a job that comes now may be predicted to wait.
    fn patience(&self, now: Time) -> Duration {
        if self.is_overloaded(now) { self.target() } else { self.interval() }
    }

    /// How long a job may wait under overload.
    fn target(&self) -> Duration {
        self.service.mean() * SHED_TARGET_SERVICES
    }

    /// How long it may wait otherwise, and how long a crowd lasts that counts as overload.
    fn interval(&self) -> Duration {
        self.service.mean() * SHED_INTERVAL_SERVICES
    }
}
