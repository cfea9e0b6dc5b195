//! Servers for a scenario: each on a free loopback port, each gone when its handle is dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ringyard_baseline::{launch_classifier, launch_proxy};
use ringyard_runtime::launch::{
    EngineChoice, EngineKind, Plan, Running, launch, launch_with_workers,
};
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::compute::{self, ComputeBoard, ComputeConfig};
use ringyard_servers::front::FrontConfig;
use ringyard_servers::proxy::{self, BackendTarget, ProxyConfig};

/// What serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// An app, driven by this engine.
    App(EngineKind),
    /// The server that is no app: the same contract on tokio, axum and hyper.
    Baseline,
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Site {
    engine: Engine,
    plan: Plan,
}

impl Site {
    /// The same, listening on `address` instead of a free port.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.plan.listen = vec![address];
        self
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Serving {
    handle: Handle,
    /// Where it listens.
    pub address: SocketAddr,
}

#[derive(Debug)]
enum Handle {
    App(Running),
    Baseline(ringyard_baseline::Running),
}

impl Serving {
    fn new(handle: Handle) -> Self {
        let address = match &handle {
            Handle::App(running) => running.addresses()[0],
            Handle::Baseline(running) => running.addresses()[0],
        };
        Self { handle, address }
    }

    /// Ends the server as SIGTERM would, and waits until it has.
    ///
    /// # Panics
    ///
    /// If something was cut off.
    pub fn drain(self) {
        match self.handle {
            Handle::App(running) => {
                running.drain();
                let ended = running.wait().expect("no core fails");
                assert!(ended.is_clean(), "{ended:?}");
            }
            Handle::Baseline(running) => {
                running.drain();
                let ended = running.wait();
                assert!(ended.is_clean(), "{ended:?}");
            }
        }
    }

    /// Ends the server at once, and waits until it has.
    ///
    /// # Panics
    ///
    /// If a core failed.
    pub fn stop(self) {
        match self.handle {
            Handle::App(running) => {
                running.stop_now();
                running.wait().expect("no core fails");
            }
            Handle::Baseline(running) => {
                running.stop_now();
                let _ = running.wait();
            }
        }
    }
}

/// A site with `cores` threads of `engine` on a free port.
///
/// # Panics
///
/// If the machine does not say which CPUs there are.
#[must_use]
pub fn plan(engine: Engine, cores: usize) -> Site {
    let cpus = ringyard_runtime::affinity::allowed().expect("the kernel says which CPUs there are");
    let cores = if cores <= 1 {
        Vec::new()
    } else {
        (0..cores).map(|index| cpus[index % cpus.len()]).collect()
    };
    let plan = Plan {
        engine: match engine {
            Engine::App(kind) => EngineChoice::Exactly(kind),
            Engine::Baseline => EngineChoice::Auto,
        },
        cores,
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        ..Plan::default()
    };
    Site { engine, plan }
}

/// A classifier.
///
/// # Panics
///
/// If it cannot be launched.
#[must_use]
pub fn classifier(site: Site, config: ClassifierConfig) -> Serving {
    classifier_with(site, config, classifier::front_default())
}

/// A classifier that treats its clients as `front` says.
///
/// # Panics
///
/// If it cannot be launched.
#[must_use]
pub fn classifier_with(site: Site, config: ClassifierConfig, front: FrontConfig) -> Serving {
    let Site { engine, plan } = site;
    let cores = plan.cores.len().max(1);
    Serving::new(match engine {
        Engine::App(_) => {
            let make = classifier::factory(front, config, cores);
            Handle::App(launch(plan, make).expect("a launch"))
        }
        Engine::Baseline => {
            let running = launch_classifier(&plan, None, front, config);
            Handle::Baseline(running.expect("a launch"))
        }
    })
}

/// A classifier that answers at once.
#[must_use]
pub fn instant_classifier(engine: Engine) -> Serving {
    let config = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    classifier(plan(engine, 1), config)
}

/// A proxy.
///
/// # Panics
///
/// If it cannot be launched.
#[must_use]
pub fn proxy(site: Site, config: ProxyConfig) -> Serving {
    let Site { engine, plan } = site;
    let (front, cores) = (proxy::front_default(), plan.cores.len().max(1));
    Serving::new(match engine {
        Engine::App(_) => {
            let make = proxy::factory(front, config, cores);
            Handle::App(launch(plan, make).expect("a launch"))
        }
        Engine::Baseline => {
            let running = launch_proxy(&plan, None, front, &config);
            Handle::Baseline(running.expect("a launch"))
        }
    })
}

/// A compute server, whose workers run wherever the kernel puts them.
///
/// # Panics
///
/// If it cannot be launched, or the site is the baseline's, which has none.
#[must_use]
pub fn compute(site: Site, config: ComputeConfig) -> Serving {
    let Site { engine, plan } = site;
    assert!(engine != Engine::Baseline, "the baseline has no compute server");
    let cores = plan.cores.len().max(1);
    let board = Arc::new(ComputeBoard::new(cores));
    let pins = vec![None; config.workers];
    let make = compute::factory(compute::front_default(), config, cores, board);
    Serving::new(Handle::App(launch_with_workers(plan, &pins, make).expect("a launch")))
}

/// The backend at `address`.
#[must_use]
pub fn backend(address: SocketAddr) -> BackendTarget {
    BackendTarget { address, host: address.to_string(), path: String::from("/classify") }
}
