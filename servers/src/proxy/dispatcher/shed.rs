//! Refusing those who have waited too long in a queue that stands.

use ringyard_runtime::app::{Commands, Time};

use super::Dispatcher;
use crate::proxy::refusal::Reason;

impl Dispatcher {
    /// Refuses whoever controlled delay says has waited too long. To be called when a batch can leave.
    pub(super) fn shed<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        self.forget_arrivals();
        let oldest = self.arrivals.front().and_then(|key| self.requests.get(*key));
        let oldest = oldest.map(|request| request.arrived);
        let Some(wait_max) = self.codel.wait_max(oldest, now) else { return };
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
