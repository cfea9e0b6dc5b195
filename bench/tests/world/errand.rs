//! Errands against the real proxy and against nobody.

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ringyard_bench::errand::{Errand, ErrandError, Reply, Request};
use ringyard_protocol::http1::Method;
use ringyard_runtime::app::ConnError;
use ringyard_simulator::world::{HostPlan, NetworkConfig, World};

use crate::fake::{Fake, Habits, Law};
use crate::study::{PROXY_PORT, add_servers};

type Outcome = Receiver<Result<Reply, ErrandError>>;

fn send(world: &mut World, request: Request) -> Outcome {
    let (sender, outcome) = mpsc::channel();
    world.add_host(&HostPlan::new("errand"), move |_| Errand::new(request.clone(), sender.clone()));
    outcome
}

fn request(address: std::net::SocketAddr, method: Method, target: &str) -> Request {
    Request {
        address,
        host: "proxy".into(),
        method,
        target: target.into(),
        timeout: Duration::from_secs(2),
    }
}

#[test]
fn an_errand_brings_the_answer_back_whatever_its_status() {
    let check = |method, target, status, part: &str| {
        let mut world = World::new(1, NetworkConfig::default());
        let proxy = add_servers(&mut world);
        let outcome = send(&mut world, request(proxy.address(PROXY_PORT), method, target));
        world.run_for(Duration::from_secs(1));
        let reply = outcome.try_recv().unwrap().unwrap();
        let body = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, status, "{body}");
        assert!(body.contains(part), "{body}");
    };
    check(Method::Post, "/strategy?new_strategy=sjf", 200, "\"sjf\"");
    check(Method::Post, "/strategy?new_strategy=none", 422, "sjf");
    check(Method::Get, "/metrics", 200, "ringyard_batches_total");
}

#[test]
fn failures_are_told_apart() {
    let check = |habits: Option<Habits>, expected: fn(&ErrandError) -> bool| {
        let mut world = World::new(1, NetworkConfig::default());
        let law = Law::Constant(Duration::ZERO);
        let server = world.add_host(&HostPlan::new("server").listen(80), move |_| {
            Fake::new(law, habits.unwrap_or_default())
        });
        let port = if habits.is_some() { 80 } else { 81 };
        let outcome = send(&mut world, request(server.address(port), Method::Get, "/strategy?new"));
        world.run_for(Duration::from_secs(3));
        let error = outcome.try_recv().unwrap().unwrap_err();
        assert!(expected(&error), "{error}");
    };
    check(None, |error| matches!(error, ErrandError::Connection { error: ConnError::Refused, .. }));
    check(Some(Habits { mute: true, ..Habits::default() }), |error| {
        matches!(error, ErrandError::Timeout { .. })
    });
    check(Some(Habits::default()), |error| matches!(error, ErrandError::Malformed { .. }));
}
