//! The classifier: the stand-in for a model server.
//!
//! `POST /classify` labels texts and takes as long as a transformer would: the square of the longest text.
//! Nothing is computed for that long; the answer is known at once and held back, on as many accelerators as
//! [`ClassifierConfig::replicas`] says. The service's core is idle meanwhile.

mod labels;
mod replicas;

use std::sync::Arc;
use std::time::Duration;

use ringyard_protocol::http1::{Method, Request, Status};
use ringyard_protocol::json::ItemSpan;
use ringyard_runtime::app::{Commands, Event, Now, Time};
use ringyard_runtime::counters::CoreContext;

use crate::front::{Front, FrontConfig, HalfClosed, Handled, Pages, Server, Service, Ticket};
use crate::limits::SEQUENCES_PER_REQUEST_MAX;
use crate::metrics::{ServerCounters, answer_board, write_header, write_sample};
use crate::request::scan_sequences;
use crate::response::Response;
use replicas::{Replicas, Work};

/// The page that a person can read, and the description that a program can.
const PAGES: Pages = Pages {
    docs: concat!(
        include_str!("../front/docs_head.html"),
        include_str!("docs.html"),
        include_str!("../front/docs_tail.html"),
    ),
    openapi: include_str!("openapi.json"),
};

/// How a classifier treats its clients unless told otherwise: a half-closed one gets its answer, which
/// costs next to nothing.
#[must_use]
pub fn front_default() -> FrontConfig {
    FrontConfig::new(HalfClosed::Answer, PAGES)
}

/// The classifier as engines drive it.
pub type ClassifierServer = Server<Classifier>;

/// Configuration of a classifier.
#[derive(Clone, Copy, Debug)]
pub struct ClassifierConfig {
    /// Factor on the model's time, (longest text in characters)² µs. Default 1; 0 answers at once.
    pub cost_scale: f64,
    /// Requests that compute at the same time on each core. Default: any number.
    pub replicas: Option<u32>,
    /// Sequences that one request may have. Default [`SEQUENCES_PER_REQUEST_MAX`], at most
    /// [`SEQUENCES_PER_REQUEST_CEILING`](crate::limits::SEQUENCES_PER_REQUEST_CEILING).
    pub items_max: u32,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { cost_scale: 1.0, replicas: None, items_max: SEQUENCES_PER_REQUEST_MAX }
    }
}

impl ClassifierConfig {
    /// How long a request computes whose longest text has so many characters.
    #[must_use]
    pub fn duration(&self, longest_characters: u32) -> Duration {
        let seconds = f64::from(longest_characters).powi(2) / 1e6 * self.cost_scale;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// Makes the server of each core of a plan of `cores` cores; they share their counters.
pub fn factory(
    front: FrontConfig,
    config: ClassifierConfig,
    cores: usize,
) -> impl Fn(CoreContext) -> ClassifierServer + Send + Sync + 'static {
    let answers = answer_board(cores);
    move |context| {
        let counters = ServerCounters::new(&context, Arc::clone(&answers));
        Server::new(front, counters, Classifier::new(config))
    }
}

/// One core's classifier.
#[derive(Debug)]
pub struct Classifier {
    config: ClassifierConfig,
    count_detail: String,
    replicas: Replicas,
    items: Vec<ItemSpan>,
    scratch: Vec<u8>,
}

impl Classifier {
    /// A classifier with nothing to do.
    #[must_use]
    pub fn new(config: ClassifierConfig) -> Self {
        Self {
            config,
            count_detail: format!("Need 1 - {} sequences per request", config.items_max),
            replicas: Replicas::new(config.replicas),
            items: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn classify(
        &mut self,
        now: Now,
        ticket: Ticket,
        body: &[u8],
        response: &mut Response,
    ) -> Handled {
        let Self { config, count_detail, items, scratch, .. } = self;
        if !scan_sequences(body, config.items_max, count_detail, items, response) {
            return Handled::Now;
        }
        let mut labels = 0;
        let mut longest = 0;
        for (index, item) in items.iter().enumerate() {
            labels |= u64::from(labels::is_code(body, item, scratch)) << index;
            longest = longest.max(item.characters);
        }
        let sequences = u32::try_from(items.len()).expect("the count was checked above");
        let duration = config.duration(longest);
        if duration.is_zero() {
            write_results(response, labels, sequences);
            return Handled::Now;
        }
        self.replicas.push(now.time, Work { ticket, labels, sequences, duration });
        Handled::Later
    }
}

/// Fills `response` with the labels, first sequence in the lowest bit.
fn write_results(response: &mut Response, labels: u64, sequences: u32) {
    let body = response.start(Status::OK);
    body.extend_from_slice(br#"{"results":["#);
    for index in 0..sequences {
        if index > 0 {
            body.push(b',');
        }
        let code = labels >> index & 1 == 1;
        body.extend_from_slice(if code { br#""code""# } else { br#""not code""# });
    }
    body.extend_from_slice(b"]}");
}

impl Service for Classifier {
    type Mail = std::convert::Infallible;

    fn ready(&self) -> bool {
        true
    }

    fn write_metrics(&self, out: &mut Vec<u8>) {
        let (computing, waiting) = self.replicas.occupancy();
        let name = "ringyard_classifier_requests";
        write_header(out, name, "gauge", "Requests on the core that answers this page.");
        write_sample(out, name, "{state=\"computing\"}", computing);
        write_sample(out, name, "{state=\"waiting\"}", waiting);
    }

    fn request(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request<'_>,
        response: &mut Response,
        _commands: &mut Commands<Self::Mail>,
    ) -> Handled {
        match (request.head.target.path, request.head.method) {
            ("/classify", Method::Post) => self.classify(now, ticket, request.body, response),
            ("/classify", _) => {
                response.method_not_allowed("POST");
                Handled::Now
            }
            _ => {
                response.detail(Status::NOT_FOUND, "Not Found");
                Handled::Now
            }
        }
    }

    fn abandon(&mut self, now: Now, ticket: Ticket, _commands: &mut Commands<Self::Mail>) {
        self.replicas.abandon(now.time, ticket);
    }

    fn event(
        &mut self,
        _now: Now,
        event: Event<'_, Self::Mail>,
        _front: &mut Front,
        _commands: &mut Commands<Self::Mail>,
    ) {
        debug_assert!(
            matches!(event, Event::Drain | Event::PeerClosed { .. } | Event::Received { .. }),
            "a classifier has no connections of its own and no mail: {event:?}"
        );
    }

    fn next_deadline(&self) -> Option<Time> {
        self.replicas.next_end()
    }

    fn turn(&mut self, now: Now, front: &mut Front, commands: &mut Commands<Self::Mail>) {
        while let Some(work) = self.replicas.pop_done(now.time) {
            front.answer(now, work.ticket, commands, |response| {
                write_results(response, work.labels, work.sequences);
            });
        }
    }

    fn idle(&self) -> bool {
        self.replicas.is_empty()
    }
}
