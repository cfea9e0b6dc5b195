//! From bytes to requests: what came is parsed as far as its connection may go on, and the rest is held.

use std::mem;

use ringyard_protocol::http1::{Head, Method, Step};
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{Commands, ConnId, Now};

use super::connection::{Answer, Input, Slot};
use super::{Front, Handled, Pages, REFUSED, Service, Ticket, find};
use crate::limits::{ANSWER_BYTES_AT_ONE_GO, UNWANTED_BODY_BYTES_MAX};
use crate::response::Framing;

impl Front {
    pub(super) fn received<S: Service>(
        &mut self,
        now: Now,
        id: ConnId,
        bytes: &[u8],
        service: &mut S,
        commands: &mut Commands<S::Mail>,
    ) {
        self.date.refresh(now.unix_seconds);
        let Some(connection) = find(&mut self.connections, id) else { return };
        if connection.input == Input::Ended {
            return;
        }
        if connection.blocked() || connection.receiving_paused {
            connection.held.extend_from_slice(bytes);
            return;
        }
        self.parse(now, id, bytes, service, commands);
    }

    /// Parses `input` as far as the connection allows, and holds the rest.
    fn parse<S: Service>(
        &mut self,
        now: Now,
        id: ConnId,
        mut input: &[u8],
        service: &mut S,
        commands: &mut Commands<S::Mail>,
    ) {
        self.answered_bytes = 0;
        // Parts of `self` are lent out while a request borrows its connection's codec.
        let mut response = mem::take(&mut self.response);
        loop {
            let ready = service.ready() && !self.draining;
            let Some(connection) = find(&mut self.connections, id) else { break };
            if connection.input == Input::Ended {
                break;
            }
            if !connection.blocked() && self.answered_bytes >= ANSWER_BYTES_AT_ONE_GO {
                connection.yielded = true;
                self.yielded.push(id);
            }
            if connection.blocked() {
                connection.held.extend_from_slice(input);
                break;
            }
            let ticket = Ticket { conn: id, number: connection.next_number() };
            let limits = limits_of(&self.config.http, connection.unwanted);
            let (framing, handled) = match connection.codec.next(&mut input, &limits) {
                Ok(Step::Incomplete) => break,
                Ok(Step::Head(head)) => {
                    let refused =
                        !Pages::has(head.target.path) && service.refuses(now, &head, &mut response);
                    if !refused {
                        connection.continue_owed |= head.expects_continue;
                        continue;
                    }
                    let framing = framing_of(&head);
                    let bytes = head.content_length.unwrap_or(0);
                    // A client that waits to be told to go on may send its body or not: what comes next is unsure.
                    connection.unwanted = framing.keep_alive
                        && !head.expects_continue
                        && bytes <= UNWANTED_BODY_BYTES_MAX as u64;
                    connection.head_deadline = None;
                    (Framing { keep_alive: connection.unwanted, ..framing }, Handled::Now)
                }
                Ok(Step::Request(_)) if mem::take(&mut connection.unwanted) => continue,
                Err(_) if connection.unwanted => {
                    self.end_after_answers(id, commands);
                    break;
                }
                Ok(Step::Request(request)) => {
                    connection.continue_owed = false;
                    connection.head_deadline = None;
                    let pages = &self.config.pages;
                    let handled = pages.serve(&request.head, ready, &mut response, |out| {
                        self.counters.write_metrics(out);
                        service.write_metrics(out);
                    });
                    let handled = match handled {
                        Some(handled) => handled,
                        None => service.request(now, ticket, &request, &mut response, commands),
                    };
                    (framing_of(&request.head), handled)
                }
                Err(refusal) => {
                    response.detail(refusal.status, refusal.detail);
                    (REFUSED, Handled::Now)
                }
            };
            if !framing.keep_alive {
                connection.input = Input::Ended;
            }
            connection.slots.push_back(Slot { framing, answer: Answer::Awaited });
            if handled == Handled::Now {
                self.settle(now, ticket, &response, commands);
            }
        }
        self.response = response;
        self.after_input(now, id, commands);
    }

    /// Lets connections go on that had to wait for the end of the turn.
    pub(super) fn wake_yielded(&mut self) {
        for id in self.yielded.drain(..) {
            let Some(connection) = find(&mut self.connections, id) else { continue };
            connection.yielded = false;
            if !connection.blocked() && !mem::replace(&mut connection.resumable, true) {
                self.resumable.push(id);
            }
        }
    }

    /// Goes on with the input of connections whose answers have made room.
    pub(super) fn go_on<S: Service>(
        &mut self,
        now: Now,
        service: &mut S,
        commands: &mut Commands<S::Mail>,
    ) {
        while let Some(id) = self.resumable.pop() {
            let Some(connection) = find(&mut self.connections, id) else { continue };
            connection.resumable = false;
            if connection.blocked() {
                continue;
            }
            let held = mem::take(&mut connection.held);
            self.parse(now, id, &held, service, commands);
            self.buffers.give_back(held);
        }
    }

    /// After input: whether to go on receiving, and what the client now has time for.
    pub(super) fn after_input<M>(&mut self, now: Now, id: ConnId, commands: &mut Commands<M>) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        let pause = connection.blocked();
        if pause != connection.receiving_paused {
            connection.receiving_paused = pause;
            match pause {
                true => commands.pause(id),
                false => commands.resume(id),
            }
        }
        if connection.slots.is_empty() {
            self.all_answered(now, id, commands);
        } else {
            self.set_patience(now, id);
        }
    }
}

/// What a client may send: the body of an unwanted request is held until it can be dropped, so there is less of it.
fn limits_of(limits: &HttpLimits, unwanted: bool) -> HttpLimits {
    let most = if unwanted { UNWANTED_BODY_BYTES_MAX } else { usize::MAX };
    HttpLimits { body_bytes: limits.body_bytes.min(most), ..*limits }
}

fn framing_of(head: &Head<'_>) -> Framing {
    Framing {
        version_minor: head.version_minor,
        keep_alive: head.keep_alive,
        head_only: head.method == Method::Head,
    }
}
