//! Refusing those who have been queued: who have waited too long in a queue that stands, or would come too late.

use ringyard_runtime::app::{Commands, Time};
use ringyard_runtime::slab::Key;

use ringyard_scheduler::Batch;

use super::Dispatcher;
use crate::proxy::refusal::Reason;

impl Dispatcher {
    /// Refuses whoever controlled delay says has waited too long. To be called when a batch can leave.
    pub(super) fn shed<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        self.forget_arrivals();
        let oldest = self.arrivals.front().and_then(|key| self.requests.get(*key));
        let oldest = oldest.map(|request| request.arrived);
        let wait_max = self.codel.wait_max(oldest, now);
        self.scheduler.set_crowded(wait_max.is_some());
        let Some(wait_max) = wait_max else { return };
        while let Some(key) = self.arrivals.front().copied() {
            let request = self.requests.get(key).expect("those that have gone are forgotten");
            if now.since(request.arrived) <= wait_max {
                return;
            }
            self.refuse_queued(now, key, Reason::Shed);
            self.leave(now, key, commands);
            self.forget_arrivals();
        }
    }

    /// Refuses those whose turn had come but who would have come too late, and takes out of the batch what has thereby
    /// lost its request.
    pub(super) fn refuse_late<M>(
        &mut self,
        now: Time,
        batch: &mut Batch,
        commands: &mut Commands<M>,
    ) {
        if batch.late.is_empty() {
            return;
        }
        for job in &batch.late {
            // Its request may have left with a part before it.
            let Some(part) = self.requests.part(Key::from_word(job.spec.tag)) else { continue };
            let request = part.request;
            self.refuse_queued(now, request, Reason::TooLate);
            self.leave(now, request, commands);
        }
        let requests = &self.requests;
        let model = *self.scheduler.cost_model();
        batch.retain(&model, |job| requests.part(Key::from_word(job.spec.tag)).is_some());
    }

    /// Drops from the front of the arrivals those that wait no more.
    fn forget_arrivals(&mut self) {
        while let Some(key) = self.arrivals.front() {
            if self.requests.is_waiting(*key) {
                return;
            }
            self.arrivals.pop_front();
        }
    }
}
