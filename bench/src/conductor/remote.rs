//! A running proxy as an analysis sees it: asked over HTTP which strategies it has, switched, and read for
//! how full its batches were.

use std::net::SocketAddr;
use std::time::Duration;

use ringyard_protocol::http1::Method;
use serde::Deserialize;

use super::StudyError;
use crate::errand::{self, ErrandError, Reply, Request};

/// How long an errand to the proxy may take.
const ERRAND_TIMEOUT: Duration = Duration::from_secs(5);

/// Characters of a refusal that are passed on to the user.
const DETAIL_CHARACTERS_MAX: usize = 200;

/// Where the proxy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// The authority to name in requests.
    pub host: String,
}

/// What the proxy says of its strategies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Strategies {
    /// The one that it follows.
    #[serde(rename = "active_strategy")]
    pub(super) active: String,
    /// All that it knows.
    #[serde(rename = "strategies")]
    pub(super) all: Vec<String>,
}

/// What the proxy has sent to its backends since it started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Batches {
    batches: f64,
    sequences: f64,
}

impl Target {
    /// A proxy that is named by its address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, host: address.to_string() }
    }

    /// Its strategies; `None` if it does not tell, as a proxy of another make may not.
    pub(super) fn strategies(&self) -> Result<Option<Strategies>, StudyError> {
        let Reply { status, body } = self.ask(Method::Get, "/strategy".to_owned())?;
        Ok(if status == 200 { serde_json::from_slice(&body).ok() } else { None })
    }

    /// Has the proxy follow a strategy.
    pub(super) fn switch(&self, strategy: &str) -> Result<(), StudyError> {
        let path = format!("/strategy?new_strategy={strategy}");
        let Reply { status, body } = self.ask(Method::Post, path)?;
        if status == 200 {
            return Ok(());
        }
        let detail = String::from_utf8_lossy(&body).chars().take(DETAIL_CHARACTERS_MAX).collect();
        Err(StudyError::Switch { strategy: strategy.to_owned(), status, detail })
    }

    /// Reads the proxy's counters; a proxy of another make may have none.
    pub(super) fn batches(&self) -> Option<Batches> {
        let reply = self.ask(Method::Get, "/metrics".to_owned()).ok()?;
        let text = std::str::from_utf8(&reply.body).ok()?;
        Some(Batches {
            batches: metric(text, "ringyard_batches_total")?,
            sequences: metric(text, "ringyard_batch_sequences_total")?,
        })
    }

    fn ask(&self, method: Method, path: String) -> Result<Reply, ErrandError> {
        errand::run(&Request {
            address: self.address,
            host: self.host.clone(),
            method,
            target: path,
            timeout: ERRAND_TIMEOUT,
        })
    }
}

impl Batches {
    /// Sequences in a batch on average since `earlier`; `None` if there was no batch.
    pub(super) fn fill_since(&self, earlier: &Self) -> Option<f64> {
        let batches = self.batches - earlier.batches;
        (batches > 0.0).then(|| (self.sequences - earlier.sequences) / batches)
    }
}

/// The sum of a metric's samples in Prometheus text.
fn metric(text: &str, name: &str) -> Option<f64> {
    let sample = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { rest.split_once('}')?.1 } else { rest };
        rest.strip_prefix(' ')?.split(' ').next()?.parse::<f64>().ok()
    };
    text.lines().filter_map(sample).reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_labels_and_not_mistaken_for_one_another() {
        let text = "# HELP a_total x\n# TYPE a_total counter\na_total{core=\"0\"} 3\n\
                    a_total{core=\"1\"} 4\na_total_more 9\nb_total 2.5 1700000000\n";
        assert_eq!(metric(text, "a_total"), Some(7.0));
        assert_eq!(metric(text, "b_total"), Some(2.5));
        assert_eq!(metric(text, "c_total"), None);
    }

    #[test]
    fn a_fill_needs_batches() {
        let [before, after] =
            [(2.0, 6.0), (6.0, 20.0)].map(|(batches, sequences)| Batches { batches, sequences });
        assert_eq!(after.fill_since(&before), Some(3.5));
        assert_eq!(after.fill_since(&after), None);
    }
}
