//! Messages onto the wire.
//!
//! Everything is appended to a buffer that the caller keeps, so nothing here allocates once that buffer
//! has grown. Names and values of extra headers are the caller's own; they are checked in debug builds
//! only, so never pass on a peer's bytes without looking at them.

use super::classes::{TOKEN, VALUE};
use super::date::DateCache;
use super::method::Method;
use super::status::Status;

/// The interim answer to a head that [`expects_continue`](super::Head::expects_continue).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What stands before a response's body.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: Status,
    /// The media type of the body; none is named where this is empty.
    pub content_type: &'a str,
    /// Further headers.
    pub extra: &'a [(&'a str, &'a str)],
    /// The minor version of the request: 0 needs to be told that the connection goes on.
    pub version_minor: u8,
    /// Whether the connection goes on after this response.
    pub keep_alive: bool,
    /// Whether the request was a `HEAD`: the head is as for any other, and the body stays behind.
    pub head_only: bool,
}

/// Appends a whole response.
pub fn write_response(out: &mut Vec<u8>, head: &ResponseHead<'_>, date: &DateCache, body: &[u8]) {
    write_response_head(out, head, date);
    if head.status.has_body() {
        out.extend_from_slice(b"content-length: ");
        write_decimal(out, body.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        if !head.head_only {
            out.extend_from_slice(body);
        }
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the head of a response whose length is not known yet; its body follows by [`ChunkedBody`].
///
/// A sender of HTTP/1.0 knows no chunks: it is sent the bare body, whose end is that of the connection,
/// whatever `head.keep_alive` says; [`ChunkedBody::ends_connection`] tells.
pub fn write_chunked_response(
    out: &mut Vec<u8>,
    head: &ResponseHead<'_>,
    date: &DateCache,
) -> ChunkedBody {
    let chunks = head.version_minor > 0;
    let keep_alive = head.keep_alive && chunks;
    write_response_head(out, &ResponseHead { keep_alive, ..*head }, date);
    let has_body = head.status.has_body();
    if has_body && chunks {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
    ChunkedBody {
        framing: match (has_body && !head.head_only, chunks) {
            (false, _) => BodyFraming::Mute,
            (true, true) => BodyFraming::Chunks,
            (true, false) => BodyFraming::Bare,
        },
        ends_connection: !keep_alive,
    }
}

/// A body being written piece by piece.
#[must_use = "a chunked body has to be ended"]
#[derive(Debug)]
pub struct ChunkedBody {
    framing: BodyFraming,
    ends_connection: bool,
}

#[derive(Clone, Copy, Debug)]
enum BodyFraming {
    Chunks,
    Bare,
    Mute,
}

impl ChunkedBody {
    /// Appends a piece of the body; an empty one is nothing.
    pub fn chunk(&self, out: &mut Vec<u8>, data: &[u8]) {
        match self.framing {
            _ if data.is_empty() => {}
            BodyFraming::Chunks => {
                write_hexadecimal(out, data.len() as u64);
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
            BodyFraming::Bare => out.extend_from_slice(data),
            BodyFraming::Mute => {}
        }
    }

    /// Appends the end of the body.
    pub fn end(self, out: &mut Vec<u8>) {
        if let BodyFraming::Chunks = self.framing {
            out.extend_from_slice(b"0\r\n\r\n");
        }
    }

    /// Whether the connection is to be closed after the body.
    #[must_use]
    pub const fn ends_connection(&self) -> bool {
        self.ends_connection
    }
}

/// Appends a whole request. Without a body no length is told, which means none.
pub fn write_request(
    out: &mut Vec<u8>,
    method: Method,
    target: &str,
    host: &str,
    extra: &[(&str, &str)],
    body: Option<&[u8]>,
) {
    write_request_head(out, method, target, host, extra);
    if let Some(body) = body {
        out.extend_from_slice(b"content-length: ");
        write_decimal(out, body.len() as u64);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
    } else {
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the head of a request whose body follows by [`ChunkedBody`].
pub fn write_chunked_request(
    out: &mut Vec<u8>,
    method: Method,
    target: &str,
    host: &str,
    extra: &[(&str, &str)],
) -> ChunkedBody {
    write_request_head(out, method, target, host, extra);
    out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    ChunkedBody { framing: BodyFraming::Chunks, ends_connection: false }
}

fn write_response_head(out: &mut Vec<u8>, head: &ResponseHead<'_>, date: &DateCache) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_decimal(out, u64::from(head.status.code()));
    out.push(b' ');
    out.extend_from_slice(head.status.reason().as_bytes());
    out.extend_from_slice(b"\r\ndate: ");
    out.extend_from_slice(date.as_bytes());
    out.extend_from_slice(b"\r\n");
    if !head.content_type.is_empty() {
        write_header(out, "content-type", head.content_type);
    }
    match (head.keep_alive, head.version_minor) {
        (false, _) => out.extend_from_slice(b"connection: close\r\n"),
        (true, 0) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (true, _) => {}
    }
    for (name, value) in head.extra {
        write_header(out, name, value);
    }
}

fn write_request_head(
    out: &mut Vec<u8>,
    method: Method,
    target: &str,
    host: &str,
    extra: &[(&str, &str)],
) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_header(out, "host", host);
    for (name, value) in extra {
        write_header(out, name, value);
    }
}

fn write_header(out: &mut Vec<u8>, name: &str, value: &str) {
    debug_assert!(
        !name.is_empty() && TOKEN.holds_all(name.as_bytes()),
        "{name:?} is no header name"
    );
    debug_assert!(VALUE.holds_all(value.as_bytes()), "{value:?} is no header value");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Digits of the largest 64-bit number.
const DECIMAL_DIGITS_MAX: usize = 20;
const HEXADECIMAL_DIGITS_MAX: usize = 16;

fn write_decimal(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; DECIMAL_DIGITS_MAX];
    let mut start = digits.len();
    let mut rest = value;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

fn write_hexadecimal(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; HEXADECIMAL_DIGITS_MAX];
    let mut start = digits.len();
    let mut rest = value;
    loop {
        start -= 1;
        digits[start] = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}
