//! The first line of a response: `HTTP/1.1 200 OK`.
//!
//! RFC 9112 section 4. The reason may be empty and even lack the space before it, as many senders omit both.

use super::classes::VALUE;
use super::fault::Fault;
use super::head::FirstLine;
use super::status::Status;

/// A status line up to its reason; `1` stands for the minor version, `2` for the digits of the status.
const PATTERN: &[u8] = b"HTTP/1.1 222";
const MAJOR_INDEX: usize = 5;
const MINOR_INDEX: usize = 7;
const CODE_INDEX: usize = 9;

/// A status line being read, and once it is complete, what it says.
#[derive(Debug)]
pub(super) struct StatusLine {
    stage: Stage,
    code: u16,
    /// Meaningful once the line is complete.
    pub(super) status: Status,
    /// 0 or 1, as for requests.
    pub(super) version_minor: u8,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// So many bytes of [`PATTERN`] have come.
    Pattern(usize),
    AfterCode,
    Reason,
    LineFeed,
}

impl Default for StatusLine {
    fn default() -> Self {
        Self { stage: Stage::Pattern(0), code: 0, status: Status::OK, version_minor: 1 }
    }
}

impl FirstLine for StatusLine {
    fn scan(&mut self, bytes: &[u8], from: usize) -> Result<Option<usize>, Fault> {
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            at += 1;
            self.stage = match self.stage {
                Stage::Pattern(index) => self.scan_pattern(byte, index)?,
                Stage::AfterCode => match byte {
                    b' ' => Stage::Reason,
                    b'\r' => Stage::LineFeed,
                    _ => return Err(Fault::Malformed("the status is not three digits")),
                },
                Stage::Reason => match byte {
                    b'\r' => Stage::LineFeed,
                    _ if VALUE.holds(byte) => Stage::Reason,
                    _ => return Err(Fault::Malformed("the reason phrase holds a control byte")),
                },
                Stage::LineFeed => match byte {
                    b'\n' => return Ok(Some(at)),
                    _ => return Err(Fault::Malformed("the status line does not end in CRLF")),
                },
            };
        }
        Ok(None)
    }
}

impl StatusLine {
    fn scan_pattern(&mut self, byte: u8, index: usize) -> Result<Stage, Fault> {
        match (index, byte) {
            (MAJOR_INDEX, b'2'..=b'9') => return Err(Fault::Version),
            (MINOR_INDEX, b'0'..=b'9') => self.version_minor = (byte - b'0').min(1),
            (CODE_INDEX.., b'0'..=b'9') => self.code = self.code * 10 + u16::from(byte - b'0'),
            (MINOR_INDEX | CODE_INDEX.., _) => {
                return Err(Fault::Malformed("the status line lacks a digit"));
            }
            _ if byte == PATTERN[index] => {}
            _ => return Err(Fault::Malformed("the status line does not start with HTTP/1.1")),
        }
        if index + 1 < PATTERN.len() {
            return Ok(Stage::Pattern(index + 1));
        }
        self.status = Status::from_code(self.code)
            .ok_or(Fault::Malformed("the status is not between 100 and 599"))?;
        Ok(Stage::AfterCode)
    }
}
