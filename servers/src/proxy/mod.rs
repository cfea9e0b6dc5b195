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
mod entry;
mod explain;
mod lanes;
mod mail;
mod outcome;
mod refusal;
mod reply;
mod requests;
mod shedding;
mod strategy_route;
mod terms;

use std::sync::Arc;
use std::time::Duration;

use ringyard_protocol::http1::{Head, Method, Request, Status};
use ringyard_protocol::json::ItemSpan;
use ringyard_runtime::app::{Commands, CoreIndex, Event, Now, Time};
use ringyard_runtime::counters::CoreContext;

use crate::buffers::BufferPool;
use crate::front::{Front, FrontConfig, HalfClosed, Handled, Pages, Server, Service, Ticket};
use crate::metrics::{ServerCounters, answer_board};
use crate::redelivery::Redelivery;
use crate::response::Response;
use dispatcher::Dispatcher;
use mail::{Completion, Failure, OWNER, Outcome};
use outcome::write_failure;
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
