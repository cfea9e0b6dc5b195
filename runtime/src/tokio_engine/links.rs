//! The connections of one core, and what an app's commands do to them.
//!
//! Commands only change state; bytes move when the engine says so: a received chunk per readiness, and one
//! write per dirty connection at the end of a turn.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ringyard_time::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::ready::{Ready, Source};
use crate::app::{ConnError, ConnId, ConnectToken, Resource};
use crate::closing::ClosingTimes;
use crate::dispatcher::{Links, OwnCounters};
use crate::lifecycle::{Lifecycle, Mark, Step};
use crate::outbox::{Outbox, Spares};
use crate::socket::{self, SocketOptions, conn_error, conn_error_from};
use crate::table::Table;

/// All connections of one core.
pub(super) struct TokioLinks {
    connections: Table<Connection>,
    attempts: Table<Attempt>,
    /// Connections with something to do at the end of the turn.
    dirty: VecDeque<ConnId>,
    pub(super) closing: ClosingTimes,
    spares: Spares,
    /// The time of this turn.
    pub(super) now: Time,
    pub(super) ready: Arc<Ready>,
    pub(super) counters: OwnCounters,
    options: SocketOptions,
}

struct Connection {
    stream: TcpStream,
    waker: Waker,
    lifecycle: Lifecycle,
    outbox: Outbox,
    is_dirty: bool,
}

struct Attempt {
    stream: TcpStream,
    waker: Waker,
    token: ConnectToken,
    address: SocketAddr,
    is_cancelled: bool,
}

/// What reading from a connection came to.
#[derive(Debug)]
pub(super) enum Read {
    /// So many bytes.
    Bytes(usize),
    /// The peer will send no more.
    End,
    /// Nothing at present, or nothing wanted.
    Nothing,
    /// The connection is broken and has been ended; its app still knew it.
    Failed(ConnError),
}

/// What writing to a connection came to.
#[derive(Debug)]
pub(super) enum Written {
    /// All or some went out; a queue that was congested may have drained.
    Progress(Mark),
    /// The connection is broken and has been ended; its app still knew it.
    Failed(ConnError),
    /// There is nothing to write, or no room for it, or nobody left who wants to know.
    Nothing,
}

/// How an attempt to connect was settled.
pub(super) type Settled = (ConnectToken, Result<ConnId, ConnError>);

impl TokioLinks {
    pub(super) fn new(
        ready: Arc<Ready>,
        counters: OwnCounters,
        options: SocketOptions,
        closing: ClosingTimes,
    ) -> Self {
        Self {
            connections: Table::new(),
            attempts: Table::new(),
            dirty: VecDeque::new(),
            closing,
            spares: Spares::default(),
            now: Time::ZERO,
            ready,
            counters,
            options,
        }
    }

    /// Connections and attempts, whatever their state.
    pub(super) fn len(&self) -> usize {
        self.connections.len() + self.attempts.len()
    }

    /// Takes a connected stream in, or drops it where no id is left for it.
    pub(super) fn open(&mut self, stream: TcpStream) -> Option<ConnId> {
        let connection = Connection {
            stream,
            waker: Waker::noop().clone(),
            lifecycle: Lifecycle::new(),
            outbox: Outbox::default(),
            is_dirty: false,
        };
        let conn = self.connections.insert(connection).ok()?;
        self.counters.connections.set(self.connections.len() as u64);
        let waker = self.ready.signal(Source::Connection(conn));
        self.connections.get_mut(conn)?.waker = waker;
        Some(conn)
    }

    /// Reads once from `conn` into `buffer`. Registers for more where there is nothing.
    pub(super) fn read(&mut self, conn: ConnId, buffer: &mut [u8]) -> Read {
        let Some(connection) = self.connections.get_mut(conn) else { return Read::Nothing };
        if !connection.lifecycle.receives() {
            return Read::Nothing;
        }
        let mut buffer = ReadBuf::new(buffer);
        let mut context = Context::from_waker(&connection.waker);
        let Poll::Ready(result) =
            Pin::new(&mut connection.stream).poll_read(&mut context, &mut buffer)
        else {
            return Read::Nothing;
        };
        self.counters.system_calls.add(1);
        match result {
            Ok(()) if buffer.filled().is_empty() => {
                connection.lifecycle.peer_closed();
                Read::End
            }
            Ok(()) => {
                self.counters.bytes_received.add(buffer.filled().len() as u64);
                Read::Bytes(buffer.filled().len())
            }
            Err(error) => self.fail(conn, &error).map_or(Read::Nothing, Read::Failed),
        }
    }

    /// Writes once what is queued on `conn`. Registers for room where there is none.
    pub(super) fn write(&mut self, conn: ConnId) -> Written {
        let Some(connection) = self.connections.get_mut(conn) else { return Written::Nothing };
        if !connection.lifecycle.flushes() || connection.outbox.is_empty() {
            return Written::Nothing;
        }
        let mut context = Context::from_waker(&connection.waker);
        let stream = Pin::new(&mut connection.stream);
        let Poll::Ready(result) = stream.poll_write(&mut context, connection.outbox.next()) else {
            return Written::Nothing;
        };
        self.counters.system_calls.add(1);
        match result {
            Ok(count) => {
                self.counters.bytes_sent.add(count as u64);
                connection.outbox.advance(count, &mut self.spares);
                self.closing.progressed(self.now, &mut connection.lifecycle);
                Written::Progress(connection.lifecycle.queue_is(connection.outbox.len()))
            }
            Err(error) => self.fail(conn, &error).map_or(Written::Nothing, Written::Failed),
        }
    }

    /// Whether something is still to be written to `conn`.
    pub(super) fn has_queued(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| {
            connection.lifecycle.flushes() && !connection.outbox.is_empty()
        })
    }

    /// Does what the state of `conn` asks for after a change; says whether it is gone.
    pub(super) fn settle(&mut self, conn: ConnId) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        loop {
            match connection.lifecycle.next_step(connection.outbox.is_empty()) {
                Step::Wait => return false,
                Step::EndSending => {
                    socket::end_sending(connection.stream.as_fd());
                    self.counters.system_calls.add(1);
                    self.closing.ended_sending(self.now, &mut connection.lifecycle);
                    if connection.lifecycle.is_closing() {
                        // It reads again, to drop what comes until the peer closes.
                        connection.waker.wake_by_ref();
                    }
                }
                Step::Release => {
                    self.counters.system_calls.add(1);
                    let gone = self.connections.remove(conn);
                    gone.expect("was just there").outbox.clear(&mut self.spares);
                    self.counters.connections.set(self.connections.len() as u64);
                    return true;
                }
            }
        }
    }

    /// How many connections have something to do at the end of the turn.
    pub(super) fn dirty(&self) -> usize {
        self.dirty.len()
    }

    /// The next connection with something to do at the end of the turn.
    pub(super) fn next_dirty(&mut self) -> Option<ConnId> {
        let conn = self.dirty.pop_front()?;
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.is_dirty = false;
        }
        Some(conn)
    }

    /// Ends a closing connection whose time is up, if there is one.
    pub(super) fn cut_off_next(&mut self) -> Option<ConnId> {
        let Self { closing, connections, now, .. } = self;
        let conn =
            closing.due(*now, |conn| connections.get(conn).map(|found| found.lifecycle.cut_off))?;
        self.end(conn);
        Some(conn)
    }

    /// Looks whether an attempt to connect is settled.
    pub(super) fn poll_attempt(&mut self, id: ConnId) -> Option<Settled> {
        let attempt = self.attempts.get(id)?;
        let outcome = if attempt.is_cancelled {
            Err(ConnError::Cancelled)
        } else {
            let mut context = Context::from_waker(&attempt.waker);
            match attempt.stream.poll_write_ready(&mut context) {
                Poll::Pending => return None,
                Poll::Ready(result) => result
                    .and_then(|()| attempt.stream.take_error())
                    .and_then(|error| error.map_or(Ok(()), Err))
                    .map_err(|error| conn_error_from(&error)),
            }
        };
        let Attempt { stream, token, address, .. } = self.attempts.remove(id)?;
        let settled = outcome.and_then(|()| {
            if socket::is_connected_to_itself(stream.as_fd(), address) {
                return Err(ConnError::Refused);
            }
            self.open(stream).ok_or(ConnError::Exhausted(Resource::Descriptors))
        });
        Some((token, settled))
    }

    /// Closes every connection that the app still knows, gives every attempt up, and says how many of the
    /// former there were.
    pub(super) fn close_all(&mut self) -> usize {
        for id in self.attempts.ids() {
            self.attempts.remove(id);
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
        self.connections.iter().filter(|(conn, _)| self.has_queued(*conn)).count()
    }

    /// Ends `conn`, which is broken. Returns what to tell the app, if it still knew it.
    fn fail(&mut self, conn: ConnId, error: &io::Error) -> Option<ConnError> {
        let was_open = self.is_open(conn);
        self.end(conn);
        was_open.then(|| conn_error_from(error))
    }

    /// Ends `conn` without flushing.
    pub(super) fn end(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.lifecycle.end();
            self.mark(conn);
        }
    }

    /// Reads from `conn` again in the next turn.
    pub(super) fn read_again(&self, conn: ConnId) {
        if let Some(connection) = self.connections.get(conn) {
            connection.waker.wake_by_ref();
        }
    }

    /// Notes that there is something to do for `conn` at the end of the turn.
    pub(super) fn mark(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(conn)
            && !std::mem::replace(&mut connection.is_dirty, true)
        {
            self.dirty.push_back(conn);
        }
    }

    fn open_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.connections.get_mut(conn).filter(|connection| connection.lifecycle.is_open())
    }
}

impl Links for TokioLinks {
    fn is_open(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.lifecycle.is_open())
    }

    fn send(&mut self, conn: ConnId, bytes: &[u8]) -> Mark {
        let Some(connection) = self.connections.get_mut(conn) else { return Mark::None };
        if !connection.lifecycle.may_send() {
            return Mark::None;
        }
        connection.outbox.push(bytes, &mut self.spares);
        let mark = connection.lifecycle.queue_is(connection.outbox.len());
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
            socket::reset_on_close(connection.stream.as_fd());
            self.counters.system_calls.add(1);
            self.end(conn);
        }
    }

    fn set_paused(&mut self, conn: ConnId, paused: bool) {
        if let Some(connection) = self.open_mut(conn) {
            connection.lifecycle.set_paused(paused);
            if !paused {
                connection.waker.wake_by_ref();
            }
        }
    }

    fn connect(&mut self, token: ConnectToken, address: SocketAddr) -> Result<(), ConnError> {
        let stream =
            start_connecting(&mut self.options, address).map_err(|e| conn_error_from(&e))?;
        let attempt =
            Attempt { stream, waker: Waker::noop().clone(), token, address, is_cancelled: false };
        let id = self.attempts.insert(attempt).map_err(|_| conn_error(libc::ENFILE))?;
        let waker = self.ready.signal(Source::Attempt(id));
        self.attempts.get_mut(id).expect("was just put there").waker = waker;
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

fn start_connecting(options: &mut SocketOptions, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = options.connecting(address)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => TcpStream::from_std(socket.into()),
    }
}
