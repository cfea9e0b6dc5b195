//! A backend whose results are the sequences themselves, so that every result tells whose it is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use ringyard_protocol::http1::{Request, Status};
use ringyard_runtime::app::{Commands, Event, Now, Time};
use ringyard_runtime::counters::CoreContext;
use ringyard_servers::classifier;
use ringyard_servers::front::{Front, Handled, Server, Service, Ticket};
use ringyard_servers::metrics::{ServerCounters, answer_board};
use ringyard_servers::response::Response;

/// An echoing backend as a server.
pub(crate) type EchoServer = Server<Echo>;

/// Answers each batch, after a while, with the sequences that it was sent.
pub(crate) struct Echo {
    delay: Duration,
    waiting: VecDeque<(Time, Ticket, Vec<u8>)>,
}

pub(crate) fn make(context: &CoreContext, delay: Duration) -> EchoServer {
    let counters = ServerCounters::new(context, answer_board(context.cores()));
    Server::new(classifier::front_default(), counters, Echo { delay, waiting: VecDeque::new() })
}

impl Service for Echo {
    type Mail = Infallible;

    fn ready(&self) -> bool {
        true
    }

    fn write_metrics(&self, _out: &mut Vec<u8>) {}

    fn request(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request<'_>,
        _response: &mut Response,
        _commands: &mut Commands<Infallible>,
    ) -> Handled {
        let sequences = request.body.strip_prefix(br#"{"sequences":["#);
        let sequences = sequences.and_then(|rest| rest.strip_suffix(b"]}"));
        let sequences = sequences.expect("this is how the proxy writes a batch");
        self.waiting.push_back((now.time + self.delay, ticket, sequences.to_vec()));
        Handled::Later
    }

    fn abandon(&mut self, _now: Now, ticket: Ticket, _commands: &mut Commands<Infallible>) {
        self.waiting.retain(|&(_, other, _)| other != ticket);
    }

    fn event(
        &mut self,
        _now: Now,
        _event: Event<'_, Infallible>,
        _front: &mut Front,
        _commands: &mut Commands<Infallible>,
    ) {
    }

    fn next_deadline(&self) -> Option<Time> {
        self.waiting.front().map(|&(time, _, _)| time)
    }

    fn turn(&mut self, now: Now, front: &mut Front, commands: &mut Commands<Infallible>) {
        while let Some((time, ticket, sequences)) = self.waiting.pop_front() {
            if time > now.time {
                self.waiting.push_front((time, ticket, sequences));
                return;
            }
            front.answer(now, ticket, commands, |response| {
                let body = response.start(Status::OK);
                body.extend_from_slice(br#"{"results":["#);
                body.extend_from_slice(&sequences);
                body.extend_from_slice(b"]}");
            });
        }
    }

    fn idle(&self) -> bool {
        self.waiting.is_empty()
    }
}
