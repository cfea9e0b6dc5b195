//! Servers for a scenario: each on a free loopback port, each gone when its handle is dropped.

use std::net::{Ipv4Addr, SocketAddr};

use ringyard_runtime::launch::{EngineChoice, EngineKind, Plan, Running, launch};
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::front::FrontConfig;
use ringyard_servers::proxy::{self, BackendTarget, ProxyConfig};

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Serving {
    /// The handle.
    pub running: Running,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Serving {
    fn new(running: Running) -> Self {
        let address = running.addresses()[0];
        Self { running, address }
    }

    /// Ends the server as SIGTERM would, and waits until it has.
    ///
    /// # Panics
    ///
    /// If something was cut off.
    pub fn drain(self) {
        self.running.drain();
        let ended = self.running.wait().expect("no core fails");
        assert!(ended.is_clean(), "{ended:?}");
    }
}

/// A plan for `cores` threads of `engine` on a free port.
///
/// # Panics
///
/// If the machine does not say which CPUs there are.
#[must_use]
pub fn plan(engine: EngineKind, cores: usize) -> Plan {
    let cpus = ringyard_runtime::affinity::allowed().expect("the kernel says which CPUs there are");
    let cores = if cores <= 1 {
        Vec::new()
    } else {
        (0..cores).map(|index| cpus[index % cpus.len()]).collect()
    };
    Plan {
        engine: EngineChoice::Exactly(engine),
        cores,
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        ..Plan::default()
    }
}

/// A classifier.
///
/// # Panics
///
/// If it cannot be launched.
#[must_use]
pub fn classifier(plan: Plan, config: ClassifierConfig) -> Serving {
    classifier_with(plan, config, classifier::front_default())
}

/// A classifier that treats its clients as `front` says.
///
/// # Panics
///
/// If it cannot be launched.
#[must_use]
pub fn classifier_with(plan: Plan, config: ClassifierConfig, front: FrontConfig) -> Serving {
    let cores = plan.cores.len().max(1);
    Serving::new(launch(plan, classifier::factory(front, config, cores)).expect("a launch"))
}

/// A classifier that answers at once.
#[must_use]
pub fn instant_classifier(engine: EngineKind) -> Serving {
    let config = ClassifierConfig { cost_scale: 0.0, ..ClassifierConfig::default() };
    classifier(plan(engine, 1), config)
}

/// A proxy.
///
/// # Panics
///
/// If it cannot be launched.
#[must_use]
pub fn proxy(plan: Plan, config: ProxyConfig) -> Serving {
    let cores = plan.cores.len().max(1);
    Serving::new(
        launch(plan, proxy::factory(proxy::front_default(), config, cores)).expect("a launch"),
    )
}

/// The backend at `address`.
#[must_use]
pub fn backend(address: SocketAddr) -> BackendTarget {
    BackendTarget { address, host: address.to_string(), path: String::from("/classify") }
}
