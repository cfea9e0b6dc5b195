//! The answers that are not results: errors in the shape that the contract gives them.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// `{"detail": "..."}` under `status`.
pub(crate) fn detail(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}

/// The same, asking the client to come back no sooner than `wait` from now.
pub(crate) fn retry_after(status: StatusCode, text: &str, wait: Duration) -> Response {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = detail(status, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// A body that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// What is wrong, by the name that pydantic gives it.
    pub(crate) kind: &'static str,
    /// Where: the path to the member.
    pub(crate) location: Value,
    /// What is wrong, for people.
    pub(crate) message: String,
}

impl Invalid {
    pub(crate) fn new(kind: &'static str, location: Value, message: &str) -> Self {
        Self { kind, location, message: message.to_owned() }
    }
}

impl IntoResponse for Invalid {
    fn into_response(self) -> Response {
        let Self { kind, location, message } = self;
        let error = json!({ "type": kind, "loc": location, "msg": message });
        (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "detail": [error] }))).into_response()
    }
}

/// Whatever has no route.
pub(crate) async fn not_found() -> Response {
    detail(StatusCode::NOT_FOUND, "Not Found")
}

/// Whatever has a route, but not for this method; axum adds `Allow`.
pub(crate) async fn method_not_allowed() -> Response {
    detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}
