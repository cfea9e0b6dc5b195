//! How requests leave: answered, expired, or with their client. What they leave behind in a batch finds nothing.

use ringyard_runtime::app::{Commands, Time};
use ringyard_runtime::slab::Key;
use ringyard_scheduler::{CustomerId, Slot};

use super::Dispatcher;
use crate::proxy::mail::{Failure, Outcome};
use crate::proxy::refusal::Reason;
use crate::proxy::requests::Stage;

impl Dispatcher {
    /// Answers the requests whose deadline has passed.
    pub(super) fn expire<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        while let Some(index) = self.deadlines.pop_due(now) {
            let Some(key) = self.requests.at(index) else { continue };
            let Some(request) = self.requests.get(key) else { continue };
            self.board.owner.expired.add(1);
            let failure = Failure::TooSlow { limit: request.limit };
            self.announce(key, Outcome::Failed(failure));
            self.leave(now, key, commands);
        }
    }

    /// Answers all queued requests: nobody is there to work on them.
    pub(super) fn fail_queued<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        while let Some(mut flight) = self.returned.pop_front() {
            self.fail_members(now, &mut flight, "no backend can be reached", commands);
        }
        let slot = Slot { sequences_max: u32::MAX };
        // At the end of time all would be late.
        self.scheduler.set_known_longest(None);
        let mut batch = std::mem::take(&mut self.batch);
        while self.scheduler.pop_batch(Time::FAR_FUTURE, &slot, &mut batch) {
            for job in &batch.jobs {
                // Its request may have left with a part before it.
                let Some(part) = self.requests.part(Key::from_word(job.spec.tag)) else { continue };
                let request = part.request;
                self.refuse_queued(now, request, Reason::Unreachable);
                self.leave(now, request, commands);
            }
        }
        self.batch = batch;
    }

    /// A request leaves before it was answered: its parts are out of the queue, and batches go on without
    /// them.
    pub(super) fn leave<M>(&mut self, now: Time, key: Key, commands: &mut Commands<M>) {
        let Some(customer) = self.requests.get(key).map(|request| request.customer) else { return };
        let mut next = self.forget(key);
        while let Some(part) = next {
            let stage;
            (stage, next) = self.forget_part(part, customer);
            let Stage::InFlight { lane } = stage else { continue };
            self.flights[lane].awaited -= 1;
            if self.flights[lane].awaited == 0 {
                self.nobody_awaits(now, lane, commands);
            }
        }
    }

    /// Forgets a request that has been answered in full.
    pub(super) fn remove(&mut self, key: Key) {
        let Some(customer) = self.requests.get(key).map(|request| request.customer) else { return };
        let mut next = self.forget(key);
        while let Some(part) = next {
            (_, next) = self.forget_part(part, customer);
        }
    }

    /// Forgets a request but not its parts, of which it returns the last.
    fn forget(&mut self, key: Key) -> Option<Key> {
        let (request, last) = self.requests.remove(key)?;
        self.deadlines.set(key.index(), Time::FAR_FUTURE);
        self.customers.leave(request.customer);
        last
    }

    /// Forgets a part, queued or not; where it stood, and the part before it.
    fn forget_part(&mut self, key: Key, customer: CustomerId) -> (Stage, Option<Key>) {
        let (part, before) = self.requests.remove_part(key);
        if let Stage::Queued(job) = part.stage {
            self.scheduler.cancel(job);
            self.backlog.remove(customer, &part.shape, part.text.len());
            self.stirred = true;
        }
        self.buffers.give_back(part.text);
        (part.stage, before)
    }
}
