//! What reading and writing cost: requests parsed, bodies scanned, items spliced into a batch; in bytes per second.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringyard_protocol::http1::{ClientCodec, Method, ServerCodec, Step, write_request};
use ringyard_protocol::json::{ItemKind, ItemSpan, scan_items};
use ringyard_protocol::limits::HttpLimits;

/// Requests that are parsed, or bodies that are spliced, at a time.
const BATCH: usize = 16;

/// What a browser or a gateway sends along.
const MANY_HEADERS: [(&str, &str); 8] = [
    ("accept", "application/json, text/plain, */*"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
    ("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"),
    ("content-type", "application/json"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"),
    ("x-customer-id", "A"),
    ("x-request-id", "7b2f0c1e-53f1-4b6e-9b3e-6b1c0d8a7f42"),
];

fn request(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_request(&mut bytes, Method::Post, "/classify", "ringyard", headers, Some(body));
    bytes
}

/// A body with one sequence of `characters` characters.
fn body(characters: usize, escaped: bool) -> Vec<u8> {
    let unit = if escaped { r"x = \u0041\n" } else { "def method(self): pass " };
    let text: String = unit.chars().cycle().take(characters / unit.len() * unit.len()).collect();
    format!(r#"{{"sequences": ["{text}"]}}"#).into_bytes()
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse requests");
    let small = br#"{"sequences": ["hello"]}"#;
    let limits = HttpLimits::default();
    for (name, one) in [
        ("few headers", request(&MANY_HEADERS[4..5], small)),
        ("eight headers", request(&MANY_HEADERS, small)),
        ("body of 16 KiB", request(&MANY_HEADERS[4..5], &body(16 * 1024, false))),
    ] {
        let bytes = one.repeat(BATCH);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| {
            let mut codec = ServerCodec::new();
            bencher.iter(|| {
                let mut input = bytes.as_slice();
                while !input.is_empty() {
                    let step = codec.next(&mut input, &limits).expect("a good request");
                    assert!(matches!(black_box(step), Step::Request(_)));
                }
            });
        });
    }
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan bodies");
    for (name, text) in [
        ("short", br#"{"sequences": ["hello"]}"#.to_vec()),
        ("720 characters", body(720, false)),
        ("64 KiB", body(64 * 1024, false)),
        ("64 KiB of escapes", body(64 * 1024, true)),
    ] {
        let mut items = Vec::new();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let scan =
                    scan_items(black_box(&text), "sequences", ItemKind::Strings, 5, &mut items);
                assert_eq!(scan.expect("a good body").items, items.len());
            });
        });
    }
    group.finish();
}

/// Bodies scanned, their items joined to one request, and the answer to it read: all of a batch's way through a
/// proxy but the waiting.
fn splice(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("splice a batch");
    let limits = HttpLimits::default();
    for characters in [16, 720, 16 * 1024] {
        let text = body(characters, false);
        let results: Vec<&str> = (0..BATCH).map(|_| r#""not code""#).collect();
        let answer_body = format!(r#"{{"results":[{}]}}"#, results.join(","));
        let length = answer_body.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{answer_body}")
            .into_bytes();
        group.throughput(Throughput::Bytes((text.len() * BATCH) as u64));
        group.bench_function(BenchmarkId::new("characters", characters), |bencher| {
            let (mut spliced, mut out) = (Vec::new(), Vec::new());
            let mut items: Vec<ItemSpan> = Vec::new();
            let mut codec = ClientCodec::new();
            bencher.iter(|| {
                spliced.clear();
                spliced.extend_from_slice(br#"{"sequences":["#);
                for index in 0..BATCH {
                    let scan = scan_items(&text, "sequences", ItemKind::Strings, 5, &mut items);
                    scan.expect("a good body");
                    if index > 0 {
                        spliced.push(b',');
                    }
                    items.iter().for_each(|item| spliced.extend_from_slice(item.of(&text)));
                }
                spliced.extend_from_slice(b"]}");
                out.clear();
                let headers = &MANY_HEADERS[4..5];
                write_request(
                    &mut out,
                    Method::Post,
                    "/classify",
                    "model",
                    headers,
                    Some(&spliced),
                );
                codec.sent(Method::Post);
                let mut input = answer.as_slice();
                let answer = codec.next(&mut input, &limits).expect("a good answer");
                let answer = answer.expect("a whole one");
                let scan = scan_items(answer.body, "results", ItemKind::Strings, BATCH, &mut items);
                assert_eq!(scan.expect("a list").items, BATCH);
                black_box(&out);
            });
        });
    }
    group.finish();
}

criterion_group!(protocol, parse, scan, splice);
criterion_main!(protocol);
