//! The `ring` engine: one io_uring per core, and one system call per turn of its loop.
//!
//! A turn takes all completions that are there, tells the app what they mean, then its mail, then its
//! deadline, and then visits each connection that something was decided for. One call submits all that and
//! waits for what comes next.
//!
//! What keeps it sound: a buffer or descriptor is given up only by the terminal completion of the operation
//! that uses it ([`connection`]); completions carry generation-checked ids ([`op`]); a queue that is full
//! loses nothing ([`queue`]); and at the end, however it comes, all operations are ended before anything is
//! freed ([`Engine`]'s `drop`).

#[cfg(feature = "peers")]
pub mod bare;
mod buffers;
mod connection;
mod doors;
mod gather;
mod links;
mod op;
mod queue;
mod survey;

use std::hint;
use std::io;
use std::mem;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use io_uring::{IoUring, Probe, opcode};
use ringyard_time::{Now, Time};

use self::buffers::Buffers;
use self::doors::Doors;
use self::gather::{Gatherer, WINDOW};
use self::links::{News, RingLinks};
use self::op::{Completion, Kind, accept, poll, receive};
use self::queue::{Queue, Wait};
use crate::app::{App, ConnId, Event, Origin};
use crate::clock::Clock;
use crate::closing::ClosingTimes;
use crate::counters::CoreContext;
use crate::departure::{Departure, Remaining, Task};
use crate::dispatcher::{Dispatcher, Links, OwnCounters};
use crate::launch::Seat;
use crate::limits::{EngineLimits, MAIL_PER_TURN};
use crate::probe::{SystemFacts, Unavailable};
use crate::running::{CoreEnd, RunError};

pub(crate) use self::survey::survey;

/// Entries of the completion queue for each of the submission queue: multishot operations complete more
/// often than they are submitted.
const COMPLETIONS_PER_SUBMISSION: u32 = 4;

/// The operations that the engine cannot do without.
const NEEDED_OPERATIONS: [u8; 7] = [
    opcode::Accept::CODE,
    opcode::RecvMulti::CODE,
    opcode::Send::CODE,
    opcode::Connect::CODE,
    opcode::Close::CODE,
    opcode::PollAdd::CODE,
    opcode::AsyncCancel::CODE,
];

/// A ring that has been tried and can serve.
pub(crate) struct Machine {
    queue: Queue,
    buffers: Buffers,
}

impl Machine {
    /// Makes a ring and its buffers on this thread, which alone may use them.
    pub(crate) fn new(limits: &EngineLimits, counters: OwnCounters) -> Result<Self, Unavailable> {
        let failed = |call| failed(limits, call);
        let missing = |what, since| SystemFacts::read().missing(what, since);
        let mut builder = IoUring::builder();
        if !limits.spin.is_zero() || !limits.wake_early.is_zero() {
            builder.setup_taskrun_flag();
        }
        let ring = builder
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_clamp()
            .setup_cqsize(limits.ring_entries * COMPLETIONS_PER_SUBMISSION)
            .build(limits.ring_entries)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EINVAL) => missing("SINGLE_ISSUER and DEFER_TASKRUN", "6.1"),
                _ => failed("io_uring_setup")(error),
            })?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe).map_err(failed("io_uring_register"))?;
        let parameters = ring.params();
        if !NEEDED_OPERATIONS.into_iter().all(|code| probe.is_supported(code))
            || !parameters.is_feature_ext_arg()
            || !parameters.is_feature_nodrop()
            || !parameters.is_feature_skip_cqe_on_success()
        {
            return Err(missing("an operation or feature", "6.1"));
        }
        let buffers = Buffers::new(&ring, limits.receive_buffers, limits.receive_buffer_bytes)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EINVAL) => missing("rings of provided buffers", "5.19"),
                _ => failed("io_uring_register")(error),
            })?;
        let mut queue = Queue::new(ring, counters);
        // A filter may let rings be made and not be entered.
        queue.enter(Wait::No).map_err(failed("io_uring_enter"))?;
        Ok(Self { queue, buffers })
    }

    /// Serves until told to end.
    pub(crate) fn serve<A: App>(
        self,
        seat: Seat<A::Mail>,
        listeners: Vec<TcpListener>,
        make: impl FnOnce(CoreContext) -> A,
    ) -> Result<CoreEnd, RunError> {
        let core = seat.core;
        let dispatcher = Dispatcher::new(core, Arc::clone(&seat.shared), make);
        let mut engine = Engine::new(self, seat, listeners, dispatcher);
        loop {
            if let Some(end) = engine.turn() {
                return Ok(end);
            }
            let failed = |source| RunError::Os { core, call: "io_uring_enter", source };
            engine.rest().map_err(failed)?;
        }
    }
}

/// Why `call` failed on the way to a ring as `limits` ask for it.
fn failed(
    limits: &EngineLimits,
    call: &'static str,
) -> impl FnOnce(io::Error) -> Unavailable + use<> {
    let bytes = locked_bytes(limits);
    move |error: io::Error| {
        SystemFacts::read().reason(call, error.raw_os_error().unwrap_or(libc::EIO), bytes)
    }
}

/// About how much memory a ring takes that the kernel counts as locked (before Linux 5.12 and since 6.14).
pub(crate) fn locked_bytes(limits: &EngineLimits) -> u64 {
    const SUBMISSION_BYTES: u64 = 64 + 4;
    const COMPLETION_BYTES: u64 = 16;
    let entries = u64::from(limits.ring_entries);
    entries * (SUBMISSION_BYTES + u64::from(COMPLETIONS_PER_SUBMISSION) * COMPLETION_BYTES)
}

struct Engine<A: App> {
    dispatcher: Dispatcher<A>,
    links: RingLinks,
    buffers: Buffers,
    doors: Doors,
    seat: Seat<A::Mail>,
    departure: Departure,
    /// Connections that were open when the engine ended without their app having finished.
    cut_short: usize,
    clock: Clock,
    gatherer: Gatherer,
    completions: Vec<Completion>,
    /// Whether the last turn took all completions, so that the silence of a quiet send means success.
    silence_is_success: bool,
    bell_is_heard: bool,
}

impl<A: App> Engine<A> {
    fn new(
        machine: Machine,
        seat: Seat<A::Mail>,
        listeners: Vec<TcpListener>,
        dispatcher: Dispatcher<A>,
    ) -> Self {
        let Machine { queue, mut buffers } = machine;
        buffers.lend();
        let limits = &seat.limits;
        Self {
            dispatcher,
            links: RingLinks::new(
                queue,
                seat.options.clone(),
                ClosingTimes::new(limits.linger, limits.flush_stall),
            ),
            buffers,
            doors: Doors::new(listeners),
            departure: Departure::new(seat.drain_limit),
            cut_short: 0,
            clock: Clock::new(seat.origin),
            gatherer: Gatherer::default(),
            completions: Vec::new(),
            silence_is_success: true,
            bell_is_heard: false,
            seat,
        }
    }

    /// One turn of the loop. Returns how the core ended, if it did.
    fn turn(&mut self) -> Option<CoreEnd> {
        let now = self.clock.read();
        self.links.now = now.time;
        self.links.queue.counters.turns.add(1);
        self.seat.shared.mailboxes.wake(self.seat.core);

        self.take_completions(now);
        let app_listens = self.departure.app_listens();
        if app_listens {
            self.dispatcher.tell_mail(now, MAIL_PER_TURN, &mut self.links);
        }
        self.doors.retry(now.time);
        while self.links.cut_off_next().is_some() {}
        if let Some(end) = self.depart(now) {
            return Some(end);
        }
        if app_listens {
            self.dispatcher.tell_deadline(now, &mut self.links);
        }
        self.submit_decisions();
        None
    }

    /// Submits what was decided, and waits for the next turn.
    fn rest(&mut self) -> io::Result<()> {
        let deadline = match self.departure.app_listens() {
            true => self.dispatcher.deadline(),
            false => Time::FAR_FUTURE,
        };
        let chores = self.departure.wait_until(self.links.len());
        let chores = chores.min(self.links.closing.next()).min(self.doors.retry_at());
        if chores.min(deadline) <= self.links.now
            || self.links.has_work()
            || !self.silence_is_success
        {
            return self.links.queue.enter(Wait::No);
        }
        let until = chores.min(self.wake_for(deadline));
        if until <= self.links.now {
            return self.spin(chores.min(deadline)).map(drop);
        }
        let count = self.gatherer.expected(self.links.len());
        // With much to do nothing is gained by looking for it.
        let spin_until = until.min(self.links.now + self.seat.limits.spin);
        if count == 1 && spin_until > self.links.now && self.spin(spin_until)? {
            return Ok(());
        }
        if !self.seat.shared.mailboxes.may_sleep(self.seat.core) {
            return self.links.queue.enter(Wait::No);
        }
        let time_left = until.since(self.links.now);
        let limit = (until != Time::FAR_FUTURE).then_some(time_left);
        self.links.queue.enter(if count == 1 || time_left <= WINDOW {
            Wait::ForOne { limit }
        } else {
            Wait::ForSeveral { count, gather: WINDOW, limit }
        })
    }

    /// When to be awake so that `deadline` is met.
    fn wake_for(&self, deadline: Time) -> Time {
        match deadline {
            Time::FAR_FUTURE => deadline,
            _ => deadline - self.seat.limits.wake_early,
        }
    }

    /// Submits what was decided, and looks for something to do instead of sleeping, until then. Says whether there is
    /// something. The core counts as awake meanwhile, so nobody rings for its mail and it has to look itself.
    fn spin(&mut self, until: Time) -> io::Result<bool> {
        if !self.links.queue.is_submitted() {
            self.links.queue.enter(Wait::No)?;
        }
        let began = self.clock.read().time;
        self.links.now = began;
        let found = loop {
            if self.links.queue.has_news() {
                self.links.queue.enter(Wait::No)?;
                break true;
            }
            if self.seat.shared.mailboxes.has_mail(self.seat.core) {
                break true;
            }
            if self.links.now >= until {
                break false;
            }
            hint::spin_loop();
            self.links.now = self.clock.read().time;
        };
        let spun = self.links.now.nanoseconds() - began.nanoseconds();
        self.links.queue.counters.spun_nanoseconds.add(spun);
        Ok(found)
    }

    fn take_completions(&mut self, now: Now) {
        let mut completions = mem::take(&mut self.completions);
        self.silence_is_success = self.links.queue.reap(&mut completions);
        self.gatherer.note(now.time, completions.len());
        // Sends first: a quiet one that failed says so here, the others have succeeded.
        for completion in &completions {
            if matches!(completion.token.kind, Kind::Send | Kind::QuietSend) {
                let news = self.links.sent(completion);
                self.tell_news(now, completion.token.id, news);
            }
        }
        if self.silence_is_success {
            while let Some((conn, news)) = self.links.next_quiet() {
                self.tell_news(now, conn, news);
            }
        }
        for completion in completions.drain(..) {
            match completion.token.kind {
                Kind::Accept => self.accepted(now, &completion),
                Kind::Receive => self.received(now, &completion),
                Kind::Connect => self.connected(now, &completion),
                Kind::Bell => self.bell_is_heard &= completion.has_more(),
                Kind::Send | Kind::QuietSend | Kind::Cancel | Kind::Close => {}
            }
        }
        self.completions = completions;
    }

    fn accepted(&mut self, now: Now, completion: &Completion) {
        let (listener, accepted) = accept::complete(completion);
        if !completion.has_more()
            && self.doors.ended(listener, accepted.as_ref().err().copied(), now.time)
        {
            self.links.queue.counters.accept_failures.add(1);
        }
        if let Ok(descriptor) = accepted {
            self.open(now, descriptor, listener);
        }
    }

    fn open(&mut self, now: Now, descriptor: OwnedFd, listener: u16) {
        if let Some(conn) = self.links.open(descriptor) {
            self.links.queue.counters.accepted.add(1);
            self.tell_opened(now, conn, Origin::Accepted { listener });
        }
    }

    fn tell_opened(&mut self, now: Now, conn: ConnId, origin: Origin) {
        self.dispatcher.tell(now, Event::Opened { conn, origin }, &mut self.links);
    }

    fn received(&mut self, now: Now, completion: &Completion) {
        let conn = completion.token.id;
        let received = receive::complete(completion, &mut self.buffers);
        if let receive::Received::Bytes(lease) = &received {
            let bytes = self.buffers.bytes(lease);
            self.links.queue.counters.bytes_received.add(bytes.len() as u64);
            if self.links.is_open(conn) {
                self.dispatcher.tell(now, Event::Received { conn, bytes }, &mut self.links);
            }
        }
        if !completion.has_more() {
            let news = self.links.receive_ended(conn, &received);
            self.tell_news(now, conn, news);
        }
        if let receive::Received::Bytes(lease) = received {
            self.buffers.give_back(lease);
        }
    }

    fn connected(&mut self, now: Now, completion: &Completion) {
        let Some((token, settled)) = self.links.connected(completion) else { return };
        if !self.departure.app_listens() {
            // Given up, but it won.
            settled.iter().for_each(|conn| self.links.abort(*conn));
            return;
        }
        match settled {
            Ok(conn) => self.tell_opened(now, conn, Origin::Connected { token }),
            Err(error) => {
                let event = Event::ConnectFailed { token, error };
                self.dispatcher.tell(now, event, &mut self.links);
                self.doors.reopen();
            }
        }
    }

    fn tell_news(&mut self, now: Now, conn: ConnId, news: Option<News>) {
        let event = match news {
            Some(News::Drained) => Event::Drained { conn },
            Some(News::PeerClosed) => Event::PeerClosed { conn },
            Some(News::Failed(error)) => Event::Failed { conn, error },
            None => return,
        };
        self.dispatcher.tell(now, event, &mut self.links);
    }

    /// Puts everything that this turn decided into the submission queue.
    fn submit_decisions(&mut self) {
        self.buffers.publish();
        while let Some(conn) = self.links.next_dirty() {
            if self.links.visit(conn) {
                self.doors.reopen();
            }
        }
        self.links.feed_starved(self.seat.limits.receive_buffers);
        if self.departure.accepts() {
            let limit = self.seat.limits.connections as usize;
            let free_places = limit.saturating_sub(self.links.len());
            self.doors.adjust(free_places, &mut self.links.queue);
        }
        if !self.bell_is_heard {
            let bell = self.seat.shared.control.bell(self.seat.core);
            poll::submit(&mut self.links.queue, bell);
            self.bell_is_heard = true;
        }
    }

    fn depart(&mut self, now: Now) -> Option<CoreEnd> {
        if !self.departure.accepts() {
            for (listener, descriptor) in self.doors.close() {
                self.open(now, descriptor, listener);
            }
        }
        let left = Remaining { is_listening: self.doors.are_open(), connections: self.links.len() };
        match self.departure.advance(now.time, &self.seat.shared.control, left) {
            Task::Carry => {}
            Task::CloseListeners => self.doors.begin_to_close(&mut self.links.queue),
            Task::Announce => self.dispatcher.tell(now, Event::Drain, &mut self.links),
            Task::CloseConnections => self.close_connections(),
            Task::Leave => {
                self.close_connections();
                return Some(CoreEnd {
                    is_finished: self.dispatcher.is_finished(),
                    connections_cut: self.cut_short,
                    connections_unsent: self.links.unsent(),
                });
            }
        }
        None
    }

    fn close_connections(&mut self) {
        let open = self.links.close_all();
        if !self.dispatcher.is_finished() {
            self.cut_short += open;
        }
    }
}

impl<A: App> Drop for Engine<A> {
    fn drop(&mut self) {
        let mut completions = mem::take(&mut self.completions);
        if self.links.queue.shut_down(&mut completions) {
            self.buffers.take_back();
        }
        for completion in completions {
            if completion.token.kind == Kind::Accept {
                // A descriptor that a cancelled accept still delivered is closed by dropping it.
                drop(accept::complete(&completion));
            }
        }
    }
}
