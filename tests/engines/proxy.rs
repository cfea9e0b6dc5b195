//! The proxy over sockets, with real classifiers behind it.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use ringyard_scheduler::StrategyKind;
use ringyard_servers::proxy::ProxyConfig;
use ringyard_tests::client::{Client, get, post, proxy_classify};
use ringyard_tests::description::Description;
use ringyard_tests::servers::{Engine, backend, instant_classifier, plan, proxy};

/// Requests of the integrity scenario, over all clients.
const UNIQUE_REQUESTS: usize = 20_000;

/// Clients of the integrity scenario, each with some requests in flight.
const CLIENTS: usize = 8;

/// Requests that a client of the integrity scenario has in flight.
const IN_FLIGHT: usize = 10;

/// Of so many connections one is dropped with its requests unanswered: 5 % of the requests.
const ABANDON_ONE_OF: usize = 20;

/// Every kind of answer, as the description of the server has it.
pub(crate) fn contract(engine: Engine) {
    let behind = instant_classifier(engine);
    let config = ProxyConfig {
        strategy: StrategyKind::Sjf,
        ..ProxyConfig::new(vec![backend(behind.address)])
    };
    let server = proxy(plan(engine, 1), config);
    let description = Description::of(server.address);
    let mut client = Client::connect(server.address);
    let mut check = |method: &str, path: &str, request: &[u8], status: u16, text: &str| {
        let answer = client.ask(request);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(text), "{answer:?}");
        description.check(method, path, &answer);
    };
    let labels = r#"{"results":["code","not code"],"proxy_latency_ms":"#;
    check("POST", "/proxy_classify", &proxy_classify("A", &["class X", "hello"]), 200, labels);
    check("POST", "/proxy_classify", &proxy_classify("A", &[]), 400, "Need 1\u{2013}5 sequences");
    check("POST", "/proxy_classify", &post("/proxy_classify", "", "[]"), 422, "detail");
    check("GET", "/proxy_classify", &get("/proxy_classify"), 405, "detail");
    check("POST", "/strategy", &post("/strategy?new_strategy=fair", "", ""), 200, "fair");
    check("POST", "/strategy", &post("/strategy", "", r#""sjf""#), 200, r#""sjf""#);
    check("POST", "/strategy", &post("/strategy", "", r#""no""#), 422, "enum");
    check("GET", "/strategy", &get("/strategy"), 200, "strategies");
    for path in ["/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"] {
        check("GET", path, &get(path), 200, "");
    }
    behind.drain();
    let answer = client.ask(&proxy_classify("A", &["x"]));
    assert_eq!(answer.status, 502, "{answer:?}");
    description.check("POST", "/proxy_classify", &answer);
    let answer = client.ask(&get("/readyz"));
    assert_eq!(answer.status, 503, "{answer:?}");
    description.check("GET", "/readyz", &answer);
    server.drain();
}

/// With two cores connections are spread, one core owns the queue, and nobody sees a difference.
pub(crate) fn two_cores(engine: Engine) {
    let behind = instant_classifier(engine);
    let config = ProxyConfig::new(vec![backend(behind.address)]);
    let config = ProxyConfig { linger: Some(Duration::ZERO), ..config };
    let server = proxy(plan(engine, 2), config);
    let mut clients: Vec<_> = (0..32).map(|_| Client::connect(server.address)).collect();
    for round in 0..10 {
        for (index, client) in clients.iter_mut().enumerate() {
            let mark = if (index + round) % 2 == 0 { ";" } else { "x" };
            client.send(&proxy_classify("A", &[mark])).expect("the connection holds");
        }
        for (index, client) in clients.iter_mut().enumerate() {
            let label = if (index + round) % 2 == 0 { "code" } else { "not code" };
            assert_eq!(client.answer().json()["results"][0], label);
        }
    }
    let strategy = clients[0].ask(&post("/strategy?new_strategy=fair", "", ""));
    assert_eq!(strategy.status, 200);
    for client in &mut clients {
        assert_eq!(client.ask(&get("/strategy")).json()["active_strategy"], "fair");
    }
    drop(clients);
    server.drain();
}

/// Unique requests, some abandoned midway, while the strategy is switched again and again: no answer is
/// wrong, none is lost.
pub(crate) fn integrity(engine: Engine) {
    let behind = [instant_classifier(engine), instant_classifier(engine)];
    let backends = behind.iter().map(|server| backend(server.address)).collect();
    let server = proxy(plan(engine, 1), ProxyConfig::new(backends));
    let address = server.address;
    let workers: Vec<_> =
        (0..CLIENTS).map(|number| thread::spawn(move || play(address, number))).collect();
    let mut switch = Client::connect(address);
    let mut strategies = StrategyKind::ALL.iter().cycle();
    while workers.iter().any(|worker| !worker.is_finished()) {
        let name = strategies.next().expect("an endless list").name();
        let answer = switch.ask(&post(&format!("/strategy?new_strategy={name}"), "", ""));
        assert_eq!(answer.status, 200, "{answer:?}");
        thread::park_timeout(Duration::from_millis(200));
    }
    let answered: usize =
        workers.into_iter().map(|worker| worker.join().expect("no worker fails")).sum();
    let connections = UNIQUE_REQUESTS / CLIENTS / IN_FLIGHT;
    let abandoned = CLIENTS * connections.div_ceil(ABANDON_ONE_OF) * IN_FLIGHT;
    assert_eq!(answered, UNIQUE_REQUESTS - abandoned);
    server.drain();
}

/// One client's share of the integrity scenario; how many requests were answered, each rightly.
fn play(address: SocketAddr, number: usize) -> usize {
    let connections = UNIQUE_REQUESTS / CLIENTS / IN_FLIGHT;
    let customer = format!("customer-{}", number % 3);
    let mut answered = 0;
    for connection in 0..connections {
        let mut client = Client::connect(address);
        let patterns: Vec<u32> = (0..IN_FLIGHT)
            .map(|index| {
                u32::try_from((number * connections + connection) * IN_FLIGHT + index)
                    .expect("small")
            })
            .collect();
        for pattern in &patterns {
            let texts = texts_of(*pattern);
            let texts: Vec<_> = texts.iter().map(String::as_str).collect();
            client.send(&proxy_classify(&customer, &texts)).expect("the connection holds");
        }
        if connection % ABANDON_ONE_OF == 0 {
            continue;
        }
        for pattern in &patterns {
            let answer = client.answer();
            assert_eq!(answer.status, 200, "{answer:?}");
            let labels: Vec<_> = texts_of(*pattern)
                .iter()
                .map(|text| if text.contains(';') { "code" } else { "not code" })
                .collect();
            assert_eq!(answer.json()["results"], serde_json::json!(labels), "{pattern}");
            answered += 1;
        }
    }
    answered
}

/// The texts of a request: their number and their labels follow from `pattern`, and no two are alike.
fn texts_of(pattern: u32) -> Vec<String> {
    (0..pattern % 5 + 1)
        .map(|index| {
            let mark =
                if pattern.wrapping_mul(2_654_435_761) >> (8 + index) & 1 == 1 { ";" } else { "," };
            format!("{pattern}-{index}{mark}")
        })
        .collect()
}
