//! What the servers themselves cost for each request, without any engine: from the bytes of a request to the bytes
//! of its answer. Everything else that a request costs is the engine's and the kernel's.
//!
//! `turn of N`: so many clients' requests come in one turn, as they do under load.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringyard_runtime::app::{
    App, Command, Commands, ConnId, ConnectToken, CoreIndex, Event, Now, Origin, Time,
};
use ringyard_runtime::counters::CoreContext;
use ringyard_scheduler::StrategyKind;
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::proxy::{self, BackendTarget, ProxyConfig};

const BODY: &str = r#"{"sequences": ["hello"]}"#;
const REPLY: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{\"results\":[\"not code\"]}";

/// Requests in one turn.
const TURNS: [u32; 2] = [1, 16];

/// Clients that take turns.
const CLIENTS: u32 = 64;

/// Batches that the proxy may have in flight.
const CONCURRENCY: u32 = 64;

fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

/// An app, its time, and what it has sent.
struct Driven<A: App> {
    app: A,
    commands: Commands<A::Mail>,
    now: Now,
    /// Connections that it has sent on, once for each send, and how many bytes.
    sent: Vec<(ConnId, usize)>,
    connects: Vec<ConnectToken>,
}

impl<A: App> Driven<A> {
    fn new(app: A) -> Self {
        let now = Now { time: Time::ZERO, unix_seconds: 1_800_000_000 };
        let (sent, connects) = (Vec::new(), Vec::new());
        let mut driven = Self { app, commands: Commands::default(), now, sent, connects };
        driven.end_turn();
        for slot in 0..CLIENTS {
            driven
                .tell(Event::Opened { conn: conn(slot), origin: Origin::Accepted { listener: 0 } });
        }
        driven
    }

    fn tell(&mut self, event: Event<'_, A::Mail>) {
        self.app.on_event(self.now, event, &mut self.commands);
        let Self { commands, sent, connects, .. } = self;
        commands.take(|command, bytes| match command {
            Command::Send { conn, range } => sent.push((conn, black_box(&bytes[range]).len())),
            Command::Connect { token, .. } => connects.push(token),
            _ => {}
        });
    }

    fn end_turn(&mut self) {
        if self.commands.take_due_deadline(self.now.time).is_some() {
            self.tell(Event::Deadline);
        }
        self.now.time += Duration::from_micros(100);
    }
}

fn request(path: &str) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n");
    format!("{head}Content-Length: {}\r\n\r\n{BODY}", BODY.len()).into_bytes()
}

/// One turn of a classifier, as a function of the number of requests that come in it.
fn classifier() -> impl FnMut(u32) {
    let config = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    let make = classifier::factory(classifier::front_default(), config, 1);
    let mut driven = Driven::new(make(CoreContext::detached(CoreIndex(0), 1)));
    let request = request("/classify");
    let mut client = 0;
    move |requests| {
        for _ in 0..requests {
            client = (client + 1) % CLIENTS;
            driven.tell(Event::Received { conn: conn(client), bytes: &request });
        }
        driven.end_turn();
        assert_eq!(driven.sent.drain(..).len(), requests as usize);
    }
}

/// The same of a proxy with up to `pipeline` batches on a connection, its backend answering at once.
fn proxy(pipeline: u32) -> impl FnMut(u32) {
    let backend = BackendTarget {
        address: ([127, 0, 0, 1], 8001).into(),
        host: String::from("127.0.0.1:8001"),
        path: String::from("/classify"),
    };
    let config = ProxyConfig {
        strategy: StrategyKind::Sjf,
        backend_concurrency: CONCURRENCY,
        backend_pipeline: pipeline,
        batch_sequences_max: 1,
        ..ProxyConfig::new(vec![backend])
    };
    let make = proxy::factory(proxy::front_default(), config, 1);
    let mut driven = Driven::new(make(CoreContext::detached(CoreIndex(0), 1)));
    for slot in CLIENTS.. {
        let Some(token) = driven.connects.pop() else { break };
        driven.tell(Event::Opened { conn: conn(slot), origin: Origin::Connected { token } });
        driven.end_turn();
    }
    let request = request("/proxy_classify");
    let mut client = 0;
    let replies = REPLY.repeat(CLIENTS as usize);
    // All batches are of one length.
    let mut batch_bytes = None;
    let mut turn = move |requests: u32| {
        for _ in 0..requests {
            client = (client + 1) % CLIENTS;
            driven.tell(Event::Received { conn: conn(client), bytes: &request });
        }
        driven.end_turn();
        let mut answered = 0;
        while answered < requests as usize {
            let sent = std::mem::take(&mut driven.sent);
            for (line, bytes) in sent.into_iter().filter(|(conn, _)| conn.slot >= CLIENTS) {
                let batches = bytes / *batch_bytes.get_or_insert(bytes);
                let bytes = &replies[..batches * REPLY.len()];
                driven.tell(Event::Received { conn: line, bytes });
                answered += batches;
            }
            driven.end_turn();
        }
        driven.sent.clear();
    };
    // Each connection shows that it stays open.
    (0..2 * CONCURRENCY).for_each(|_| turn(1));
    turn
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("classifier");
    for requests in TURNS {
        group.throughput(Throughput::Elements(requests.into()));
        group.bench_function(BenchmarkId::new("turn of", requests), |bencher| {
            let mut turn = classifier();
            bencher.iter(|| turn(requests));
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("proxy");
    for pipeline in [1, 16] {
        for requests in TURNS {
            group.throughput(Throughput::Elements(requests.into()));
            let name = format!("pipeline {pipeline}, turn of");
            group.bench_function(BenchmarkId::new(name, requests), |bencher| {
                let mut turn = proxy(pipeline);
                bencher.iter(|| turn(requests));
            });
        }
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
