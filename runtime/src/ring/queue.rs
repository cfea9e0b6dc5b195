//! The two queues of one ring: operations in, completions out, and the one system call between them.
//!
//! Nothing given to [`Queue::push`] is ever lost: what finds the submission queue full waits in a backlog of
//! our own, so a cancel can always be asked for. A completion queue that runs over is a normal state: the
//! kernel keeps the rest back, and [`Queue::reap`] asks for it until it has all.

#![expect(unsafe_code, reason = "submits operations to the kernel")]

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use io_uring::squeue::Entry;
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring};

use super::op::{Completion, Token, cancel};
use crate::dispatcher::OwnCounters;

/// How often in a row the kernel is asked for completions that it kept back, before the turn goes on.
const OVERFLOW_FLUSHES_MAX: usize = 64;

/// How often, and for how long each time, the end of all operations is waited for. They end at once; the
/// limit only keeps a bug, ours or the kernel's, from holding up the process.
const SHUT_DOWN_TURNS_MAX: usize = 100;
const SHUT_DOWN_TURN: Duration = Duration::from_millis(20);

/// A ring and what waits to be submitted to it.
pub(super) struct Queue {
    ring: IoUring,
    /// Operations that found the submission queue full, oldest first.
    backlog: VecDeque<Entry>,
    /// Operations under way that will complete, whatever happens.
    in_flight: usize,
    wait_flags: EnterFlags,
    can_gather: bool,
    pub(super) counters: OwnCounters,
}

/// How long to wait for completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Not at all.
    No,
    /// Until there is one, but no longer than the limit if there is one.
    ForOne { limit: Option<Duration> },
    /// Until there are `count`, or there is one and the time for gathering is up.
    ForSeveral { count: u32, gather: Duration, limit: Option<Duration> },
}

impl Queue {
    /// Takes a ring made with `SINGLE_ISSUER` and `DEFER_TASKRUN`, by the thread that made it.
    pub(super) fn new(ring: IoUring, counters: OwnCounters) -> Self {
        let mut wait_flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        if ring.params().is_feature_no_iowait() {
            // An idle server is not a busy disk.
            wait_flags |= EnterFlags::NO_IOWAIT;
        }
        let can_gather = ring.params().is_feature_min_timeout();
        Self { ring, backlog: VecDeque::new(), in_flight: 0, wait_flags, can_gather, counters }
    }

    /// Queues an operation.
    ///
    /// # Safety
    ///
    /// Whatever `entry` points to stays valid and in place, and what it points to for writing is used by
    /// nobody else: until its terminal completion if its kind
    /// [`always_completes`](super::op::Kind::always_completes), until the next [`Queue::enter`] that leaves
    /// nothing unsubmitted otherwise.
    pub(super) unsafe fn push(&mut self, token: Token, entry: Entry) {
        self.in_flight += usize::from(token.kind.always_completes());
        let entry = entry.user_data(token.word());
        // SAFETY: the caller promises what `entry` needs.
        if self.backlog.is_empty() && unsafe { self.ring.submission().push(&entry) }.is_ok() {
            return;
        }
        self.backlog.push_back(entry);
        // The queue is full: let the kernel take it, then go on. Should it refuse for now, the backlog waits.
        let _ = self.submit();
        self.move_backlog();
    }

    /// Moves what waits into the submission queue; says whether all of it found room.
    fn move_backlog(&mut self) -> bool {
        let mut submission = self.ring.submission();
        while let Some(entry) = self.backlog.front() {
            // SAFETY: whoever called `push` promised what `entry` needs.
            if unsafe { submission.push(entry) }.is_err() {
                return false;
            }
            self.backlog.pop_front();
        }
        true
    }

    /// Submits what is in the submission queue and waits for nothing.
    fn submit(&mut self) -> io::Result<usize> {
        self.enter_once(0, EnterFlags::empty(), None)
    }

    /// Submits everything, lets the kernel finish what it can, and waits as told unless completions are
    /// there already.
    ///
    /// An error is one that the engine cannot go on with.
    pub(super) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        while !self.move_backlog() {
            if !matches!(self.submit(), Ok(taken) if taken > 0) {
                // Completions have to be taken before the kernel takes more.
                return self.wait(Wait::No);
            }
        }
        self.wait(wait)
    }

    fn wait(&mut self, wait: Wait) -> io::Result<()> {
        let (count, gather, limit) = match wait {
            Wait::No => (0, Duration::ZERO, None),
            Wait::ForOne { limit } => (1, Duration::ZERO, limit),
            // Without the kernel's help several would be waited for without end.
            Wait::ForSeveral { limit, .. } if !self.can_gather => (1, Duration::ZERO, limit),
            Wait::ForSeveral { count, gather, limit } => (count, gather, limit),
        };
        let time =
            limit.map(|limit| Timespec::new().sec(limit.as_secs()).nsec(limit.subsec_nanos()));
        let arguments = SubmitArgs::new().min_wait_usec(gather.subsec_micros());
        let arguments = match &time {
            Some(time) => arguments.timespec(time),
            None => arguments,
        };
        let result = self.enter_once(count, self.wait_flags, Some(&arguments));
        match result.map_err(|error| (error.raw_os_error(), error)) {
            Ok(_) => Ok(()),
            // The time is up; a signal; or completions must be taken or memory found before more is
            // submitted, all of which the next turn sees to.
            Err((Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN), _)) => Ok(()),
            Err((_, error)) => Err(error),
        }
    }

    fn enter_once(
        &mut self,
        want: u32,
        flags: EnterFlags,
        arguments: Option<&SubmitArgs<'_, '_>>,
    ) -> io::Result<usize> {
        assert_eq!(flags.contains(EnterFlags::EXT_ARG), arguments.is_some());
        self.counters.system_calls.add(1);
        let mut submission = self.ring.submission();
        submission.sync();
        let count = u32::try_from(submission.len()).expect("a ring has at most 2^15 entries");
        drop(submission);
        // SAFETY: `EXT_ARG` says that the argument is of this type, and it outlives the call; without the
        // flag there is none. What the submitted entries point to, `push` was promised.
        unsafe { self.ring.submitter().enter(count, want, flags.bits(), arguments) }
    }

    /// Whether the kernel has taken all that was pushed.
    pub(super) fn is_submitted(&mut self) -> bool {
        self.backlog.is_empty() && self.ring.submission().is_empty()
    }

    /// Whether the kernel has completions, or work to do in our call that will make some. Makes no system call.
    /// Only for a ring made with `TASKRUN_FLAG`.
    pub(super) fn has_news(&mut self) -> bool {
        let submission = self.ring.submission();
        let has_work = submission.taskrun() || submission.cq_overflow();
        drop(submission);
        has_work || !self.ring.completion().is_empty()
    }

    /// Moves all completions into `completions`. Returns whether that was really all, and the kernel has
    /// taken all that was pushed: only then does a missing completion mean something.
    pub(super) fn reap(&mut self, completions: &mut Vec<Completion>) -> bool {
        self.take(completions);
        for _ in 0..OVERFLOW_FLUSHES_MAX {
            let submission = self.ring.submission();
            if !submission.cq_overflow() {
                return submission.is_empty() && self.backlog.is_empty();
            }
            drop(submission);
            let _ = self.wait(Wait::No);
            let kept_back = self.take(completions);
            self.counters.completion_overflows.add(kept_back as u64);
        }
        false
    }

    /// Moves the completions that are in the queue; says how many.
    fn take(&mut self, completions: &mut Vec<Completion>) -> usize {
        let before = completions.len();
        for entry in self.ring.completion() {
            let token = Token::from_word(entry.user_data()).expect("the kernel returns our tokens");
            let completion = Completion { token, result: entry.result(), flags: entry.flags() };
            if token.kind.always_completes() && !completion.has_more() {
                self.in_flight -= 1;
            }
            completions.push(completion);
        }
        completions.len() - before
    }

    /// Ends all operations. Descriptors that accepts still deliver are handed to `completions` like all else.
    ///
    /// Returns whether that succeeded: if not, the kernel may still use whatever operations point to.
    pub(super) fn shut_down(&mut self, completions: &mut Vec<Completion>) -> bool {
        cancel::submit_all(self);
        for _ in 0..SHUT_DOWN_TURNS_MAX {
            if self.is_shut_down() {
                return true;
            }
            if self.enter(Wait::ForOne { limit: Some(SHUT_DOWN_TURN) }).is_err() {
                return false;
            }
            self.reap(completions);
        }
        self.is_shut_down()
    }

    /// Whether no operation is under way or waits to be submitted.
    pub(super) fn is_shut_down(&mut self) -> bool {
        self.in_flight == 0 && self.is_submitted()
    }
}
