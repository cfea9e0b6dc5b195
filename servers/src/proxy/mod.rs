//! The batching proxy: requests in, batches to the backends, results out.
//!
//! Every core has clients; core 0 also owns the queue (`dispatcher`) and the connections to the backends
//! (`lanes`). A request goes from its client's core to the owner, as a call on one core and as mail on
//! several, and its outcome comes back the same way. See `mail` for what is said.

mod admission;
mod backlog;
mod balance;
mod board;
mod concurrency;
mod config;
mod costs;
mod customers;
mod decisions;
mod dispatcher;
mod explain;
mod lanes;
mod mail;
mod refusal;
mod reply;
mod requests;
mod shedding;
mod strategy_route;
mod terms;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use ringyard_protocol::http1::{Head, Method, Request, Status};
use ringyard_protocol::json::ItemSpan;
use ringyard_runtime::app::{Commands, CoreIndex, Event, Now, Time};
use ringyard_runtime::counters::CoreContext;
use ringyard_scheduler::cost::BatchShape;

use crate::buffers::BufferPool;
use crate::front::{Front, FrontConfig, HalfClosed, Handled, Pages, Server, Service, Ticket};
use crate::limits::CUSTOMER_NAME_BYTES_MAX;
use crate::metrics::{ServerCounters, answer_board};
use crate::patience::read_patience;
use crate::redelivery::Redelivery;
use crate::request::scan_sequences;
use crate::response::Response;
use dispatcher::Dispatcher;
use mail::{Completion, Failure, OWNER, Outcome, Sequence, Submission};
use refusal::{Reason, Refusal};
use strategy_route::Change;

pub use board::ProxyBoard;
pub use config::{
    BackendTarget, CompositionChoice, ConcurrencyRule, CostSetting, Explain, ProxyConfig, Shedding,
    Splitting, UnknownCompositionChoice,
};
pub use mail::ProxyMail;
pub use terms::{Books, CustomerBook, Entitlement, Rate};

/// The page that a person can read, and the description that a program can.
const PAGES: Pages = Pages {
    docs: concat!(
        include_str!("../front/docs_head.html"),
        include_str!("docs.html"),
        include_str!("../front/docs_tail.html"),
    ),
    openapi: include_str!("openapi.json"),
};

/// How a proxy treats its clients unless told otherwise: no batch is spent on one that has closed its
/// sending side.
#[must_use]
pub fn front_default() -> FrontConfig {
    FrontConfig::new(HalfClosed::Abandon, PAGES)
}

/// The proxy as engines drive it.
pub type ProxyServer = Server<Proxy>;

/// The customer of a request that names none.
const CUSTOMER_DEFAULT: &str = "default";

/// Makes the server of each core of a plan of `cores` cores; they share their figures, and core 0 owns
/// the queue.
///
/// # Panics
///
/// When called: if there is no backend.
pub fn factory(
    front: FrontConfig,
    config: ProxyConfig,
    cores: usize,
) -> impl Fn(CoreContext) -> ProxyServer + Send + Sync + 'static {
    let answers = answer_board(cores);
    let board = Arc::new(ProxyBoard::new(cores));
    let config = Arc::new(config);
    move |context| {
        let counters = ServerCounters::new(&context, Arc::clone(&answers));
        let proxy = Proxy::new(Arc::clone(&config), context.core, Arc::clone(&board));
        Server::new(front, counters, proxy)
    }
}

/// One core's proxy.
#[derive(Debug)]
pub struct Proxy {
    core: CoreIndex,
    /// On the owner's core only.
    dispatcher: Option<Box<Dispatcher>>,
    board: Arc<ProxyBoard>,
    request_sequences_max: u32,
    splitting: Splitting,
    count_detail: String,
    items: Vec<ItemSpan>,
    buffers: BufferPool,
    undelivered: Redelivery<ProxyMail>,
}

impl Proxy {
    /// The proxy of one core, on a board that all its cores share.
    ///
    /// # Panics
    ///
    /// If there is no backend.
    #[must_use]
    pub fn new(config: Arc<ProxyConfig>, core: CoreIndex, board: Arc<ProxyBoard>) -> Self {
        assert!(!config.backends.is_empty(), "a proxy has at least one backend");
        let request_sequences_max = config.sequences_per_request();
        Self {
            core,
            request_sequences_max,
            splitting: config.splitting,
            count_detail: format!("Need 1\u{2013}{request_sequences_max} sequences"),
            dispatcher: (core == OWNER)
                .then(|| Box::new(Dispatcher::new(config, Arc::clone(&board)))),
            board,
            items: Vec::new(),
            buffers: BufferPool::default(),
            undelivered: Redelivery::default(),
        }
    }

    /// Checks a request for classification and sends it on its way to the queue.
    fn proxy_classify(
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
    fn admit_head<'a>(
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
    fn strategy(
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
    fn decisions(
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

    /// Takes a message from another core.
    fn mail(
        &mut self,
        now: Now,
        from: CoreIndex,
        message: ProxyMail,
        front: &mut Front,
        commands: &mut Commands<ProxyMail>,
    ) {
        if let ProxyMail::Complete(completion) = message {
            self.complete(now, *completion, front, commands);
            return;
        }
        let Some(dispatcher) = &mut self.dispatcher else {
            debug_assert!(false, "only the owner is asked: {message:?}");
            return;
        };
        let (ticket, arrived, outcome) = match message {
            ProxyMail::Submit(submission) => match dispatcher.submit(now.time, from, &submission) {
                Ok(()) => return,
                Err(refusal) => {
                    (submission.ticket, submission.arrived, Outcome::Failed(refusal.into()))
                }
            },
            ProxyMail::Strategy { ticket, change, arrived } => {
                let state = dispatcher.strategy(now.time, change);
                (ticket, arrived, Outcome::Strategy(state, change.scope()))
            }
            ProxyMail::Decisions { ticket, arrived } => {
                (ticket, arrived, Outcome::Decisions(dispatcher.decisions(now.time)))
            }
            ProxyMail::Abandon(ticket) => {
                dispatcher.abandon(now.time, from, ticket, commands);
                return;
            }
            ProxyMail::Complete(_) => return,
        };
        let completion = Completion { ticket, arrived, outcome };
        commands.mail(from, ProxyMail::Complete(Box::new(completion)));
    }

    /// Deals with a message that found the mailbox of its addressee full.
    fn mail_returned(
        &mut self,
        now: Now,
        to: CoreIndex,
        message: ProxyMail,
        front: &mut Front,
        commands: &mut Commands<ProxyMail>,
    ) {
        match message {
            ProxyMail::Submit(submission) => {
                self.board.count_refusal(self.core, Reason::Mailbox);
                let refusal = Refusal { reason: Reason::Mailbox, retry_after: Duration::ZERO };
                front.answer(now, submission.ticket, commands, |response| {
                    write_failure(&Failure::Refused(refusal), response);
                });
            }
            // An outcome must not be lost; a question or a farewell may as well arrive a little later.
            message => self.undelivered.keep(now.time, to, message),
        }
    }

    /// Answers a request of one of this core's clients.
    fn complete(
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

    /// Hands on the outcomes that the dispatcher has come to.
    fn hand_on(&mut self, now: Now, front: &mut Front, commands: &mut Commands<ProxyMail>) {
        while let Some((core, completion)) =
            self.dispatcher.as_mut().and_then(|dispatcher| dispatcher.pop_completion())
        {
            if core == self.core {
                self.complete(now, completion, front, commands);
            } else {
                commands.mail(core, ProxyMail::Complete(Box::new(completion)));
            }
        }
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

/// Fills `response` with the last decisions, or with how to have them kept.
fn write_decisions(decisions: Option<&[u8]>, response: &mut Response) {
    match decisions {
        Some(decisions) => response.start(Status::OK).extend_from_slice(decisions),
        None => response
            .detail(Status::NOT_FOUND, "No decisions are kept; start the proxy with --explain"),
    }
}

/// Fills `response` with what a client is told of a failure.
fn write_failure(failure: &Failure, response: &mut Response) {
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

impl Service for Proxy {
    type Mail = ProxyMail;

    fn ready(&self) -> bool {
        self.board.owner.backend_lanes_up.get() > 0
    }

    fn write_metrics(&self, out: &mut Vec<u8>) {
        self.board.write_metrics(out);
    }

    fn request(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request<'_>,
        response: &mut Response,
        commands: &mut Commands<ProxyMail>,
    ) -> Handled {
        match (request.head.target.path, request.head.method) {
            ("/proxy_classify", Method::Post) => {
                return self.proxy_classify(now, ticket, request, response, commands);
            }
            ("/strategy", Method::Get | Method::Head) => {
                return self.strategy(now, ticket, Change::default(), response, commands);
            }
            ("/strategy", Method::Post) => {
                let change =
                    strategy_route::read_change(&request.head.target, request.body, response);
                if let Some(change) = change {
                    return self.strategy(now, ticket, change, response, commands);
                }
            }
            ("/debug/decisions", Method::Get | Method::Head) => {
                return self.decisions(now, ticket, response, commands);
            }
            ("/debug/decisions", _) => response.method_not_allowed("GET, HEAD"),
            ("/proxy_classify", _) => response.method_not_allowed("POST"),
            ("/strategy", _) => response.method_not_allowed("GET, HEAD, POST"),
            _ => response.detail(Status::NOT_FOUND, "Not Found"),
        }
        Handled::Now
    }

    fn refuses(&mut self, now: Now, head: &Head<'_>, response: &mut Response) -> bool {
        (head.target.path, head.method) == ("/proxy_classify", Method::Post)
            && self.admit_head(now, head, response).is_none()
    }

    fn abandon(&mut self, now: Now, ticket: Ticket, commands: &mut Commands<ProxyMail>) {
        match &mut self.dispatcher {
            Some(dispatcher) => dispatcher.abandon(now.time, self.core, ticket, commands),
            None => commands.mail(OWNER, ProxyMail::Abandon(ticket)),
        }
    }

    fn event(
        &mut self,
        now: Now,
        event: Event<'_, ProxyMail>,
        front: &mut Front,
        commands: &mut Commands<ProxyMail>,
    ) {
        match event {
            Event::Mail { from, message } => self.mail(now, from, message, front, commands),
            Event::MailReturned { to, message } => {
                self.mail_returned(now, to, message, front, commands);
            }
            event => {
                if let Some(dispatcher) = &mut self.dispatcher {
                    dispatcher.event(now, event, commands);
                }
            }
        }
        self.hand_on(now, front, commands);
    }

    fn next_deadline(&self) -> Option<Time> {
        let dispatch = self.dispatcher.as_ref().and_then(|dispatcher| dispatcher.next_deadline());
        [dispatch, self.undelivered.due()].into_iter().flatten().min()
    }

    fn turn(&mut self, now: Now, front: &mut Front, commands: &mut Commands<ProxyMail>) {
        self.undelivered.send_due(now.time, commands);
        if let Some(dispatcher) = &mut self.dispatcher {
            dispatcher.turn(now.time, commands);
        }
        self.hand_on(now, front, commands);
    }

    fn idle(&self) -> bool {
        self.undelivered.is_empty()
            && self.dispatcher.as_ref().is_none_or(|dispatcher| dispatcher.is_idle())
    }
}
