//! The pages that both servers have: documentation, health, readiness, metrics.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ringyard_servers::front::Pages;

use crate::answer::{detail, method_not_allowed, not_found};
use crate::connection::Traffic;
use crate::metrics;

const JSON: &str = "application/json";

/// What a server says of itself.
pub(crate) trait About: Send + Sync + 'static {
    /// Whether requests would be served.
    fn ready(&self) -> impl Future<Output = bool> + Send;

    /// Appends its own metrics.
    fn write_metrics(&self, out: &mut String);
}

/// `router` with the common pages beside its own routes.
pub(crate) fn with_pages<A: About>(
    router: Router,
    pages: Pages,
    about: Arc<A>,
    traffic: Arc<Traffic>,
) -> Router {
    let page = move |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    let readiness = (Arc::clone(&about), Arc::clone(&traffic));
    let ready = move || {
        let (about, traffic) = readiness.clone();
        async move { readyz(!traffic.is_draining() && about.ready().await) }
    };
    let metrics = move || {
        let mut text = String::new();
        traffic.write_metrics(&mut text);
        about.write_metrics(&mut text);
        async { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    router
        .route("/docs", page("text/html; charset=utf-8", pages.docs))
        .route("/openapi.json", page(JSON, pages.openapi))
        .route("/healthz", page(JSON, r#"{"status":"ok"}"#))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
}

fn readyz(is_ready: bool) -> Response {
    if is_ready {
        ([(header::CONTENT_TYPE, JSON)], r#"{"status":"ready"}"#).into_response()
    } else {
        detail(StatusCode::SERVICE_UNAVAILABLE, "Not ready")
    }
}

impl Traffic {
    fn write_metrics(&self, out: &mut String) {
        metrics::write(out, "ringyard_connections", "gauge", "Open connections.", self.open());
    }
}
