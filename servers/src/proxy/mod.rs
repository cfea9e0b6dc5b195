//! The batching proxy: requests in, batches to the backends, results out.
//!
//! Every core has clients; core 0 also owns the queue (`dispatcher`) and the connections to the backends
//! (`lanes`). A request goes from its client's core to the owner, as a call on one core and as mail on
//! several, and its outcome comes back the same way. See `mail` for what is said.

mod admission;
mod board;
mod customers;
mod dispatcher;
mod lanes;
mod mail;
mod reply;
mod strategy_route;

use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringyard_protocol::http1::{Method, Request, Status};
use ringyard_protocol::json::ItemSpan;
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{Commands, CoreIndex, Event, Now, Time};
use ringyard_runtime::counters::CoreContext;
use ringyard_scheduler::StrategyKind;

use crate::buffers::BufferPool;
use crate::front::{Front, FrontConfig, HalfClosed, Handled, Pages, Server, Service, Ticket};
use crate::limits::{
    BACKEND_CONCURRENCY, BACKEND_GRACE, BATCH_SEQUENCES_MAX, CUSTOMER_NAME_BYTES_MAX,
    ClientTimeouts, MAIL_RETRY, QUEUE_JOBS_MAX, QUEUE_WAIT_MAX, REQUEST_DEADLINE,
    SEQUENCES_PER_REQUEST_MAX,
};
use crate::metrics::{ServerCounters, answer_board};
use crate::request::scan_sequences;
use crate::response::Response;
use dispatcher::Dispatcher;
use mail::{Completion, Failure, OWNER, Outcome, Submission};
use strategy_route::Scope;

pub use board::ProxyBoard;
pub use mail::ProxyMail;

/// The page that a person can read, and the description that a program can.
const PAGES: Pages =
    Pages { docs: include_str!("docs.html"), openapi: include_str!("openapi.json") };

/// How a proxy treats its clients unless told otherwise: no batch is spent on one that has closed its
/// sending side.
#[must_use]
pub fn front_default() -> FrontConfig {
    FrontConfig {
        http: HttpLimits::default(),
        timeouts: ClientTimeouts::default(),
        half_closed: HalfClosed::Abandon,
        pages: PAGES,
    }
}

/// The proxy as engines drive it.
pub type ProxyServer = Server<Proxy>;

/// The customer of a request that names none.
const CUSTOMER_DEFAULT: &str = "default";

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendTarget {
    /// Where to connect.
    pub address: SocketAddr,
    /// What to send as `Host`.
    pub host: String,
    /// The path to post batches to.
    pub path: String,
}

/// Configuration of a proxy.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// The backends; at least one.
    pub backends: Vec<BackendTarget>,
    /// Batches in flight at one backend. Default 1.
    pub backend_concurrency: u32,
    /// The strategy at the start. Default `fcfs`.
    pub strategy: StrategyKind,
    /// How long an incomplete batch is held for more. Default: as the strategy has it.
    pub linger: Option<Duration>,
    /// Sequences in one batch. Default 5.
    pub batch_sequences_max: u32,
    /// Sequences in one request. Default 5; never more than a batch has room for.
    pub request_sequences_max: u32,
    /// From a request's arrival to its answer at the latest. Default 10 s.
    pub deadline: Duration,
    /// Requests that may be queued. Default 16,384.
    pub queue_jobs_max: usize,
    /// Predicted wait above which requests are refused. Default 500 ms.
    pub queue_wait_max: Duration,
    /// How long queued requests wait for a backend when none can be reached. Default 1 s.
    pub backend_grace: Duration,
}

impl ProxyConfig {
    /// The defaults, before these backends.
    #[must_use]
    pub fn new(backends: Vec<BackendTarget>) -> Self {
        Self {
            backends,
            backend_concurrency: BACKEND_CONCURRENCY,
            strategy: StrategyKind::Fcfs,
            linger: None,
            batch_sequences_max: BATCH_SEQUENCES_MAX,
            request_sequences_max: SEQUENCES_PER_REQUEST_MAX,
            deadline: REQUEST_DEADLINE,
            queue_jobs_max: QUEUE_JOBS_MAX,
            queue_wait_max: QUEUE_WAIT_MAX,
            backend_grace: BACKEND_GRACE,
        }
    }
}

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
    count_detail: String,
    items: Vec<ItemSpan>,
    buffers: BufferPool,
    /// Mail that found its mailbox full and has to arrive all the same.
    undelivered: VecDeque<(CoreIndex, ProxyMail)>,
    retry_at: Option<Time>,
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
        let request_sequences_max = config.request_sequences_max.min(config.batch_sequences_max);
        Self {
            core,
            request_sequences_max,
            count_detail: format!("Need 1\u{2013}{request_sequences_max} sequences"),
            dispatcher: (core == OWNER)
                .then(|| Box::new(Dispatcher::new(config, Arc::clone(&board)))),
            board,
            items: Vec::new(),
            buffers: BufferPool::default(),
            undelivered: VecDeque::new(),
            retry_at: None,
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
        let Some(customer) = customer_of(request) else {
            let detail = format!(
                "X-Customer-Id must be a token of at most {CUSTOMER_NAME_BYTES_MAX} characters"
            );
            response.detail(Status::BAD_REQUEST, &detail);
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
            sequences: u32::try_from(items.len()).expect("the count was checked above"),
            longest: items.iter().map(|item| item.characters).max().unwrap_or(0),
            arrived: now.time,
        };
        let Some(dispatcher) = &mut self.dispatcher else {
            commands.mail(OWNER, ProxyMail::Submit(Box::new(submission)));
            return Handled::Later;
        };
        let submitted = dispatcher.submit(now.time, self.core, &submission);
        self.buffers.give_back(submission.payload);
        match submitted {
            Ok(()) => Handled::Later,
            Err(failure) => {
                write_failure(&failure, response);
                Handled::Now
            }
        }
    }

    /// Answers a question about the strategy, or has the owner answer it.
    fn strategy(
        &mut self,
        now: Now,
        ticket: Ticket,
        change: Option<StrategyKind>,
        response: &mut Response,
        commands: &mut Commands<ProxyMail>,
    ) -> Handled {
        let Some(dispatcher) = &mut self.dispatcher else {
            commands.mail(OWNER, ProxyMail::Strategy { ticket, change, arrived: now.time });
            return Handled::Later;
        };
        let active = dispatcher.strategy(now.time, change);
        strategy_route::write_strategy(active, scope_of(change), response);
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
                Err(failure) => (submission.ticket, submission.arrived, Outcome::Failed(failure)),
            },
            ProxyMail::Strategy { ticket, change, arrived } => {
                let active = dispatcher.strategy(now.time, change);
                (ticket, arrived, Outcome::Strategy(active, scope_of(change)))
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
                front.answer(now, submission.ticket, commands, |response| {
                    write_failure(&Failure::MailboxFull, response);
                });
            }
            // An outcome must not be lost; a question or a farewell may as well arrive a little later.
            message => {
                self.undelivered.push_back((to, message));
                self.retry_at = Some(now.time + MAIL_RETRY);
            }
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
            Outcome::Results(results) => {
                self.board.cores[usize::from(self.core.0)].latency.record(latency);
                let body = response.start(Status::OK);
                body.extend_from_slice(br#"{"results":"#);
                body.extend_from_slice(results);
                write!(body, r#","proxy_latency_ms":{}}}"#, latency.as_millis())
                    .expect("a vector takes all writes");
            }
            Outcome::Failed(failure) => write_failure(failure, response),
            Outcome::Strategy(active, scope) => {
                strategy_route::write_strategy(*active, *scope, response);
            }
        });
        if let (Outcome::Results(results), Some(dispatcher)) = (outcome, &mut self.dispatcher) {
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

/// What the answer to a change, or to a question, tells.
fn scope_of(change: Option<StrategyKind>) -> Scope {
    if change.is_some() { Scope::Active } else { Scope::ActiveAndAll }
}

/// The customer that a request names; `None` where the name is not a token or too long.
fn customer_of<'a>(request: &Request<'a>) -> Option<&'a str> {
    let Some(name) = request.head.headers.get("x-customer-id") else {
        return Some(CUSTOMER_DEFAULT);
    };
    let token = !name.is_empty()
        && name.len() <= CUSTOMER_NAME_BYTES_MAX
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte));
    if token { std::str::from_utf8(name).ok() } else { None }
}

/// Fills `response` with what a client is told of a failure.
fn write_failure(failure: &Failure, response: &mut Response) {
    let status = match failure {
        Failure::Overloaded { .. } | Failure::MailboxFull => Status::SERVICE_UNAVAILABLE,
        Failure::TooSlow { .. } => Status::GATEWAY_TIMEOUT,
        Failure::Backend(_) => Status::BAD_GATEWAY,
    };
    response.detail(status, &failure.to_string());
    match failure {
        Failure::Overloaded { retry_after, .. } => response.set_retry_after(*retry_after),
        Failure::MailboxFull => response.set_retry_after(Duration::ZERO),
        Failure::TooSlow { .. } | Failure::Backend(_) => {}
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
                return self.strategy(now, ticket, None, response, commands);
            }
            ("/strategy", Method::Post) => {
                let change =
                    strategy_route::read_change(&request.head.target, request.body, response);
                if change.is_some() {
                    return self.strategy(now, ticket, change, response, commands);
                }
            }
            ("/proxy_classify", _) => response.method_not_allowed("POST"),
            ("/strategy", _) => response.method_not_allowed("GET, HEAD, POST"),
            _ => response.detail(Status::NOT_FOUND, "Not Found"),
        }
        Handled::Now
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
        [dispatch, self.retry_at].into_iter().flatten().min()
    }

    fn turn(&mut self, now: Now, front: &mut Front, commands: &mut Commands<ProxyMail>) {
        if self.retry_at.is_some_and(|retry_at| retry_at <= now.time) {
            self.retry_at = None;
            for (to, message) in self.undelivered.drain(..) {
                commands.mail(to, message);
            }
        }
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
