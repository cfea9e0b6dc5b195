//! The contract between a server and whatever drives it.
//!
//! A server is a value that implements [`App`]. It owns one core's worth of connections, queues and timers,
//! and it never does IO, reads a clock, blocks or spawns. A *driver* (an engine, or the simulator) hands it
//! one [`Event`] at a time and then carries out the [`Command`]s that the event left behind, in order, before
//! the next event. That order is the whole contract:
//!
//! * A connection exists for the app from its [`Event::Opened`] until the app closes or aborts it, or until
//!   [`Event::Failed`], whichever is first. Outside that span the app hears nothing of it, and commands
//!   that name it are ignored. A [`ConnId`] is never used twice.
//! * Bytes given to [`Commands::send`] go out in the order given. The driver coalesces what one turn of its
//!   loop produced into one write, so an app sends as often as it likes.
//! * A driver whose send queue for a connection grows past [`SEND_QUEUE_HIGH_BYTES`] says
//!   [`Event::Congested`] once, and [`Event::Drained`] once when it is below [`SEND_QUEUE_LOW_BYTES`]
//!   again. An app that goes on sending meanwhile is not refused, but it is a bug in the app.
//! * [`Event::Deadline`] comes once, at the end of the first turn whose time is at or past the deadline last
//!   set; firing clears the deadline. A deadline at or before `now` therefore means "once more, when this
//!   turn's events are all in": that is how an app acts once per turn instead of once per event.
//! * A new app's deadline stands at [`Time::ZERO`], so its first turn ends with [`Event::Deadline`] whether or
//!   not anything else happened: that is where it connects to whom it needs and sets its timers.
//! * Mail to a core arrives in the order sent by any one core. A full mailbox returns the message to its
//!   sender as [`Event::MailReturned`] in the same turn.
//! * After [`Event::Drain`] the driver accepts no more connections. Once the apps of all cores have said
//!   [`Commands::finished`] the driver ends; it ends at the drain's limit all the same.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

pub use ringyard_time::{Now, Time};

/// Bytes waiting to be sent on one connection above which its app is told to hold back.
pub const SEND_QUEUE_HIGH_BYTES: usize = 256 * 1024;

/// Bytes waiting to be sent on one connection below which a congested connection counts as drained.
pub const SEND_QUEUE_LOW_BYTES: usize = 64 * 1024;

const _: () = assert!(SEND_QUEUE_LOW_BYTES < SEND_QUEUE_HIGH_BYTES);

/// Capacity that [`Commands`] keep for the bytes of later events. What one exceptional event took beyond it is
/// given back.
const COMMAND_BYTES_KEPT_MAX: usize = 1024 * 1024;

/// One core's worth of server.
pub trait App {
    /// What the apps of two cores say to one another.
    type Mail: Send + 'static;

    /// Takes one event and leaves in `commands` what is to be done about it.
    ///
    /// `now` never goes back. `commands` is empty on entry but for a deadline set earlier.
    fn on_event(
        &mut self,
        now: Now,
        event: Event<'_, Self::Mail>,
        commands: &mut Commands<Self::Mail>,
    );
}

/// Names one connection of one core, and never another: the slot is used again, the pair is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    /// Index into the driver's table; dense, so that an app may keep a table of its own by it.
    pub slot: u32,
    /// How many connections held the slot before.
    pub generation: u32,
}

/// Names one core of a running plan, counted from 0 in the order in which the plan lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreIndex(pub u16);

/// Names one attempt to connect; the app chooses it and may use it again once the attempt is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectToken(pub u64);

/// How a connection came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A peer connected to a listener, counted in the order in which the plan lists them.
    Accepted {
        /// Index of the listener.
        listener: u16,
    },
    /// The app asked for it with [`Commands::connect`].
    Connected {
        /// The token that it gave.
        token: ConnectToken,
    },
}

/// Why a connection failed or never came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnError {
    /// Nobody listens at the address.
    #[error("connection refused")]
    Refused,
    /// The peer reset the connection.
    #[error("connection reset by peer")]
    Reset,
    /// No answer from the peer's host.
    #[error("connection timed out")]
    TimedOut,
    /// The network has no way to the address.
    #[error("address unreachable")]
    Unreachable,
    /// The app cancelled the attempt.
    #[error("connection attempt cancelled")]
    Cancelled,
    /// This process or host has none of this to spare.
    #[error("out of {0}")]
    Exhausted(Resource),
    /// Any other error of the operating system, by its number.
    #[error("operating system error {0}")]
    Other(i32),
}

/// What a connection takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Descriptors, of this process or of the system.
    Descriptors,
    /// Local ports from which to connect to that address.
    Ports,
    /// Memory of the kernel.
    Memory,
}

impl fmt::Display for Resource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Descriptors => "descriptors",
            Self::Ports => "local ports",
            Self::Memory => "kernel memory",
        })
    }
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a, M> {
    /// A connection is there: bytes may be sent on it and will be received.
    Opened {
        /// The new connection.
        conn: ConnId,
        /// How it came to be.
        origin: Origin,
    },
    /// Bytes arrived. They are lent for the length of the call.
    Received {
        /// The connection.
        conn: ConnId,
        /// At least one byte.
        bytes: &'a [u8],
    },
    /// The peer will send no more. It may still read, so the app may still send; it must close in the end.
    PeerClosed {
        /// The connection.
        conn: ConnId,
    },
    /// The connection's send queue grew past [`SEND_QUEUE_HIGH_BYTES`].
    Congested {
        /// The connection.
        conn: ConnId,
    },
    /// The send queue of a congested connection fell below [`SEND_QUEUE_LOW_BYTES`].
    Drained {
        /// The connection.
        conn: ConnId,
    },
    /// The connection is gone, and with it what was still to be sent.
    Failed {
        /// The connection, already closed.
        conn: ConnId,
        /// Why.
        error: ConnError,
    },
    /// An attempt to connect came to nothing.
    ConnectFailed {
        /// The token that the app gave.
        token: ConnectToken,
        /// Why.
        error: ConnError,
    },
    /// The deadline that the app set has come.
    Deadline,
    /// A message from the app of another core.
    Mail {
        /// The sender.
        from: CoreIndex,
        /// The message.
        message: M,
    },
    /// A message that this app sent found the mailbox of its addressee full.
    MailReturned {
        /// The core it was meant for.
        to: CoreIndex,
        /// The message.
        message: M,
    },
    /// The server is to stop: finish what is in flight, then say [`Commands::finished`].
    Drain,
}

/// What is to be done, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<M> {
    /// Send these bytes of [`Commands::bytes`].
    Send {
        /// The connection.
        conn: ConnId,
        /// A range of [`Commands::bytes`]; never empty.
        range: Range<usize>,
    },
    /// Send what is queued, then tell the peer that no more will come (half-close). Receiving goes on.
    Finish {
        /// The connection.
        conn: ConnId,
    },
    /// Send what is queued, then close without losing it: the driver lingers until the peer has closed
    /// too or a limit of the driver's has passed, and drops what still arrives.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Close at once; what is queued is lost, the peer sees a reset.
    Abort {
        /// The connection.
        conn: ConnId,
    },
    /// Stop receiving, so that the peer's window fills. What was already taken from the socket still
    /// arrives. Until it resumes, the app does not hear either that the peer has closed or reset the
    /// connection, unless a send finds out.
    Pause {
        /// The connection.
        conn: ConnId,
    },
    /// Receive again.
    Resume {
        /// The connection.
        conn: ConnId,
    },
    /// Connect to an address: ends in one [`Event::Opened`] or one [`Event::ConnectFailed`].
    Connect {
        /// The app's name for this attempt.
        token: ConnectToken,
        /// Where to.
        address: SocketAddr,
    },
    /// Give an attempt up. It still ends in one of the two events, whichever wins.
    CancelConnect {
        /// The app's name for the attempt.
        token: ConnectToken,
    },
    /// Hand a message to the app of another core.
    Mail {
        /// The addressee; never the sender itself.
        to: CoreIndex,
        /// The message.
        message: M,
    },
    /// This app has nothing in flight. Said after [`Event::Drain`], and final.
    Finished,
}

/// The commands that one event leaves behind, and the deadline that outlives them.
///
/// An app only adds to it; a driver drains it after each event with [`Commands::take`]. Buffers are kept
/// from event to event, so a server in its steady state allocates nothing here.
///
/// New commands hold the deadline [`Time::ZERO`]: every app hears [`Event::Deadline`] in its first turn.
#[derive(Debug)]
pub struct Commands<M> {
    list: Vec<Command<M>>,
    bytes: Vec<u8>,
    deadline: Option<Time>,
}

impl<M> Default for Commands<M> {
    fn default() -> Self {
        Self { list: Vec::new(), bytes: Vec::new(), deadline: Some(Time::ZERO) }
    }
}

impl<M> Commands<M> {
    /// Sends `bytes` after all that was sent on `conn` before.
    pub fn send(&mut self, conn: ConnId, bytes: &[u8]) {
        self.send_with(conn, |buffer| buffer.extend_from_slice(bytes));
    }

    /// Sends what `write` appends to the buffer it is given, without a copy between. `write` must only
    /// append: what stands in the buffer already belongs to other sends.
    ///
    /// # Panics
    ///
    /// If `write` shortens the buffer.
    pub fn send_with(&mut self, conn: ConnId, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        assert!(start <= end, "a send only appends");
        if start == end {
            return;
        }
        if let Some(Command::Send { conn: last, range }) = self.list.last_mut()
            && *last == conn
        {
            range.end = end;
        } else {
            self.list.push(Command::Send { conn, range: start..end });
        }
    }

    /// Half-closes `conn` once what is queued has gone out; see [`Command::Finish`].
    pub fn finish(&mut self, conn: ConnId) {
        self.list.push(Command::Finish { conn });
    }

    /// Closes `conn` once what is queued has gone out; see [`Command::Close`].
    pub fn close(&mut self, conn: ConnId) {
        self.list.push(Command::Close { conn });
    }

    /// Closes `conn` at once, with a reset; see [`Command::Abort`].
    pub fn abort(&mut self, conn: ConnId) {
        self.list.push(Command::Abort { conn });
    }

    /// Stops receiving on `conn`; see [`Command::Pause`].
    pub fn pause(&mut self, conn: ConnId) {
        self.list.push(Command::Pause { conn });
    }

    /// Receives on `conn` again; see [`Command::Resume`].
    pub fn resume(&mut self, conn: ConnId) {
        self.list.push(Command::Resume { conn });
    }

    /// Connects to `address`; see [`Command::Connect`].
    pub fn connect(&mut self, token: ConnectToken, address: SocketAddr) {
        self.list.push(Command::Connect { token, address });
    }

    /// Gives up an attempt to connect; see [`Command::CancelConnect`].
    pub fn cancel_connect(&mut self, token: ConnectToken) {
        self.list.push(Command::CancelConnect { token });
    }

    /// Hands `message` to the app of core `to`; see [`Command::Mail`].
    pub fn mail(&mut self, to: CoreIndex, message: M) {
        self.list.push(Command::Mail { to, message });
    }

    /// Says that nothing is in flight any more; see [`Command::Finished`].
    pub fn finished(&mut self) {
        self.list.push(Command::Finished);
    }

    /// Sets the one deadline of this app, in place of the one before; `None` clears it.
    pub fn set_deadline(&mut self, deadline: Option<Time>) {
        self.deadline = deadline;
    }

    /// The deadline as it stands.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// The bytes that [`Command::Send`] refers to.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// For drivers: hands each command and the bytes to `carry_out`, in order, and leaves both empty.
    pub fn take(&mut self, mut carry_out: impl FnMut(Command<M>, &[u8])) {
        for command in self.list.drain(..) {
            carry_out(command, &self.bytes);
        }
        self.bytes.clear();
        self.bytes.shrink_to(COMMAND_BYTES_KEPT_MAX);
    }

    /// For drivers: clears and returns the deadline if it is at or before `now`.
    pub fn take_due_deadline(&mut self, now: Time) -> Option<Time> {
        self.deadline.take_if(|deadline| *deadline <= now)
    }

    /// Whether there is nothing to carry out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ConnId = ConnId { slot: 0, generation: 0 };
    const SECOND: ConnId = ConnId { slot: 1, generation: 0 };

    fn taken(commands: &mut Commands<()>) -> Vec<(Command<()>, Vec<u8>)> {
        let mut list = Vec::new();
        commands.take(|command, bytes| {
            let sent = match &command {
                Command::Send { range, .. } => bytes[range.clone()].to_vec(),
                _ => Vec::new(),
            };
            list.push((command, sent));
        });
        list
    }

    #[test]
    fn adjacent_sends_on_one_connection_are_one_command() {
        let mut commands = Commands::default();
        commands.send(FIRST, b"a");
        commands.send(FIRST, b"b");
        commands.send(SECOND, b"c");
        commands.send(FIRST, b"d");
        commands.send(FIRST, b"");
        let sent: Vec<_> = taken(&mut commands).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(sent, [b"ab".to_vec(), b"c".to_vec(), b"d".to_vec()]);
        assert!(commands.is_empty());
    }

    #[test]
    fn a_send_after_a_close_stays_behind_it() {
        let mut commands = Commands::default();
        commands.send(FIRST, b"a");
        commands.close(FIRST);
        commands.send(FIRST, b"b");
        let kinds = taken(&mut commands);
        assert_eq!(kinds.len(), 3);
        assert_eq!(kinds[1].0, Command::Close { conn: FIRST });
    }

    #[test]
    fn a_deadline_fires_once() {
        let mut commands = Commands::<()>::default();
        assert_eq!(commands.take_due_deadline(Time::ZERO), Some(Time::ZERO), "the first turn's");
        let due = Time::from_nanoseconds(5);
        commands.set_deadline(Some(due));
        assert_eq!(commands.take_due_deadline(Time::from_nanoseconds(4)), None);
        assert_eq!(commands.take_due_deadline(due), Some(due));
        assert_eq!(commands.take_due_deadline(due), None);
    }
}
