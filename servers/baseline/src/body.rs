//! Reading a request's body whole, within its bounds of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::answer::detail;

/// What bounds a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Its size.
    pub(crate) bytes: usize,
    /// Time between two arrivals.
    pub(crate) pause: Duration,
}

/// The whole body, or the answer that refuses it.
pub(crate) async fn read(mut body: Body, limits: BodyLimits) -> Result<Bytes, Response> {
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    loop {
        let Ok(frame) = timeout(limits.pause, body.frame()).await else {
            return Err(detail(StatusCode::REQUEST_TIMEOUT, "The request body came too slowly"));
        };
        let Some(frame) = frame else { break };
        let Ok(frame) = frame else {
            return Err(detail(StatusCode::BAD_REQUEST, "The request body is malformed"));
        };
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + parts.len() + data.len() > limits.bytes {
            return Err(detail(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large"));
        }
        // A body that comes in one piece is not copied.
        if whole.is_empty() && parts.is_empty() {
            whole = data;
        } else {
            parts.extend_from_slice(&std::mem::take(&mut whole));
            parts.extend_from_slice(&data);
        }
    }
    Ok(if parts.is_empty() { whole } else { parts.freeze() })
}
