//! How cores speak to one another: one bounded, lock-free mailbox per core.
//!
//! Full means full: the message goes back to its sender, and nothing grows. Messages of one sender arrive in
//! the order sent. When a sleeping core must be woken is decided in [`crate::sleep`].

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;

use crate::app::CoreIndex;
use crate::sleep::Sleeper;

/// The mailboxes of all cores of a plan.
#[derive(Debug)]
pub(crate) struct Mailboxes<M>(Box<[CachePadded<Mailbox<M>>]>);

/// What waits for one core.
#[derive(Debug)]
struct Mailbox<M> {
    messages: ArrayQueue<(CoreIndex, M)>,
    sleeper: Sleeper,
}

impl<M> Mailboxes<M> {
    /// Empty mailboxes for `cores` cores, each with room for `capacity` messages.
    pub(crate) fn new(cores: usize, capacity: usize) -> Self {
        let mailbox = || Mailbox { messages: ArrayQueue::new(capacity), sleeper: Sleeper::new() };
        Self((0..cores).map(|_| CachePadded::new(mailbox())).collect())
    }

    /// Leaves `message` for core `to`, or returns it where the mailbox is full. Calls `ring` if the
    /// addressee must be woken; that can be so even where the mailbox is full, because whoever filled it may
    /// not have come to look yet.
    pub(crate) fn post(
        &self,
        from: CoreIndex,
        to: CoreIndex,
        message: M,
        ring: impl FnOnce(),
    ) -> Result<(), M> {
        let mailbox = self.of(to);
        let (posted, must_wake) =
            mailbox.sleeper.publish(|| mailbox.messages.push((from, message)));
        if must_wake {
            ring();
        }
        posted.map_err(|(_, message)| message)
    }

    /// The next message for `core`.
    pub(crate) fn take(&self, core: CoreIndex) -> Option<(CoreIndex, M)> {
        self.of(core).messages.pop()
    }

    /// Whether a message waits for `core`.
    pub(crate) fn has_mail(&self, core: CoreIndex) -> bool {
        !self.of(core).messages.is_empty()
    }

    /// For `core` itself: whether it may sleep, with which it then counts as asleep.
    pub(crate) fn may_sleep(&self, core: CoreIndex) -> bool {
        let mailbox = self.of(core);
        mailbox.sleeper.may_sleep(|| !mailbox.messages.is_empty())
    }

    /// For `core` itself: it is awake.
    pub(crate) fn wake(&self, core: CoreIndex) {
        self.of(core).sleeper.wake();
    }

    fn of(&self, core: CoreIndex) -> &Mailbox<M> {
        &self.0[usize::from(core.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: CoreIndex = CoreIndex(0);
    const SECOND: CoreIndex = CoreIndex(1);

    fn post(mailboxes: &Mailboxes<u32>, message: u32) -> (Result<(), u32>, bool) {
        let mut rung = false;
        let posted = mailboxes.post(FIRST, SECOND, message, || rung = true);
        (posted, rung)
    }

    #[test]
    fn mail_keeps_its_order_and_a_full_mailbox_returns_it() {
        let mailboxes = Mailboxes::new(2, 2);
        assert_eq!(post(&mailboxes, 1), (Ok(()), false));
        assert_eq!(post(&mailboxes, 2), (Ok(()), false));
        assert_eq!(post(&mailboxes, 3), (Err(3), false));
        assert_eq!(mailboxes.take(FIRST), None);
        assert_eq!(mailboxes.take(SECOND), Some((FIRST, 1)));
        assert_eq!(mailboxes.take(SECOND), Some((FIRST, 2)));
        assert_eq!(mailboxes.take(SECOND), None);
    }

    #[test]
    fn the_bell_rings_once_for_a_sleeper_and_never_for_a_core_awake() {
        let mailboxes = Mailboxes::new(2, 8);
        assert!(mailboxes.may_sleep(SECOND));
        assert_eq!(post(&mailboxes, 1), (Ok(()), true));
        assert_eq!(post(&mailboxes, 2), (Ok(()), false));
        assert!(!mailboxes.may_sleep(SECOND), "mail waits");
        mailboxes.take(SECOND);
        mailboxes.take(SECOND);
        assert!(mailboxes.may_sleep(SECOND));
        mailboxes.wake(SECOND);
        assert_eq!(post(&mailboxes, 3), (Ok(()), false));
    }
}
