//! An answer before it is bytes: what a service fills in and the front end encodes.

use std::time::Duration;

use ringyard_protocol::http1::{DateCache, ResponseHead, Status, write_response};
use ringyard_protocol::json;

const JSON: &str = "application/json";

/// The parts of an answer that depend on how its request was put.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Framing {
    pub(crate) version_minor: u8,
    pub(crate) keep_alive: bool,
    pub(crate) head_only: bool,
}

/// An answer in the making. One value serves request after request, so its body keeps its buffer.
#[derive(Debug)]
pub struct Response {
    status: Status,
    content_type: &'static str,
    allow: Option<&'static str>,
    retry_after_seconds: Option<u32>,
    body: Vec<u8>,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: Status::OK,
            content_type: JSON,
            allow: None,
            retry_after_seconds: None,
            body: Vec::new(),
        }
    }
}

impl Response {
    /// Starts over: an empty JSON body under `status`.
    pub fn start(&mut self, status: Status) -> &mut Vec<u8> {
        self.status = status;
        self.content_type = JSON;
        self.allow = None;
        self.retry_after_seconds = None;
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
        self.allow = Some(allow);
    }

    /// Asks the client to come back no sooner than `wait` from now, rounded up to whole seconds.
    pub fn set_retry_after(&mut self, wait: Duration) {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.retry_after_seconds = Some(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX));
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
        let mut extra = [("", ""); 2];
        let mut extras = 0;
        if let Some(allow) = self.allow {
            extra[extras] = ("allow", allow);
            extras += 1;
        }
        let mut digits = [0; 10];
        if let Some(seconds) = self.retry_after_seconds {
            extra[extras] = ("retry-after", decimal(seconds, &mut digits));
            extras += 1;
        }
        let head = ResponseHead {
            status: self.status,
            content_type: self.content_type,
            extra: &extra[..extras],
            version_minor: framing.version_minor,
            keep_alive: framing.keep_alive,
            head_only: framing.head_only,
        };
        write_response(out, &head, date, &self.body);
    }
}

/// `number` in decimal, in the end of `digits`.
fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &str {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).expect("a remainder of ten is a digit");
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[start..]).expect("decimal digits are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_agrees_with_the_standard_library() {
        for number in [0, 1, 9, 10, 4_294_967_295] {
            assert_eq!(decimal(number, &mut [0; 10]), number.to_string());
        }
    }

    #[test]
    fn retry_after_rounds_up_and_is_never_zero() {
        for (milliseconds, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            let mut response = Response::default();
            response.set_retry_after(Duration::from_millis(milliseconds));
            assert_eq!(response.retry_after_seconds, Some(seconds));
        }
    }
}
