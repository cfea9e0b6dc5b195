//! The compute server over sockets, with workers of its own.

use std::time::Duration;

use ringyard_scheduler::shedding::SheddingPolicy;
use ringyard_servers::compute::{ComputeConfig, Departures, Effort};
use ringyard_tests::client::{Client, get};
use ringyard_tests::description::Description;
use ringyard_tests::servers::{Engine, Serving, compute, plan};

/// A server whose requests are chains of so many thousand links, each of which is said to take a millisecond.
fn server(engine: Engine, thousands: u32, policy: SheddingPolicy) -> Serving {
    let effort = Effort::new(u64::from(thousands) * 1_000, Duration::from_millis(1) * thousands);
    let departures = Departures::Heed;
    let config = ComputeConfig { effort, workers: 2, policy, deadline: None, departures };
    compute(plan(engine, 2), config)
}

/// Requests on every core are computed by the workers and answered as the description says; a drain leaves none.
pub(crate) fn contract(engine: Engine) {
    let server = server(engine, 1, SheddingPolicy::None);
    let description = Description::of(server.address);
    let mut digests = Vec::new();
    for number in 0..16 {
        let mut client = Client::connect(server.address);
        for input in [String::from("same"), format!("own-{number}")] {
            let path = format!("/calculate?input={input}");
            let answer = client.ask(&get(&path));
            assert_eq!(answer.status, 200, "{answer:?}");
            description.check("GET", &path, &answer);
            assert_eq!(answer.json()["input"], input.as_str());
            digests.push(answer.json()["digest"].as_str().expect("a digest").to_owned());
        }
        assert_eq!(client.ask(&get("/calculate")).status, 422);
        assert_eq!(client.ask(&get("/healthz")).status, 200);
    }
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 17, "equal inputs have equal digests, and no others");
    server.drain();
}

/// Beyond the bound requests are refused at once; whoever leaves makes room, and its work stops.
pub(crate) fn refusals_and_departures(engine: Engine) {
    // An hour of work, or more.
    let server = server(engine, 3_600_000, SheddingPolicy::Queue(2));
    let description = Description::of(server.address);
    let mut watcher = Client::connect(server.address);
    let mut wait_for = |text: &str| {
        while !watcher.ask(&get("/metrics")).body.contains(text) {
            std::thread::park_timeout(Duration::from_millis(2));
        }
    };
    let mut busy: Vec<_> = (0..2).map(|_| Client::connect(server.address)).collect();
    for client in &mut busy {
        client.send(&get("/calculate?input=x")).expect("the connection holds");
    }
    wait_for("ringyard_compute_requests{state=\"computing\"} 2");
    let mut late = Client::connect(server.address);
    let refusal = late.ask(&get("/calculate?input=x"));
    assert_eq!(refusal.status, 503, "{refusal:?}");
    description.check("GET", "/calculate", &refusal);
    assert!(refusal.header("retry-after").is_some());
    assert_eq!(late.ask(&get("/healthz")).status, 200);
    drop(busy);
    wait_for("ringyard_compute_requests{state=\"computing\"} 0");
    late.send(&get("/calculate?input=x")).expect("the connection holds");
    wait_for("ringyard_compute_requests{state=\"computing\"} 1");
    drop(late);
    wait_for("ringyard_compute_requests{state=\"computing\"} 0");
    drop(watcher);
    server.drain();
}
