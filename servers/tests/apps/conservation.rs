//! Every request leaves exactly once, answered, refused, expired or cancelled, whatever happens to it: under
//! every strategy and composition, with switches in mid-flight, whole or split, with backends that fail.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use ringyard_runtime::app::{ConnError, ConnId, Event};
use ringyard_scheduler::StrategyKind;
use ringyard_servers::proxy::{
    CompositionChoice, ConcurrencyRule, ProxyConfig, Shedding, Splitting,
};

use crate::driver::{Fate, answers, post};
use crate::proxy::{Driven, config, metrics, reply, server};

/// What happens next.
#[derive(Clone, Debug)]
enum Happening {
    /// A client asks. Its texts are its number and their own, and so are the results.
    Asks { customer: u8, lengths: Vec<usize>, deadline_ms: Option<u64> },
    /// One of those that wait leaves.
    Leaves { which: usize },
    /// One of the batches in flight is answered.
    Replies { which: usize },
    /// One of the connections to the backend fails.
    Fails { which: usize },
    /// Time passes.
    Passes { milliseconds: u64 },
    /// Somebody switches.
    Switches { strategy: StrategyKind, composition: CompositionChoice },
}

fn strategy() -> impl Strategy<Value = StrategyKind> {
    select(StrategyKind::ALL)
}

fn composition() -> impl Strategy<Value = CompositionChoice> {
    select(CompositionChoice::ALL.to_vec())
}

fn happening() -> impl Strategy<Value = Happening> {
    let deadline_ms = prop::option::weighted(0.2, 1u64..3_000);
    let asks = (0u8..5, prop::collection::vec(1usize..60, 1..5), deadline_ms).prop_map(
        |(customer, lengths, deadline_ms)| Happening::Asks { customer, lengths, deadline_ms },
    );
    prop_oneof![
        8 => asks,
        2 => any::<usize>().prop_map(|which| Happening::Leaves { which }),
        6 => any::<usize>().prop_map(|which| Happening::Replies { which }),
        1 => any::<usize>().prop_map(|which| Happening::Fails { which }),
        4 => (0u64..400).prop_map(|milliseconds| Happening::Passes { milliseconds }),
        1 => (strategy(), composition())
            .prop_map(|(strategy, composition)| Happening::Switches { strategy, composition }),
    ]
}

/// A proxy with two lanes, its backend and its clients.
struct Yard {
    driver: Driven,
    /// The connections to the backend, each with the batch it carries.
    lanes: BTreeMap<ConnId, Option<Vec<String>>>,
    /// Those who wait, with the results that they are to get.
    waiting: BTreeMap<ConnId, Vec<String>>,
    asked: usize,
    left: usize,
    ended: BTreeMap<u16, usize>,
}

impl Yard {
    fn new(config: ProxyConfig) -> Self {
        let mut yard = Self {
            driver: server(config),
            lanes: BTreeMap::new(),
            waiting: BTreeMap::new(),
            asked: 0,
            left: 0,
            ended: BTreeMap::new(),
        };
        yard.settle();
        yard
    }

    /// Connects what is to be connected, takes in the batches sent and the answers given.
    fn settle(&mut self) {
        while !self.driver.connects.is_empty() {
            let conn = self.driver.connect();
            self.lanes.insert(conn, None);
        }
        let Self { driver, lanes, waiting, ended, .. } = self;
        lanes.retain(|conn, batch| {
            let sent = driver.take_sent(*conn);
            if let Some((_, body)) = sent.split_once("\r\n\r\n") {
                assert!(batch.is_none(), "one batch at a time");
                let body: serde_json::Value = serde_json::from_str(body).expect("one whole batch");
                let texts = body["sequences"].as_array().expect("a list");
                assert!((1..=5).contains(&texts.len()), "{} in a batch", texts.len());
                let texts = texts.iter().map(|text| text.as_str().expect("a text").to_owned());
                *batch = Some(texts.collect());
            }
            driver.fate(*conn) == Fate::Open
        });
        waiting.retain(|conn, expected| {
            let text = driver.take_sent(*conn);
            if text.is_empty() {
                return true;
            }
            let list = answers(&text);
            assert_eq!(list.len(), 1, "{text}");
            let (status, _, body) = &list[0];
            if *status == 200 {
                let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
                assert_eq!(body["results"], serde_json::json!(expected), "its own, in order");
            }
            *ended.entry(*status).or_default() += 1;
            driver.forget(*conn);
            false
        });
    }

    fn asks(&mut self, customer: u8, lengths: &[usize], deadline_ms: Option<u64>) {
        let texts: Vec<String> = lengths
            .iter()
            .enumerate()
            .map(|(place, length)| format!("{}:{place}:{}", self.asked, "x".repeat(*length)))
            .collect();
        self.asked += 1;
        let body = serde_json::json!({ "sequences": texts }).to_string();
        let mut headers = format!("x-customer-id: c{customer}\r\n");
        if let Some(deadline) = deadline_ms {
            headers.push_str(&format!("x-deadline-ms: {deadline}\r\n"));
        }
        let conn = self.driver.accept();
        self.driver.receive(conn, &post("/proxy_classify", &headers, &body));
        self.waiting.insert(conn, texts);
    }

    /// Answers a batch in flight, if there is one.
    fn replies(&mut self, which: usize) -> bool {
        let busy: Vec<ConnId> =
            self.lanes.iter().filter(|(_, batch)| batch.is_some()).map(|(conn, _)| *conn).collect();
        let Some(conn) = busy.get(which % busy.len().max(1)) else { return false };
        let batch = self.lanes.get_mut(conn).and_then(Option::take).expect("it is busy");
        let results: Vec<&str> = batch.iter().map(String::as_str).collect();
        reply(&mut self.driver, *conn, &results);
        true
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Asks { customer, lengths, deadline_ms } => {
                self.asks(customer, &lengths, deadline_ms);
            }
            Happening::Leaves { which } => {
                let conn = self.waiting.keys().nth(which % self.waiting.len().max(1)).copied();
                if let Some(conn) = conn {
                    self.waiting.remove(&conn);
                    self.left += 1;
                    self.driver.forget(conn);
                }
            }
            Happening::Replies { which } => {
                self.replies(which);
            }
            Happening::Fails { which } => {
                let conn = self.lanes.keys().nth(which % self.lanes.len().max(1)).copied();
                if let Some(conn) = conn {
                    self.lanes.remove(&conn);
                    self.driver.event(Event::Failed { conn, error: ConnError::Reset });
                }
            }
            Happening::Passes { milliseconds } => {
                self.driver.advance(Duration::from_millis(milliseconds));
            }
            Happening::Switches { strategy, composition } => {
                let conn = self.driver.accept();
                let target = format!("/strategy?new_strategy={strategy}&composition={composition}");
                self.driver.receive(conn, &post(&target, "", ""));
                assert!(self.driver.take_sent(conn).starts_with("HTTP/1.1 200"));
            }
        }
        self.settle();
    }
}

/// Plays the happenings and then goes on until all have ended.
fn check(config: ProxyConfig, happenings: Vec<Happening>) {
    let mut yard = Yard::new(config);
    for happening in happenings {
        yard.happens(happening);
    }
    for _ in 0..2_000 {
        if yard.waiting.is_empty() {
            break;
        }
        if !yard.replies(0) {
            yard.driver.advance(Duration::from_millis(20));
        }
        yard.settle();
    }
    assert!(yard.waiting.is_empty(), "{} are still waiting", yard.waiting.len());
    let ended: usize = yard.ended.values().sum();
    assert_eq!(ended + yard.left, yard.asked, "{:?}", yard.ended);
    assert!(yard.ended.keys().all(|status| [200, 502, 503, 504].contains(status)));
    yard.driver.advance(Duration::from_secs(1));
    let figures = metrics(&mut yard.driver);
    for name in ["queue_requests", "queue_sequences", "queue_bytes", "customers"] {
        assert!(figures.contains(&format!("\nringyard_{name} 0\n")), "{name} in {figures}");
    }
    yard.driver.event(Event::Drain);
    yard.driver.advance(Duration::from_secs(1));
    assert!(yard.driver.finished, "nothing is left to be done");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_request_leaves_exactly_once(
        strategy in strategy(),
        composition in composition(),
        splits in any::<bool>(),
        sheds in any::<bool>(),
        concurrency_rule in select(vec![
            ConcurrencyRule::Fixed,
            ConcurrencyRule::Aimd,
            ConcurrencyRule::Gradient,
        ]),
        happenings in prop::collection::vec(happening(), 1..120),
    ) {
        let splitting = if splits { Splitting::Apart } else { Splitting::Together };
        let backend_concurrency = 2;
        let shedding = if sheds { Shedding::Codel } else { Shedding::Never };
        let config = ProxyConfig { shedding, concurrency_rule, ..config() };
        let config =
            ProxyConfig { strategy, splitting, backend_concurrency, ..config };
        check(ProxyConfig { composition, ..config }, happenings);
    }
}
