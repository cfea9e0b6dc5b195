//! The few header fields that say where a message ends and whether its connection goes on.
//!
//! Each is judged as its line completes; what only the whole head can tell is judged by [`Fields::framing`]
//! and the checks of each side. The rules are RFC 9112 section 6, taken at their strictest: whatever two
//! implementations might read differently is refused.

use super::classes::trim_blanks;
use super::fault::Fault;
use super::target::{Port, check_authority};

/// What the fields seen so far say.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) content_length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) host: Host,
    pub(super) expect: Expect,
    close: bool,
    keep_alive: bool,
}

/// What was said about the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Host {
    #[default]
    Missing,
    Valid,
    Invalid(Fault),
    Repeated,
}

/// What the sender expects before it sends a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expect {
    #[default]
    Nothing,
    Continue,
    Unknown,
}

/// How the length of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Exactly so many bytes.
    Length(u64),
    /// Chunks, the last of them empty.
    Chunked,
    /// All that comes before the peer closes; responses only.
    UntilClose,
}

impl Fields {
    /// Takes one header line: `value` still has its blanks.
    pub(super) fn line(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        match name.len() {
            4 if is_named(name, b"host") => {
                self.host = match self.host {
                    Host::Missing => match check_authority(trim_blanks(value), Port::Optional) {
                        Ok(()) => Host::Valid,
                        Err(fault) => Host::Invalid(fault),
                    },
                    _ => Host::Repeated,
                };
            }
            6 if is_named(name, b"expect") => {
                let known = trim_blanks(value).eq_ignore_ascii_case(b"100-continue");
                if !known {
                    self.expect = Expect::Unknown;
                } else if self.expect == Expect::Nothing {
                    self.expect = Expect::Continue;
                }
            }
            10 if is_named(name, b"connection") => self.connection(value),
            14 if is_named(name, b"content-length") => {
                if self.content_length.is_some() {
                    return Err(Fault::Malformed("Content-Length is repeated"));
                }
                self.content_length = Some(parse_content_length(trim_blanks(value))?);
            }
            17 if is_named(name, b"transfer-encoding") => {
                if self.chunked {
                    return Err(Fault::Malformed("Transfer-Encoding is repeated"));
                }
                if !trim_blanks(value).eq_ignore_ascii_case(b"chunked") {
                    return Err(Fault::Malformed("Transfer-Encoding is not exactly chunked"));
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = trim_blanks(option);
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Whether the connection may carry another message after this one (RFC 9112 section 9.3).
    pub(super) const fn keep_alive(&self, version_minor: u8) -> bool {
        !self.close && (version_minor > 0 || self.keep_alive)
    }

    /// How the body's length is told, or `None` where nothing tells it.
    pub(super) fn framing(&self, version_minor: u8) -> Result<Option<Framing>, Fault> {
        match (self.chunked, self.content_length) {
            (true, Some(_)) => {
                Err(Fault::Malformed("both Content-Length and Transfer-Encoding are given"))
            }
            (true, None) if version_minor == 0 => {
                Err(Fault::Malformed("Transfer-Encoding does not exist in HTTP/1.0"))
            }
            (true, None) => Ok(Some(Framing::Chunked)),
            (false, length) => Ok(length.map(Framing::Length)),
        }
    }
}

/// Whether the token `name` is `lower` in whatever case. Quick because tokens hold no bytes but letters that
/// bit 5 would turn into letters or hyphens.
#[inline]
fn is_named<const LENGTH: usize>(name: &[u8], lower: &[u8; LENGTH]) -> bool {
    let Ok(name) = <&[u8; LENGTH]>::try_from(name) else {
        return false;
    };
    let difference = |sum, (byte, lower): (&u8, &u8)| sum | (byte | 0x20) ^ lower;
    name.iter().zip(lower).fold(0, difference) == 0
}

/// Digits and nothing else: no sign, no list, no overflow.
fn parse_content_length(value: &[u8]) -> Result<u64, Fault> {
    const FAULT: Fault = Fault::Malformed("Content-Length is not a number");
    if value.is_empty() {
        return Err(FAULT);
    }
    value.iter().try_fold(0_u64, |length, byte| match byte {
        b'0'..=b'9' => length
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(u64::from(byte - b'0')))
            .ok_or(Fault::Malformed("Content-Length is too large a number")),
        _ => Err(FAULT),
    })
}
