//! Round trips of the classifier over loopback for every engine and the baseline: server pinned to one CPU, the
//! generator of load to another.
//!
//! The figure is wall time per request, which swings with what a hypervisor leaves; `ringyard compare engines` gives
//! the processor time, which does not.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use ringyard_baseline::launch_classifier;
use ringyard_bench::compare::window::{Shape, load};
use ringyard_bench::load::options::Stop;
use ringyard_bench::load::run::{self, NoObserver};
use ringyard_runtime::affinity;
use ringyard_runtime::launch::{EngineChoice, EngineKind, Plan, Running, launch};
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::limits::SEQUENCES_PER_REQUEST_MAX;

const SHAPES: [(&str, Shape); 5] = [
    ("1 connection", Shape { connections: 1, depth: 1, close: false, rate: None }),
    ("16 connections", Shape { connections: 16, depth: 1, close: false, rate: None }),
    ("64 connections", Shape { connections: 64, depth: 1, close: false, rate: None }),
    ("256 connections", Shape { connections: 256, depth: 1, close: false, rate: None }),
    ("64 connections 16 deep", Shape { connections: 64, depth: 16, close: false, rate: None }),
];

/// A server in this process.
enum Server {
    App(Running),
    Baseline(ringyard_baseline::Running),
}

impl Server {
    fn address(&self) -> SocketAddr {
        match self {
            Self::App(running) => running.addresses()[0],
            Self::Baseline(running) => running.addresses()[0],
        }
    }

    fn end(self) {
        match self {
            Self::App(running) => {
                running.drain();
                running.wait().expect("the server ends");
            }
            Self::Baseline(running) => {
                running.drain();
                let _ = running.wait();
            }
        }
    }
}

/// The classifier that answers at once, with what drives it.
fn serve(name: &str, cpu: usize) -> Server {
    let config =
        ClassifierConfig { cost_scale: 0.0, replicas: None, items_max: SEQUENCES_PER_REQUEST_MAX };
    let front = classifier::front_default();
    let plan = |engine| Plan {
        engine,
        cores: vec![cpu],
        listen: vec![(Ipv4Addr::LOCALHOST, 0).into()],
        ..Plan::default()
    };
    match name.parse::<EngineKind>() {
        Ok(engine) => {
            let make = classifier::factory(front, config, 1);
            let running = launch(plan(EngineChoice::Exactly(engine)), make);
            Server::App(running.expect("the engine serves"))
        }
        Err(_) => {
            let running = launch_classifier(&plan(EngineChoice::Auto), Some(1), front, config);
            Server::Baseline(running.expect("the baseline serves"))
        }
    }
}

/// How long `count` requests take.
fn ask(address: SocketAddr, shape: Shape, cpu: usize, count: u64) -> Duration {
    let stop = Stop { duration: None, requests: Some(count), precision: None };
    let options = load(address, ("/classify", shape), cpu, stop).expect("an address is a target");
    let report = run::run(&options, &mut NoObserver).expect("the generator runs");
    assert_eq!(report.errors.total(), 0, "every request is answered");
    Duration::from_secs_f64(report.elapsed_s)
}

fn engines(criterion: &mut Criterion) {
    let cpus = affinity::allowed().unwrap_or_default();
    let [server_cpu, generator_cpu, ..] = cpus.as_slice() else {
        eprintln!("engines: needs two CPUs; skipped");
        return;
    };
    let names = EngineKind::ALL.iter().map(|engine| engine.name()).chain(["baseline"]);
    let servers: Vec<_> = names.map(|name| (name, serve(name, *server_cpu))).collect();
    for (title, shape) in SHAPES {
        let mut group = criterion.benchmark_group(title);
        group.throughput(Throughput::Elements(1)).sampling_mode(SamplingMode::Flat).sample_size(10);
        for (name, server) in &servers {
            group.bench_function(*name, |bencher| {
                bencher.iter_custom(|count| ask(server.address(), shape, *generator_cpu, count));
            });
        }
        group.finish();
    }
    servers.into_iter().for_each(|(_, server)| server.end());
}

criterion_group!(benches, engines);
criterion_main!(benches);
