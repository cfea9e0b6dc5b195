//! What a generator leaves to others: what is asked, how answers are read, and what becomes of the figures.
//!
//! The generator knows connections and time; a [`Script`] knows bytes and meaning. The strategy study and the
//! load generator are two scripts for the same machine.

use std::time::Duration;

use ringyard_time::Time;

use crate::outcome::ErrorKind;

/// Who asks: connection number `seat` of lane number `lane`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// A group of connections that share a pace.
    pub lane: u16,
    /// One connection of the generator, kept through reconnects.
    pub seat: u32,
}

/// An answer that was read whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code; 0 where the protocol has none.
    pub status: u16,
    /// Whether it is the answer that was to be had.
    pub verdict: Result<(), ErrorKind>,
    /// Whether the connection may be asked again.
    pub keep_alive: bool,
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An answer came.
    Answered(Answer),
    /// None will come.
    Failed(ErrorKind),
    /// The run was over first.
    Unfinished,
}

/// When a request was meant to be sent, was sent, and was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// In a closed loop the same as `sent`.
    pub intended: Time,
    /// When it was handed to the engine.
    pub sent: Time,
    /// When its answer was whole, or it failed.
    pub settled: Time,
    /// When the run began.
    pub run_began: Time,
}

impl Times {
    /// Waiting as the user of an overloaded server sees it: from the intended instant.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.settled.since(self.intended)
    }

    /// Waiting as a tool sees it that stops asking while the server stalls.
    #[must_use]
    pub fn uncorrected_latency(&self) -> Duration {
        self.settled.since(self.sent)
    }

    /// How late the request was sent.
    #[must_use]
    pub fn slip(&self) -> Duration {
        self.sent.since(self.intended)
    }
}

/// What is asked and what becomes of it. One value per core.
pub trait Script {
    /// Reads the answers of one connection.
    type Codec;
    /// What is remembered of a request until its answer is there.
    type Ticket;
    /// The figures of a stretch of time, handed on by [`Script::take_interval`].
    type Interval: Send + 'static;

    /// A reader for a new connection.
    fn codec(&mut self) -> Self::Codec;

    /// Appends the next request of `client` to `out`.
    fn ask(&mut self, client: Client, out: &mut Vec<u8>) -> Self::Ticket;

    /// How long a client of a closed loop pauses after an answer.
    fn pause(&mut self, client: Client) -> Duration;

    /// Takes bytes off the front of `input` until the answer to `ticket`, the oldest request of its
    /// connection, is whole; `None` if `input` was used up first.
    ///
    /// # Errors
    ///
    /// If what comes is no answer: the connection is given up.
    fn read(
        &mut self,
        codec: &mut Self::Codec,
        ticket: &Self::Ticket,
        input: &mut &[u8],
    ) -> Result<Option<Answer>, ErrorKind>;

    /// The peer closed: the answer to `ticket`, if the end of the connection makes one whole.
    fn end(&mut self, codec: &mut Self::Codec, ticket: &Self::Ticket) -> Option<Answer>;

    /// Takes note of a request that was sent and settled.
    fn settled(&mut self, client: Client, ticket: &Self::Ticket, times: Times, fate: Fate);

    /// Takes note of a request that was due and never sent, because the run was over first.
    fn unsent(&mut self, lane: u16, intended: Time, over: Time);

    /// Takes note of an attempt to connect that failed.
    fn connect_failed(&mut self, lane: u16, kind: ErrorKind);

    /// Hands on the figures since the last call.
    fn take_interval(&mut self) -> Self::Interval;
}
