//! The classifier: labels texts and takes as long as a transformer would.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use ringyard_runtime::launch::Plan;
use ringyard_servers::classifier::ClassifierConfig;
use ringyard_servers::front::FrontConfig;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::answer::detail;
use crate::body::{self, BodyLimits};
use crate::listen::LaunchError;
use crate::metrics::{self, Number};
use crate::pages::{About, with_pages};
use crate::running::{self, Running};
use crate::sequences;

/// What makes a text code.
const MARKS: [&str; 5] = [";", "{", "}", "def ", "class "];

struct Classifier {
    config: ClassifierConfig,
    limits: BodyLimits,
    count_detail: String,
    /// The accelerators, if their number is limited.
    replicas: Option<Semaphore>,
    computing: Number,
}

#[derive(Serialize)]
struct Results {
    results: Vec<&'static str>,
}

/// Launches a classifier as `plan` says, on `workers` threads or one for each core of the plan.
pub fn launch_classifier(
    plan: &Plan,
    workers: Option<usize>,
    front: FrontConfig,
    config: ClassifierConfig,
) -> Result<Running, LaunchError> {
    let cores = plan.cores.len().max(1);
    let classifier = Arc::new(Classifier {
        config,
        limits: BodyLimits { bytes: front.http.body_bytes, pause: front.timeouts.body },
        count_detail: format!("Need 1 - {} sequences per request", config.items_max),
        replicas: config.replicas.map(|count| Semaphore::new(count as usize * cores)),
        computing: Number::default(),
    });
    running::launch(plan, workers, &front, |traffic| {
        let routes =
            Router::new().route("/classify", post(classify)).with_state(Arc::clone(&classifier));
        with_pages(routes, front.pages, classifier, traffic)
    })
}

async fn classify(State(classifier): State<Arc<Classifier>>, body: Body) -> Response {
    let body = match body::read(body, classifier.limits).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let sequences = match sequences::parse(&body) {
        Ok(sequences) => sequences,
        Err(invalid) => return invalid.into_response(),
    };
    if sequences.is_empty() || sequences.len() > classifier.config.items_max as usize {
        return detail(StatusCode::BAD_REQUEST, &classifier.count_detail);
    }
    let results = sequences.iter().map(|text| label(text)).collect();
    classifier.compute(classifier.config.duration(sequences::longest(&sequences))).await;
    Json(Results { results }).into_response()
}

fn label(text: &str) -> &'static str {
    if MARKS.iter().any(|mark| text.contains(mark)) { "code" } else { "not code" }
}

impl Classifier {
    async fn compute(&self, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let _replica = match &self.replicas {
            Some(replicas) => replicas.acquire().await.ok(),
            None => None,
        };
        let _computing = Computing::new(&self.computing);
        sleep(duration).await;
    }
}

/// Counts a request as computing until it is dropped, be it because its client has left.
struct Computing<'a>(&'a Number);

impl<'a> Computing<'a> {
    fn new(number: &'a Number) -> Self {
        number.add(1);
        Self(number)
    }
}

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        self.0.subtract(1);
    }
}

impl About for Classifier {
    async fn ready(&self) -> bool {
        true
    }

    fn write_metrics(&self, out: &mut String) {
        let help = "Requests that compute.";
        metrics::write(out, "ringyard_classifier_requests", "gauge", help, self.computing.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_make_code() {
        for text in ["a;", "{", "}", "def f", "class A"] {
            assert_eq!(label(text), "code", "{text}");
        }
        for text in ["", "def", "class\t", "undefined"] {
            assert_eq!(label(text), "not code", "{text}");
        }
    }
}
