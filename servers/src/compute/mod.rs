//! The compute server: requests that keep a processor busy, the textbook case for shedding.
//!
//! `GET /calculate?input=TEXT` answers with the end of a chain of SHA-256 digests that takes as long as
//! [`Effort`] says. The chain is made by threads of their own ([`Worker`]), never where connections are served; both
//! are apps and speak by mail. Whom to refuse is decided by a [`ShedQueue`]. A request that nobody waits for any more, for
//! its client has left or its deadline has passed, is taken out of the queue or stopped within one step of its chain.
//!
//! Each serving core has workers, a queue and a policy of its own: cores share nothing, so a policy's figures are per core.

mod chain;
mod jobs;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ringyard_protocol::http1::{Method, Request, Status};
use ringyard_protocol::json;
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{App, Commands, CoreIndex, Event, Now, Time};
use ringyard_runtime::counters::CoreContext;
use ringyard_scheduler::shedding::{ShedQueue, ShedReason, SheddingPolicy};

use crate::front::{Front, FrontConfig, HalfClosed, Handled, Pages, Server, Service, Ticket};
use crate::limits::{COMPUTE_DEADLINE_MS_MAX, ClientTimeouts};
use crate::metrics::{ServerCounters, answer_board, format_label, write_header, write_sample};
use crate::response::Response;
use jobs::{Job, Jobs, Place};

pub use chain::Effort;
pub use jobs::Number;
pub use worker::Worker;

/// The page that a person can read, and the description that a program can.
const PAGES: Pages =
    Pages { docs: include_str!("docs.html"), openapi: include_str!("openapi.json") };

/// How a compute server treats its clients unless told otherwise: one that has closed its sending side has left, for
/// each of its requests would cost a processor's time.
#[must_use]
pub fn front_default() -> FrontConfig {
    FrontConfig {
        http: HttpLimits::default(),
        timeouts: ClientTimeouts::default(),
        half_closed: HalfClosed::Abandon,
        pages: PAGES,
    }
}

/// Configuration of a compute server.
#[derive(Clone, Copy, Debug)]
pub struct ComputeConfig {
    /// What a request costs.
    pub effort: Effort,
    /// Threads that compute; at least one for each serving core.
    pub workers: usize,
    /// Whom to refuse.
    pub policy: SheddingPolicy,
    /// By when a request is to be answered that does not say so itself. Default: whenever.
    pub deadline: Option<Duration>,
}

/// What serving cores and workers say to one another.
#[derive(Debug)]
pub enum ComputeMail {
    /// To a free worker: compute this.
    Begin {
        /// Which request of the sender it is.
        number: Number,
        /// What to digest.
        input: Box<[u8]>,
    },
    /// To a worker: the answer is wanted no more.
    GiveUp {
        /// Which request.
        number: Number,
    },
    /// From a worker, which is free again.
    Done {
        /// Which request.
        number: Number,
        /// The end of its chain.
        digest: Box<[u8; 32]>,
        /// Links that were made.
        links: u64,
    },
    /// From a worker, which is free again: it has given up.
    GivenUp {
        /// Which request.
        number: Number,
        /// Links that were made in vain.
        links: u64,
    },
}

/// One thread of a compute server, as an engine drives it.
#[derive(Debug)]
pub enum ComputeServer {
    /// Serves connections.
    Serving(Box<Server<Compute>>),
    /// Computes.
    Working(Worker),
}

impl App for ComputeServer {
    type Mail = ComputeMail;

    fn on_event(
        &mut self,
        now: Now,
        event: Event<'_, ComputeMail>,
        commands: &mut Commands<ComputeMail>,
    ) {
        match self {
            Self::Serving(server) => server.on_event(now, event, commands),
            Self::Working(worker) => worker.on_event(now, event, commands),
        }
    }
}

/// Makes the app of each thread of a plan of `cores` serving cores followed by the workers.
///
/// # Panics
///
/// If there are fewer workers than serving cores.
pub fn factory(
    front: FrontConfig,
    config: ComputeConfig,
    cores: usize,
) -> impl Fn(CoreContext) -> ComputeServer + Send + Sync + 'static {
    assert!(config.workers >= cores, "each serving core has a worker");
    let answers = answer_board(cores + config.workers);
    move |context| {
        let core = usize::from(context.core.0);
        if core >= cores {
            return ComputeServer::Working(Worker::new(config.effort));
        }
        let own = (0..config.workers).filter(|worker| worker % cores == core);
        let index = |worker| u16::try_from(cores + worker).expect("a plan's threads are few");
        let workers = own.map(|worker| CoreIndex(index(worker))).collect();
        let counters = ServerCounters::new(&context, Arc::clone(&answers));
        ComputeServer::Serving(Box::new(Server::new(
            front,
            counters,
            Compute::new(config, workers),
        )))
    }
}

/// One core's service.
#[derive(Debug)]
pub struct Compute {
    config: ComputeConfig,
    free: Vec<CoreIndex>,
    queue: ShedQueue<Number>,
    jobs: Jobs,
    /// Mail that found its addressee's mailbox full.
    returned: Vec<(CoreIndex, ComputeMail)>,
    refused: [u64; ShedReason::ALL.len()],
    expired: u64,
    links_answered: u64,
    links_wasted: u64,
}

impl Compute {
    /// A service with nothing to do, before these workers.
    fn new(config: ComputeConfig, workers: Vec<CoreIndex>) -> Self {
        Self {
            config,
            queue: ShedQueue::new(config.policy, workers.len(), config.effort.work),
            free: workers,
            jobs: Jobs::default(),
            returned: Vec::new(),
            refused: [0; ShedReason::ALL.len()],
            expired: 0,
            links_answered: 0,
            links_wasted: 0,
        }
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
        let patience = match request.head.headers.get("x-deadline-ms").map(milliseconds) {
            Some(None) => {
                response
                    .detail(Status::BAD_REQUEST, "X-Deadline-Ms is not a number of milliseconds");
                return Handled::Now;
            }
            Some(given) => given,
            None => self.config.deadline,
        };
        let number = self.jobs.next_number();
        if let Err(reason) = self.queue.offer(number, now.time) {
            self.refuse(reason, now, response);
            return Handled::Now;
        }
        self.jobs.insert(Job {
            ticket,
            input: input.as_bytes().into(),
            arrived: now.time,
            deadline: patience.map(|patience| now.time + patience),
            place: Place::Waiting,
        });
        self.dispatch(now, commands);
        Handled::Later
    }

    fn refuse(&mut self, reason: ShedReason, now: Now, response: &mut Response) {
        let index = ShedReason::ALL.iter().position(|known| *known == reason);
        self.refused[index.expect("all reasons are listed")] += 1;
        response.detail(Status::SERVICE_UNAVAILABLE, "Too many requests");
        response.set_retry_after(self.queue.predicted_wait(now.time));
    }

    /// Gives free workers what to do.
    fn dispatch(&mut self, now: Now, commands: &mut Commands<ComputeMail>) {
        while let Some(number) = self.queue.start(now.time) {
            let worker = self.free.pop().expect("the queue knows how many are free");
            let job = self.jobs.get_mut(number).expect("what waits is known");
            job.place = Place::Running { worker, since: now.time };
            commands.mail(worker, ComputeMail::Begin { number, input: job.input.clone() });
        }
    }

    /// Nobody waits for the job any more: it leaves the queue, or its worker is told.
    fn drop_job(&mut self, number: Number, commands: &mut Commands<ComputeMail>) {
        let Some(job) = self.jobs.disown(number) else { return };
        match job.place {
            Place::Waiting => {
                self.queue.cancel(number);
                self.jobs.remove(number);
            }
            Place::Running { worker, .. } => commands.mail(worker, ComputeMail::GiveUp { number }),
        }
    }

    /// A worker is free again; says what it had and whether that is awaited.
    fn freed(&mut self, worker: CoreIndex, number: Number) -> Option<(Job, bool)> {
        self.free.push(worker);
        self.jobs.remove(number)
    }

    fn hear(
        &mut self,
        now: Now,
        worker: CoreIndex,
        message: ComputeMail,
        front: &mut Front,
        commands: &mut Commands<ComputeMail>,
    ) {
        match message {
            ComputeMail::Done { number, digest, links } => {
                let Some((job, is_awaited)) = self.freed(worker, number) else { return };
                self.queue.finished(number, job.arrived, now.time);
                if is_awaited {
                    self.links_answered += links;
                    front.answer(now, job.ticket, commands, |response| {
                        write_result(response, &job, &digest, now.time);
                    });
                } else {
                    self.links_wasted += links;
                }
            }
            ComputeMail::GivenUp { number, links } => {
                self.freed(worker, number);
                self.queue.stopped(number);
                self.links_wasted += links;
            }
            other => debug_assert!(false, "workers do not say {other:?}"),
        }
        self.dispatch(now, commands);
    }
}

/// A header's value as milliseconds.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    let milliseconds: u64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    (milliseconds <= COMPUTE_DEADLINE_MS_MAX).then(|| Duration::from_millis(milliseconds))
}

fn write_result(response: &mut Response, job: &Job, digest: &[u8; 32], now: Time) {
    use std::fmt::Write as _;

    let since = match job.place {
        Place::Running { since, .. } => since,
        Place::Waiting => now,
    };
    let [work_ms, queue_ms] =
        [now.since(since), since.since(job.arrived)].map(|time| time.as_secs_f64() * 1e3);
    let mut tail = String::from(",\"digest\":\"");
    for byte in digest {
        let _ = write!(tail, "{byte:02x}");
    }
    let _ = write!(tail, "\",\"work_ms\":{work_ms:.3},\"queue_ms\":{queue_ms:.3}}}");
    let body = response.start(Status::OK);
    body.extend_from_slice(br#"{"input":"#);
    let input = std::str::from_utf8(&job.input).expect("it was text");
    json::write_string(body, input);
    body.extend_from_slice(tail.as_bytes());
}

impl Service for Compute {
    type Mail = ComputeMail;

    fn ready(&self) -> bool {
        true
    }

    fn write_metrics(&self, out: &mut Vec<u8>) {
        let name = "ringyard_compute_requests";
        write_header(out, name, "gauge", "Requests on the core that answers this page.");
        write_sample(out, name, "{state=\"computing\"}", self.queue.running());
        write_sample(out, name, "{state=\"waiting\"}", self.queue.waiting());
        let name = "ringyard_compute_refused_total";
        write_header(out, name, "counter", "Requests refused by this core, by reason.");
        for (reason, count) in ShedReason::ALL.iter().zip(self.refused) {
            write_sample(out, name, &format_label("reason", &reason.name()), count);
        }
        let name = "ringyard_compute_deadlines_missed_total";
        write_header(out, name, "counter", "Requests of this core given up at their deadline.");
        write_sample(out, name, "", self.expired);
        let name = "ringyard_compute_work_seconds_total";
        write_header(out, name, "counter", "Time computed for this core, by what became of it.");
        let seconds = |links: u64| {
            self.config.effort.work.as_secs_f64() * links as f64 / self.config.effort.links as f64
        };
        write_sample(out, name, "{outcome=\"answered\"}", seconds(self.links_answered));
        write_sample(out, name, "{outcome=\"wasted\"}", seconds(self.links_wasted));
        if let Some(limit) = self.queue.limit() {
            let name = "ringyard_compute_limit";
            write_header(out, name, "gauge", "Requests that the adaptive policy admits at once.");
            write_sample(out, name, "", limit);
        }
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
        if let Some(number) = self.jobs.of_ticket(ticket) {
            self.drop_job(number, commands);
            self.dispatch(now, commands);
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
            Event::MailReturned { to, message } => self.returned.push((to, message)),
            _ => {}
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let again = (!self.returned.is_empty()).then_some(Time::ZERO);
        [again, self.jobs.next_deadline(), self.queue.next_expiry()].into_iter().flatten().min()
    }

    fn turn(&mut self, now: Now, front: &mut Front, commands: &mut Commands<ComputeMail>) {
        for (to, message) in self.returned.drain(..) {
            commands.mail(to, message);
        }
        while let Some((number, ticket)) = self.jobs.due(now.time) {
            self.expired += 1;
            self.drop_job(number, commands);
            front.answer(now, ticket, commands, |response| {
                response.detail(Status::GATEWAY_TIMEOUT, "The deadline has passed");
            });
        }
        while let Some(number) = self.queue.expire(now.time) {
            let Some(job) = self.jobs.disown(number) else { continue };
            let ticket = job.ticket;
            self.jobs.remove(number);
            front.answer(now, ticket, commands, |response| {
                self.refuse(ShedReason::Stale, now, response);
            });
        }
        self.dispatch(now, commands);
    }

    fn idle(&self) -> bool {
        self.jobs.is_empty()
    }
}
