//! How far a connection has come between its opening and its end, the same for every engine.
//!
//! The engines differ in how bytes move; what a close, a half-close, a pause or a peer's end of stream
//! *means* is decided here. After each change an engine asks [`Lifecycle::next_step`] and does what it says.

use ringyard_time::Time;

use crate::app::{SEND_QUEUE_HIGH_BYTES, SEND_QUEUE_LOW_BYTES};

/// The state of one connection that does not depend on the engine.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    phase: Phase,
    sending: Sending,
    peer_closed: bool,
    paused: bool,
    congested: bool,
    /// When a closing connection is cut off. Means nothing while it is open.
    pub(crate) cut_off: Time,
}

/// What the connection is to its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The app knows it and may use it.
    Open,
    /// The app closed it: what is queued goes out, then the engine waits for the peer to close.
    Closing,
    /// Aborted, failed, cut off, or closed on both sides: the engine releases it as soon as it can.
    Over,
}

/// How far the app's side of the stream is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Open,
    /// The app will send no more; the peer is told once what is queued has gone out.
    Ending,
    /// The peer has been told.
    Ended,
}

/// What an engine has to do for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing; bytes or time must move first.
    Wait,
    /// Tell the peer that no more will come, call [`Lifecycle::ended_sending`], then ask again.
    EndSending,
    /// Close the descriptor, as soon as no operation uses it.
    Release,
}

/// Whether a send queue just crossed one of its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// No, or not for the first time.
    None,
    /// It grew past [`SEND_QUEUE_HIGH_BYTES`].
    High,
    /// It fell below [`SEND_QUEUE_LOW_BYTES`], having been past the other.
    Low,
}

impl Lifecycle {
    /// A connection that has just been opened.
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Open,
            sending: Sending::Open,
            peer_closed: false,
            paused: false,
            congested: false,
            cut_off: Time::FAR_FUTURE,
        }
    }

    /// Whether the app knows the connection.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the app closed the connection and it still flushes or lingers.
    pub(crate) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Whether the app may still send.
    pub(crate) fn may_send(&self) -> bool {
        self.phase == Phase::Open && self.sending == Sending::Open
    }

    /// Whether the app was told to hold back and not yet to go on.
    pub(crate) fn is_congested(&self) -> bool {
        self.congested
    }

    /// Whether the peer has been told that no more will come.
    pub(crate) fn has_ended_sending(&self) -> bool {
        self.sending == Sending::Ended
    }

    /// Whether what is queued is still to go out.
    pub(crate) fn flushes(&self) -> bool {
        self.phase != Phase::Over
    }

    /// Whether the engine is to receive: for the app, or to drop what a closing connection's peer still
    /// sends. A closing connection receives only once its own side has ended, so that a peer that does not
    /// read its answer cannot keep it busy.
    pub(crate) fn receives(&self) -> bool {
        !self.peer_closed
            && match self.phase {
                Phase::Open => !self.paused,
                Phase::Closing => self.sending == Sending::Ended,
                Phase::Over => false,
            }
    }

    /// The app's [`Finish`](crate::app::Command::Finish).
    pub(crate) fn finish(&mut self) {
        if self.sending == Sending::Open {
            self.sending = Sending::Ending;
        }
    }

    /// The app's [`Close`](crate::app::Command::Close), or the engine's at its end.
    pub(crate) fn close(&mut self) {
        debug_assert_eq!(self.phase, Phase::Open);
        self.phase = Phase::Closing;
        self.finish();
    }

    /// The end at once: aborted, failed or cut off.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Over;
    }

    /// The app's [`Pause`](crate::app::Command::Pause) or [`Resume`](crate::app::Command::Resume).
    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// The peer's end of stream has been received.
    pub(crate) fn peer_closed(&mut self) {
        self.peer_closed = true;
    }

    /// The peer has been told that no more will come.
    pub(crate) fn ended_sending(&mut self) {
        debug_assert_eq!(self.sending, Sending::Ending);
        self.sending = Sending::Ended;
    }

    /// Takes the length of the send queue after a change.
    pub(crate) fn queue_is(&mut self, bytes: usize) -> Mark {
        if !self.congested && bytes > SEND_QUEUE_HIGH_BYTES {
            self.congested = true;
            Mark::High
        } else if self.congested && bytes < SEND_QUEUE_LOW_BYTES {
            self.congested = false;
            Mark::Low
        } else {
            Mark::None
        }
    }

    /// What to do next, given whether everything queued has gone out.
    pub(crate) fn next_step(&self, is_flushed: bool) -> Step {
        match (self.phase, self.sending) {
            (Phase::Over, _) => Step::Release,
            (Phase::Closing, _) if is_flushed && self.peer_closed => Step::Release,
            (_, Sending::Ending) if is_flushed => Step::EndSending,
            _ => Step::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_flushes_ends_and_waits_for_the_peer() {
        let mut lifecycle = Lifecycle::new();
        lifecycle.set_paused(true);
        lifecycle.close();
        assert!(!lifecycle.is_open() && !lifecycle.may_send() && lifecycle.flushes());
        assert_eq!(lifecycle.next_step(false), Step::Wait);
        assert!(!lifecycle.receives());
        assert_eq!(lifecycle.next_step(true), Step::EndSending);
        lifecycle.ended_sending();
        assert_eq!(lifecycle.next_step(true), Step::Wait);
        assert!(lifecycle.receives(), "to see the peer close, paused or not");
        lifecycle.peer_closed();
        assert_eq!(lifecycle.next_step(true), Step::Release);
    }

    #[test]
    fn a_close_after_the_peers_releases_once_flushed() {
        let mut lifecycle = Lifecycle::new();
        lifecycle.peer_closed();
        assert!(lifecycle.may_send() && !lifecycle.receives());
        lifecycle.close();
        assert_eq!(lifecycle.next_step(false), Step::Wait);
        assert_eq!(lifecycle.next_step(true), Step::Release);
    }

    #[test]
    fn a_half_close_keeps_receiving() {
        let mut lifecycle = Lifecycle::new();
        lifecycle.finish();
        assert!(!lifecycle.may_send() && lifecycle.receives());
        assert_eq!(lifecycle.next_step(false), Step::Wait);
        assert_eq!(lifecycle.next_step(true), Step::EndSending);
        lifecycle.ended_sending();
        assert_eq!(lifecycle.next_step(true), Step::Wait);
        lifecycle.close();
        assert_eq!(lifecycle.next_step(true), Step::Wait);
        lifecycle.peer_closed();
        assert_eq!(lifecycle.next_step(true), Step::Release);
    }

    #[test]
    fn an_end_releases_whatever_is_queued() {
        let mut lifecycle = Lifecycle::new();
        lifecycle.end();
        assert_eq!(lifecycle.next_step(false), Step::Release);
        assert!(!lifecycle.flushes() && !lifecycle.receives());
    }

    #[test]
    fn each_mark_is_crossed_once() {
        let mut lifecycle = Lifecycle::new();
        let steps = [
            (SEND_QUEUE_HIGH_BYTES, Mark::None),
            (SEND_QUEUE_HIGH_BYTES + 1, Mark::High),
            (SEND_QUEUE_HIGH_BYTES + 2, Mark::None),
            (SEND_QUEUE_LOW_BYTES, Mark::None),
            (SEND_QUEUE_LOW_BYTES - 1, Mark::Low),
            (0, Mark::None),
        ];
        for (bytes, mark) in steps {
            assert_eq!(lifecycle.queue_is(bytes), mark, "{bytes}");
        }
    }
}
