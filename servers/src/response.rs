//! An answer before it is bytes: what a service fills in and the front end encodes.

use std::fmt::{Display, Write};
use std::time::Duration;

use ringyard_protocol::http1::{DateCache, ResponseHead, Status, write_response};
use ringyard_protocol::json;

use crate::limits::ANSWER_HEADERS_MAX;

const JSON: &str = "application/json";

/// The parts of an answer that depend on how its request was put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing {
    pub(crate) version_minor: u8,
    pub(crate) keep_alive: bool,
    pub(crate) head_only: bool,
}

/// An answer in the making. One value serves request after request, so it keeps its buffers.
#[derive(Debug)]
pub struct Response {
    status: Status,
    content_type: &'static str,
    /// Names of further header lines, and where their values end in `values`.
    headers: Vec<(&'static str, usize)>,
    values: String,
    body: Vec<u8>,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: Status::OK,
            content_type: JSON,
            headers: Vec::new(),
            values: String::new(),
            body: Vec::new(),
        }
    }
}

impl Response {
    /// Starts over: an empty JSON body under `status`.
    pub fn start(&mut self, status: Status) -> &mut Vec<u8> {
        self.status = status;
        self.content_type = JSON;
        self.headers.clear();
        self.values.clear();
        self.body.clear();
        &mut self.body
    }

    /// Starts over: `body` as it stands, of a type that is not JSON.
    pub fn page(&mut self, content_type: &'static str, body: &[u8]) {
        self.start(Status::OK).extend_from_slice(body);
        self.content_type = content_type;
    }

    /// Starts over: `{"detail": "..."}` under `status`.
    pub fn detail(&mut self, status: Status, detail: &str) {
        let body = self.start(status);
        body.extend_from_slice(br#"{"detail":"#);
        json::write_string(body, detail);
        body.push(b'}');
    }

    /// Adds a member `"reason"` to the body that [`Response::detail`] has made.
    pub fn add_reason(&mut self, reason: &str) {
        let brace = self.body.pop();
        assert_eq!(brace, Some(b'}'), "the body is an object");
        self.body.extend_from_slice(br#","reason":"#);
        json::write_string(&mut self.body, reason);
        self.body.push(b'}');
    }

    /// Starts over: 405, naming the methods that the path has.
    pub fn method_not_allowed(&mut self, allow: &'static str) {
        self.detail(Status::METHOD_NOT_ALLOWED, "Method Not Allowed");
        self.add_header("allow", allow);
    }

    /// Adds a header line. The value is our own: nothing a peer sent may stand in it unread.
    ///
    /// # Panics
    ///
    /// If there are [`ANSWER_HEADERS_MAX`] already.
    pub fn add_header(&mut self, name: &'static str, value: impl Display) {
        assert!(self.headers.len() < ANSWER_HEADERS_MAX, "an answer has few headers");
        write!(self.values, "{value}").expect("a string takes all writes");
        self.headers.push((name, self.values.len()));
    }

    /// Asks the client to come back no sooner than `wait` from now, rounded up to whole seconds.
    pub fn set_retry_after(&mut self, wait: Duration) {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.add_header("retry-after", seconds.max(1).min(u64::from(u32::MAX)));
    }

    /// Gives the type of a body that is not JSON.
    pub fn set_content_type(&mut self, content_type: &'static str) {
        self.content_type = content_type;
    }

    /// The status as it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The body as it stands.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Appends the whole answer to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>, framing: Framing, date: &DateCache) {
        let mut extra = [("", ""); ANSWER_HEADERS_MAX];
        let mut start = 0;
        for (line, (name, end)) in extra.iter_mut().zip(&self.headers) {
            *line = (*name, &self.values[start..*end]);
            start = *end;
        }
        let head = ResponseHead {
            status: self.status,
            content_type: self.content_type,
            extra: &extra[..self.headers.len()],
            version_minor: framing.version_minor,
            keep_alive: framing.keep_alive,
            head_only: framing.head_only,
        };
        write_response(out, &head, date, &self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_rounds_up_and_is_never_zero() {
        for (milliseconds, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            let mut response = Response::default();
            response.set_retry_after(Duration::from_millis(milliseconds));
            assert_eq!(response.values, seconds.to_string());
        }
    }
}
