//! What a proxy says of how it came to what it did.

use std::time::Duration;

use ringyard_runtime::app::{App, Command, Commands, ConnId, CoreIndex, Event, Now, Origin, Time};
use ringyard_runtime::counters::CoreContext;
use ringyard_scheduler::cost::{CostKind, CostModel};
use ringyard_scheduler::{CompositionKind, StrategyKind};
use ringyard_servers::proxy::{
    self, CompositionChoice, CostSetting, CustomerBook, Entitlement, Explain, ProxyConfig,
    Splitting,
};

use crate::driver::{answers, post};
use crate::proxy::{
    Driven, answer, batches, carry, classify, client, config, reply, server, two_cores_of,
};

fn explaining() -> ProxyConfig {
    let cost = CostSetting::Fixed(CostModel::new(CostKind::Quadratic, 1_000.0, 0.0));
    let composition = CompositionChoice::Fixed(CompositionKind::Anchor);
    let explain = Explain::Always { decisions_kept: 20 };
    ProxyConfig { cost, composition, explain, strategy: StrategyKind::Edf, ..config() }
}

/// The headers of the one answer of a client that begin with our name, the rest of each name and its value.
fn told(driver: &mut Driven, conn: ConnId) -> Vec<(String, String)> {
    let text = driver.take_sent(conn);
    let (status, head, _) = &answers(&text)[0];
    assert_eq!(*status, 200, "{text}");
    head.lines()
        .filter_map(|line| line.strip_prefix("x-ringyard-")?.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn decisions(driver: &mut Driven) -> Vec<serde_json::Value> {
    let conn = driver.accept();
    driver.receive(conn, b"GET /debug/decisions HTTP/1.1\r\nhost: a\r\n\r\n");
    let (status, body) = answer(driver, conn);
    assert_eq!(status, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    body["decisions"].as_array().expect("a list").clone()
}

#[test]
fn answers_say_how_their_requests_were_served() {
    let mut driver = server(explaining());
    let backend = driver.connect();
    let first = client(&mut driver, "A", &["12345"]);
    driver.advance(Duration::from_millis(1));
    let rider = client(&mut driver, "A", &["xxxx", "xxx"]);
    driver.advance(Duration::from_millis(1));
    let anchor = driver.accept();
    driver.receive(
        anchor,
        &post(
            "/proxy_classify",
            "x-customer-id: B\r\nx-deadline-ms: 900\r\n",
            r#"{"sequences":["yyyyy"]}"#,
        ),
    );
    driver.advance(Duration::from_millis(3));
    reply(&mut driver, backend, &["r"]);
    let headers = told(&mut driver, first);
    assert_eq!(headers[0], ("queue-us".into(), "0".into()));
    assert_eq!(headers[9], ("cost-actual-us".into(), "5000".into()));
    driver.advance(Duration::from_millis(2));
    assert_eq!(batches(&mut driver, backend).len(), 2);
    reply(&mut driver, backend, &["r", "r", "r"]);
    let check = |headers: Vec<(String, String)>, expected: &str| {
        let text: Vec<_> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(text.join(" "), expected);
    };
    let shared = "batch=2 batch-requests=2 batch-sequences=3 batch-fill=0.60";
    let costs = "strategy=edf composition=anchor cost-predicted-us=25 cost-actual-us=2000";
    check(told(&mut driver, anchor), &format!("queue-us=3000 {shared} role=anchor {costs}"));
    check(told(&mut driver, rider), &format!("queue-us=4000 {shared} role=rider {costs}"));
}

#[test]
fn a_request_that_is_split_tells_of_its_last_batch() {
    let splitting = Splitting::Apart;
    let mut driver = server(ProxyConfig { splitting, batch_sequences_max: 1, ..explaining() });
    let backend = driver.connect();
    let conn = client(&mut driver, "A", &["1", "2", "3"]);
    for _ in 0..3 {
        driver.advance(Duration::from_millis(1));
        reply(&mut driver, backend, &["r"]);
    }
    let headers = told(&mut driver, conn);
    assert_eq!(headers[0], ("queue-us".into(), "2000".into()));
    assert_eq!(headers[1], ("batch".into(), "3".into()));
}

#[test]
fn decisions_are_kept_for_whoever_asks() {
    let limited = Entitlement { requests_max: Some(1), ..Entitlement::default() };
    let named = [("limited".into(), limited)].into_iter().collect();
    let customers = CustomerBook { named, ..CustomerBook::default() };
    let mut driver = server(ProxyConfig { customers, ..explaining() });
    let backend = driver.connect();
    client(&mut driver, "limited", &["12345"]);
    let refused = client(&mut driver, "limited", &["12345"]);
    assert_eq!(answer(&mut driver, refused).0, 429);
    let switches = driver.accept();
    driver.receive(switches, &post("/strategy?new_strategy=sjf", "", ""));
    driver.advance(Duration::from_millis(7));

    let list = decisions(&mut driver);
    let kinds: Vec<_> =
        list.iter().map(|entry| entry["decision"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["switch", "refuse", "dispatch"]);
    assert_eq!((&list[0]["from"], &list[0]["to"]), (&"edf".into(), &"sjf".into()));
    assert_eq!(list[0]["why"], "asked for");
    assert_eq!(list[1]["reason"], "customer-queue");
    assert_eq!(list[1]["customer"], "limited");
    assert_eq!(list[2]["age_us"], 7_000);
    assert_eq!(list[2]["actual_us"], serde_json::Value::Null);
    assert_eq!(list[2]["predicted_us"], 25);
    assert_eq!(list[2]["backend"], "127.0.0.1:9001");
    assert_eq!(list[2]["members"][0]["customer"], "limited");
    assert_eq!(list[2]["members"][0]["longest"], 5);

    reply(&mut driver, backend, &["r"]);
    assert_eq!(decisions(&mut driver)[2]["actual_us"], 7_000);
    for _ in 0..30 {
        client(&mut driver, "A", &["x"]);
        reply(&mut driver, backend, &["r"]);
    }
    assert_eq!(decisions(&mut driver).len(), 20);
}

#[test]
fn a_choice_of_autos_is_told_with_its_reason() {
    let explain = Explain::Always { decisions_kept: 1_000 };
    let mut driver = server(ProxyConfig { strategy: StrategyKind::Auto, explain, ..explaining() });
    let backend = driver.connect();
    for round in 0..600 {
        let text = "x".repeat(if round % 8 == 0 { 300 } else { 10 });
        client(&mut driver, "A", &[&text]);
        driver.advance(Duration::from_millis(60));
        if !driver.take_sent(backend).is_empty() {
            reply(&mut driver, backend, &["r"]);
        }
    }
    let switch = decisions(&mut driver).into_iter().find(|entry| entry["decision"] == "switch");
    assert_eq!(switch.expect("auto has chosen")["why"], "jobs differ in length");
}

#[test]
fn without_being_asked_a_proxy_explains_nothing() {
    let mut driver = server(ProxyConfig { explain: Explain::Never, ..explaining() });
    let backend = driver.connect();
    let conn = client(&mut driver, "A", &["x"]);
    reply(&mut driver, backend, &["r"]);
    assert_eq!(told(&mut driver, conn), []);
    let conn = driver.accept();
    driver.receive(conn, b"GET /debug/decisions HTTP/1.1\r\nhost: a\r\n\r\n");
    let (status, body) = answer(&mut driver, conn);
    assert_eq!(status, 404);
    assert!(body.contains("--explain"), "{body}");
    driver.receive(conn, &post("/debug/decisions", "", ""));
    assert_eq!(answer(&mut driver, conn).0, 405);
}

#[test]
fn a_core_without_the_queue_explains_as_well() {
    let (mut owner, mut other) = two_cores_of(explaining());
    let backend = owner.connect();
    let far = client(&mut other, "B", &["far"]);
    carry(&mut owner, &mut other);
    reply(&mut owner, backend, &["f"]);
    carry(&mut owner, &mut other);
    assert_eq!(told(&mut other, far).len(), 10);
    let conn = other.accept();
    other.receive(conn, b"GET /debug/decisions HTTP/1.1\r\nhost: a\r\n\r\n");
    carry(&mut owner, &mut other);
    let (status, body) = answer(&mut other, conn);
    assert_eq!(status, 200);
    assert!(body.contains(r#""customer":"B""#), "{body}");
}

/// Heap allocations of a proxy that serves one request after another, once it is warm.
fn allocations(explain: Explain) -> u64 {
    const ROUNDS: u64 = 500;
    let config = ProxyConfig { explain, ..explaining() };
    let make = proxy::factory(proxy::front_default(), config, 1);
    let mut app = make(CoreContext::detached(CoreIndex(0), 1));
    let mut commands = Commands::default();
    let at = |round: u64| Now {
        time: Time::from_nanoseconds(1_000_000_000 + round * 1_000_000),
        unix_seconds: round / 1_000,
    };
    let (client, backend) = (ConnId { slot: 0, generation: 0 }, ConnId { slot: 1, generation: 0 });
    let mut token = None;
    app.on_event(at(0), Event::Deadline, &mut commands);
    commands.take(|command, _| {
        if let Command::Connect { token: asked, .. } = command {
            token = Some(asked);
        }
    });
    let token = token.expect("the proxy connects to its backend");
    app.on_event(
        at(0),
        Event::Opened { conn: backend, origin: Origin::Connected { token } },
        &mut commands,
    );
    let origin = Origin::Accepted { listener: 0 };
    app.on_event(at(0), Event::Opened { conn: client, origin }, &mut commands);
    let question = classify("somebody", &["hello", "world"]);
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{\"results\":[1,2]}".as_slice();
    let mut answered = 0;
    let mut serve = |round: u64| {
        for (conn, bytes) in [(client, question.as_slice()), (backend, answer)] {
            app.on_event(at(round), Event::Received { conn, bytes }, &mut commands);
            while commands.take_due_deadline(at(round).time).is_some() {
                app.on_event(at(round), Event::Deadline, &mut commands);
            }
            commands.take(|command, _| {
                answered +=
                    u64::from(matches!(command, Command::Send { conn, .. } if conn == client));
            });
        }
    };
    (1..ROUNDS).for_each(&mut serve);
    let counted = allocation_counter::measure(|| (ROUNDS..2 * ROUNDS).for_each(&mut serve));
    assert_eq!(answered, 2 * ROUNDS - 1, "all were answered");
    counted.count_total / ROUNDS
}

#[test]
fn to_explain_costs_no_allocation() {
    let silent = allocations(Explain::Never);
    assert_eq!(allocations(Explain::Always { decisions_kept: 64 }), silent);
}
