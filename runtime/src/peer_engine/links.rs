//! The connections of one core, and what an app's commands do to them. Bytes move in the connections' tasks.

#![expect(unsafe_code, reason = "names descriptors that executors own")]

use std::mem;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};
use std::task::Waker;

use ringyard_time::Time;

use crate::app::{ConnError, ConnId, ConnectToken};
use crate::closing::ClosingTimes;
use crate::dispatcher::{Links, OwnCounters};
use crate::lifecycle::{Lifecycle, Mark, Step};
use crate::socket;
use crate::table::Table;

/// Capacity above which a send buffer is freed after use and not kept.
const SPARE_SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Spare send buffers kept.
const SPARE_SEND_BUFFERS_MAX: usize = 256;

/// All connections of one core.
pub(super) struct PeerLinks {
    pub(super) connections: Table<Connection>,
    pub(super) attempts: Table<Attempt>,
    /// Attempts whose tasks are still to be spawned.
    pub(super) connects: Vec<(ConnId, SocketAddr)>,
    /// Connections with something to do at the end of the turn.
    dirty: Vec<ConnId>,
    pub(super) closing: ClosingTimes,
    spares: Vec<Vec<u8>>,
    /// The time of this turn.
    pub(super) now: Time,
    pub(super) counters: OwnCounters,
}

pub(super) struct Connection {
    /// Open for as long as the connection is in the table: its task takes it out before it drops the stream.
    descriptor: RawFd,
    pub(super) waker: Waker,
    pub(super) lifecycle: Lifecycle,
    /// What the app has sent since the last write began.
    queue: Vec<u8>,
    /// Bytes of the write under way that have not gone out.
    writing: usize,
    /// A write may begin: the turn in which something was queued has ended.
    may_write: bool,
    is_dirty: bool,
}

pub(super) struct Attempt {
    pub(super) token: ConnectToken,
    pub(super) waker: Waker,
    pub(super) is_cancelled: bool,
}

impl Connection {
    pub(super) fn new(descriptor: RawFd) -> Self {
        Self {
            descriptor,
            waker: Waker::noop().clone(),
            lifecycle: Lifecycle::new(),
            queue: Vec::new(),
            writing: 0,
            may_write: false,
            is_dirty: false,
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open while the connection is in the table, which this borrow is shorter than.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }

    fn queued(&self) -> usize {
        self.queue.len() + self.writing
    }
}

impl PeerLinks {
    pub(super) fn new(counters: OwnCounters, closing: ClosingTimes) -> Self {
        Self {
            connections: Table::new(),
            attempts: Table::new(),
            connects: Vec::new(),
            dirty: Vec::new(),
            closing,
            spares: Vec::new(),
            now: Time::ZERO,
            counters,
        }
    }

    /// Connections and attempts, whatever their state.
    pub(super) fn len(&self) -> usize {
        self.connections.len() + self.attempts.len()
    }

    /// What is to be written to `conn`, if a write may begin.
    pub(super) fn take_queue(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        let connection = self.connections.get_mut(conn)?;
        let flushes = connection.lifecycle.flushes() && connection.may_write;
        if !flushes || connection.queue.is_empty() {
            return None;
        }
        connection.may_write = false;
        connection.writing = connection.queue.len();
        Some(mem::replace(&mut connection.queue, self.spares.pop().unwrap_or_default()))
    }

    /// Takes back a buffer that has been written.
    pub(super) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= SPARE_SEND_BUFFER_BYTES_MAX
            && self.spares.len() < SPARE_SEND_BUFFERS_MAX
        {
            buffer.clear();
            self.spares.push(buffer);
        }
    }

    /// Notes that `count` bytes have gone out; says whether a congested queue has drained.
    pub(super) fn written(&mut self, conn: ConnId, count: usize) -> Mark {
        self.counters.bytes_sent.add(count as u64);
        let Some(connection) = self.connections.get_mut(conn) else { return Mark::None };
        connection.writing -= count;
        self.closing.progressed(self.now, &mut connection.lifecycle);
        let mark = connection.lifecycle.queue_is(connection.queued());
        self.mark(conn);
        mark
    }

    /// Whether the task of `conn` has nothing more to do.
    pub(super) fn is_over(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_none_or(|connection| {
            connection.lifecycle.next_step(connection.queued() == 0) == Step::Release
        })
    }

    /// Lets queued bytes go out and does what the state of a connection asks for, for all that changed.
    pub(super) fn settle_dirty(&mut self) {
        while let Some(conn) = self.dirty.pop() {
            let Self { connections, closing, counters, now, .. } = self;
            let Some(connection) = connections.get_mut(conn) else { continue };
            connection.is_dirty = false;
            connection.may_write = true;
            if connection.lifecycle.next_step(connection.queued() == 0) == Step::EndSending {
                socket::end_sending(connection.descriptor());
                counters.system_calls.add(1);
                closing.ended_sending(*now, &mut connection.lifecycle);
            }
            connection.waker.wake_by_ref();
        }
    }

    /// Ends a closing connection whose time is up, if there is one.
    pub(super) fn cut_off_next(&mut self) -> Option<ConnId> {
        let Self { closing, connections, now, .. } = self;
        let conn =
            closing.due(*now, |conn| connections.get(conn).map(|found| found.lifecycle.cut_off))?;
        self.end(conn);
        Some(conn)
    }

    /// Closes every connection that the app still knows, gives every attempt up, and says how many of the
    /// former there were.
    pub(super) fn close_all(&mut self) -> usize {
        for id in self.attempts.ids() {
            if let Some(attempt) = self.attempts.remove(id) {
                attempt.waker.wake();
            }
        }
        let mut open = self.connections.ids();
        open.retain(|conn| self.is_open(*conn));
        for &conn in &open {
            self.close(conn);
        }
        open.len()
    }

    /// Ends every connection, and says how many of them had bytes that were never sent.
    pub(super) fn end_all(&mut self) -> usize {
        let unsent =
            |connection: &Connection| connection.lifecycle.flushes() && connection.queued() > 0;
        let count = self.connections.iter().filter(|(_, connection)| unsent(connection)).count();
        for conn in self.connections.ids() {
            self.end(conn);
        }
        count
    }

    /// Ends `conn` without flushing.
    pub(super) fn end(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.lifecycle.end();
            connection.waker.wake_by_ref();
        }
    }

    /// Notes that there is something to do for `conn` at the end of the turn.
    pub(super) fn mark(&mut self, conn: ConnId) {
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

impl Links for PeerLinks {
    fn is_open(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.lifecycle.is_open())
    }

    fn send(&mut self, conn: ConnId, bytes: &[u8]) -> Mark {
        let Some(connection) = self.connections.get_mut(conn) else { return Mark::None };
        if !connection.lifecycle.may_send() {
            return Mark::None;
        }
        connection.queue.extend_from_slice(bytes);
        let mark = connection.lifecycle.queue_is(connection.queued());
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
            socket::reset_on_close(connection.descriptor());
            self.end(conn);
        }
    }

    fn set_paused(&mut self, conn: ConnId, paused: bool) {
        if let Some(connection) = self.open_mut(conn) {
            connection.lifecycle.set_paused(paused);
            connection.waker.wake_by_ref();
        }
    }

    fn connect(&mut self, token: ConnectToken, address: SocketAddr) -> Result<(), ConnError> {
        let attempt = Attempt { token, waker: Waker::noop().clone(), is_cancelled: false };
        let id = self.attempts.insert(attempt).map_err(|_| socket::conn_error(libc::ENFILE))?;
        self.connects.push((id, address));
        Ok(())
    }

    fn cancel_connect(&mut self, token: ConnectToken) {
        let found = self.attempts.iter().find(|(_, attempt)| attempt.token == token);
        if let Some(id) = found.map(|(id, _)| id)
            && let Some(attempt) = self.attempts.get_mut(id)
        {
            attempt.is_cancelled = true;
            attempt.waker.wake_by_ref();
        }
    }
}
