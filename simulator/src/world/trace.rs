//! The memory of what happened: a running hash over every event handed to an app and every command carried
//! out, with its time, and on request the same as lines of text.
//!
//! Two runs of one seed must come to one hash. Where they do not, something in the world or in an app
//! depends on more than the seed: the address of an allocation, the order of a hash map, a clock.

use std::fmt;

use ringyard_runtime::app::{Command, ConnError, ConnId, ConnectToken, CoreIndex, Event, Origin};
use ringyard_time::Time;

/// Bytes of a message shown in a line of the trace.
const SHOWN_BYTES_MAX: usize = 48;

/// Odd, with bits well spread: 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Whom a record is about.
#[derive(Clone, Copy)]
enum Subject {
    Nobody,
    Conn(ConnId),
    Token(ConnectToken),
    Core(CoreIndex),
}

impl Subject {
    fn number(self) -> u64 {
        match self {
            Self::Nobody => 0,
            Self::Conn(conn) => u64::from(conn.slot) << 32 | u64::from(conn.generation),
            Self::Token(token) => token.0,
            Self::Core(core) => u64::from(core.0),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => Ok(()),
            Self::Conn(conn) => write!(formatter, " conn {}.{}", conn.slot, conn.generation),
            Self::Token(token) => write!(formatter, " token {}", token.0),
            Self::Core(core) => write!(formatter, " core {}", core.0),
        }
    }
}

/// An event or a command without its types.
struct Record<'a> {
    name: &'static str,
    subject: Subject,
    error: Option<ConnError>,
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    fn new(name: &'static str, subject: Subject) -> Self {
        Self { name, subject, error: None, bytes: &[] }
    }

    fn of_event<M>(event: &Event<'a, M>) -> Self {
        match *event {
            Event::Opened { conn, origin: Origin::Accepted { .. } } => {
                Self::new("accepted", Subject::Conn(conn))
            }
            Event::Opened { conn, origin: Origin::Connected { .. } } => {
                Self::new("connected", Subject::Conn(conn))
            }
            Event::Received { conn, bytes } => {
                Self { bytes, ..Self::new("received", Subject::Conn(conn)) }
            }
            Event::PeerClosed { conn } => Self::new("peer closed", Subject::Conn(conn)),
            Event::Congested { conn } => Self::new("congested", Subject::Conn(conn)),
            Event::Drained { conn } => Self::new("drained", Subject::Conn(conn)),
            Event::Failed { conn, error } => {
                Self { error: Some(error), ..Self::new("failed", Subject::Conn(conn)) }
            }
            Event::ConnectFailed { token, error } => {
                Self { error: Some(error), ..Self::new("connect failed", Subject::Token(token)) }
            }
            Event::Deadline => Self::new("deadline", Subject::Nobody),
            Event::Mail { from, .. } => Self::new("mail from", Subject::Core(from)),
            Event::MailReturned { to, .. } => Self::new("mail returned by", Subject::Core(to)),
            Event::Drain => Self::new("drain", Subject::Nobody),
        }
    }

    fn of_command<M>(command: &Command<M>, bytes: &'a [u8]) -> Self {
        match command {
            Command::Send { conn, range } => {
                Self { bytes: &bytes[range.clone()], ..Self::new("send", Subject::Conn(*conn)) }
            }
            Command::Finish { conn } => Self::new("finish", Subject::Conn(*conn)),
            Command::Close { conn } => Self::new("close", Subject::Conn(*conn)),
            Command::Abort { conn } => Self::new("abort", Subject::Conn(*conn)),
            Command::Pause { conn } => Self::new("pause", Subject::Conn(*conn)),
            Command::Resume { conn } => Self::new("resume", Subject::Conn(*conn)),
            Command::Connect { token, .. } => Self::new("connect", Subject::Token(*token)),
            Command::CancelConnect { token } => Self::new("cancel connect", Subject::Token(*token)),
            Command::Mail { to, .. } => Self::new("mail to", Subject::Core(*to)),
            Command::Finished => Self::new("finished", Subject::Nobody),
        }
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.name, self.subject)?;
        if let Some(error) = self.error {
            write!(formatter, ": {error}")?;
        }
        if !self.bytes.is_empty() {
            let shown = &self.bytes[..self.bytes.len().min(SHOWN_BYTES_MAX)];
            write!(formatter, ", {} bytes: \"{}\"", self.bytes.len(), shown.escape_ascii())?;
        }
        Ok(())
    }
}

/// What happened so far.
#[derive(Debug)]
pub(super) struct Trace {
    hash: u64,
    printing: bool,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self { hash: MULTIPLIER, printing: false }
    }

    /// From now on, each record is also a line on standard error.
    pub(super) fn print(&mut self) {
        self.printing = true;
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// An app is about to hear `event`.
    pub(super) fn event<M>(&mut self, time: Time, place: (u64, &str), event: &Event<'_, M>) {
        self.record(time, place, '<', &Record::of_event(event));
    }

    /// A driver is about to carry out `command`, whose bytes are among `bytes`.
    pub(super) fn command<M>(
        &mut self,
        time: Time,
        place: (u64, &str),
        command: &Command<M>,
        bytes: &[u8],
    ) {
        self.record(time, place, '>', &Record::of_command(command, bytes));
    }

    /// Something that no app hears of as such; shown, not hashed.
    pub(super) fn note(&self, time: Time, text: fmt::Arguments<'_>) {
        if self.printing {
            eprintln!("{:>14.6} ms  * {text}", milliseconds(time));
        }
    }

    fn record(&mut self, time: Time, place: (u64, &str), mark: char, record: &Record<'_>) {
        self.mix(time.nanoseconds());
        self.mix(place.0 << 32 | u64::from(u32::from(mark)));
        self.mix_bytes(record.name.as_bytes());
        self.mix(record.subject.number());
        self.mix_bytes(record.bytes);
        if self.printing {
            eprintln!("{:>14.6} ms  {} {mark} {record}", milliseconds(time), place.1);
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    }

    fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.mix(u64::from(*byte));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for the eye only")]
fn milliseconds(time: Time) -> f64 {
    time.nanoseconds() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONN: ConnId = ConnId { slot: 1, generation: 2 };

    fn hash_of(time: u64, place: u64, event: &Event<'_, ()>) -> u64 {
        let mut trace = Trace::new();
        trace.event(Time::from_nanoseconds(time), (place, ""), event);
        trace.hash()
    }

    #[test]
    fn everything_that_tells_two_events_apart_changes_the_hash() {
        let event = Event::Received { conn: CONN, bytes: b"0123456789" };
        let base = hash_of(1, 1, &event);
        assert_eq!(base, hash_of(1, 1, &event));
        assert_ne!(base, hash_of(2, 1, &event));
        assert_ne!(base, hash_of(1, 2, &event));
        assert_ne!(base, hash_of(1, 1, &Event::PeerClosed { conn: CONN }));
        for bytes in [b"012345678x", b"x123456789"] {
            assert_ne!(base, hash_of(1, 1, &Event::Received { conn: CONN, bytes }));
        }
        let other = ConnId { slot: 2, generation: 1 };
        assert_ne!(base, hash_of(1, 1, &Event::Received { conn: other, bytes: b"0123456789" }));
    }

    #[test]
    fn a_record_reads_well() {
        let event: Event<'_, ()> = Event::Received { conn: CONN, bytes: b"GET /\r\n" };
        assert_eq!(
            Record::of_event(&event).to_string(),
            r#"received conn 1.2, 7 bytes: "GET /\r\n""#
        );
        let event: Event<'_, ()> = Event::Failed { conn: CONN, error: ConnError::Reset };
        assert_eq!(
            Record::of_event(&event).to_string(),
            "failed conn 1.2: connection reset by peer"
        );
    }
}
