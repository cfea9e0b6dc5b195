//! What the tasks of one core share: the app, its connections, and where the present turn stands.

use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::{Poll, Waker};

use ringyard_time::{Now, Time};
use socket2::SockRef;

use super::links::{Connection, PeerLinks};
use crate::app::{App, ConnError, ConnId, Event, Origin};
use crate::clock::Clock;
use crate::closing::ClosingTimes;
use crate::departure::{Departure, Remaining, Task};
use crate::dispatcher::{Dispatcher, Links, OwnCounters};
use crate::launch::Seat;
use crate::lifecycle::Mark;
use crate::limits::MAIL_PER_TURN;
use crate::running::CoreEnd;
use crate::socket::{SocketOptions, conn_error_from};

/// One core. Nothing is borrowed from it while a task waits.
pub(super) struct Core<A: App> {
    state: RefCell<State<A>>,
    /// Wakes the main future.
    waker: RefCell<Waker>,
    /// Tasks that have not ended.
    tasks: Cell<usize>,
}

struct State<A: App> {
    dispatcher: Dispatcher<A>,
    links: PeerLinks,
    seat: Seat<A::Mail>,
    departure: Departure,
    clock: Clock,
    now: Now,
    is_in_turn: bool,
    /// The listeners once more, to shut them down by.
    doors: Vec<TcpListener>,
    closes_doors: bool,
    /// Connections that were accepted while the listeners were closed, still without a task.
    last_accepted: Vec<(u16, TcpStream)>,
    cut_short: usize,
    /// How the core ends, once its tasks have.
    end: Option<CoreEnd>,
}

impl<A: App> Core<A> {
    pub(super) fn new(
        seat: Seat<A::Mail>,
        dispatcher: Dispatcher<A>,
        doors: Vec<TcpListener>,
    ) -> Self {
        let counters = OwnCounters::new(Arc::clone(&seat.shared.counters), seat.core);
        let mut clock = Clock::new(seat.origin);
        let state = State {
            dispatcher,
            links: PeerLinks::new(
                counters,
                ClosingTimes::new(seat.limits.linger, seat.limits.flush_stall),
            ),
            departure: Departure::new(seat.drain_limit),
            now: clock.read(),
            clock,
            is_in_turn: false,
            doors,
            closes_doors: false,
            last_accepted: Vec::new(),
            cut_short: 0,
            end: None,
            seat,
        };
        Self {
            state: RefCell::new(state),
            waker: RefCell::new(Waker::noop().clone()),
            tasks: Cell::new(0),
        }
    }

    /// Runs `act` in a turn: the present one, or one that it begins.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Turn<'_, A>) -> T) -> T {
        let mut state = self.state.borrow_mut();
        if !state.is_in_turn {
            state.start_turn();
            self.waker.borrow().wake_by_ref();
        }
        act(&mut Turn(&mut state))
    }

    /// Looks at the connections without beginning a turn.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&mut PeerLinks) -> T) -> T {
        look(&mut self.state.borrow_mut().links)
    }

    /// The main future is polled: whatever comes now belongs to a turn that ends with it.
    pub(super) fn begin_turn(&self, waker: &Waker) {
        if !self.waker.borrow().will_wake(waker) {
            self.waker.borrow_mut().clone_from(waker);
        }
        let mut state = self.state.borrow_mut();
        if !state.is_in_turn {
            state.start_turn();
        }
        state.seat.shared.mailboxes.wake(state.seat.core);
    }

    /// Ends the turn. Ready once the core has ended, with all its tasks.
    pub(super) fn end_turn(&self, is_listening: bool) -> Poll<CoreEnd> {
        let mut state = self.state.borrow_mut();
        if state.end.is_none() {
            state.end_turn(is_listening);
        }
        state.is_in_turn = false;
        match state.end {
            Some(end) if self.tasks.get() == 0 => Poll::Ready(end),
            _ => Poll::Pending,
        }
    }

    /// The time of the last turn.
    pub(super) fn now(&self) -> Time {
        self.state.borrow().now.time
    }

    /// Until when the core may wait for something to happen.
    pub(super) fn wait_until(&self) -> Time {
        let state = self.state.borrow();
        if state.end.is_some() {
            // Its tasks wake it.
            return Time::FAR_FUTURE;
        }
        let until = state.departure.wait_until(state.links.len()).min(state.links.closing.next());
        if state.departure.app_listens() { until.min(state.dispatcher.deadline()) } else { until }
    }

    /// Whether the core leaves, which goes by what its sockets bring from turn to turn.
    pub(super) fn is_leaving(&self) -> bool {
        !self.state.borrow().departure.accepts()
    }

    /// Whether the core may sleep, with which it then counts as asleep.
    pub(super) fn may_sleep(&self) -> bool {
        let state = self.state.borrow();
        state.seat.shared.mailboxes.may_sleep(state.seat.core)
    }

    /// Whether there are as many connections as there may be.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state.borrow();
        state.links.len() >= state.seat.limits.connections as usize
    }

    /// Whether the listeners are being shut down.
    pub(super) fn closes_doors(&self) -> bool {
        let state = self.state.borrow();
        state.closes_doors || state.end.is_some()
    }

    pub(super) fn count_accept_failure(&self) {
        self.state.borrow().links.counters.accept_failures.add(1);
    }

    /// Takes in a connection that was accepted, unless no id is left for it.
    pub(super) fn accepted(&self, descriptor: RawFd, listener: u16) -> Option<ConnId> {
        self.with(|turn| {
            turn.0.links.counters.accepted.add(1);
            turn.open(descriptor, Origin::Accepted { listener })
        })
    }

    /// What was accepted while the listeners were closed.
    pub(super) fn take_last_accepted(&self) -> Vec<(u16, TcpStream)> {
        mem::take(&mut self.state.borrow_mut().last_accepted)
    }

    /// Attempts to connect that are to begin.
    pub(super) fn take_connects(&self) -> Vec<(ConnId, SocketAddr)> {
        mem::take(&mut self.state.borrow_mut().links.connects)
    }

    /// What every connection is given.
    pub(super) fn options(&self) -> SocketOptions {
        self.state.borrow().seat.options.clone()
    }

    /// Bytes of a receive buffer.
    pub(super) fn receive_bytes(&self) -> usize {
        self.state.borrow().seat.limits.receive_buffer_bytes as usize
    }

    /// A task begins.
    pub(super) fn task_begins(&self) {
        self.tasks.set(self.tasks.get() + 1);
    }

    /// A task has ended; the main future may wait for that.
    pub(super) fn task_ends(&self) {
        self.tasks.set(self.tasks.get() - 1);
        self.waker.borrow().wake_by_ref();
    }
}

/// A turn, in which the app can be told of events.
pub(super) struct Turn<'a, A: App>(&'a mut State<A>);

impl<A: App> Turn<'_, A> {
    /// Tells the app, if it still listens.
    pub(super) fn tell(&mut self, event: Event<'_, A::Mail>) {
        let State { dispatcher, links, now, departure, end, .. } = &mut *self.0;
        if end.is_none() && departure.app_listens() {
            dispatcher.tell(*now, event, links);
        }
    }

    pub(super) fn links(&mut self) -> &mut PeerLinks {
        &mut self.0.links
    }

    /// Puts a connection into the table and tells the app of it.
    pub(super) fn open(&mut self, descriptor: RawFd, origin: Origin) -> Option<ConnId> {
        if self.0.end.is_some() || !self.0.departure.app_listens() {
            return None;
        }
        let conn = self.0.links.connections.insert(Connection::new(descriptor)).ok()?;
        let counters = &self.0.links.counters;
        counters.connections.set(counters.connections.get() + 1);
        self.tell(Event::Opened { conn, origin });
        Some(conn)
    }

    /// Takes what a read brought; says whether there is more to read.
    pub(super) fn received(&mut self, conn: ConnId, result: io::Result<&[u8]>) -> bool {
        self.0.links.counters.system_calls.add(1);
        let is_open = self.0.links.is_open(conn);
        match result {
            Ok([]) => {
                if let Some(connection) = self.0.links.connections.get_mut(conn) {
                    connection.lifecycle.peer_closed();
                }
                self.0.links.mark(conn);
                if is_open {
                    self.tell(Event::PeerClosed { conn });
                }
                false
            }
            Ok(bytes) => {
                self.0.links.counters.bytes_received.add(bytes.len() as u64);
                if is_open {
                    self.tell(Event::Received { conn, bytes });
                }
                true
            }
            Err(error) => {
                self.fail(conn, conn_error_from(&error));
                false
            }
        }
    }

    /// Takes what a write came to; says whether the connection goes on.
    pub(super) fn wrote(&mut self, conn: ConnId, result: io::Result<usize>) -> bool {
        self.0.links.counters.system_calls.add(1);
        match result {
            Ok(count) => {
                let mark = self.0.links.written(conn, count);
                if mark == Mark::Low && self.0.links.is_open(conn) {
                    self.tell(Event::Drained { conn });
                }
                true
            }
            Err(error) => {
                self.fail(conn, conn_error_from(&error));
                false
            }
        }
    }

    fn fail(&mut self, conn: ConnId, error: ConnError) {
        let was_open = self.0.links.is_open(conn);
        self.0.links.end(conn);
        if was_open {
            self.tell(Event::Failed { conn, error });
        }
    }

    /// Takes a connection out of the table, before its stream is dropped.
    pub(super) fn remove(&mut self, conn: ConnId) {
        if self.0.links.connections.remove(conn).is_some() {
            let counters = &self.0.links.counters;
            counters.connections.set(counters.connections.get() - 1);
        }
    }
}

impl<A: App> State<A> {
    fn start_turn(&mut self) {
        self.is_in_turn = true;
        self.now = self.clock.read();
        self.links.now = self.now.time;
        self.links.counters.turns.add(1);
        self.links.counters.system_calls.add(1);
    }

    fn end_turn(&mut self, is_listening: bool) {
        let app_listens = self.departure.app_listens();
        if app_listens {
            self.dispatcher.tell_mail(self.now, MAIL_PER_TURN, &mut self.links);
        }
        while self.links.cut_off_next().is_some() {}
        self.depart(is_listening);
        if app_listens && self.end.is_none() {
            self.dispatcher.tell_deadline(self.now, &mut self.links);
        }
        self.links.settle_dirty();
    }

    fn depart(&mut self, is_listening: bool) {
        let left = Remaining { is_listening, connections: self.links.len() };
        match self.departure.advance(self.now.time, &self.seat.shared.control, left) {
            Task::Carry => {}
            Task::CloseListeners => self.close_doors(),
            Task::Announce => self.dispatcher.tell(self.now, Event::Drain, &mut self.links),
            Task::CloseConnections => self.close_connections(),
            Task::Leave => {
                self.close_connections();
                self.close_doors();
                self.end = Some(CoreEnd {
                    is_finished: self.dispatcher.is_finished(),
                    connections_cut: self.cut_short,
                    connections_unsent: self.links.end_all(),
                });
            }
        }
    }

    /// Accepts what waits in the listeners' queues, and ends the accepts under way.
    fn close_doors(&mut self) {
        self.closes_doors = true;
        for (index, door) in (0..).zip(self.doors.drain(..)) {
            if door.set_nonblocking(true).is_ok() {
                while let Ok((stream, _)) = door.accept() {
                    self.last_accepted.push((index, stream));
                }
            }
            // What is left is reset, and an accept that waits fails.
            let _ = SockRef::from(&door).shutdown(Shutdown::Read);
        }
    }

    fn close_connections(&mut self) {
        let open = self.links.close_all();
        if !self.dispatcher.is_finished() {
            self.cut_short += open;
        }
    }
}
