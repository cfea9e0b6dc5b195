//! How a core goes to sleep without missing its mail, and how a sender knows that it must wake it.
//!
//! Waking a core costs a system call, so a sender does it only for a core that has declared itself asleep.
//! The danger is the wake-up lost between the two: the core sees an empty mailbox, the sender sees a core
//! awake, and the core sleeps on its mail. The order that rules it out, on both sides with a sequentially
//! consistent fence between the steps:
//!
//! * the sleeper *declares* its sleep, then looks into its mailbox once more;
//! * the sender *publishes* its message, then looks at the declaration.
//!
//! Whichever fence comes second in the total order of fences, the look that follows it sees what the other
//! side wrote before its own. This file knows nothing of mailboxes or of how a core is woken; both are
//! arguments, so that loom can explore exactly this code.

use crate::sync::{AtomicBool, Ordering, fence};

/// Whether one core sleeps.
///
/// Only swapped, never stored to: each change then follows the one that it saw, so a sender that wakes an
/// earlier sleep cannot be taken for one that wakes the present sleep.
#[derive(Debug)]
pub(crate) struct Sleeper {
    asleep: AtomicBool,
}

impl Sleeper {
    /// A core that is awake.
    pub(crate) fn new() -> Self {
        Self { asleep: AtomicBool::new(false) }
    }

    /// For the core itself: declares its sleep and says whether it may go through with it. It may not if
    /// `mail_waits`, and is then awake again.
    pub(crate) fn may_sleep(&self, mail_waits: impl FnOnce() -> bool) -> bool {
        // Looking first and declaring afterwards is the classic mistake. This `cfg` plants it, and the loom
        // test below must then fail: see there.
        #[cfg(ringyard_planted_bug)]
        let waits = mail_waits();
        self.asleep.swap(true, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        #[cfg(not(ringyard_planted_bug))]
        let waits = mail_waits();
        if waits {
            self.wake();
        }
        !waits
    }

    /// For the core itself: it is awake again and will look into its mailbox before it next sleeps.
    pub(crate) fn wake(&self) {
        self.asleep.swap(false, Ordering::AcqRel);
    }

    /// For a sender: publishes a message, and says whether the sender must now wake the core. Of several
    /// senders that find it asleep one is told so.
    pub(crate) fn publish<T>(&self, publish: impl FnOnce() -> T) -> (T, bool) {
        let published = publish();
        fence(Ordering::SeqCst);
        let must_wake =
            self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel);
        (published, must_wake)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn one_sender_wakes_a_sleeper_and_mail_keeps_it_awake() {
        let sleeper = Sleeper::new();
        assert!(!sleeper.publish(|| ()).1, "awake");
        assert!(!sleeper.may_sleep(|| true), "mail waits");
        assert!(!sleeper.publish(|| ()).1, "still awake");
        assert!(sleeper.may_sleep(|| false));
        assert!(sleeper.publish(|| ()).1, "asleep");
        assert!(!sleeper.publish(|| ()).1, "already being woken");
    }
}

/// Explored with `RUSTFLAGS="--cfg loom" cargo test -p ringyard-runtime --release --lib loom`.
///
/// With `RUSTFLAGS="--cfg loom --cfg ringyard_planted_bug"` the same test must fail with loom's "deadlock":
/// the sleeper looks into its mailbox before it declares its sleep, the message and the sender's look both
/// fall between the two, and nobody rings.
#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::sync::Notify;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    use super::*;

    /// What two cores share. The queue is lock-free and tested elsewhere; a count of published messages
    /// stands for it, with the release and acquire that a queue gives.
    struct Shared {
        sleeper: Sleeper,
        published: AtomicUsize,
        bell: Notify,
    }

    /// Times that a thread is interrupted in one execution. Lost wake-ups need one; without a bound the
    /// executions number in the millions.
    const PREEMPTIONS_MAX: usize = 3;

    fn every_message_is_taken(senders: usize, messages_each: usize) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(PREEMPTIONS_MAX);
        model.check(move || {
            let shared = Arc::new(Shared {
                sleeper: Sleeper::new(),
                published: AtomicUsize::new(0),
                bell: Notify::new(),
            });
            let threads: Vec<_> = (0..senders)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        for _ in 0..messages_each {
                            let publish = || shared.published.fetch_add(1, Ordering::Release);
                            if shared.sleeper.publish(publish).1 {
                                shared.bell.notify();
                            }
                        }
                    })
                })
                .collect();
            let mut taken = 0;
            loop {
                taken = taken.max(shared.published.load(Ordering::Acquire));
                if taken == senders * messages_each {
                    break;
                }
                let mail_waits = || shared.published.load(Ordering::Acquire) > taken;
                if shared.sleeper.may_sleep(mail_waits) {
                    shared.bell.wait();
                    shared.sleeper.wake();
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    #[test]
    fn loom_no_wake_up_is_lost_from_one_sender() {
        every_message_is_taken(1, 2);
    }

    #[test]
    fn loom_no_wake_up_is_lost_from_two_senders() {
        every_message_is_taken(2, 1);
    }
}
