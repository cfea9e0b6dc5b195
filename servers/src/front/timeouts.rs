//! How long clients have for what is awaited of them, and what happens to those whose time is up.

use std::mem;

use ringyard_protocol::http1::{Phase, Status};
use ringyard_runtime::app::{Commands, ConnId, Now, Time};

use super::connection::{Answer, Input, Slot};
use super::{Front, REFUSED, Service, Ticket, find};

impl Front {
    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.yielded.is_empty() { self.timers.next() } else { Some(Time::ZERO) }
    }

    /// Sets until when the client has time for what we are waiting for.
    pub(super) fn set_patience(&mut self, now: Now, id: ConnId) {
        let timeouts = &self.config.timeouts;
        let Some(connection) = find(&mut self.connections, id) else { return };
        let deadline = if connection.congested {
            // Counted from the beginning of the congestion, not from the last answer.
            return;
        } else if connection.receiving_paused || connection.peer_closed {
            Time::FAR_FUTURE
        } else {
            match connection.codec.phase() {
                Phase::Body => now.time + timeouts.body,
                Phase::Head => *connection.head_deadline.get_or_insert(now.time + timeouts.header),
                Phase::Idle if connection.slots.is_empty() => now.time + timeouts.idle,
                Phase::Idle => Time::FAR_FUTURE,
            }
        };
        self.timers.set(id.slot, deadline);
    }

    /// Does what is due to clients whose time is up.
    pub(super) fn expire<S: Service>(
        &mut self,
        now: Now,
        service: &mut S,
        commands: &mut Commands<S::Mail>,
    ) {
        while let Some(slot) = self.timers.pop_due(now.time) {
            let Some(connection) = &mut self.connections[slot as usize] else { continue };
            let id = connection.id;
            if connection.congested {
                commands.abort(id);
                self.forget(now, id, service, commands);
            } else if connection.codec.phase() == Phase::Idle {
                self.close(id, commands);
            } else if connection.unwanted {
                self.end_after_answers(id, commands);
            } else {
                self.request_timed_out(now, id, commands);
            }
        }
    }

    /// Answers 408, after the answers still due, to a client that did not finish its request.
    fn request_timed_out<M>(&mut self, now: Now, id: ConnId, commands: &mut Commands<M>) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        let ticket = Ticket { conn: id, number: connection.next_number() };
        connection.input = Input::Ended;
        connection.slots.push_back(Slot { framing: REFUSED, answer: Answer::Awaited });
        let mut response = mem::take(&mut self.response);
        response.detail(Status::REQUEST_TIMEOUT, "The request was not complete in time");
        self.settle(now, ticket, &response, commands);
        self.response = response;
    }
}
