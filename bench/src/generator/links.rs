//! Connections coming and going: made, lost, given up, and made again.
//!
//! A seat that loses its connection waits the longer before the next attempt the more attempts have failed
//! since its last answer. What that loss means for the requests under way is settled here too.

use std::cmp::Reverse;
use std::time::Duration;

use ringyard_runtime::app::{Commands, ConnError, ConnId, ConnectToken, Resource, Time};

use super::script::{Fate, Script};
use super::seats::Link;
use super::{Generator, Phase, Timer};
use crate::limits::{RECONNECT_WAIT_MAX, RECONNECT_WAIT_MIN};
use crate::outcome::ErrorKind;

impl<S: Script> Generator<S> {
    pub(super) fn connect(&mut self, seat: u32, now: Time, commands: &mut Commands<()>) {
        self.seats[seat as usize].link = Link::Connecting { since: now };
        self.attempts += 1;
        commands.connect(ConnectToken(u64::from(seat)), self.plan.target);
    }

    /// An attempt of `seat` to connect has come to its end. With the last of the first ones the run begins; those that
    /// have failed may have been made again by then.
    fn attempt_settled(&mut self, seat: u32, now: Time, commands: &mut Commands<()>) {
        let has_tried = std::mem::replace(&mut self.seats[seat as usize].has_tried, true);
        let Phase::Connecting { unsettled } = &mut self.phase else { return };
        *unsettled -= u32::from(!has_tried);
        if *unsettled == 0 {
            self.begin(now, commands);
            if self.vitals.connections == 0 {
                self.end_asking(now, commands);
            }
        }
    }

    pub(super) fn opened(
        &mut self,
        conn: ConnId,
        seat: u32,
        now: Time,
        commands: &mut Commands<()>,
    ) {
        self.attempts -= 1;
        if matches!(self.phase, Phase::Ending { .. } | Phase::Over) {
            self.seats[seat as usize].link = Link::None;
            commands.abort(conn);
            return self.part(commands);
        }
        self.index.insert(conn, seat);
        self.seats[seat as usize].link = Link::Open { conn, codec: self.script.codec() };
        self.vitals.connections_opened += 1;
        self.vitals.connections += 1;
        self.attempt_settled(seat, now, commands);
        self.serve(seat, now, commands);
    }

    pub(super) fn connect_failed(
        &mut self,
        seat: u32,
        error: ConnError,
        now: Time,
        commands: &mut Commands<()>,
    ) {
        self.attempts -= 1;
        let kind = match error {
            ConnError::Refused => ErrorKind::ConnectRefused,
            ConnError::TimedOut | ConnError::Cancelled => ErrorKind::Timeout,
            ConnError::Exhausted(Resource::Descriptors) => ErrorKind::OutOfDescriptors,
            ConnError::Exhausted(Resource::Ports) => ErrorKind::OutOfPorts,
            ConnError::Reset
            | ConnError::Unreachable
            | ConnError::Exhausted(Resource::Memory)
            | ConnError::Other(_) => ErrorKind::ConnectFailed,
        };
        let place = &mut self.seats[seat as usize];
        place.link = Link::None;
        let lane = place.lane;
        self.count_failure(seat);
        if !matches!(self.phase, Phase::Ending { .. } | Phase::Over) {
            self.script.connect_failed(lane, kind);
            self.connect_later(seat, now);
        }
        self.attempt_settled(seat, now, commands);
        self.part(commands);
    }

    /// Plans the next attempt, the later the more have failed.
    pub(super) fn connect_later(&mut self, seat: u32, now: Time) {
        let failures = self.seats[seat as usize].failures;
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let wait = match failures {
            0 => Duration::ZERO,
            _ => RECONNECT_WAIT_MIN.saturating_mul(doubled).min(RECONNECT_WAIT_MAX),
        };
        self.timers.push(Reverse((now + wait, Timer::Connect { seat })));
    }

    /// The peer will send no more.
    pub(super) fn peer_closed(&mut self, conn: ConnId, now: Time, commands: &mut Commands<()>) {
        let Some(seat) = self.index.get(conn) else { return };
        let place = &mut self.seats[seat as usize];
        if let (Link::Open { codec, .. }, Some(oldest)) = (&mut place.link, place.under_way.front())
            && let Some(answer) = self.script.end(codec, &oldest.ticket)
            && let Some(began) = self.began()
        {
            self.answered(seat, answer, began, now);
        } else {
            self.count_failure(seat);
        }
        self.hang_up(seat, now, commands);
    }

    /// The connection of a seat was lost without a word.
    pub(super) fn connection_failed(
        &mut self,
        conn: ConnId,
        now: Time,
        commands: &mut Commands<()>,
    ) {
        let Some(seat) = self.index.get(conn) else { return };
        self.count_failure(seat);
        self.detach(seat);
        self.lost(seat, ErrorKind::ConnectionLost, now, commands);
    }

    fn count_failure(&mut self, seat: u32) {
        let place = &mut self.seats[seat as usize];
        place.failures = place.failures.saturating_add(1);
    }

    /// Closes a connection that may not be asked again; the seat will make another.
    pub(super) fn hang_up(&mut self, seat: u32, now: Time, commands: &mut Commands<()>) {
        if let Some(conn) = self.detach(seat) {
            commands.close(conn);
        }
        self.lost(seat, ErrorKind::ConnectionLost, now, commands);
    }

    /// Breaks a connection off because of an error.
    pub(super) fn give_up(
        &mut self,
        seat: u32,
        kind: ErrorKind,
        now: Time,
        commands: &mut Commands<()>,
    ) {
        if self.seats[seat as usize].under_way.is_empty() {
            self.script.connect_failed(self.seats[seat as usize].lane, kind);
        }
        if let Some(conn) = self.detach(seat) {
            commands.abort(conn);
        }
        self.count_failure(seat);
        self.lost(seat, kind, now, commands);
    }

    /// Takes the connection from a seat.
    pub(super) fn detach(&mut self, seat: u32) -> Option<ConnId> {
        let link = std::mem::replace(&mut self.seats[seat as usize].link, Link::None);
        let Link::Open { conn, .. } = link else { return None };
        self.index.remove(conn);
        self.vitals.connections -= 1;
        Some(conn)
    }

    /// A seat has lost its connection: what was under way fails, and it will connect again.
    pub(super) fn lost(
        &mut self,
        seat: u32,
        kind: ErrorKind,
        now: Time,
        commands: &mut Commands<()>,
    ) {
        self.settle_all(seat, now, Fate::Failed(kind));
        if matches!(self.phase, Phase::Connecting { .. } | Phase::Running { .. }) {
            self.connect_later(seat, now);
        }
        self.finish_when_quiet(now, commands);
    }

    /// Gives up on connections whose oldest request, or whose making, takes too long; says when the next may do so.
    pub(super) fn sweep(&mut self, now: Time, commands: &mut Commands<()>) -> Time {
        let timeout = self.plan.timeout;
        let mut next = now + timeout;
        for seat in 0..u32::try_from(self.seats.len()).unwrap_or(u32::MAX) {
            let place = &self.seats[seat as usize];
            let since = match &place.link {
                Link::Connecting { since } => Some(*since),
                Link::Open { .. } => place.under_way.front().map(|oldest| oldest.sent),
                Link::None => None,
            };
            let Some(since) = since else { continue };
            if since + timeout > now {
                next = next.min(since + timeout);
            } else if let Link::Connecting { .. } = place.link {
                commands.cancel_connect(ConnectToken(u64::from(seat)));
            } else {
                self.time_out(seat, now, commands);
            }
        }
        next
    }

    /// Breaks a connection off because an answer takes too long. The client connects again at once: to have waited
    /// is delay enough, and there is a server that takes connections.
    fn time_out(&mut self, seat: u32, now: Time, commands: &mut Commands<()>) {
        if let Some(conn) = self.detach(seat) {
            commands.abort(conn);
        }
        self.lost(seat, ErrorKind::Timeout, now, commands);
    }
}
