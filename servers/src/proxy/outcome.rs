//! What a client is told of what became of its request.

use std::io::Write;

use ringyard_protocol::http1::Status;
use ringyard_runtime::app::{Commands, Now};

use super::mail::{Completion, Failure, Outcome, ProxyMail};
use super::refusal::Refusal;
use super::{Proxy, strategy_route};
use crate::front::Front;
use crate::response::Response;

impl Proxy {
    /// Answers a request of one of this core's clients.
    pub(super) fn complete(
        &mut self,
        now: Now,
        completion: Completion,
        front: &mut Front,
        commands: &mut Commands<ProxyMail>,
    ) {
        let Completion { ticket, arrived, outcome } = completion;
        let latency = now.time.since(arrived);
        front.answer(now, ticket, commands, |response| match &outcome {
            Outcome::Results { results, explanation } => {
                self.board.cores[usize::from(self.core.0)].latency.record(latency);
                let body = response.start(Status::OK);
                body.extend_from_slice(br#"{"results":["#);
                body.extend_from_slice(results);
                write!(body, r#"],"proxy_latency_ms":{}}}"#, latency.as_millis())
                    .expect("a vector takes all writes");
                if let Some(explanation) = explanation {
                    explanation.write(response);
                }
            }
            Outcome::Failed(failure) => write_failure(failure, response),
            Outcome::Strategy(state, scope) => {
                strategy_route::write_state(state, *scope, response);
            }
            Outcome::Decisions(decisions) => write_decisions(decisions.as_deref(), response),
        });
        if let (Outcome::Results { results, .. }, Some(dispatcher)) =
            (outcome, &mut self.dispatcher)
        {
            dispatcher.recycle(results);
        }
    }
}

/// Fills `response` with the last decisions, or with how to have them kept.
pub(super) fn write_decisions(decisions: Option<&[u8]>, response: &mut Response) {
    match decisions {
        Some(decisions) => response.start(Status::OK).extend_from_slice(decisions),
        None => response
            .detail(Status::NOT_FOUND, "No decisions are kept; start the proxy with --explain"),
    }
}

/// Fills `response` with what a client is told of a failure.
pub(super) fn write_failure(failure: &Failure, response: &mut Response) {
    let status = match failure {
        Failure::Refused(refusal) => refusal.reason.status(),
        Failure::TooSlow { .. } => Status::GATEWAY_TIMEOUT,
        Failure::Backend(_) => Status::BAD_GATEWAY,
    };
    response.detail(status, &failure.to_string());
    match failure {
        Failure::Refused(Refusal { reason, retry_after }) => {
            response.add_reason(reason.name());
            if reason.passes() {
                response.set_retry_after(*retry_after);
            }
        }
        Failure::TooSlow { .. } => response.add_reason("expired"),
        Failure::Backend(_) => {}
    }
}
