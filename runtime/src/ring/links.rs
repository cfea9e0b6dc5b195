//! The connections of one core, and what an app's commands do to them.
//!
//! Commands only change state and mark the connection dirty. At the end of the turn each dirty connection is
//! visited once: one gathered send, receiving begun or ended, the next step of its life.

#![expect(unsafe_code, reason = "hands attempts to connect to the kernel")]

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use ringyard_time::Time;

use super::connection::Connection;
use super::op::connect::{self, Attempt};
use super::op::{Completion, cancel, close, receive, send};
use super::queue::Queue;
use crate::app::{ConnError, ConnId, ConnectToken};
use crate::closing::ClosingTimes;
use crate::dispatcher::Links;
use crate::lifecycle::{Mark, Step};
use crate::outbox::Spares;
use crate::socket::{self, SocketOptions, conn_error, conn_error_from};
use crate::table::Table;

/// All connections of one core.
pub(super) struct RingLinks {
    pub(super) queue: Queue,
    connections: Table<Connection>,
    attempts: Table<Attempt>,
    /// Connections to visit at the end of the turn.
    dirty: Vec<ConnId>,
    /// Connections with a quiet send under way.
    quiet: Vec<ConnId>,
    /// Connections that wait for a buffer to receive into, in the order in which they found none.
    starved: VecDeque<ConnId>,
    pub(super) closing: ClosingTimes,
    spares: Spares,
    /// The time of this turn.
    pub(super) now: Time,
    options: SocketOptions,
}

/// What happened on a connection that its app knows, and is to be told.
#[derive(Debug)]
pub(super) enum News {
    Drained,
    PeerClosed,
    Failed(ConnError),
}

/// How an attempt to connect was settled.
pub(super) type Settled = (ConnectToken, Result<ConnId, ConnError>);

impl RingLinks {
    pub(super) fn new(queue: Queue, options: SocketOptions, closing: ClosingTimes) -> Self {
        Self {
            queue,
            connections: Table::new(),
            attempts: Table::new(),
            dirty: Vec::new(),
            quiet: Vec::new(),
            starved: VecDeque::new(),
            closing,
            spares: Spares::default(),
            now: Time::ZERO,
            options,
        }
    }

    /// Connections and attempts, whatever their state.
    pub(super) fn len(&self) -> usize {
        self.connections.len() + self.attempts.len()
    }

    /// Takes a connected socket in, or closes it where no id is left for it.
    pub(super) fn open(&mut self, descriptor: OwnedFd) -> Option<ConnId> {
        let conn = self.connections.insert(Connection::new(descriptor)).ok()?;
        self.queue.counters.connections.set(self.connections.len() as u64);
        self.mark(conn);
        Some(conn)
    }

    /// Takes the terminal completion of a receive on `conn`, if the app is to be told anything.
    pub(super) fn receive_ended(
        &mut self,
        conn: ConnId,
        received: &receive::Received,
    ) -> Option<News> {
        let connection = self.connections.get_mut(conn)?;
        let was_open = connection.lifecycle.is_open();
        connection.receive_ended();
        let news = match received {
            receive::Received::Bytes(_) | receive::Received::Stopped => None,
            receive::Received::End => {
                connection.lifecycle.peer_closed();
                Some(News::PeerClosed)
            }
            receive::Received::NoBuffer => {
                connection.receive_starved();
                self.starved.push_back(conn);
                self.queue.counters.receive_buffers_exhausted.add(1);
                None
            }
            receive::Received::Failed(errno) => {
                connection.lifecycle.end();
                Some(News::Failed(conn_error(*errno)))
            }
        };
        self.mark(conn);
        news.filter(|_| was_open)
    }

    /// Takes the completion of a send.
    pub(super) fn sent(&mut self, completion: &Completion) -> Option<News> {
        let conn = completion.token.id;
        let connection = self.connections.get_mut(conn)?;
        let was_open = connection.lifecycle.is_open();
        let news = match send::complete(completion) {
            Ok(count) => {
                connection.sent(count, &mut self.spares);
                self.progress(conn, count)
            }
            Err(errno) => {
                connection.send_failed();
                connection.lifecycle.end();
                Some(News::Failed(conn_error(errno)))
            }
        };
        self.mark(conn);
        news.filter(|_| was_open)
    }

    /// The next connection whose quiet send has succeeded, and what that means to its app. Only when silence
    /// is known to mean success.
    pub(super) fn next_quiet(&mut self) -> Option<(ConnId, Option<News>)> {
        let conn = self.quiet.pop()?;
        let sent = self
            .connections
            .get_mut(conn)
            .and_then(|connection| connection.sent_quietly(&mut self.spares));
        let Some(count) = sent else { return Some((conn, None)) };
        let news = self.progress(conn, count);
        if self
            .connections
            .get(conn)
            .is_some_and(|connection| !connection.is_flushed() || !connection.lifecycle.is_open())
        {
            self.mark(conn);
        }
        Some((conn, news.filter(|_| self.is_open(conn))))
    }

    /// Notes that `count` bytes have gone out on `conn`.
    fn progress(&mut self, conn: ConnId, count: usize) -> Option<News> {
        self.queue.counters.bytes_sent.add(count as u64);
        let connection = self.connections.get_mut(conn)?;
        if count > 0 {
            self.closing.progressed(self.now, &mut connection.lifecycle);
        }
        let mark = connection.lifecycle.queue_is(connection.queued());
        (mark == Mark::Low).then_some(News::Drained)
    }

    /// The next connection to visit at the end of the turn.
    pub(super) fn next_dirty(&mut self) -> Option<ConnId> {
        let conn = self.dirty.pop()?;
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.is_dirty = false;
        }
        Some(conn)
    }

    /// Submits what the state of `conn` asks for; says whether it is gone.
    pub(super) fn visit(&mut self, conn: ConnId) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        let queue = &mut self.queue;
        if connection.send(conn, queue) {
            self.quiet.push(conn);
        }
        loop {
            match connection.lifecycle.next_step(connection.is_flushed()) {
                Step::Wait => {
                    connection.adjust_receiving(conn, queue);
                    return false;
                }
                Step::EndSending => {
                    socket::end_sending(connection.descriptor().as_fd());
                    queue.counters.system_calls.add(1);
                    self.closing.ended_sending(self.now, &mut connection.lifecycle);
                }
                Step::Release if connection.is_idle() => {
                    let gone = self.connections.remove(conn).expect("was just there");
                    queue.counters.connections.set(self.connections.len() as u64);
                    close::submit(queue, gone.release(&mut self.spares), conn);
                    return true;
                }
                Step::Release => {
                    connection.cancel_all(conn, queue);
                    return false;
                }
            }
        }
    }

    /// Lets those that wait for a buffer receive again, as many as there are buffers. All buffers are free at
    /// the end of a turn, so somebody always gets one, and those that waited longest come first.
    pub(super) fn feed_starved(&mut self, buffers: u16) {
        for _ in 0..usize::from(buffers).min(self.starved.len()) {
            let Some(conn) = self.starved.pop_front() else { break };
            if let Some(connection) = self.connections.get_mut(conn) {
                connection.may_receive_again();
                connection.adjust_receiving(conn, &mut self.queue);
            }
        }
    }

    /// Whether the next turn has something to do already.
    pub(super) fn has_work(&self) -> bool {
        !self.starved.is_empty() || !self.dirty.is_empty()
    }

    /// Ends a closing connection whose time is up, if there is one.
    pub(super) fn cut_off_next(&mut self) -> Option<ConnId> {
        let Self { closing, connections, now, .. } = self;
        let conn =
            closing.due(*now, |conn| connections.get(conn).map(|found| found.lifecycle.cut_off))?;
        self.end(conn);
        Some(conn)
    }

    /// Takes the completion of attempt `id`.
    pub(super) fn connected(&mut self, completion: &Completion) -> Option<Settled> {
        let Attempt { token, address, socket, .. } = self.attempts.remove(completion.token.id)?;
        let settled = connect::complete(completion).and_then(|()| {
            self.queue.counters.system_calls.add(1);
            if socket::is_connected_to_itself(socket.as_fd(), address) {
                return Err(ConnError::Refused);
            }
            self.open(socket.into()).ok_or(conn_error(libc::ENFILE))
        });
        Some((token, settled))
    }

    /// Closes every connection that the app still knows, gives every attempt up, and says how many of the
    /// former there were.
    pub(super) fn close_all(&mut self) -> usize {
        for id in self.attempts.ids() {
            cancel::submit(&mut self.queue, connect::token(id));
        }
        let mut open = self.connections.ids();
        open.retain(|conn| self.is_open(*conn));
        for &conn in &open {
            self.close(conn);
        }
        open.len()
    }

    /// How many connections have bytes that were never sent.
    pub(super) fn unsent(&self) -> usize {
        let is_unsent =
            |connection: &Connection| connection.lifecycle.flushes() && !connection.is_flushed();
        self.connections.iter().filter(|(_, connection)| is_unsent(connection)).count()
    }

    /// Ends `conn` without flushing.
    fn end(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.lifecycle.end();
            self.mark(conn);
        }
    }

    fn mark(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn)
            && !mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push(conn);
        }
    }

    fn open_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections.get_mut(conn).filter(|connection| connection.lifecycle.is_open())
    }
}

impl Links for RingLinks {
    fn is_open(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.lifecycle.is_open())
    }

    fn send(&mut self, conn: ConnId, bytes: &[u8]) -> Mark {
        let Some(connection) = self.connections.get_mut(conn) else { return Mark::None };
        if !connection.lifecycle.may_send() {
            return Mark::None;
        }
        let queued = connection.queue(bytes, &mut self.spares);
        let mark = connection.lifecycle.queue_is(queued);
        self.mark(conn);
        mark
    }

    fn finish(&mut self, conn: ConnId) {
        if let Some(connection) = self.open_mut(conn) {
            connection.lifecycle.finish();
            self.mark(conn);
        }
    }

    fn close(&mut self, conn: ConnId) {
        let connection = self.connections.get_mut(conn);
        if let Some(connection) = connection.filter(|found| found.lifecycle.is_open()) {
            self.closing.begin(self.now, conn, &mut connection.lifecycle);
            self.mark(conn);
        }
    }

    fn abort(&mut self, conn: ConnId) {
        if let Some(connection) = self.open_mut(conn) {
            socket::reset_on_close(connection.descriptor().as_fd());
            self.queue.counters.system_calls.add(1);
            self.end(conn);
        }
    }

    fn set_paused(&mut self, conn: ConnId, paused: bool) {
        if let Some(connection) = self.open_mut(conn) {
            connection.lifecycle.set_paused(paused);
            self.mark(conn);
        }
    }

    fn connect(&mut self, token: ConnectToken, address: SocketAddr) -> Result<(), ConnError> {
        let socket = self.options.connecting(address).map_err(|e| conn_error_from(&e))?;
        let attempt = Attempt::new(token, address, socket);
        let id = self.attempts.insert(attempt).map_err(|_| conn_error(libc::ENFILE))?;
        let attempt = self.attempts.get(id).expect("was just put there");
        // SAFETY: an attempt leaves the table at its completion, or with the table once the kernel is done with
        // the ring (`drop`).
        unsafe { connect::submit(&mut self.queue, attempt, id) };
        Ok(())
    }

    fn cancel_connect(&mut self, token: ConnectToken) {
        let found = self.attempts.iter().find(|(_, attempt)| attempt.token == token);
        if let Some(id) = found.map(|(id, _)| id) {
            cancel::submit(&mut self.queue, connect::token(id));
        }
    }
}

impl Drop for RingLinks {
    fn drop(&mut self) {
        if !self.queue.is_shut_down() {
            // The kernel may still use what these own: leaking is the only safe thing.
            mem::forget(mem::replace(&mut self.connections, Table::new()));
            mem::forget(mem::replace(&mut self.attempts, Table::new()));
        }
    }
}
