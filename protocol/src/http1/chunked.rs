//! Chunked bodies (RFC 9112 section 7.1), joined as they arrive.
//!
//! Sizes are bare hexadecimal digits; extensions are checked for their bytes and skipped; trailers are
//! checked as header lines are and dropped. All three are bounded, each in proportion to what it may
//! reasonably be, so a body cannot be drowned in its own framing.

use super::classes::EXTENSION;
use super::fault::Fault;
use super::head::{LineEvent, LineScan};
use super::target::hex_value;
use crate::limits::{CHUNK_FRAMING_BYTES_PER_BODY_BYTE, HttpLimits};

/// Hexadecimal digits of a chunk's size: as many as 64 bits take, so that none can overflow.
const SIZE_DIGITS_MAX: u8 = 16;

/// A chunked body being read.
#[derive(Debug, Default)]
pub(super) struct ChunkDecoder {
    stage: Stage,
    /// Of the current chunk: its size while the size is read, then what is still to come.
    remaining: u64,
    size_digits: u8,
    framing_bytes: usize,
    trailer_bytes: usize,
    trailer: LineScan,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Size,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    Trailer,
}

impl ChunkDecoder {
    /// Takes bytes off the front of `input` and appends what they carry to `body`, whose first `before`
    /// bytes are not of this body. Returns whether the body is complete.
    pub(super) fn decode(
        &mut self,
        input: &mut &[u8],
        body: &mut Vec<u8>,
        before: usize,
        limits: &HttpLimits,
    ) -> Result<bool, Fault> {
        while let Some((&byte, rest)) = input.split_first() {
            match self.stage {
                Stage::Data => self.take_data(input, body),
                Stage::Trailer => {
                    if self.take_trailer(input, limits)? {
                        return Ok(true);
                    }
                }
                _ => {
                    *input = rest;
                    self.take_framing(byte, body.len() - before, limits)?;
                }
            }
        }
        Ok(false)
    }

    fn take_data(&mut self, input: &mut &[u8], body: &mut Vec<u8>) {
        let wanted = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let (data, rest) = input.split_at(wanted.min(input.len()));
        body.extend_from_slice(data);
        *input = rest;
        self.remaining -= data.len() as u64;
        if self.remaining == 0 {
            self.stage = Stage::DataReturn;
        }
    }

    /// Takes one byte of framing, with `decoded` bytes of the body before it.
    fn take_framing(&mut self, byte: u8, decoded: usize, limits: &HttpLimits) -> Result<(), Fault> {
        self.framing_bytes += 1;
        let allowed = decoded.saturating_mul(CHUNK_FRAMING_BYTES_PER_BODY_BYTE);
        if self.framing_bytes > allowed.saturating_add(limits.chunk_framing_bytes) {
            return Err(Fault::Malformed("chunk sizes and extensions outweigh the body"));
        }
        self.stage = match (self.stage, byte) {
            (Stage::Size, b'\r') if self.size_digits > 0 => Stage::SizeLineFeed,
            (Stage::Size, b';') if self.size_digits > 0 => Stage::Extension,
            (Stage::Size, _) => {
                let digit = hex_value(byte)
                    .ok_or(Fault::Malformed("a chunk size is not a hexadecimal number"))?;
                if self.size_digits == SIZE_DIGITS_MAX {
                    return Err(Fault::Malformed("a chunk size has too many digits"));
                }
                self.size_digits += 1;
                self.remaining = self.remaining << 4 | u64::from(digit);
                Stage::Size
            }
            (Stage::Extension, b'\r') => Stage::SizeLineFeed,
            (Stage::Extension, _) if EXTENSION.holds(byte) => Stage::Extension,
            (Stage::SizeLineFeed, b'\n') => self.start_chunk(decoded, limits)?,
            (Stage::DataReturn, b'\r') => Stage::DataLineFeed,
            (Stage::DataLineFeed, b'\n') => Stage::Size,
            (Stage::Extension, _) => {
                return Err(Fault::Malformed("a chunk extension holds a control byte"));
            }
            (Stage::DataReturn, _) => {
                return Err(Fault::Malformed("a chunk is longer than its size"));
            }
            _ => return Err(Fault::Malformed("a carriage return is not followed by a line feed")),
        };
        Ok(())
    }

    fn start_chunk(&mut self, decoded: usize, limits: &HttpLimits) -> Result<Stage, Fault> {
        self.size_digits = 0;
        if self.remaining == 0 {
            return Ok(Stage::Trailer);
        }
        if self.remaining > limits.body_bytes.saturating_sub(decoded) as u64 {
            return Err(Fault::BodyTooLarge);
        }
        Ok(Stage::Data)
    }

    /// Takes trailer bytes; returns whether the section is complete.
    fn take_trailer(&mut self, input: &mut &[u8], limits: &HttpLimits) -> Result<bool, Fault> {
        let left = limits.trailer_bytes.saturating_sub(self.trailer_bytes);
        let window = &input[..left.min(input.len())];
        if window.is_empty() {
            return Err(Fault::Malformed("the trailer section is too large"));
        }
        let (taken, complete) = match self.trailer.scan(window, 0)? {
            LineEvent::Partial => (window.len(), false),
            LineEvent::Line { end } => (end, false),
            LineEvent::Empty { end } => (end, true),
        };
        self.trailer_bytes += taken;
        *input = &input[taken..];
        Ok(complete)
    }
}
