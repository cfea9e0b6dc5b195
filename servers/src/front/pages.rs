//! The pages that every server has: documentation, health, readiness, metrics.

use ringyard_protocol::http1::{Head, Method, Status};

use super::Handled;
use crate::response::Response;

/// The methods of a page, as `Allow` names them.
const ALLOW: &str = "GET, HEAD";

/// The texts that differ from server to server.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// A page that a person can read: `docs_head.html`, what is said of the one server, `docs_tail.html`.
    pub docs: &'static str,
    /// The OpenAPI description.
    pub openapi: &'static str,
}

impl Pages {
    /// Whether a path is one of the common pages.
    pub(super) fn has(path: &str) -> bool {
        matches!(path, "/docs" | "/openapi.json" | "/healthz" | "/readyz" | "/metrics")
    }

    /// Answers a request for one of the common pages; `None` where the path is not one of them.
    pub(super) fn serve(
        &self,
        head: &Head<'_>,
        ready: bool,
        response: &mut Response,
        write_metrics: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Handled> {
        let path = head.target.path;
        if !Self::has(path) {
            return None;
        }
        if !matches!(head.method, Method::Get | Method::Head) {
            response.method_not_allowed(ALLOW);
            return Some(Handled::Now);
        }
        match path {
            "/docs" => response.page("text/html; charset=utf-8", self.docs.as_bytes()),
            "/openapi.json" => {
                response.start(Status::OK).extend_from_slice(self.openapi.as_bytes())
            }
            "/healthz" => response.start(Status::OK).extend_from_slice(br#"{"status":"ok"}"#),
            "/readyz" if ready => {
                response.start(Status::OK).extend_from_slice(br#"{"status":"ready"}"#);
            }
            "/readyz" => response.detail(Status::SERVICE_UNAVAILABLE, "Not ready"),
            _ => {
                write_metrics(response.start(Status::OK));
                response.set_content_type("text/plain; version=0.0.4; charset=utf-8");
            }
        }
        Some(Handled::Now)
    }
}
