//! Whether a request may join the queue: decided when it comes, before anything is kept of it.

use std::time::Duration;

use ringyard_runtime::app::Time;
use ringyard_scheduler::cost::BatchShape;

use super::Dispatcher;
use crate::limits::QUEUE_JOBS_ALWAYS;
use crate::proxy::admission::Load;
use crate::proxy::config::CostSetting;
use crate::proxy::mail::{Failure, Submission};
use crate::proxy::refusal::{Reason, Refusal};
use crate::proxy::terms::{CustomerBook, Entitlement};

impl Dispatcher {
    /// Whether one more request may join, and within what time it is then to be answered.
    pub(super) fn admit(
        &mut self,
        now: Time,
        submission: &Submission,
    ) -> Result<Duration, Failure> {
        if self.unreachable(now) {
            return Err(Failure::Backend(String::from("no backend can be reached")));
        }
        if let Some(refusal) = self.exceeds_quota(now, &submission.customer) {
            return Err(refusal.into());
        }
        let parts = submission.apart.len().max(1);
        let stated = self.stated_limit(submission);
        let limit = stated.unwrap_or(Duration::MAX).min(self.config.deadline);
        let refused = self
            .lacks_room(parts, submission.payload.len())
            .or_else(|| self.comes_too_late(now, submission, stated.map(|_| limit)?));
        if let Some(reason) = refused {
            return Err(self.refuse(reason).into());
        }
        if let Some(rate) = self.book.of(&submission.customer).rate {
            self.meters.use_up(&submission.customer, rate, now);
        }
        Ok(limit)
    }

    /// From its arrival to its answer at the latest, as the client says or as its tier has it.
    fn stated_limit(&self, submission: &Submission) -> Option<Duration> {
        let tier = self.book.of(&submission.customer).terms.tier;
        submission.patience.or_else(|| self.book.deadline(tier))
    }

    /// The customer has, or asks for, more than it may.
    fn exceeds_quota(&self, now: Time, customer: &str) -> Option<Refusal> {
        let Entitlement { requests_max, rate, .. } = *self.book.of(customer);
        if let Some(rate) = rate
            && let Some(wait) = self.meters.wait(customer, rate, now)
        {
            return Some(Refusal { retry_after: wait, ..self.refuse(Reason::CustomerRate) });
        }
        let number = self.customers.find(customer)?;
        if self.customers.requests(number) < requests_max? {
            return None;
        }
        let wait = self.predicted_wait(&self.backlog.of_customer(number));
        Some(Refusal { retry_after: wait, ..self.refuse(Reason::CustomerQueue) })
    }

    /// Follows a new book of what customers are entitled to, if one has come.
    pub(super) fn follow_book(&mut self, now: Time) {
        if let Some(book) = self.config.books.as_ref().and_then(|books| books.take()) {
            self.set_book(now, book);
        }
    }

    pub(super) fn set_book(&mut self, now: Time, book: CustomerBook) {
        self.meters.follow(&book);
        let Self { customers, scheduler, .. } = self;
        customers.set_terms(
            |name| book.of(name).terms,
            |customer, terms| scheduler.set_customer(customer, terms, now),
        );
        self.book = book;
    }

    /// What all requests share is used up: places, bytes, or the time of the backends.
    fn lacks_room(&self, parts: usize, bytes: usize) -> Option<Reason> {
        let waiting = self.scheduler.len();
        if waiting + parts > self.config.queue_jobs_max {
            return Some(Reason::QueueFull);
        }
        if self.backlog.bytes().saturating_add(bytes) > self.config.queue_bytes_max {
            return Some(Reason::BytesFull);
        }
        let too_long = waiting > QUEUE_JOBS_ALWAYS
            && self.predicted_wait(self.backlog.total()) > self.config.queue_wait_max;
        too_long.then_some(Reason::WaitTooLong)
    }

    /// It could not be answered by a deadline that its client or its tier has stated: because of what it is, or of what
    /// is queued before it. With nothing queued it is tried all the same, unless its cost is given: what is
    /// never tried would never prove a prediction wrong.
    fn comes_too_late(
        &self,
        now: Time,
        submission: &Submission,
        limit: Duration,
    ) -> Option<Reason> {
        let learned = matches!(self.config.cost, CostSetting::Learned(_));
        if learned && self.scheduler.is_empty() {
            return None;
        }
        let left = limit.saturating_sub(now.since(submission.arrived));
        // Where its sequences part, they may be worked on at once; it takes as long as the longest.
        let shape = match submission.apart.as_slice() {
            [] => submission.shape,
            _ => BatchShape {
                sequences: 1,
                characters: u64::from(submission.shape.longest),
                longest: submission.shape.longest,
            },
        };
        let alone = self.costs.common().known_cost(&shape)?.duration();
        if alone > left {
            return Some(Reason::NeverInTime);
        }
        let strategy = self.scheduler.active_strategy();
        let customer = self.customers.find(&submission.customer);
        let ahead = self.backlog.ahead(strategy, customer, &shape);
        (self.predicted_wait(&ahead) + alone > left).then_some(Reason::DeadlineTooNear)
    }

    /// How long the backends need for `ahead`.
    pub(super) fn predicted_wait(&self, ahead: &Load) -> Duration {
        self.pace.predicted_wait(ahead, &self.costs.common().model(), self.lanes.usable())
    }

    /// Counts a refusal and says when there is likely to be room again.
    pub(super) fn refuse(&self, reason: Reason) -> Refusal {
        self.board.owner.refused[reason.index()].add(1);
        Refusal { reason, retry_after: self.predicted_wait(self.backlog.total()) }
    }
}
