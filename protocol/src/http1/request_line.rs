//! The first line of a request: `POST /path HTTP/1.1`.
//!
//! RFC 9112 section 3, with exactly one space between its parts. What is wrong is told at the byte that
//! makes it wrong; nothing waits for the line's end.

use super::classes::{target_run, token_run};
use super::fault::Fault;
use super::head::FirstLine;
use super::method::Method;
use super::status::Status;
use super::target::TargetSpans;

/// What follows the method in the preface of an HTTP/2 connection (RFC 9113 section 3.4).
const PREFACE_METHOD: &[u8] = b"PRI";
const PREFACE_REST: &[u8] = b"* HTTP/2.0\r\n";

/// How most requests end their first line.
const COMMON_VERSION: &[u8] = b"HTTP/1.1\r\n";

/// The method is a token that is not known here.
const UNKNOWN_METHOD: Fault =
    Fault::Unsupported(Status::NOT_IMPLEMENTED, "the method is not known");

/// A request line being read, and once it is complete, what it says.
#[derive(Debug)]
pub(super) struct RequestLine {
    stage: Stage,
    target_start: usize,
    /// Meaningful once the line is complete.
    pub(super) method: Method,
    /// Meaningful once the line is complete.
    pub(super) target: TargetSpans,
    /// 0 or 1; RFC 9110 section 2.5 has higher minor versions of major 1 taken as the highest known.
    pub(super) version_minor: u8,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Method,
    /// So many bytes of [`PREFACE_REST`] have come.
    Preface(usize),
    Target,
    /// So many bytes of the version and the line end have come.
    Version(usize),
}

impl Default for RequestLine {
    fn default() -> Self {
        Self {
            stage: Stage::Method,
            target_start: 0,
            method: Method::Get,
            target: TargetSpans::default(),
            version_minor: 1,
        }
    }
}

impl FirstLine for RequestLine {
    fn scan(&mut self, bytes: &[u8], from: usize) -> Result<Option<usize>, Fault> {
        let mut at = from;
        while at < bytes.len() {
            at = match self.stage {
                Stage::Method => self.scan_method(bytes, at)?,
                Stage::Preface(seen) => {
                    if bytes[at] != PREFACE_REST[seen] {
                        return Err(UNKNOWN_METHOD);
                    }
                    if seen + 1 == PREFACE_REST.len() {
                        return Err(Fault::Version);
                    }
                    self.stage = Stage::Preface(seen + 1);
                    at + 1
                }
                Stage::Target => self.scan_target(bytes, at)?,
                Stage::Version(0) if bytes[at..].starts_with(COMMON_VERSION) => {
                    return Ok(Some(at + COMMON_VERSION.len()));
                }
                Stage::Version(seen) => {
                    self.scan_version(bytes[at], seen)?;
                    if seen + 1 == COMMON_VERSION.len() {
                        return Ok(Some(at + 1));
                    }
                    self.stage = Stage::Version(seen + 1);
                    at + 1
                }
            }
        }
        Ok(None)
    }
}

impl RequestLine {
    fn scan_method(&mut self, bytes: &[u8], at: usize) -> Result<usize, Fault> {
        let end = token_run(bytes, at);
        match bytes.get(end) {
            None => return Ok(end),
            Some(b' ') if end > 0 => {}
            Some(_) => {
                return Err(Fault::Malformed("the request line does not start with a method"));
            }
        }
        if let Some(method) = Method::from_bytes(&bytes[..end]) {
            self.method = method;
            self.target_start = end + 1;
            self.stage = Stage::Target;
        } else if &bytes[..end] == PREFACE_METHOD {
            self.stage = Stage::Preface(0);
        } else {
            return Err(UNKNOWN_METHOD);
        }
        Ok(end + 1)
    }

    fn scan_target(&mut self, bytes: &[u8], at: usize) -> Result<usize, Fault> {
        let end = target_run(bytes, at);
        match bytes.get(end) {
            None => return Ok(end),
            Some(b' ') => {}
            Some(b'\r' | b'\n') => {
                return Err(Fault::Malformed("the request line has no version"));
            }
            Some(_) => {
                return Err(Fault::Malformed(
                    "the request target holds a byte that no URI may hold",
                ));
            }
        }
        let raw = &bytes[self.target_start..end];
        self.target = TargetSpans::check(self.method, raw, self.target_start)?;
        self.stage = Stage::Version(0);
        Ok(end + 1)
    }

    /// Takes byte number `index` of `HTTP/1.x` and its line end.
    fn scan_version(&mut self, byte: u8, index: usize) -> Result<(), Fault> {
        const MAJOR: usize = 5;
        const MINOR: usize = 7;
        match (index, byte) {
            (MAJOR, b'2'..=b'9') => Err(Fault::Version),
            (MINOR, b'0'..=b'9') => {
                self.version_minor = (byte - b'0').min(1);
                Ok(())
            }
            (MINOR, _) => {
                Err(Fault::Malformed("the request's version is not of the form HTTP/1.1"))
            }
            _ if byte == COMMON_VERSION[index] => Ok(()),
            _ if index > MINOR => {
                Err(Fault::Malformed("the request line does not end in CRLF after its version"))
            }
            _ => Err(Fault::Malformed("the request's version is not of the form HTTP/1.1")),
        }
    }
}
