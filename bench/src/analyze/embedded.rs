//! Servers of our own for an analysis: a classifier, and a proxy before it, each on a core of its own where there is
//! one.
//!
//! Whoever calls says how the two are launched; this module gives them places and cores.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use ringyard_runtime::affinity;
use ringyard_runtime::launch::{EngineChoice, LaunchError, Plan, Running};

use crate::conductor::Target;

/// How the servers run.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Their engine. Default: the best there is.
    pub engine: EngineChoice,
    /// CPU numbers for the classifier and the proxy, in this order, used again from the start if they
    /// are too few. Default: the first two that this process may run on; where the system does not tell, none, and the
    /// servers run wherever it puts them.
    pub cores: Vec<usize>,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        let mut cores = affinity::allowed().unwrap_or_default();
        cores.truncate(2);
        Self { engine: EngineChoice::Auto, cores }
    }
}

/// A server that did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the {server}: {error}")]
pub struct StartError {
    /// Which.
    pub server: &'static str,
    /// Why.
    pub error: LaunchError,
}

/// Both servers. Dropped, they stop at once.
#[derive(Debug)]
pub struct Servers {
    // In the order in which they are to stop.
    proxy: Running,
    classifier: Running,
}

impl Servers {
    /// Starts both by the functions given; the proxy's backend is at the address that its function is given.
    ///
    /// # Errors
    ///
    /// [`StartError`] says which server did not start.
    pub fn start(
        options: &EmbeddedOptions,
        start_classifier: impl FnOnce(Plan) -> Result<Running, LaunchError>,
        start_proxy: impl FnOnce(Plan, SocketAddr) -> Result<Running, LaunchError>,
    ) -> Result<Self, StartError> {
        let failed = |server| move |error| StartError { server, error };
        let classifier = start_classifier(plan(options, 0)).map_err(failed("classifier"))?;
        let backend = classifier.addresses()[0];
        let proxy = start_proxy(plan(options, 1), backend).map_err(failed("proxy"))?;
        Ok(Self { proxy, classifier })
    }

    /// The proxy, to be played against.
    #[must_use]
    pub fn target(&self) -> Target {
        Target::at(self.proxy.addresses()[0])
    }
}

/// Where both are and how they run, each in a line.
impl fmt::Display for Servers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "classifier {}", describe(&self.classifier))?;
        writeln!(formatter, "proxy      {}", describe(&self.proxy))?;
        match self.proxy.fallback_reason() {
            Some(reason) => writeln!(formatter, "           {reason}"),
            None => Ok(()),
        }
    }
}

/// The plan of server number `number`: a free port on loopback and a core of its own where there is one.
fn plan(options: &EmbeddedOptions, number: usize) -> Plan {
    let cores = &options.cores;
    let core = (!cores.is_empty()).then(|| cores[number % cores.len()]);
    Plan {
        engine: options.engine,
        cores: core.into_iter().collect(),
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
        ..Plan::default()
    }
}

fn describe(server: &Running) -> String {
    let cores: Vec<String> = server.cpus().iter().map(ToString::to_string).collect();
    let cores = if cores.is_empty() { "any".to_owned() } else { cores.join(", ") };
    format!("http://{}, engine {}, core {cores}", server.addresses()[0], server.engine())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_share_a_core_only_where_there_is_one() {
        let cores = |available: &[usize]| {
            let options = EmbeddedOptions { engine: EngineChoice::Auto, cores: available.into() };
            [plan(&options, 0).cores, plan(&options, 1).cores]
        };
        assert_eq!(cores(&[4, 7]), [vec![4], vec![7]]);
        assert_eq!(cores(&[4]), [vec![4], vec![4]]);
        assert_eq!(cores(&[]), [Vec::<usize>::new(), Vec::new()]);
    }
}
