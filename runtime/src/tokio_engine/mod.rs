//! The `tokio` engine: a `current_thread` runtime per core, driving the same app over epoll.
//!
//! It is the fallback where io_uring is not to be had, and the honest comparison where it is: the same turns,
//! the same coalesced writes, one read per readiness and no task per connection. The whole core is one
//! future. Each source of events has a waker of its own that puts it into a queue ([`ready`]), and one poll
//! of the future is one turn: whoever is ready, mail, the deadline, then one write per dirty connection.
//!
//! Time is as coarse as tokio's timer, one millisecond.

mod doors;
mod links;
mod ready;

use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::panic;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ringyard_time::{Now, Time};
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::task::coop;
use tokio::time::Sleep;

use self::doors::{Accepted, Doors};
use self::links::{Read, TokioLinks, Written};
use self::ready::{Ready, Source};
use crate::app::{App, ConnId, Event, Origin};
use crate::clock::Clock;
use crate::closing::ClosingTimes;
use crate::counters::CoreContext;
use crate::departure::{Departure, Remaining, Task};
use crate::dispatcher::{Dispatcher, Links, OwnCounters};
use crate::launch::Seat;
use crate::lifecycle::Mark;
use crate::limits::MAIL_PER_TURN;
use crate::running::{CoreEnd, RunError};

/// Bytes that one read asks for. One buffer per core serves all connections.
const READ_BYTES: usize = 64 * 1024;

/// Reads from one connection in one turn, so that one peer cannot keep the others waiting.
const READS_PER_TURN: usize = 4;

/// Connections accepted from one listener in one turn.
const ACCEPTS_PER_TURN: usize = 64;

/// A runtime that can serve.
pub(crate) struct Machine {
    runtime: LocalRuntime,
}

impl Machine {
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(LocalOptions::default())?;
        Ok(Self { runtime })
    }

    /// Serves until told to end.
    pub(crate) fn serve<A: App + 'static>(
        self,
        seat: Seat<A::Mail>,
        listeners: Vec<TcpListener>,
        make: impl FnOnce(CoreContext) -> A,
    ) -> Result<CoreEnd, RunError> {
        let core = seat.core;
        let failed = |source| RunError::Os { core, call: "epoll", source };
        let dispatcher = Dispatcher::new(core, Arc::clone(&seat.shared), make);
        self.runtime.block_on(async {
            // A task of its own: woken from its own thread it is queued without a system call, which the
            // future given to `block_on` is not.
            let task = self.runtime.spawn_local(coop::unconstrained(async move {
                let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
                let mut engine = Engine::new(seat, listeners, dispatcher, waker)?;
                Ok(poll_fn(|context| engine.turn(context)).await)
            }));
            match task.await {
                Ok(end) => end.map_err(failed),
                Err(error) => panic::resume_unwind(error.into_panic()),
            }
        })
    }
}

struct Engine<A: App> {
    dispatcher: Dispatcher<A>,
    links: TokioLinks,
    doors: Doors,
    seat: Seat<A::Mail>,
    departure: Departure,
    /// Connections that were open when the engine ended without their app having finished.
    cut_short: usize,
    clock: Clock,
    bell: AsyncFd<OwnedFd>,
    bell_waker: Waker,
    timer: Timer,
    /// Until when the core looks for work instead of sleeping.
    spins_until: Time,
    buffer: Box<[u8]>,
}

impl<A: App> Engine<A> {
    fn new(
        seat: Seat<A::Mail>,
        listeners: Vec<TcpListener>,
        dispatcher: Dispatcher<A>,
        waker: Waker,
    ) -> io::Result<Self> {
        let ready = Ready::new(waker);
        let bell = seat.shared.control.bell(seat.core).register()?;
        Ok(Self {
            dispatcher,
            doors: Doors::new(listeners, &ready)?,
            departure: Departure::new(seat.drain_limit),
            cut_short: 0,
            clock: Clock::new(seat.origin),
            bell,
            bell_waker: ready.signal(Source::Bell),
            timer: Timer::default(),
            spins_until: Time::ZERO,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            links: TokioLinks::new(
                ready,
                OwnCounters::new(Arc::clone(&seat.shared.counters), seat.core),
                seat.options.clone(),
                ClosingTimes::new(seat.limits.linger, seat.limits.flush_stall),
            ),
            seat,
        })
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<CoreEnd> {
        let now = self.clock.read();
        self.links.now = now.time;
        self.links.counters.turns.add(1);
        // The wait before this turn.
        self.links.counters.system_calls.add(1);
        self.seat.shared.mailboxes.wake(self.seat.core);

        if self.links.ready.len() > 0 || self.seat.shared.mailboxes.has_mail(self.seat.core) {
            self.spins_until = now.time + self.seat.limits.spin;
        }
        for _ in 0..self.links.ready.len() {
            match self.links.ready.next() {
                Some(Source::Bell) => self.hear_bell(),
                Some(Source::Listener(index)) => self.accept(now, index),
                Some(Source::Connection(conn)) => self.serve_connection(now, conn),
                Some(Source::Attempt(id)) => self.settle_attempt(now, id),
                None => break,
            }
        }
        let app_listens = self.departure.app_listens();
        if app_listens {
            self.dispatcher.tell_mail(now, MAIL_PER_TURN, &mut self.links);
        }
        self.doors.retry(now.time);
        while self.links.cut_off_next().is_some() {}
        if let Poll::Ready(end) = self.depart(now) {
            return Poll::Ready(end);
        }
        if app_listens {
            self.dispatcher.tell_deadline(now, &mut self.links);
        }
        self.flush(now);
        self.sleep(context);
        Poll::Pending
    }

    /// Sees to it that the next turn comes when it must.
    fn sleep(&mut self, context: &mut Context<'_>) {
        let mut until = self.departure.wait_until(self.links.len());
        until = until.min(self.links.closing.next()).min(self.doors.retry_at());
        if self.departure.app_listens() {
            until = until.min(self.dispatcher.deadline());
        }
        let is_due = until <= self.links.now
            || self.links.now < self.spins_until
            || self.links.dirty() > 0
            || self.timer.set(until, &self.clock, context);
        if is_due || !self.seat.shared.mailboxes.may_sleep(self.seat.core) {
            // Woken once tokio has looked at its sockets and timers, and not before.
            let _ = pin!(tokio::task::yield_now()).poll(context);
        }
    }

    fn hear_bell(&mut self) {
        let mut context = Context::from_waker(&self.bell_waker);
        while let Poll::Ready(Ok(mut guard)) = self.bell.poll_read_ready(&mut context) {
            self.seat.shared.control.bell(self.seat.core).silence();
            guard.clear_ready();
        }
    }

    fn accept(&mut self, now: Now, index: u16) {
        for _ in 0..ACCEPTS_PER_TURN {
            if self.links.len() >= self.seat.limits.connections as usize {
                return self.doors.set_full();
            }
            match self.doors.accept(index, now.time) {
                Accepted::Stream(stream) => self.open(now, stream, index),
                Accepted::Failed => {}
                Accepted::Exhausted => {
                    self.links.counters.accept_failures.add(1);
                    return;
                }
                Accepted::Nobody => return,
            }
        }
        self.doors.look_again(index);
    }

    fn open(&mut self, now: Now, stream: TcpStream, listener: u16) {
        if let Some(conn) = self.links.open(stream) {
            self.links.counters.accepted.add(1);
            self.tell_opened(now, conn, Origin::Accepted { listener });
        }
    }

    fn tell_opened(&mut self, now: Now, conn: ConnId, origin: Origin) {
        self.dispatcher.tell(now, Event::Opened { conn, origin }, &mut self.links);
    }

    fn settle_attempt(&mut self, now: Now, id: ConnId) {
        let Some((token, settled)) = self.links.poll_attempt(id) else { return };
        match settled {
            Ok(conn) => self.tell_opened(now, conn, Origin::Connected { token }),
            Err(error) => {
                let event = Event::ConnectFailed { token, error };
                self.dispatcher.tell(now, event, &mut self.links);
                self.doors.reopen();
            }
        }
    }

    fn serve_connection(&mut self, now: Now, conn: ConnId) {
        if self.links.has_queued(conn) {
            self.links.mark(conn);
        }
        for _ in 0..READS_PER_TURN {
            let read = self.links.read(conn, &mut self.buffer);
            let is_open = self.links.is_open(conn);
            let event = match read {
                Read::Bytes(count) => Event::Received { conn, bytes: &self.buffer[..count] },
                Read::End => Event::PeerClosed { conn },
                Read::Failed(error) => Event::Failed { conn, error },
                Read::Nothing => return,
            };
            let is_last = matches!(read, Read::End | Read::Failed(_));
            if is_open || matches!(read, Read::Failed(_)) {
                self.dispatcher.tell(now, event, &mut self.links);
            } else {
                // A closing connection: the peer's end may be what it waits for.
                self.links.mark(conn);
            }
            if is_last {
                return;
            }
        }
        self.links.read_again(conn);
    }

    /// Writes what this turn has queued and does what it has decided. What the app decides when it hears that
    /// a queue has drained is left to the next turn, or a fast reader would hold up everyone.
    fn flush(&mut self, now: Now) {
        for _ in 0..self.links.dirty() {
            let Some(conn) = self.links.next_dirty() else { break };
            self.write(now, conn);
            if self.links.settle(conn) {
                self.doors.reopen();
            }
        }
    }

    /// Writes what is queued on `conn` until nothing is left or there is no room.
    fn write(&mut self, now: Now, conn: ConnId) {
        let event = loop {
            match self.links.write(conn) {
                Written::Nothing => return,
                Written::Progress(Mark::Low) if self.links.is_open(conn) => {
                    break Event::Drained { conn };
                }
                Written::Progress(_) => {}
                Written::Failed(error) => break Event::Failed { conn, error },
            }
        };
        self.dispatcher.tell(now, event, &mut self.links);
        // The rest waits for the next turn, and so does being told when there is room.
        self.links.mark(conn);
    }

    fn depart(&mut self, now: Now) -> Poll<CoreEnd> {
        let left = Remaining { is_listening: self.doors.are_open(), connections: self.links.len() };
        match self.departure.advance(now.time, &self.seat.shared.control, left) {
            Task::Carry => {}
            Task::CloseListeners => {
                for (listener, stream) in self.doors.close() {
                    self.open(now, stream, listener);
                }
            }
            Task::Announce => self.dispatcher.tell(now, Event::Drain, &mut self.links),
            Task::CloseConnections => self.close_connections(),
            Task::Leave => {
                self.close_connections();
                return Poll::Ready(CoreEnd {
                    is_finished: self.dispatcher.is_finished(),
                    connections_cut: self.cut_short,
                    connections_unsent: self.links.unsent(),
                });
            }
        }
        Poll::Pending
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
        // A waker in the queue holds the queue.
        while self.links.ready.next().is_some() {}
    }
}

/// The one timer of a core.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    at: Option<Time>,
}

impl Timer {
    /// Wakes the engine at `at`; says whether that is already past.
    fn set(&mut self, at: Time, clock: &Clock, context: &mut Context<'_>) -> bool {
        let instant = clock.instant(at).map(tokio::time::Instant::from_std);
        let Some(instant) = instant.filter(|_| at != Time::FAR_FUTURE) else {
            self.at = None;
            self.sleep = None;
            return false;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(instant)));
        if self.at != Some(at) {
            sleep.as_mut().reset(instant);
            self.at = Some(at);
        }
        sleep.as_mut().poll(context).is_ready()
    }
}
