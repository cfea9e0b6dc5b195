//! Whether a request may join the queue: decided when it comes, before anything is kept of it.

use std::time::Duration;

use ringyard_runtime::app::Time;
use ringyard_runtime::slab::Key;
use ringyard_scheduler::cost::BatchShape;

use super::Dispatcher;
use crate::limits::QUEUE_JOBS_ALWAYS;
use crate::proxy::admission::Load;
use crate::proxy::config::{CostSetting, ProxyConfig};
use crate::proxy::mail::{OWNER, Outcome, Submission};
use crate::proxy::refusal::{Reason, Refusal};
use crate::proxy::terms::{CustomerBook, Entitlement};

impl Dispatcher {
    /// Whether one more request may join, and within what time it is then to be answered.
    pub(super) fn admit(
        &mut self,
        now: Time,
        submission: &Submission,
    ) -> Result<Duration, Refusal> {
        let customer = &*submission.customer;
        let stated = self.stated_limit(customer, submission.patience);
        let limit = stated.unwrap_or(Duration::MAX).min(self.config.deadline);
        let size = Size::of(submission);
        let refused = self.refusal_of(now, customer, &size, || {
            Some(stated.map(|_| limit)?.saturating_sub(now.since(submission.arrived)))
        });
        if let Some(refusal) = refused {
            return Err(self.refuse(now, customer, refusal));
        }
        if let Some(rate) = self.book.of(customer).rate {
            self.meters.use_up(customer, rate, now);
        }
        Ok(limit)
    }

    /// Whether a request of which the head alone is known may join as far as that tells.
    pub(in crate::proxy) fn admit_head(
        &mut self,
        now: Time,
        customer: &str,
        patience: Option<Duration>,
    ) -> Result<(), Refusal> {
        self.follow_book(now);
        let left = || Some(self.stated_limit(customer, patience)?.min(self.config.deadline));
        match self.refusal_of(now, customer, &Size::UNKNOWN, left) {
            Some(refusal) => Err(self.refuse(now, customer, refusal)),
            None => Ok(()),
        }
    }

    /// Why nobody is admitted at present, whoever asks for whatever; `None` where some are.
    pub(super) fn closed_for(&self, now: Time) -> Option<Refusal> {
        if self.unreachable(now) {
            return Some(self.refusal(Reason::Unreachable));
        }
        self.lacks_room(&Size::UNKNOWN).map(|reason| self.refusal(reason))
    }

    /// Why a request of `customer` may not join, if it may not. `left` is how long there is to answer it, if somebody
    /// has said.
    fn refusal_of(
        &self,
        now: Time,
        customer: &str,
        size: &Size,
        left: impl FnOnce() -> Option<Duration>,
    ) -> Option<Refusal> {
        if self.unreachable(now) {
            return Some(self.refusal(Reason::Unreachable));
        }
        self.exceeds_quota(now, customer, size).or_else(|| {
            let reason = self
                .lacks_room(size)
                .or_else(|| self.comes_too_late(customer, &size.shape, left()?))?;
            Some(self.refusal(reason))
        })
    }

    /// From its arrival to its answer at the latest, as the client says or as its tier has it.
    fn stated_limit(&self, customer: &str, patience: Option<Duration>) -> Option<Duration> {
        patience.or_else(|| self.book.deadline(self.book.of(customer).terms.tier))
    }

    /// The customer has, or asks for, more than it may.
    fn exceeds_quota(&self, now: Time, customer: &str, size: &Size) -> Option<Refusal> {
        let Entitlement { requests_max, bytes_max, work_max, rate, .. } = *self.book.of(customer);
        if let Some(rate) = rate
            && let Some(retry_after) = self.meters.wait(customer, rate, now)
        {
            return Some(Refusal { reason: Reason::CustomerRate, retry_after });
        }
        if bytes_max.is_some_and(|most| size.bytes > most) {
            return Some(self.refusal(Reason::NeverFits));
        }
        if (requests_max, bytes_max, work_max) == (None, None, None) {
            return None;
        }
        let number = self.customers.find(customer)?;
        let queued = self.backlog.of_customer(number);
        let wait = self.predicted_wait(&queued.load);
        let reason = if requests_max.is_some_and(|most| self.customers.requests(number) >= most) {
            Reason::CustomerQueue
        } else if bytes_max.is_some_and(|most| queued.bytes + size.bytes > most) {
            Reason::CustomerBytes
        } else if work_max.is_some_and(|most| wait > most) {
            Reason::CustomerWork
        } else {
            return None;
        };
        Some(Refusal { reason, retry_after: wait })
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
    fn lacks_room(&self, size: &Size) -> Option<Reason> {
        let ProxyConfig { queue_jobs_max, queue_bytes_max, queue_wait_max, .. } = *self.config;
        if size.parts > queue_jobs_max || size.bytes > queue_bytes_max {
            return Some(Reason::NeverFits);
        }
        let waiting = self.scheduler.len();
        if waiting + size.parts > queue_jobs_max {
            return Some(Reason::QueueFull);
        }
        if self.backlog.bytes().saturating_add(size.bytes) > queue_bytes_max {
            return Some(Reason::BytesFull);
        }
        let too_long = waiting > QUEUE_JOBS_ALWAYS
            && self.predicted_wait(self.backlog.total()) > queue_wait_max;
        too_long.then_some(Reason::WaitTooLong)
    }

    /// It could not be answered by a deadline that its client or its tier has stated: because of what it is, or of what
    /// is queued before it. With nothing queued it is tried all the same, unless its cost is given: what is
    /// never tried would never prove a prediction wrong.
    fn comes_too_late(&self, customer: &str, shape: &BatchShape, left: Duration) -> Option<Reason> {
        if left.is_zero() {
            return Some(Reason::NeverInTime);
        }
        let learned = matches!(self.config.cost, CostSetting::Learned(_));
        if learned && self.scheduler.is_empty() {
            return None;
        }
        let alone = self.costs.common().known_cost(shape)?.duration();
        if alone > left {
            return Some(Reason::NeverInTime);
        }
        let strategy = self.scheduler.active_strategy();
        let customer = self.customers.find(customer);
        let ahead = self.backlog.ahead(strategy, customer, shape);
        (self.predicted_wait(&ahead) + alone > left).then_some(Reason::DeadlineTooNear)
    }

    /// How long the backends need for `ahead`.
    pub(super) fn predicted_wait(&self, ahead: &Load) -> Duration {
        self.pace.predicted_wait(ahead, &self.costs.common().model(), self.lanes.usable())
    }

    /// A refusal that says when there is likely to be room again.
    pub(super) fn refusal(&self, reason: Reason) -> Refusal {
        Refusal { reason, retry_after: self.predicted_wait(self.backlog.total()) }
    }

    /// Counts a refusal, and keeps it among the last decisions.
    fn refuse(&mut self, now: Time, customer: &str, refusal: Refusal) -> Refusal {
        self.board.count_refusal(OWNER, refusal.reason);
        if let Some(decisions) = &mut self.decisions {
            decisions.refused(now, customer, refusal);
        }
        refusal
    }

    /// Refuses a request that has been queued.
    pub(super) fn refuse_queued(&mut self, now: Time, request: Key, reason: Reason) {
        let Some(customer) = self.requests.get(request).map(|request| request.customer) else {
            return;
        };
        let refusal = self.refusal(reason);
        self.board.count_refusal(OWNER, reason);
        if let Some(decisions) = &mut self.decisions {
            decisions.refused(now, self.customers.name(customer), refusal);
        }
        self.announce(request, Outcome::Failed(refusal.into()));
    }
}

/// What a request takes up.
struct Size {
    parts: usize,
    bytes: usize,
    /// Of what is worked on as one.
    shape: BatchShape,
}

impl Size {
    /// The least that a request of which only the head is known may come to.
    const UNKNOWN: Self =
        Self { parts: 1, bytes: 0, shape: BatchShape { sequences: 0, characters: 0, longest: 0 } };

    fn of(submission: &Submission) -> Self {
        let longest = submission.shape.longest;
        Self {
            parts: submission.apart.len().max(1),
            bytes: submission.payload.len(),
            shape: match submission.apart.as_slice() {
                [] => submission.shape,
                // They may be worked on at once; it takes as long as the longest.
                _ => BatchShape { sequences: 1, characters: u64::from(longest), longest },
            },
        }
    }
}
