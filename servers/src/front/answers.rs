//! From answers to bytes, in the order of the requests, and what becomes of a connection that has them all.

use std::mem;

use ringyard_protocol::http1::CONTINUE;
use ringyard_runtime::app::{Commands, ConnId, Now};

use super::connection::{Answer, Input, Slot};
use super::{Front, Ticket, find};
use crate::response::Response;

impl Front {
    /// Answers `ticket` with what `fill` makes of the response. Does nothing where the client has gone.
    pub fn answer<M>(
        &mut self,
        now: Now,
        ticket: Ticket,
        commands: &mut Commands<M>,
        fill: impl FnOnce(&mut Response),
    ) {
        if find(&mut self.connections, ticket.conn)
            .and_then(|connection| connection.slot_index(ticket.number))
            .is_none()
        {
            return;
        }
        let mut response = mem::take(&mut self.response);
        fill(&mut response);
        self.settle(now, ticket, &response, commands);
        self.response = response;
    }

    /// Puts `response` in its slot and sends what can now be sent in order.
    pub(super) fn settle<M>(
        &mut self,
        now: Now,
        ticket: Ticket,
        response: &Response,
        commands: &mut Commands<M>,
    ) {
        let Some(connection) = find(&mut self.connections, ticket.conn) else { return };
        let Some(index) = connection.slot_index(ticket.number) else { return };
        self.counters.count_answer(response.status());
        self.date.refresh(now.unix_seconds);
        let mut framing = connection.slots[index].framing;
        if index > 0 {
            let mut bytes = self.buffers.take();
            response.encode(&mut bytes, framing, &self.date);
            connection.slots[index].answer = Answer::Ready(bytes);
            return;
        }
        if self.draining && connection.slots.len() == 1 && !connection.has_unparsed() {
            framing.keep_alive = false;
        }
        commands.send_with(ticket.conn, |out| {
            let start = out.len();
            response.encode(out, framing, &self.date);
            self.answered_bytes += out.len() - start;
        });
        connection.pop_answered();
        while let Some(Slot { answer: Answer::Ready(bytes), framing: next }) =
            connection.slots.front_mut()
        {
            commands.send(ticket.conn, bytes);
            self.answered_bytes += bytes.len();
            self.buffers.give_back(mem::take(bytes));
            framing = *next;
            connection.pop_answered();
        }
        if !framing.keep_alive {
            self.close(ticket.conn, commands);
            return;
        }
        if connection.receiving_paused && !connection.blocked() && !connection.resumable {
            connection.resumable = true;
            self.resumable.push(ticket.conn);
        }
        if connection.slots.is_empty() {
            self.all_answered(now, ticket.conn, commands);
        }
    }

    /// All answers of a connection are out: what is due to it now?
    pub(super) fn all_answered<M>(&mut self, now: Now, id: ConnId, commands: &mut Commands<M>) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        let at_rest = connection.at_rest();
        if at_rest && self.draining || connection.peer_closed && !connection.receiving_paused {
            self.close(id, commands);
            return;
        }
        if mem::take(&mut connection.continue_owed) {
            commands.send(id, CONTINUE);
        }
        self.set_patience(now, id);
    }

    /// Closes a connection once all that was asked on it is answered; what still comes is dropped.
    pub(super) fn end_after_answers<M>(&mut self, id: ConnId, commands: &mut Commands<M>) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        connection.input = Input::Ended;
        match connection.slots.back_mut() {
            Some(slot) => slot.framing.keep_alive = false,
            None => self.close(id, commands),
        }
    }
}
