//! The client's side of a connection: responses out of bytes.
//!
//! A response cannot be read without knowing its request, so every request written is told by
//! [`ClientCodec::sent`]; responses come in that order. As strict as the server's side: a backend that
//! frames its answers ambiguously is not to be reused.

use std::collections::VecDeque;

use super::assembler::{Assembler, Place, Progress};
use super::fault::Fault;
use super::fields::Framing;
use super::head::HeadScan;
use super::headers::Headers;
use super::method::Method;
use super::status::Status;
use super::status_line::StatusLine;
use crate::limits::HttpLimits;

/// Reads the responses of one connection.
#[derive(Debug, Default)]
pub struct ClientCodec {
    assembler: Assembler<StatusLine>,
    awaited: VecDeque<Method>,
    /// Interim responses skipped since the last final one.
    interim: usize,
}

/// A whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status code, from 200 to 599.
    pub status: u16,
    /// The header lines.
    pub headers: Headers<'a>,
    /// Whether the connection may carry another request. If not, what else was awaited will not come.
    pub keep_alive: bool,
    /// The body, its chunks joined.
    pub body: &'a [u8],
}

/// Why no response can be had from the connection any more: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The response breaks the grammar, or its length is ambiguous.
    #[error("malformed response: {0}")]
    Malformed(&'static str),
    /// The major version is above 1.
    #[error("response in a version of HTTP other than 1.0 and 1.1")]
    Version,
    /// The head is larger than the limits.
    #[error("response head too large")]
    HeadTooLarge,
    /// The body is larger than the limit.
    #[error("response body too large")]
    BodyTooLarge,
    /// Bytes came while no response was awaited.
    #[error("response without a request")]
    Unsolicited,
    /// The server switched protocols, which nobody asked for.
    #[error("protocol switched without request")]
    Switched,
    /// More interim responses came before the final one than the limit.
    #[error("too many interim responses")]
    TooManyInterim,
    /// The peer closed before all that was awaited had come.
    #[error("connection closed before the response was complete")]
    Closed,
}

impl ClientCodec {
    /// A codec for a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A request with this method was written. Must be told before its response can come.
    pub fn sent(&mut self, method: Method) {
        self.awaited.push_back(method);
    }

    /// Requests whose responses have not been delivered.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Takes bytes off the front of `input`: one final response, or all there is. Interim ones are skipped.
    ///
    /// # Errors
    ///
    /// After an error, and after a response that is not [`Response::keep_alive`], all input is swallowed.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
        limits: &HttpLimits,
    ) -> Result<Option<Response<'a>>, ResponseError> {
        loop {
            let Some(&method) = self.awaited.front() else {
                return self.take_unsolicited(input).map(|()| None);
            };
            let progress = self.assembler.advance(input, limits, |head| framing(head, method))?;
            let Progress::Message { head, body } = progress else {
                return Ok(None);
            };
            let status = self.assembler.head.first_line.status;
            if !status.is_interim() {
                return Ok(Some(self.deliver(head, body, End::Told)));
            }
            self.interim += 1;
            let error = if status == Status::SWITCHING_PROTOCOLS {
                ResponseError::Switched
            } else if self.interim > limits.interim_responses {
                ResponseError::TooManyInterim
            } else {
                continue;
            };
            self.assembler.kill();
            return Err(error);
        }
    }

    /// The peer closed its side: completes a body that ends so.
    ///
    /// # Errors
    ///
    /// [`ResponseError::Closed`] if a response was awaited and there is none to complete.
    pub fn end(&mut self) -> Result<Option<Response<'_>>, ResponseError> {
        match self.assembler.end() {
            Some(Progress::Message { head, body }) => {
                Ok(Some(self.deliver(head, body, End::Closed)))
            }
            _ if self.awaited.is_empty() => Ok(None),
            _ => {
                self.assembler.kill();
                Err(ResponseError::Closed)
            }
        }
    }

    /// Nothing is awaited, so nothing may come.
    fn take_unsolicited(&mut self, input: &mut &[u8]) -> Result<(), ResponseError> {
        self.assembler.release();
        if input.is_empty() || self.assembler.is_over() {
            *input = &[];
            return Ok(());
        }
        *input = &[];
        self.assembler.kill();
        Err(ResponseError::Unsolicited)
    }

    fn deliver<'a>(&'a mut self, head: Place<'a>, body: Place<'a>, end: End) -> Response<'a> {
        self.awaited.pop_front();
        self.interim = 0;
        let HeadScan { first_line, fields, .. } = &self.assembler.head;
        let keep_alive = end == End::Told && fields.keep_alive(first_line.version_minor);
        if !keep_alive {
            self.assembler.was_last();
        }
        let head = self.assembler.resolve(head);
        Response {
            status: self.assembler.head.first_line.status.code(),
            headers: Headers::new(self.assembler.head.lines(head)),
            keep_alive,
            body: self.assembler.resolve(body),
        }
    }
}

/// What ended a response's body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its length or its last chunk.
    Told,
    /// The peer's closing.
    Closed,
}

/// Tells from a complete head how long the body of the answer to a `method` request is (RFC 9112
/// section 6.3).
fn framing(head: &HeadScan<StatusLine>, method: Method) -> Result<Framing, Fault> {
    if method == Method::Head || !head.first_line.status.has_body() {
        return Ok(Framing::Length(0));
    }
    let framing = head.fields.framing(head.first_line.version_minor)?;
    Ok(framing.unwrap_or(Framing::UntilClose))
}

impl From<Fault> for ResponseError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(detail) | Fault::Unsupported(_, detail) => Self::Malformed(detail),
            Fault::Version => Self::Version,
            Fault::FirstLineTooLong | Fault::HeadTooLarge(_) => Self::HeadTooLarge,
            Fault::BodyTooLarge => Self::BodyTooLarge,
        }
    }
}
