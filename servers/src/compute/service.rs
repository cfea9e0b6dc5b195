//! What a request to a compute server means: one core's service, and the way to the core that owns the queue.

use std::sync::Arc;
use std::time::Duration;

use ringyard_protocol::http1::{Method, Request, Status};
use ringyard_protocol::json;
use ringyard_runtime::app::{Commands, CoreIndex, Event, Now, Time};
use ringyard_scheduler::shedding::SheddingPolicy;

use super::board::ComputeBoard;
use super::jobs::Asker;
use super::pool::{Completion, Errand, Outcome, Pool};
use super::{ComputeConfig, ComputeMail, OWNER};
use crate::front::{Front, Handled, Service, Ticket};
use crate::patience::read_patience;
use crate::redelivery::Redelivery;
use crate::response::Response;

/// One core's service.
#[derive(Debug)]
pub struct Compute {
    core: CoreIndex,
    config: ComputeConfig,
    board: Arc<ComputeBoard>,
    /// On the owner's core only.
    pool: Option<Box<Pool>>,
    undelivered: Redelivery<ComputeMail>,
}

impl Compute {
    /// The service of one core. On the owner's core it has these workers.
    pub(super) fn new(
        core: CoreIndex,
        config: ComputeConfig,
        workers: Vec<CoreIndex>,
        board: Arc<ComputeBoard>,
    ) -> Self {
        let pool = || Box::new(Pool::new(&config, workers, Arc::clone(&board)));
        let pool = (core == OWNER).then(pool);
        Self { core, config, board, pool, undelivered: Redelivery::default() }
    }

    fn calculate(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request<'_>,
        response: &mut Response,
        commands: &mut Commands<ComputeMail>,
    ) -> Handled {
        let Some(input) = request.head.target.query_value("input") else {
            response.detail(Status::UNPROCESSABLE_CONTENT, "The query parameter input is missing");
            return Handled::Now;
        };
        let Some(patience) = read_patience(&request.head, response) else {
            return Handled::Now;
        };
        let patience = patience.or(self.config.deadline);
        let errand = Errand {
            ticket,
            input: input.as_bytes().into(),
            arrived: now.time,
            deadline: patience.map(|patience| now.time + patience),
        };
        let Some(pool) = &mut self.pool else {
            commands.mail(OWNER, ComputeMail::Ask(Box::new(errand)));
            return Handled::Later;
        };
        match pool.ask(now.time, self.core, errand, commands) {
            Ok(()) => Handled::Later,
            Err(retry_after) => {
                write_refusal(response, retry_after);
                Handled::Now
            }
        }
    }

    /// Takes a message from another thread.
    fn hear(
        &mut self,
        now: Now,
        from: CoreIndex,
        message: ComputeMail,
        front: &mut Front,
        commands: &mut Commands<ComputeMail>,
    ) {
        let message = match message {
            ComputeMail::Complete(completion) => return tell(now, *completion, front, commands),
            other => other,
        };
        let Some(pool) = &mut self.pool else {
            debug_assert!(false, "only the owner is asked: {message:?}");
            return;
        };
        match message {
            ComputeMail::Ask(errand) => {
                let ticket = errand.ticket;
                if let Err(retry_after) = pool.ask(now.time, from, *errand, commands) {
                    let outcome = Outcome::Refused { retry_after };
                    let completion = Box::new(Completion { ticket, outcome });
                    commands.mail(from, ComputeMail::Complete(completion));
                }
            }
            ComputeMail::Leave(ticket) => {
                pool.leave(now.time, Asker { core: from, ticket }, commands);
            }
            message => pool.hear(now.time, from, message, commands),
        }
    }

    /// Deals with a message that found the mailbox of its addressee full.
    fn returned(
        &mut self,
        now: Now,
        to: CoreIndex,
        message: ComputeMail,
        front: &mut Front,
        commands: &mut Commands<ComputeMail>,
    ) {
        if let ComputeMail::Ask(errand) = message {
            self.board.count_refused_mail(self.core);
            let outcome = Outcome::Refused { retry_after: Duration::ZERO };
            tell(now, Completion { ticket: errand.ticket, outcome }, front, commands);
        } else {
            self.undelivered.keep(now.time, to, message);
        }
    }

    /// Hands on what the pool has come to.
    fn hand_on(&mut self, now: Now, front: &mut Front, commands: &mut Commands<ComputeMail>) {
        while let Some((core, completion)) =
            self.pool.as_mut().and_then(|pool| pool.pop_completion())
        {
            if core == self.core {
                tell(now, completion, front, commands);
            } else {
                commands.mail(core, ComputeMail::Complete(Box::new(completion)));
            }
        }
    }
}

/// Answers a request of one of this core's clients.
fn tell(now: Now, completion: Completion, front: &mut Front, commands: &mut Commands<ComputeMail>) {
    let Completion { ticket, outcome } = completion;
    front.answer(now, ticket, commands, |response| match outcome {
        Outcome::Digest { input, digest, worked, queued } => {
            write_digest(response, &input, &digest, [worked, queued]);
        }
        Outcome::Refused { retry_after } => write_refusal(response, retry_after),
        Outcome::Expired => {
            response.detail(Status::GATEWAY_TIMEOUT, "The deadline has passed");
        }
    });
}

fn write_refusal(response: &mut Response, retry_after: Duration) {
    response.detail(Status::SERVICE_UNAVAILABLE, "Too many requests");
    response.set_retry_after(retry_after);
}

fn write_digest(response: &mut Response, input: &[u8], digest: &[u8; 32], times: [Duration; 2]) {
    use std::fmt::Write as _;

    let [work_ms, queue_ms] = times.map(|time| time.as_secs_f64() * 1e3);
    let mut tail = String::from(",\"digest\":\"");
    for byte in digest {
        let _ = write!(tail, "{byte:02x}");
    }
    let _ = write!(tail, "\",\"work_ms\":{work_ms:.3},\"queue_ms\":{queue_ms:.3}}}");
    let body = response.start(Status::OK);
    body.extend_from_slice(br#"{"input":"#);
    json::write_string(body, std::str::from_utf8(input).expect("it was text"));
    body.extend_from_slice(tail.as_bytes());
}

impl Service for Compute {
    type Mail = ComputeMail;

    fn ready(&self) -> bool {
        true
    }

    fn write_metrics(&self, out: &mut Vec<u8>) {
        let has_limit = self.config.policy == SheddingPolicy::Adaptive;
        self.board.write_metrics(&self.config.effort, has_limit, out);
    }

    fn request(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request<'_>,
        response: &mut Response,
        commands: &mut Commands<ComputeMail>,
    ) -> Handled {
        match (request.head.target.path, request.head.method) {
            ("/calculate", Method::Get) => {
                return self.calculate(now, ticket, request, response, commands);
            }
            ("/calculate", _) => response.method_not_allowed("GET"),
            _ => response.detail(Status::NOT_FOUND, "Not Found"),
        }
        Handled::Now
    }

    fn abandon(&mut self, now: Now, ticket: Ticket, commands: &mut Commands<ComputeMail>) {
        match &mut self.pool {
            Some(pool) => pool.leave(now.time, Asker { core: self.core, ticket }, commands),
            None => commands.mail(OWNER, ComputeMail::Leave(ticket)),
        }
    }

    fn event(
        &mut self,
        now: Now,
        event: Event<'_, ComputeMail>,
        front: &mut Front,
        commands: &mut Commands<ComputeMail>,
    ) {
        match event {
            Event::Mail { from, message } => self.hear(now, from, message, front, commands),
            Event::MailReturned { to, message } => {
                self.returned(now, to, message, front, commands);
            }
            _ => {}
        }
        self.hand_on(now, front, commands);
    }

    fn next_deadline(&self) -> Option<Time> {
        let pool = self.pool.as_ref().and_then(|pool| pool.next_deadline());
        [pool, self.undelivered.due()].into_iter().flatten().min()
    }

    fn turn(&mut self, now: Now, front: &mut Front, commands: &mut Commands<ComputeMail>) {
        self.undelivered.send_due(now.time, commands);
        if let Some(pool) = &mut self.pool {
            pool.turn(now.time, commands);
        }
        self.hand_on(now, front, commands);
    }

    fn idle(&self) -> bool {
        self.undelivered.is_empty() && self.pool.as_ref().is_none_or(|pool| pool.is_idle())
    }
}
