//! What clients ask of a proxy: checked, refused where that can be said at once, and otherwise sent on its way to the core
//! that owns the queue.

use std::time::Duration;

use ringyard_protocol::http1::{Head, Request, Status};
use ringyard_runtime::app::{Commands, Now};
use ringyard_scheduler::cost::BatchShape;

use super::mail::{Failure, OWNER, ProxyMail, Sequence, Submission};
use super::outcome::{write_decisions, write_failure};
use super::strategy_route::{self, Change};
use super::{Proxy, Splitting, reply};
use crate::front::{Handled, Ticket};
use crate::limits::CUSTOMER_NAME_BYTES_MAX;
use crate::patience::read_patience;
use crate::request::scan_sequences;
use crate::response::Response;

/// The customer of a request that names none.
const CUSTOMER_DEFAULT: &str = "default";

impl Proxy {
    /// Checks a request for classification and sends it on its way to the queue.
    pub(super) fn proxy_classify(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request<'_>,
        response: &mut Response,
        commands: &mut Commands<ProxyMail>,
    ) -> Handled {
        let Some((customer, patience)) = self.admit_head(now, &request.head, response) else {
            return Handled::Now;
        };
        let Self { request_sequences_max, count_detail, items, .. } = self;
        if !scan_sequences(request.body, *request_sequences_max, count_detail, items, response) {
            return Handled::Now;
        }
        let mut payload = self.buffers.take();
        reply::write_items(request.body, items, &mut payload);
        let submission = Submission {
            ticket,
            customer: customer.into(),
            payload,
            shape: BatchShape {
                sequences: items.len() as u64,
                characters: items.iter().map(|item| u64::from(item.characters)).sum(),
                longest: items.iter().map(|item| item.characters).max().unwrap_or(0),
            },
            apart: match self.splitting {
                Splitting::Apart if items.len() > 1 => items.iter().map(Sequence::of).collect(),
                _ => Vec::new(),
            },
            arrived: now.time,
            patience,
        };
        let Some(dispatcher) = &mut self.dispatcher else {
            commands.mail(OWNER, ProxyMail::Submit(Box::new(submission)));
            return Handled::Later;
        };
        let submitted = dispatcher.submit(now.time, self.core, &submission);
        self.buffers.give_back(submission.payload);
        match submitted {
            Ok(()) => Handled::Later,
            Err(refusal) => {
                write_failure(&refusal.into(), response);
                Handled::Now
            }
        }
    }

    /// Whose request it is and how long the client will wait; `None` where the head is reason enough to refuse it,
    /// with `response` filled in.
    pub(super) fn admit_head<'a>(
        &mut self,
        now: Now,
        head: &Head<'a>,
        response: &mut Response,
    ) -> Option<(&'a str, Option<Duration>)> {
        let Some(customer) = customer_of(head) else {
            let detail = format!(
                "X-Customer-Id must be a token of at most {CUSTOMER_NAME_BYTES_MAX} characters"
            );
            response.detail(Status::BAD_REQUEST, &detail);
            return None;
        };
        let patience = read_patience(head, response)?;
        let refused = match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.admit_head(now.time, customer, patience).err(),
            // Of what its customer may have, the owner alone knows.
            None => self
                .board
                .closed()
                .inspect(|refusal| self.board.count_refusal(self.core, refusal.reason)),
        };
        match refused {
            Some(refusal) => {
                write_failure(&Failure::Refused(refusal), response);
                None
            }
            None => Some((customer, patience)),
        }
    }

    /// Answers a question about the strategy, or has the owner answer it.
    pub(super) fn strategy(
        &mut self,
        now: Now,
        ticket: Ticket,
        change: Change,
        response: &mut Response,
        commands: &mut Commands<ProxyMail>,
    ) -> Handled {
        let Some(dispatcher) = &mut self.dispatcher else {
            commands.mail(OWNER, ProxyMail::Strategy { ticket, change, arrived: now.time });
            return Handled::Later;
        };
        let state = dispatcher.strategy(now.time, change);
        strategy_route::write_state(&state, change.scope(), response);
        Handled::Now
    }

    /// Answers with the last decisions, or has the owner answer.
    pub(super) fn decisions(
        &mut self,
        now: Now,
        ticket: Ticket,
        response: &mut Response,
        commands: &mut Commands<ProxyMail>,
    ) -> Handled {
        let Some(dispatcher) = &self.dispatcher else {
            commands.mail(OWNER, ProxyMail::Decisions { ticket, arrived: now.time });
            return Handled::Later;
        };
        write_decisions(dispatcher.decisions(now.time).as_deref(), response);
        Handled::Now
    }
}

/// The customer that a request names; `None` where the name is not a token or too long.
fn customer_of<'a>(head: &Head<'a>) -> Option<&'a str> {
    let Some(name) = head.headers.get("x-customer-id") else {
        return Some(CUSTOMER_DEFAULT);
    };
    let token = !name.is_empty()
        && name.len() <= CUSTOMER_NAME_BYTES_MAX
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte));
    if token { std::str::from_utf8(name).ok() } else { None }
}
