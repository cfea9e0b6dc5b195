//! The HTTP side of every server: client connections, from bytes to requests and from answers to bytes.
//!
//! [`Server`] is the [`App`] that engines drive. It puts a [`Front`], which knows HTTP, connections and
//! their time-outs, before a [`Service`], which knows what the requests mean. The front answers what is the
//! same everywhere (bad requests, documentation, health) and asks the service for the rest; the service
//! answers at once or later, by [`Ticket`].
//!
//! What it does not do: decide anything about queues or backends, or hold bytes that an engine holds.

mod requests;

mod answers;
mod timeouts;

mod connection;
mod pages;

use std::mem;

use ringyard_protocol::http1::{DateCache, Head, Request};
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{App, Commands, ConnId, Event, Now, Origin, Time};

use crate::buffers::BufferPool;
use crate::limits::{ClientTimeouts, DRAIN_FIRST_REQUEST_GRACE};
use crate::metrics::ServerCounters;
use crate::response::{Framing, Response};
use crate::timers::Timers;
use connection::{Answer, Connection};

pub use pages::Pages;

/// Names one request for as long as its answer is awaited. Harmless when its client has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket {
    conn: ConnId,
    number: u32,
}

#[cfg(test)]
impl Ticket {
    /// A ticket for tests of what keeps tickets but never answers them.
    pub(crate) fn for_test(number: u32) -> Self {
        Self { conn: ConnId { slot: 0, generation: 0 }, number }
    }
}

/// What a service did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// The response is filled in.
    Now,
    /// The service keeps the ticket and will call [`Front::answer`].
    Later,
}

/// What to do with requests whose client has closed its sending side before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HalfClosed {
    /// Answer all the same: the client may still be reading.
    #[default]
    Answer,
    /// Take it that the client has left, and do no work for it. Most clients that send a FIN have.
    Abandon,
}

/// Configuration of a front.
#[derive(Clone, Copy, Debug)]
pub struct FrontConfig {
    /// Limits of the wire format.
    pub http: HttpLimits,
    /// How patient to be.
    pub timeouts: ClientTimeouts,
    /// What a half-closed connection means.
    pub half_closed: HalfClosed,
    /// The documentation pages.
    pub pages: Pages,
}

impl FrontConfig {
    /// What every server starts from: default limits and time-outs.
    #[must_use]
    pub fn new(half_closed: HalfClosed, pages: Pages) -> Self {
        let (http, timeouts) = (HttpLimits::default(), ClientTimeouts::default());
        Self { http, timeouts, half_closed, pages }
    }
}

/// What requests mean.
pub trait Service {
    /// What the services of two cores say to one another.
    type Mail: Send + 'static;

    /// Whether requests would be served; told by `GET /readyz`.
    fn ready(&self) -> bool;

    /// Appends the service's own metrics, in Prometheus' text format.
    fn write_metrics(&self, out: &mut Vec<u8>);

    /// Takes a request to a path that the front does not serve itself.
    fn request(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request<'_>,
        response: &mut Response,
        commands: &mut Commands<Self::Mail>,
    ) -> Handled;

    /// Looks at the head of a request whose body is still to come: whether it is refused for what the head says, and
    /// `response` filled in. A request that comes whole goes to [`Service::request`] at once, which must refuse it
    /// for the same reasons. Unless a service says otherwise it waits for bodies.
    fn refuses(&mut self, _now: Now, _head: &Head<'_>, _response: &mut Response) -> bool {
        false
    }

    /// The client of `ticket` has gone; its answer is awaited no more.
    fn abandon(&mut self, now: Now, ticket: Ticket, commands: &mut Commands<Self::Mail>);

    /// Takes an event that is not about a client's connection.
    fn event(
        &mut self,
        now: Now,
        event: Event<'_, Self::Mail>,
        front: &mut Front,
        commands: &mut Commands<Self::Mail>,
    );

    /// When [`Service::turn`] has to run at the latest; a time in the past means at the end of this turn.
    fn next_deadline(&self) -> Option<Time>;

    /// Runs when its deadline, or the front's, has come.
    fn turn(&mut self, now: Now, front: &mut Front, commands: &mut Commands<Self::Mail>);

    /// Whether no work of this core's clients is left. The front knows its connections itself.
    fn idle(&self) -> bool;
}

/// A front and its service, as an engine drives them.
#[derive(Debug)]
pub struct Server<S> {
    front: Front,
    service: S,
    finished: bool,
}

impl<S: Service> Server<S> {
    /// One core's server.
    pub fn new(config: FrontConfig, counters: ServerCounters, service: S) -> Self {
        Self { front: Front::new(config, counters), service, finished: false }
    }

    /// The service behind the front.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// Client connections open now.
    pub fn connections(&self) -> usize {
        self.front.open
    }
}

impl<S: Service> App for Server<S> {
    type Mail = S::Mail;

    fn on_event(&mut self, now: Now, event: Event<'_, S::Mail>, commands: &mut Commands<S::Mail>) {
        let Self { front, service, .. } = self;
        match event {
            Event::Opened { conn, origin: Origin::Accepted { .. } } => front.opened(now, conn),
            Event::Received { conn, bytes } if front.owns(conn) => {
                front.received(now, conn, bytes, service, commands);
            }
            Event::PeerClosed { conn } if front.owns(conn) => {
                front.peer_closed(now, conn, service, commands);
            }
            Event::Failed { conn, .. } if front.owns(conn) => {
                front.forget(now, conn, service, commands);
            }
            Event::Congested { conn } if front.owns(conn) => front.congested(now, conn, commands),
            Event::Drained { conn } if front.owns(conn) => front.drained(now, conn),
            Event::Deadline => {
                front.wake_yielded();
                front.expire(now, service, commands);
                service.turn(now, front, commands);
            }
            Event::Drain => {
                front.drain(now, commands);
                service.event(now, Event::Drain, front, commands);
            }
            other => service.event(now, other, front, commands),
        }
        front.go_on(now, service, commands);
        let next = [front.next_deadline(), service.next_deadline()].into_iter().flatten().min();
        commands.set_deadline(next);
        if front.draining && !self.finished && front.open == 0 && service.idle() {
            self.finished = true;
            commands.finished();
        }
    }
}

/// Client connections, from bytes to requests and from answers to bytes.
#[derive(Debug)]
pub struct Front {
    config: FrontConfig,
    connections: Vec<Option<Connection>>,
    open: usize,
    timers: Timers,
    date: DateCache,
    /// The answer being made; one for all requests.
    response: Response,
    buffers: BufferPool,
    /// Connections with held input that may go on, because an answer has made room.
    resumable: Vec<ConnId>,
    /// Connections that go on at the end of the turn, if the driver does not say by then that they are
    /// congested.
    yielded: Vec<ConnId>,
    /// Bytes answered since parsing of the present connection began.
    answered_bytes: usize,
    draining: bool,
    counters: ServerCounters,
}

/// The connection of `id` among `connections`, unless the slot has passed to another.
fn find(connections: &mut [Option<Connection>], id: ConnId) -> Option<&mut Connection> {
    connections.get_mut(id.slot as usize)?.as_mut().filter(|connection| connection.id == id)
}

impl Front {
    fn new(config: FrontConfig, counters: ServerCounters) -> Self {
        Self {
            config,
            connections: Vec::new(),
            open: 0,
            timers: Timers::default(),
            date: DateCache::new(),
            response: Response::default(),
            buffers: BufferPool::default(),
            resumable: Vec::new(),
            yielded: Vec::new(),
            answered_bytes: 0,
            draining: false,
            counters,
        }
    }

    /// Whether the server is finishing: no new work should be started that could be left.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining
    }

    fn owns(&self, id: ConnId) -> bool {
        self.connections
            .get(id.slot as usize)
            .and_then(Option::as_ref)
            .is_some_and(|connection| connection.id == id)
    }

    fn opened(&mut self, now: Now, id: ConnId) {
        let slot = id.slot as usize;
        if slot >= self.connections.len() {
            self.connections.resize_with(slot + 1, || None);
        }
        let patience =
            if self.draining { DRAIN_FIRST_REQUEST_GRACE } else { self.config.timeouts.idle };
        self.connections[slot] = Some(Connection::new(id));
        self.timers.set(id.slot, now.time + patience);
        self.open += 1;
    }

    fn congested<M>(&mut self, now: Now, id: ConnId, commands: &mut Commands<M>) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        connection.congested = true;
        // A head that has begun has its time anew when we read again.
        connection.head_deadline = None;
        if !mem::replace(&mut connection.receiving_paused, true) {
            commands.pause(id);
        }
        self.timers.set(id.slot, now.time + self.config.timeouts.send);
    }

    fn drained(&mut self, now: Now, id: ConnId) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        connection.congested = false;
        if !connection.blocked() && !mem::replace(&mut connection.resumable, true) {
            self.resumable.push(id);
        }
        self.set_patience(now, id);
    }

    fn peer_closed<S: Service>(
        &mut self,
        now: Now,
        id: ConnId,
        service: &mut S,
        commands: &mut Commands<S::Mail>,
    ) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        connection.peer_closed = true;
        let unanswered = !connection.slots.is_empty() || connection.receiving_paused;
        if !unanswered || self.config.half_closed == HalfClosed::Abandon {
            commands.close(id);
            self.forget(now, id, service, commands);
        } else {
            self.set_patience(now, id);
        }
    }

    fn drain<M>(&mut self, now: Now, commands: &mut Commands<M>) {
        self.draining = true;
        for slot in 0..self.connections.len() {
            let Some(connection) = &self.connections[slot] else { continue };
            let id = connection.id;
            if connection.is_fresh() && connection.at_rest() {
                self.timers.set(id.slot, now.time + DRAIN_FIRST_REQUEST_GRACE);
            } else if connection.at_rest() {
                self.close(id, commands);
            }
        }
    }

    /// Closes a connection all of whose answers are out.
    fn close<M>(&mut self, id: ConnId, commands: &mut Commands<M>) {
        commands.close(id);
        self.remove(id);
    }

    /// Drops a connection that is closed already, and tells the service which answers are awaited no more.
    fn forget<S: Service>(
        &mut self,
        now: Now,
        id: ConnId,
        service: &mut S,
        commands: &mut Commands<S::Mail>,
    ) {
        let Some(connection) = self.remove(id) else { return };
        let mut number = connection.first_number;
        for slot in connection.slots {
            match slot.answer {
                Answer::Awaited => service.abandon(now, Ticket { conn: id, number }, commands),
                Answer::Ready(bytes) => self.buffers.give_back(bytes),
            }
            number = number.wrapping_add(1);
        }
    }

    fn remove(&mut self, id: ConnId) -> Option<Connection> {
        self.timers.set(id.slot, Time::FAR_FUTURE);
        let removed = self.connections[id.slot as usize].take_if(|connection| connection.id == id);
        self.open -= usize::from(removed.is_some());
        removed
    }
}

/// How the answer to a request that could not be parsed is put: we cannot tell where the next one begins.
const REFUSED: Framing = Framing { version_minor: 1, keep_alive: false, head_only: false };
