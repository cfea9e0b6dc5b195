//! The server's side of a connection: requests out of bytes.
//!
//! Give [`ServerCodec::next`] what was received, again and again, until it says [`Step::Incomplete`]: each
//! call takes one request off the front. A request that lies whole in the input is lent from there and
//! nothing is copied or allocated.
//!
//! Whatever breaks RFC 9112, or could be read in two ways, is a [`Refusal`]: answer it, then close. It is
//! told as soon as the byte that makes it certain has come.

use super::assembler::{Assembler, Place, Progress};
use super::fault::Fault;
use super::fields::{Expect, Framing, Host};
use super::head::HeadScan;
use super::headers::Headers;
use super::method::Method;
use super::request_line::RequestLine;
use super::status::Status;
use super::target::Target;
use crate::limits::HttpLimits;

/// Reads the requests of one connection.
#[derive(Debug, Default)]
pub struct ServerCodec {
    assembler: Assembler<RequestLine>,
    empty_lines: EmptyLines,
}

/// What one call of [`ServerCodec::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// All input was taken; more is needed.
    Incomplete,
    /// The head of a request whose body is not all there yet; all input was taken. Given at most once
    /// per request, so that it can be refused early, or its sender told to go on ([`super::CONTINUE`])
    /// where [`Head::expects_continue`].
    Head(Head<'a>),
    /// A whole request.
    Request(Request<'a>),
}

/// What stands before a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The method.
    pub method: Method,
    /// What the request is about.
    pub target: Target<'a>,
    /// 0 for HTTP/1.0, 1 for all later versions of HTTP/1.
    pub version_minor: u8,
    /// The header lines.
    pub headers: Headers<'a>,
    /// Whether the connection may go on after the answer. If not, no further request will be given,
    /// whatever comes (RFC 9112 section 9.6). Never so for `CONNECT`.
    pub keep_alive: bool,
    /// Whether the sender waits for [`super::CONTINUE`] before it sends the body.
    pub expects_continue: bool,
    /// What `Content-Length` says; `None` without a body and with a chunked one.
    pub content_length: Option<u64>,
}

/// A whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What stands before the body.
    pub head: Head<'a>,
    /// The body, its chunks joined.
    pub body: &'a [u8],
}

/// A request that is not to be served: answer with `status` and `detail`, then close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {detail}")]
pub struct Refusal {
    /// What to answer.
    pub status: Status,
    /// What is wrong, as a clause: lower case but for names, no full stop.
    pub detail: &'static str,
}

/// What the peer is in the middle of, for the choice of a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: no byte of a further request has come.
    Idle,
    /// A head has begun.
    Head,
    /// A head is complete and its body is not.
    Body,
}

impl ServerCodec {
    /// A codec for a new connection. It holds no memory beyond itself until a request comes in parts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes off the front of `input`: one request, or all there is.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] is the last that comes: afterwards all input is swallowed as [`Step::Incomplete`].
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        limits: &HttpLimits,
    ) -> Result<Step<'a>, Refusal> {
        if self.assembler.is_idle()
            && !self.assembler.is_over()
            && let Err(fault) = self.empty_lines.skip(input, limits.leading_empty_lines)
        {
            self.assembler.kill();
            return Err(fault.into());
        }
        let progress = self.assembler.advance(input, limits, framing)?;
        Ok(match progress {
            Progress::Incomplete => Step::Incomplete,
            Progress::Head { head } => Step::Head(self.head(head)),
            Progress::Message { head, body } => {
                self.empty_lines = EmptyLines::default();
                if !self.keep_alive() {
                    self.assembler.was_last();
                }
                Step::Request(Request { head: self.head(head), body: self.assembler.resolve(body) })
            }
        })
    }

    /// What the peer is in the middle of.
    #[must_use]
    pub fn phase(&self) -> Phase {
        if self.assembler.is_idle() {
            Phase::Idle
        } else if self.assembler.is_in_body() {
            Phase::Body
        } else {
            Phase::Head
        }
    }

    fn head<'a>(&'a self, place: Place<'a>) -> Head<'a> {
        let bytes = self.assembler.resolve(place);
        let HeadScan { first_line, fields, .. } = &self.assembler.head;
        let has_body = fields.chunked || fields.content_length.is_some_and(|length| length > 0);
        Head {
            method: first_line.method,
            target: first_line.target.view(bytes),
            version_minor: first_line.version_minor,
            headers: Headers::new(self.assembler.head.lines(bytes)),
            keep_alive: self.keep_alive(),
            expects_continue: fields.expect == Expect::Continue
                && first_line.version_minor > 0
                && has_body,
            content_length: fields.content_length,
        }
    }

    /// Whether the connection may carry another request after the one whose head was read last.
    fn keep_alive(&self) -> bool {
        let HeadScan { first_line, fields, .. } = &self.assembler.head;
        fields.keep_alive(first_line.version_minor) && first_line.method != Method::Connect
    }
}

/// Judges a complete head as a whole and tells how long its body is.
fn framing(head: &HeadScan<RequestLine>) -> Result<Framing, Fault> {
    let RequestLine { method, version_minor, .. } = head.first_line;
    match head.fields.host {
        Host::Missing if version_minor > 0 => return Err(Fault::Malformed("Host is missing")),
        Host::Missing | Host::Valid => {}
        Host::Invalid(fault) => return Err(fault),
        Host::Repeated => return Err(Fault::Malformed("Host is repeated")),
    }
    let framing = head.fields.framing(version_minor)?.unwrap_or(Framing::Length(0));
    if method == Method::Connect && framing != Framing::Length(0) {
        return Err(Fault::Malformed("a CONNECT request has no body"));
    }
    if head.fields.expect == Expect::Unknown {
        let detail = "only 100-continue can be expected";
        return Err(Fault::Unsupported(Status::EXPECTATION_FAILED, detail));
    }
    Ok(framing)
}

/// Empty lines before a request line, which careless clients send after a body.
#[derive(Debug, Default)]
struct EmptyLines {
    skipped: usize,
    /// Whether the carriage return of another has come.
    half: bool,
}

impl EmptyLines {
    /// Takes empty lines, and the first half of one, off the front of `input`.
    fn skip(&mut self, input: &mut &[u8], max: usize) -> Result<(), Fault> {
        while let Some((&byte, rest)) = input.split_first() {
            match (self.half, byte) {
                (false, b'\r') if self.skipped == max => {
                    return Err(Fault::Malformed("too many empty lines before a request line"));
                }
                (false, b'\r') => self.half = true,
                (false, _) => return Ok(()),
                (true, b'\n') => {
                    self.half = false;
                    self.skipped += 1;
                }
                (true, _) => {
                    return Err(Fault::Malformed(
                        "a carriage return is not followed by a line feed",
                    ));
                }
            }
            *input = rest;
        }
        Ok(())
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let (status, detail) = match fault {
            Fault::Malformed(detail) => (Status::BAD_REQUEST, detail),
            Fault::Unsupported(status, detail) => (status, detail),
            Fault::Version => {
                (Status::VERSION_NOT_SUPPORTED, "only HTTP/1.0 and HTTP/1.1 are spoken")
            }
            Fault::FirstLineTooLong => (Status::URI_TOO_LONG, "the request line is too long"),
            Fault::HeadTooLarge(detail) => (Status::HEADER_FIELDS_TOO_LARGE, detail),
            Fault::BodyTooLarge => (Status::CONTENT_TOO_LARGE, "the body is too large"),
        };
        Self { status, detail }
    }
}
