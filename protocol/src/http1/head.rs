//! The head of a message: its first line, its header lines and the empty line that ends it.
//!
//! One pass over the bytes that stops where they stop and goes on where it stopped, so a head that
//! arrives byte by byte costs no more than one that arrives whole. What is decided at a byte depends only on
//! that byte and those before it; that is why cutting the stream differently cannot change the outcome.

use super::classes::{TOKEN, token_run, value_run};
use super::fault::Fault;
use super::fields::Fields;
use crate::limits::HttpLimits;

/// The first line of a head, which is all that differs between requests and responses.
pub(super) trait FirstLine: Default {
    /// Reads on in `bytes`, the message from its start, at byte `from`, before which all has been read.
    /// Returns where the line ends once it does, line end included; else all of `bytes` has been read.
    fn scan(&mut self, bytes: &[u8], from: usize) -> Result<Option<usize>, Fault>;
}

/// A head being read, and once it is complete, what it says.
#[derive(Debug, Default)]
pub(super) struct HeadScan<L> {
    pub(super) first_line: L,
    pub(super) fields: Fields,
    /// Bytes read so far.
    at: usize,
    /// Where the header line being read starts.
    line_start: usize,
    /// Where header lines start; 0 while the first line is being read.
    lines_start: usize,
    lines: usize,
    line: LineScan,
}

impl<L: FirstLine> HeadScan<L> {
    /// Whether nothing was read yet.
    pub(super) const fn is_untouched(&self) -> bool {
        self.at == 0
    }

    /// The header lines of the complete head `head`, without the empty line after them.
    pub(super) fn lines<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        &head[self.lines_start..self.line_start]
    }

    /// Reads on in `bytes`, which start with the same bytes as at the last call. Returns the length of the
    /// head once it is complete.
    pub(super) fn scan(
        &mut self,
        bytes: &[u8],
        limits: &HttpLimits,
    ) -> Result<Option<usize>, Fault> {
        if self.lines_start == 0 {
            let window = window(bytes, limits.request_line_bytes.min(limits.head_bytes));
            match self.first_line.scan(window, self.at)? {
                Some(end) => {
                    self.at = end;
                    self.line_start = end;
                    self.lines_start = end;
                }
                None if window.len() < bytes.len() => return Err(Fault::FirstLineTooLong),
                None => {
                    self.at = window.len();
                    return Ok(None);
                }
            }
        }
        loop {
            let line_max = self.line_start.saturating_add(limits.header_line_bytes);
            let window = window(bytes, line_max.min(limits.head_bytes));
            match self.line.scan(window, self.at)? {
                LineEvent::Line { end } => self.take_line(&window[..end], limits)?,
                LineEvent::Empty { end } => return Ok(Some(end)),
                LineEvent::Partial if window.len() == bytes.len() => {
                    self.at = bytes.len();
                    return Ok(None);
                }
                LineEvent::Partial if line_max <= limits.head_bytes => {
                    return Err(Fault::HeadTooLarge("a header line is too long"));
                }
                LineEvent::Partial => return Err(Fault::HeadTooLarge("the head is too large")),
            }
        }
    }

    /// Takes the header line that ends where `read` does.
    fn take_line(&mut self, read: &[u8], limits: &HttpLimits) -> Result<(), Fault> {
        self.lines += 1;
        if self.lines > limits.headers {
            return Err(Fault::HeadTooLarge("there are too many header lines"));
        }
        let colon = self.line.colon;
        self.fields.line(&read[self.line_start..colon], &read[colon + 1..read.len() - 2])?;
        self.at = read.len();
        self.line_start = read.len();
        Ok(())
    }
}

/// At most the first `length` bytes.
fn window(bytes: &[u8], length: usize) -> &[u8] {
    &bytes[..length.min(bytes.len())]
}

/// The grammar of one header or trailer line: `name: value`, or the empty line that ends the section.
#[derive(Debug, Default)]
pub(super) struct LineScan {
    stage: LineStage,
    /// Index of the line's colon in the bytes of the call that met it.
    colon: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LineStage {
    #[default]
    Start,
    Name,
    Value,
    LineFeed,
    EmptyLineFeed,
}

/// How far one call of [`LineScan::scan`] got.
#[derive(Clone, Copy, Debug)]
pub(super) enum LineEvent {
    /// All bytes were read and the line goes on.
    Partial,
    /// A line ends before byte `end`; the next call starts a new one.
    Line { end: usize },
    /// The section's empty line ends before byte `end`.
    Empty { end: usize },
}

impl LineScan {
    /// Reads on in `bytes` at byte `from`. The stages follow one another as they stand here; a call starts
    /// at the one where the last call ran out of bytes.
    #[inline]
    pub(super) fn scan(&mut self, bytes: &[u8], from: usize) -> Result<LineEvent, Fault> {
        let mut at = from;
        if self.stage == LineStage::Start {
            self.stage = match bytes.get(at) {
                None => return Ok(LineEvent::Partial),
                Some(b'\r') => {
                    at += 1;
                    LineStage::EmptyLineFeed
                }
                Some(b' ' | b'\t') => {
                    return Err(Fault::Malformed("a header line starts with a blank"));
                }
                Some(byte) if TOKEN.holds(*byte) => LineStage::Name,
                Some(_) => {
                    return Err(Fault::Malformed("a header line does not start with a name"));
                }
            };
        }
        if self.stage == LineStage::Name {
            at = token_run(bytes, at);
            match bytes.get(at) {
                None => return Ok(LineEvent::Partial),
                Some(b':') => self.colon = at,
                Some(_) => {
                    return Err(Fault::Malformed(
                        "a header name holds a byte that no name may hold",
                    ));
                }
            }
            at += 1;
            self.stage = LineStage::Value;
        }
        if self.stage == LineStage::Value {
            at = value_run(bytes, at);
            match bytes.get(at) {
                None => return Ok(LineEvent::Partial),
                Some(b'\r') => {}
                Some(_) => return Err(Fault::Malformed("a header value holds a control byte")),
            }
            at += 1;
            self.stage = LineStage::LineFeed;
        }
        match bytes.get(at) {
            None => Ok(LineEvent::Partial),
            Some(b'\n') if self.stage == LineStage::EmptyLineFeed => {
                Ok(LineEvent::Empty { end: at + 1 })
            }
            Some(b'\n') => {
                self.stage = LineStage::Start;
                Ok(LineEvent::Line { end: at + 1 })
            }
            Some(_) => Err(Fault::Malformed("a carriage return is not followed by a line feed")),
        }
    }
}
