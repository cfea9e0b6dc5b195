//! The batching proxy: one queue behind a mutex, one task that sends its batches to the backends.

mod backends;
mod customers;
mod pace;
mod queue;
mod strategy;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ringyard_runtime::launch::Plan;
use ringyard_servers::front::FrontConfig;
use ringyard_servers::limits::CUSTOMER_NAME_BYTES_MAX;
use ringyard_servers::proxy::ProxyConfig;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use self::backends::{Backends, dispatch};
use self::queue::{Failure, Overloaded, Queue, Results};
use crate::answer::{detail, retry_after};
use crate::body::{self, BodyLimits};
use crate::listen::LaunchError;
use crate::metrics;
use crate::pages::{About, with_pages};
use crate::running::{self, Running};
use crate::sequences;

struct Proxy {
    queue: Arc<Queue>,
    backends: Arc<Backends>,
    limits: BodyLimits,
    sequences_max: usize,
    count_detail: String,
    deadline: Duration,
}

#[derive(Serialize)]
struct Answer {
    results: Results,
    proxy_latency_ms: u64,
}

/// Launches a proxy as `plan` says, on `workers` threads or one for each core of the plan.
///
/// # Panics
///
/// If there is no backend.
pub fn launch_proxy(
    plan: &Plan,
    workers: Option<usize>,
    front: FrontConfig,
    config: &ProxyConfig,
) -> Result<Running, LaunchError> {
    assert!(!config.backends.is_empty(), "a proxy has at least one backend");
    let sequences_max = config.request_sequences_max.min(config.batch_sequences_max);
    running::launch(plan, workers, &front, |traffic| {
        let proxy = Arc::new(Proxy {
            queue: Arc::new(Queue::new(config)),
            backends: Arc::new(Backends::new(config)),
            limits: BodyLimits { bytes: front.http.body_bytes, pause: front.timeouts.body },
            sequences_max: sequences_max as usize,
            count_detail: format!("Need 1\u{2013}{sequences_max} sequences"),
            deadline: config.deadline,
        });
        let (queue, backends) = (Arc::clone(&proxy.queue), Arc::clone(&proxy.backends));
        tokio::spawn(dispatch(queue, backends, config.backend_concurrency));
        let routes = Router::new()
            .route("/proxy_classify", post(proxy_classify))
            .route("/strategy", get(strategy::tell).post(strategy::change))
            .with_state(Arc::clone(&proxy));
        with_pages(routes, front.pages, proxy, traffic)
    })
}

async fn proxy_classify(
    State(proxy): State<Arc<Proxy>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let arrived = Instant::now();
    let Some(customer) = customer_of(&headers) else {
        let text = format!(
            "X-Customer-Id must be a token of at most {CUSTOMER_NAME_BYTES_MAX} characters"
        );
        return detail(StatusCode::BAD_REQUEST, &text);
    };
    let body = match body::read(body, proxy.limits).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let sequences = match sequences::parse(&body) {
        Ok(sequences) => sequences,
        Err(invalid) => return invalid.into_response(),
    };
    if sequences.is_empty() || sequences.len() > proxy.sequences_max {
        return detail(StatusCode::BAD_REQUEST, &proxy.count_detail);
    }
    let queued = match proxy.queue.submit(customer, sequences) {
        Ok(queued) => queued,
        Err(Overloaded { waiting, wait }) => {
            let text = format!("Overloaded: {waiting} requests wait; try again later");
            return retry_after(StatusCode::SERVICE_UNAVAILABLE, &text, wait);
        }
    };
    match timeout(proxy.deadline, queued.outcome()).await {
        Ok(Ok(results)) => {
            let milliseconds = arrived.elapsed().as_millis();
            let proxy_latency_ms = u64::try_from(milliseconds).unwrap_or(u64::MAX);
            Json(Answer { results, proxy_latency_ms }).into_response()
        }
        Ok(Err(Failure::Backend(reason))) => {
            detail(StatusCode::BAD_GATEWAY, &format!("Downstream service error: {reason}"))
        }
        // The request's time and its batch's end close together: either may be seen first.
        Ok(Err(Failure::TooSlow)) | Err(_) => {
            proxy.queue.figures.expired.add(1);
            let limit = proxy.deadline.as_millis();
            let text = format!("Downstream service too slow: no answer within {limit} ms");
            detail(StatusCode::GATEWAY_TIMEOUT, &text)
        }
    }
}

/// The customer that a request names; `None` where the name is not a token or too long.
fn customer_of(headers: &HeaderMap) -> Option<&str> {
    let Some(name) = headers.get("x-customer-id") else { return Some("default") };
    let name = name.to_str().ok()?;
    let is_token = !name.is_empty()
        && name.len() <= CUSTOMER_NAME_BYTES_MAX
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    is_token.then_some(name)
}

impl About for Proxy {
    async fn ready(&self) -> bool {
        self.backends.any_up().await
    }

    fn write_metrics(&self, out: &mut String) {
        let (requests, sequences) = self.queue.lengths();
        let figures = &self.queue.figures;
        let in_flight = figures.batches_in_flight.get();
        let failed = figures.batches_failed.get();
        for (name, kind, help, value) in [
            ("ringyard_queue_requests", "gauge", "Requests queued.", requests),
            ("ringyard_queue_sequences", "gauge", "Sequences queued.", sequences),
            ("ringyard_batches_in_flight", "gauge", "Batches at the backends.", in_flight),
            ("ringyard_batches_total", "counter", "Batches sent.", figures.batches.get()),
            ("ringyard_batches_failed_total", "counter", "Batches without a usable reply.", failed),
            (
                "ringyard_requests_refused_total",
                "counter",
                "Requests refused for overload.",
                figures.refused.get(),
            ),
            (
                "ringyard_requests_expired_total",
                "counter",
                "Requests whose deadline passed.",
                figures.expired.get(),
            ),
        ] {
            metrics::write(out, name, kind, help, value);
        }
    }
}
