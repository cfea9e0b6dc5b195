//! The classifier over sockets.

use std::time::Duration;

use ringyard_servers::classifier::ClassifierConfig;
use ringyard_tests::client::{Client, classify, get, post};
use ringyard_tests::description::Description;
use ringyard_tests::servers::{Engine, classifier, instant_classifier, plan};

/// Mutated requests for each engine; the whole number is sent in virtual time (see the servers' own tests).
const MUTATED_REQUESTS: usize = 2_000;

/// Clients that never finish their requests, beside one that does.
const SLOW_CLIENTS: usize = 500;

/// Every kind of answer comes over one connection, as the description of the server has it.
pub(crate) fn contract(engine: Engine) {
    let server = instant_classifier(engine);
    let description = Description::of(server.address);
    let mut client = Client::connect(server.address);
    let mut check = |method: &str, path: &str, request: &[u8], status: u16, text: &str| {
        let answer = client.ask(request);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(text), "{answer:?}");
        assert!(answer.header("date").is_some_and(|date| date.ends_with(" GMT")), "{answer:?}");
        description.check(method, path, &answer);
    };
    let labels = r#"{"results":["code","not code"]}"#;
    check("POST", "/classify", &classify(&["def f(): pass", "hello"]), 200, labels);
    check("POST", "/classify", &classify(&[]), 400, "Need 1 - 5 sequences per request");
    check("POST", "/classify", &post("/classify", "", "{"), 422, "json_invalid");
    check("POST", "/classify", &post("/classify", "", r#"{"sequences":[1]}"#), 422, "string_type");
    check("GET", "/classify", &get("/classify"), 405, "Method Not Allowed");
    check("GET", "/nothing", &get("/nothing"), 404, "Not Found");
    let chunked = b"POST /classify HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
        10\r\n{\"sequences\":[\"a\r\n4\r\n;\"]}\r\n0\r\n\r\n";
    check("POST", "/classify", chunked, 200, r#"["code"]"#);
    for path in ["/docs", "/openapi.json", "/healthz", "/readyz", "/metrics"] {
        check("GET", path, &get(path), 200, "");
        check("PUT", path, &post(path, "", "").replacen(b"POST", b"PUT"), 405, "Not Allowed");
    }
    server.drain();
}

/// Replaces the first occurrence of a part of a request.
trait Replacen {
    fn replacen(&self, from: &[u8], to: &[u8]) -> Vec<u8>;
}

impl Replacen for Vec<u8> {
    fn replacen(&self, from: &[u8], to: &[u8]) -> Vec<u8> {
        let start = self.windows(from.len()).position(|window| window == from).expect("the part");
        [&self[..start], to, &self[start + from.len()..]].concat()
    }
}

/// Requests sent in one go are answered in their order, whatever each takes.
pub(crate) fn pipelining(engine: Engine) {
    let server = classifier(plan(engine, 1), ClassifierConfig::default());
    let mut client = Client::connect(server.address);
    let lengths = [150, 1, 80, 3, 2, 120];
    let mut input = Vec::new();
    for (index, length) in lengths.iter().enumerate() {
        let mark = if index % 2 == 0 { ";" } else { "x" };
        input.extend(classify(&[&"x".repeat(length - 1), mark]));
    }
    client.send(&input).expect("the connection holds");
    for index in 0..lengths.len() {
        let label = if index % 2 == 0 { "code" } else { "not code" };
        assert_eq!(client.answer().json()["results"][1], label, "{index}");
    }
    server.drain();
}

/// The server closes when it said so, after the answer has arrived; a client that goes on sending loses
/// nothing that was answered.
pub(crate) fn closing(engine: Engine) {
    let server = instant_classifier(engine);
    let mut client = Client::connect(server.address);
    let answer = client.ask(&post("/classify", "connection: close\r\n", r#"{"sequences":["a"]}"#));
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(client.closed());

    let mut client = Client::connect(server.address);
    let mut input = b"GET /healthz HTTP/1.1\r\nno colon here\r\n\r\n".to_vec();
    input.resize(300_000, b'x');
    client.send(&input).expect("the server lingers");
    assert_eq!(client.answer().status, 400);
    assert!(client.closed());

    let mut client = Client::connect(server.address);
    client.send(&classify(&["a;"])).expect("the connection holds");
    client.finish().expect("the connection holds");
    assert_eq!(client.answer().status, 200);
    assert!(client.closed());
    server.drain();
}

/// Whatever is sent: a 4xx (or 501, 505) or an answer, then the connection goes on or closes; the server
/// serves on.
pub(crate) fn mutated_requests(engine: Engine) {
    let server = instant_classifier(engine);
    let good = classify(&["def f(): pass", "\u{e9}\u{1f600}"]);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % bound as u64).expect("smaller than the bound")
    };
    for number in 0..MUTATED_REQUESTS {
        let mut request = good.clone();
        for _ in 0..=draw(3) {
            let place = draw(request.len());
            match draw(3) {
                0 => request[place] = u8::try_from(draw(256)).expect("a byte"),
                1 => {
                    request.remove(place);
                }
                _ => request.insert(place, u8::try_from(draw(256)).expect("a byte")),
            }
        }
        let mut client = Client::connect(server.address);
        client.send(&request).expect("the connection holds");
        client.finish().expect("the connection holds");
        while let Ok(Some(answer)) = client.try_answer() {
            let fine = matches!(answer.status, 200 | 400..=499 | 501 | 505);
            assert!(fine, "request {number}: {answer:?}");
        }
    }
    assert_eq!(Client::connect(server.address).ask(&good).status, 200);
    server.drain();
}

/// Clients that dribble or stop do not keep others from being served, and are closed in the end.
pub(crate) fn slow_clients(engine: Engine) {
    use ringyard_servers::classifier::front_default;
    let mut front = front_default();
    front.timeouts.header = Duration::from_millis(300);
    let config = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    let server = ringyard_tests::servers::classifier_with(plan(engine, 1), config, front);
    let mut slow: Vec<_> = (0..SLOW_CLIENTS)
        .map(|index| {
            let mut client = Client::connect(server.address);
            client.send(&classify(&["a"])[..index % 40 + 1]).expect("the connection holds");
            client
        })
        .collect();
    let mut client = Client::connect(server.address);
    for _ in 0..200 {
        assert_eq!(client.ask(&classify(&["a"])).status, 200);
    }
    for client in &mut slow {
        assert_eq!(client.answer().status, 408);
        assert!(client.closed());
    }
    server.drain();
}
