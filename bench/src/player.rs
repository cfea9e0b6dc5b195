//! The script that plays a workload against the proxy and checks every answer.
//!
//! It writes `POST /proxy_classify` requests from the workload's texts and compares the labels that come
//! back with those that the texts deserve. Latencies go to the customer that they belong to.

use std::borrow::Cow;
use std::time::Duration;

use ringyard_protocol::http1::{ClientCodec, Method, Response, write_request};
use ringyard_protocol::limits::HttpLimits;
use ringyard_time::Time;
use serde::Deserialize;

use crate::generator::plan::{LanePlan, Pace as LanePace};
use crate::generator::schedule::{Rate, Schedule};
use crate::generator::script::{Answer, Client, Fate, Script, Times};
use crate::limits::{ANSWER_BYTES_MAX, SEQUENCES_PER_REQUEST_MAX};
use crate::outcome::ErrorKind;
use crate::random::Random;
use crate::study::{CustomerRecord, service_time};
use crate::workload::text::Label;
use crate::workload::{Content, Customer, Pace, Workload};

/// The path that requests go to.
const TARGET: &str = "/proxy_classify";

/// Numbers of random streams are `customer * STREAMS_PER_CUSTOMER + client`; the schedule of an open
/// loop takes the last of its customer.
const STREAMS_PER_CUSTOMER: u64 = 1 << 32;

/// Plays a workload.
#[derive(Debug)]
pub struct Player {
    customers: Vec<Customer>,
    /// For each customer of an open loop the one stream of its requests.
    shared_streams: Vec<Option<Random>>,
    /// For each seat its own stream.
    streams: Vec<Random>,
    records: Vec<CustomerRecord>,
    host: String,
    cost_scale: f64,
    limits: HttpLimits,
    content: Content,
    body: Vec<u8>,
}

/// What a proxy that explains itself says of the batch that a request was served in.
const BATCH_SEQUENCES: &str = "x-ringyard-batch-sequences";

/// Who asked, and what the answer must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    customer: u16,
    labels: [Label; SEQUENCES_PER_REQUEST_MAX as usize],
    count: usize,
    service: Duration,
}

/// As much of an answer as is looked at.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    results: Vec<Cow<'a, str>>,
}

impl Player {
    /// A player of `workload` whose requests follow from `seed`. `host` is the authority that it names;
    /// `cost_scale` is the classifier's, against which slowdowns are taken.
    #[must_use]
    pub fn new(workload: &Workload, seed: u64, host: String, cost_scale: f64) -> Self {
        let customers = workload.customers.clone();
        let stream = |customer: u64, client: u64| {
            Random::stream(seed, customer * STREAMS_PER_CUSTOMER + client)
        };
        let clients = |(number, customer): (u64, &Customer)| {
            (0..u64::from(customer.clients())).map(move |client| stream(number, client))
        };
        let shared = |(number, customer): (u64, &Customer)| match customer.pace {
            Pace::Open { .. } => Some(stream(number, 0)),
            Pace::Closed { .. } => None,
        };
        Self {
            shared_streams: (0..).zip(&customers).map(shared).collect(),
            streams: (0..).zip(&customers).flat_map(clients).collect(),
            records: vec![CustomerRecord::default(); customers.len()],
            customers,
            host,
            cost_scale,
            limits: HttpLimits { body_bytes: ANSWER_BYTES_MAX, ..HttpLimits::default() },
            content: Content::default(),
            body: Vec::new(),
        }
    }

    /// The lanes of a generator that plays `workload`: one for each customer.
    #[must_use]
    pub fn lanes(workload: &Workload, seed: u64) -> Vec<LanePlan> {
        let lane = |(number, customer): (u64, &Customer)| LanePlan {
            seats: customer.clients(),
            depth: 1,
            pace: match customer.pace {
                Pace::Closed { .. } => LanePace::Closed,
                Pace::Open { rate_per_second, arrivals, .. } => {
                    let last = (number + 1) * STREAMS_PER_CUSTOMER - 1;
                    let random = Random::stream(seed, last);
                    let rate = Rate::steady(rate_per_second);
                    LanePace::Open(Schedule::at_rate(rate, arrivals, 0.0, random))
                }
            },
        };
        (0..).zip(&workload.customers).map(lane).collect()
    }

    fn record(&mut self, lane: u16) -> &mut CustomerRecord {
        &mut self.records[usize::from(lane)]
    }
}

impl Script for Player {
    type Codec = ClientCodec;
    type Ticket = Expected;
    type Interval = Vec<CustomerRecord>;

    fn codec(&mut self) -> ClientCodec {
        ClientCodec::new()
    }

    fn ask(&mut self, client: Client, out: &mut Vec<u8>) -> Expected {
        let mut content = std::mem::take(&mut self.content);
        let customer = usize::from(client.lane);
        let random = match &mut self.shared_streams[customer] {
            Some(shared) => shared,
            None => &mut self.streams[client.seat as usize],
        };
        self.customers[customer].draw(random, &mut content);
        self.body.clear();
        content.write_json(&mut self.body);
        let headers = [
            ("content-type", "application/json"),
            ("x-customer-id", self.customers[customer].name.as_str()),
        ];
        write_request(out, Method::Post, TARGET, &self.host, &headers, Some(&self.body));
        let mut labels = [Label::NotCode; SEQUENCES_PER_REQUEST_MAX as usize];
        let count = content.labels().len();
        labels[..count].copy_from_slice(content.labels());
        let service = service_time(content.characters_max(), self.cost_scale);
        self.content = content;
        Expected { customer: client.lane, labels, count, service }
    }

    fn pause(&mut self, client: Client) -> Duration {
        let customer = usize::from(client.lane);
        let Pace::Closed { think_ms, .. } = &self.customers[customer].pace else {
            return Duration::ZERO;
        };
        let pause_ms = think_ms.draw(&mut self.streams[client.seat as usize]);
        Duration::try_from_secs_f64(pause_ms / 1e3).unwrap_or(Duration::MAX)
    }

    fn read(
        &mut self,
        codec: &mut ClientCodec,
        ticket: &Expected,
        input: &mut &[u8],
    ) -> Result<Option<Answer>, ErrorKind> {
        if codec.awaited() == 0 {
            codec.sent(Method::Post);
        }
        match codec.next(input, &self.limits) {
            Ok(Some(response)) => {
                if let Some(sequences) = batch_sequences(&response) {
                    self.record(ticket.customer).batches.record(sequences);
                }
                Ok(Some(judge(ticket, &response)))
            }
            Ok(None) => Ok(None),
            Err(_) => Err(ErrorKind::Malformed),
        }
    }

    fn end(&mut self, codec: &mut ClientCodec, ticket: &Expected) -> Option<Answer> {
        codec.end().ok().flatten().map(|response| judge(ticket, &response))
    }

    fn settled(&mut self, client: Client, ticket: &Expected, times: Times, fate: Fate) {
        let record = self.record(client.lane);
        match fate {
            Fate::Answered(Answer { verdict: Ok(()), .. }) => {
                let at = times.settled.since(times.run_began);
                record.answered(at, times.latency(), ticket.service);
            }
            Fate::Answered(Answer { verdict: Err(kind), .. }) | Fate::Failed(kind) => {
                record.failed(kind);
            }
            Fate::Unfinished => record.failed(ErrorKind::Timeout),
        }
    }

    fn unsent(&mut self, lane: u16, _intended: Time, _over: Time) {
        self.record(lane).failed(ErrorKind::Timeout);
    }

    fn connect_failed(&mut self, lane: u16, kind: ErrorKind) {
        self.record(lane).failed(kind);
    }

    fn take_interval(&mut self) -> Vec<CustomerRecord> {
        let empty = vec![CustomerRecord::default(); self.customers.len()];
        std::mem::replace(&mut self.records, empty)
    }
}

/// Compares an answer with what it must say.
fn judge(expected: &Expected, response: &Response<'_>) -> Answer {
    let verdict = match response.status {
        200 if says(response.body, &expected.labels[..expected.count]) => Ok(()),
        400.. => Err(ErrorKind::Refused),
        _ => Err(ErrorKind::Wrong),
    };
    Answer { status: response.status, verdict, keep_alive: response.keep_alive }
}

fn batch_sequences(response: &Response<'_>) -> Option<f64> {
    let value = response.headers.get(BATCH_SEQUENCES)?;
    str::from_utf8(value).ok()?.trim().parse::<u32>().ok().map(f64::from)
}

fn says(body: &[u8], labels: &[Label]) -> bool {
    serde_json::from_slice::<Reply<'_>>(body).is_ok_and(|reply| {
        reply.results.iter().map(AsRef::as_ref).eq(labels.iter().map(|label| label.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_labels_in_the_right_order_will_do() {
        let labels = [Label::Code, Label::NotCode];
        let check = |body: &str, right| assert_eq!(says(body.as_bytes(), &labels), right, "{body}");
        check(r#"{"results": ["code", "not code"], "proxy_latency_ms": 1}"#, true);
        check(r#"{"results": ["c\u006fde", "not code"]}"#, true);
        check(r#"{"results": ["not code", "code"]}"#, false);
        check(r#"{"results": ["code"]}"#, false);
        check(r#"{"results": ["code", "not code", "code"]}"#, false);
        check(r#"{"detail": "no"}"#, false);
        check("code", false);
    }

    #[test]
    fn clients_of_a_closed_loop_do_not_disturb_one_another() {
        let workload = Workload::original();
        let ask = |player: &mut Player, lane, seat| {
            let mut out = Vec::new();
            player.ask(Client { lane, seat }, &mut out);
            out
        };
        let player = || Player::new(&workload, 5, "proxy".into(), 1.0);
        let mut alone = player();
        let expected: Vec<_> = (0..20).map(|_| ask(&mut alone, 0, 0)).collect();
        let mut both = player();
        for request in expected {
            ask(&mut both, 1, 1);
            assert_eq!(ask(&mut both, 0, 0), request);
        }
    }
}
