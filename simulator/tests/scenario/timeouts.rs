//! Slow peers: each of the front's time-outs comes when it says, and to nobody else.

use std::time::Duration;

use ringyard_runtime::app::Time;
use ringyard_simulator::world::client::CustomerPlan;
use ringyard_simulator::world::{HostId, HostPlan, NetworkConfig, Random, Span};

use crate::raw::{Do, End, Raw};
use crate::yard::{FIRST, Yard, YardPlan, at_ms};

/// What the network and the drivers may add to a time-out.
const SLACK: Duration = Duration::from_millis(50);

const HEAD: &str = "POST /proxy_classify HTTP/1.1\r\nHost: proxy\r\nContent-Length: 22\r\n\r\n";
const BODY: &str = r#"{"sequences":["a b c"]}"#;

fn send(ms: u64, text: &str) -> (u64, Do) {
    (ms, Do::Send(text.as_bytes().to_vec()))
}

fn add_raw(yard: &mut Yard, script: Vec<(u64, Do)>) -> HostId {
    let server = yard.proxy_address();
    yard.world.add_host(&HostPlan::new("raw"), move |_| Raw::new(server, &script))
}

/// Follows a script for five minutes; then what was received has to begin with `answer`, and the connection
/// has to have ended at about `end_ms`.
#[track_caller]
fn check(script: Vec<(u64, Do)>, answer: &str, end_ms: u64, end: End) {
    let mut yard = YardPlan::new(1).build();
    let raw = add_raw(&mut yard, script);
    yard.world.run_for(Duration::from_secs(300));
    let raw = yard.world.app::<Raw>(raw, FIRST);
    let text = raw.text();
    assert!(text.starts_with(answer), "{text}");
    assert_eq!(text.is_empty(), answer.is_empty(), "{text}");
    let (time, how) = raw.end.expect("the connection has ended");
    assert_eq!(how, end);
    assert!(time >= at_ms(end_ms) && time <= at_ms(end_ms) + SLACK, "ended at {time}");
    assert_eq!(yard.client_connections(), 0);
}

#[test]
fn a_head_has_ten_seconds_from_its_first_byte() {
    let begun = send(5_000, "POST /proxy_classify HT");
    check(vec![begun], "HTTP/1.1 408 ", 15_000, End::Closed);
}

#[test]
fn a_head_that_trickles_in_gets_no_more_time() {
    let seconds = (5..).map(|second| 1_000 * second);
    let script = seconds.zip(HEAD.split_inclusive("")).skip(1);
    let script = script.take(40).map(|(ms, byte)| send(ms, byte));
    check(script.collect(), "HTTP/1.1 408 ", 16_000, End::Closed);
}

#[test]
fn a_body_has_thirty_seconds_from_its_latest_byte() {
    let script = vec![
        send(1_000, HEAD),
        send(30_000, &BODY[..5]),
        send(59_000, &BODY[5..9]),
        send(88_000, &BODY[9..10]),
    ];
    check(script, "HTTP/1.1 408 ", 118_000, End::Closed);
}

#[test]
fn a_slow_but_steady_body_is_served() {
    let script = vec![send(1_000, HEAD), send(29_000, &BODY[..9]), send(58_000, &BODY[9..22])];
    // The length says 22, the text is one byte longer: what is left over begins the next head.
    check(script, "HTTP/1.1 422 ", 58_000 + 75_000, End::Closed);
}

#[test]
fn an_idle_connection_is_closed_after_seventy_five_seconds() {
    check(vec![], "", 75_000, End::Closed);
    let request = "GET /healthz HTTP/1.1\r\nHost: proxy\r\n\r\n";
    check(vec![send(50_000, request)], "HTTP/1.1 200 ", 125_000, End::Closed);
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    let page = "GET /openapi.json HTTP/1.1\r\nHost: proxy\r\n\r\n".repeat(120);
    let mut plan = YardPlan::new(1);
    plan.network = NetworkConfig { window_bytes: 8_192..=8_192, ..plan.network };
    let mut yard = plan.build();
    let script = vec![(1_000, Do::Pause), send(1_000, &page), (200_000, Do::Resume)];
    let raw = add_raw(&mut yard, script);
    yard.world.run_until(at_ms(30_500));
    assert_eq!(yard.client_connections(), 1);
    yard.world.run_until(at_ms(32_000));
    assert_eq!(yard.client_connections(), 0, "dropped 30 s after it congested");
    yard.world.run_until(at_ms(201_000));
    let (_, end) = yard.world.app::<Raw>(raw, FIRST).end.expect("the connection has ended");
    assert_eq!(end, End::Reset);
}

#[test]
fn a_slow_reader_gets_everything_as_long_as_it_reads() {
    let request = "GET /openapi.json HTTP/1.1\r\nHost: proxy\r\n\r\n";
    let pages = 100;
    let mut plan = YardPlan::new(1);
    plan.network = NetworkConfig { window_bytes: 8_192..=8_192, ..plan.network };
    let mut yard = plan.build();
    let last = "GET /healthz HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n";
    let mut script = vec![send(1_000, &request.repeat(pages)), send(1_000, last)];
    for second in 1..60 {
        script.push((1_000 * second, Do::Pause));
        script.push((1_000 * second + 999, Do::Resume));
    }
    let raw = add_raw(&mut yard, script);
    yard.world.run_for(Duration::from_secs(100));
    let raw = yard.world.app::<Raw>(raw, FIRST);
    assert_eq!(raw.text().matches("HTTP/1.1 200 OK").count(), pages + 1);
    assert!(matches!(raw.end, Some((_, End::Closed))), "{:?}", raw.end);
}

#[test]
fn slow_peers_leave_others_alone() {
    let mut waits = Vec::new();
    for slow in [0, 500] {
        let mut yard = YardPlan::new(3).build();
        for number in 0..slow {
            let begun = &HEAD[..1 + number % HEAD.len()];
            add_raw(&mut yard, vec![send(1_000, begun)]);
        }
        let answers = yard.answers();
        let plan = CustomerPlan {
            questions: 100,
            pause: Span::milliseconds(0, 300),
            ..yard.customer_plan(answers)
        };
        yard.add_customer(plan, Random::new(1));
        yard.run_to_the_end(Duration::from_secs(100));
        let tally = yard.tally();
        assert_eq!(tally.answered, 100, "{tally:?}");
        waits.push(tally.longest_wait);
        yard.check_nothing_is_left();
    }
    assert!(waits[1] <= 3 * waits[0], "{waits:?}");
    assert!(Time::ZERO + waits[1] < at_ms(1_000), "{waits:?}");
}

#[test]
fn a_head_that_the_server_itself_does_not_read_has_its_time_afterwards() {
    // Congested, the server reads nothing for twelve seconds; the rest of the head is there all the while.
    for seed in 0..10 {
        let pages = "GET /openapi.json HTTP/1.1\r\nHost: proxy\r\n\r\n".repeat(60);
        let mut plan = YardPlan::new(seed);
        plan.network = NetworkConfig { window_bytes: 8_192..=8_192, ..plan.network };
        let mut yard = plan.build();
        let script = vec![
            (1_000, Do::Pause),
            send(1_000, &pages),
            send(1_000, "GET /healthz HT"),
            send(1_500, "TP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n"),
            (13_000, Do::Resume),
        ];
        let raw = add_raw(&mut yard, script);
        yard.world.run_for(Duration::from_secs(60));
        let raw = yard.world.app::<Raw>(raw, FIRST);
        assert_eq!(raw.text().matches("HTTP/1.1 200 OK").count(), 61, "seed {seed}");
    }
}

#[test]
fn a_peer_that_asks_without_reading_is_not_answered_without_end() {
    // Three pages of what it asks for would fit; the watch between proxy and driver counts the rest.
    let pages = "GET /openapi.json HTTP/1.1\r\nHost: proxy\r\n\r\n".repeat(30);
    let mut yard = YardPlan::new(1).build();
    let mut script: Vec<_> = (1..25).map(|second| send(1_000 * second, &pages)).collect();
    script.insert(0, (1_000, Do::Pause));
    script.push((25_000, Do::Resume));
    let raw = add_raw(&mut yard, script);
    yard.world.run_for(Duration::from_secs(200));
    let raw = yard.world.app::<Raw>(raw, FIRST);
    assert_eq!(raw.text().matches("HTTP/1.1 200 OK").count(), 24 * 30);
}
