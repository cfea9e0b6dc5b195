//! Finds whole messages in a stream of byte slices, in place where it can.
//!
//! A message that lies whole in the input is lent from there. Of one that does not, the part that came
//! first is copied into a buffer, which is given back when it grew large. Both sides of HTTP use this;
//! they differ in the first line and in how a head tells its body's length, which each passes in.

use std::ops::Range;

use super::chunked::ChunkDecoder;
use super::fault::Fault;
use super::fields::Framing;
use super::head::{FirstLine, HeadScan};
use crate::limits::{HttpLimits, RETAINED_BUFFER_BYTES, TAIL_STEP_BYTES};

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Assembler<L> {
    /// The head being read, or that of the message delivered last.
    pub(super) head: HeadScan<L>,
    stage: Stage,
    /// Of a message that came in parts: its head, then its body as far as it came.
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are head, once the head is complete.
    head_bytes: usize,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Head,
    /// A body of exactly so many bytes.
    Length(usize),
    Chunked(ChunkDecoder),
    UntilClose,
    /// A message was lent to the caller; what holds it is freed at the next call.
    Delivered,
    /// The same, and it was the last.
    DeliveredLast,
    /// A message could not be taken, or the last was: whatever comes is swallowed.
    Dead,
}

/// Where a part of a message lies.
#[derive(Clone, Debug)]
pub(super) enum Place<'i> {
    Input(&'i [u8]),
    Buffer(Range<usize>),
}

/// How far one call of [`Assembler::advance`] got.
#[derive(Debug)]
pub(super) enum Progress<'i> {
    /// All input was taken; the message goes on.
    Incomplete,
    /// All input was taken; the head is complete, and this is said once.
    Head { head: Place<'i> },
    /// A whole message; the input is left after its last byte.
    Message { head: Place<'i>, body: Place<'i> },
}

impl<L: FirstLine> Assembler<L> {
    /// Whether no byte of a message has come since the last one was delivered.
    pub(super) const fn is_idle(&self) -> bool {
        match self.stage {
            Stage::Head => self.head.is_untouched(),
            Stage::Delivered | Stage::DeliveredLast | Stage::Dead => true,
            _ => false,
        }
    }

    /// Whether the head is complete and the body is not.
    pub(super) const fn is_in_body(&self) -> bool {
        matches!(self.stage, Stage::Length(_) | Stage::Chunked(_) | Stage::UntilClose)
    }

    /// Whether nothing more will be read.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::DeliveredLast | Stage::Dead)
    }

    /// The message just delivered is the last that the connection carries.
    pub(super) fn was_last(&mut self) {
        self.stage = Stage::DeliveredLast;
    }

    /// Reads no more: whatever comes is swallowed.
    pub(super) fn kill(&mut self) {
        self.reset();
        self.stage = Stage::Dead;
    }

    /// The bytes of one part of the message that was reported last.
    pub(super) fn resolve<'a>(&'a self, place: Place<'a>) -> &'a [u8] {
        match place {
            Place::Input(bytes) => bytes,
            Place::Buffer(range) => &self.buffer[range],
        }
    }

    /// Takes bytes off the front of `input` up to the end of one message, or all of them. `framing` tells
    /// from a complete head how long its body is.
    pub(super) fn advance<'i>(
        &mut self,
        input: &mut &'i [u8],
        limits: &HttpLimits,
        framing: impl FnOnce(&HeadScan<L>) -> Result<Framing, Fault>,
    ) -> Result<Progress<'i>, Fault> {
        self.release();
        let progress = match self.stage {
            Stage::Head => self.start(input, limits, framing),
            _ if self.is_over() => {
                *input = &[];
                return Ok(Progress::Incomplete);
            }
            _ => self.take_body(input, limits),
        };
        if progress.is_err() {
            self.kill();
        }
        progress
    }

    /// Frees what the message delivered last was lent from.
    pub(super) fn release(&mut self) {
        match self.stage {
            Stage::Delivered => self.reset(),
            Stage::DeliveredLast => self.kill(),
            _ => {}
        }
    }

    /// The peer will send no more: completes a body that ends so.
    pub(super) fn end(&mut self) -> Option<Progress<'static>> {
        matches!(self.stage, Stage::UntilClose).then(|| self.deliver_buffered())
    }

    fn reset(&mut self) {
        self.head = HeadScan::default();
        self.stage = Stage::Head;
        self.head_bytes = 0;
        if self.buffer.capacity() > RETAINED_BUFFER_BYTES {
            self.buffer = Vec::new();
        } else {
            self.buffer.clear();
        }
    }

    fn start<'i>(
        &mut self,
        input: &mut &'i [u8],
        limits: &HttpLimits,
        framing: impl FnOnce(&HeadScan<L>) -> Result<Framing, Fault>,
    ) -> Result<Progress<'i>, Fault> {
        let Some(head) = self.take_head(input, limits)? else {
            return Ok(Progress::Incomplete);
        };
        let stage = match framing(&self.head)? {
            Framing::Length(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                if length > limits.body_bytes {
                    return Err(Fault::BodyTooLarge);
                }
                if let Some((body, rest)) = input.split_at_checked(length) {
                    *input = rest;
                    self.stage = Stage::Delivered;
                    return Ok(Progress::Message { head, body: Place::Input(body) });
                }
                Stage::Length(length)
            }
            Framing::Chunked => Stage::Chunked(ChunkDecoder::default()),
            Framing::UntilClose => Stage::UntilClose,
        };
        if let Place::Input(bytes) = head {
            self.buffer.extend_from_slice(bytes);
        }
        self.head_bytes = self.buffer.len();
        self.stage = stage;
        Ok(match self.take_body(input, limits)? {
            Progress::Incomplete => Progress::Head { head: Place::Buffer(0..self.head_bytes) },
            progress => progress,
        })
    }

    /// Takes a head off the front of `input`, or all of `input` as a part of one.
    fn take_head<'i>(
        &mut self,
        input: &mut &'i [u8],
        limits: &HttpLimits,
    ) -> Result<Option<Place<'i>>, Fault> {
        if self.buffer.is_empty() {
            let Some(length) = self.head.scan(input, limits)? else {
                self.buffer.extend_from_slice(input);
                *input = &[];
                return Ok(None);
            };
            let (head, rest) = input.split_at(length);
            *input = rest;
            return Ok(Some(Place::Input(head)));
        }
        while !input.is_empty() {
            let before = self.buffer.len();
            let step = &input[..input.len().min(TAIL_STEP_BYTES)];
            self.buffer.extend_from_slice(step);
            if let Some(length) = self.head.scan(&self.buffer, limits)? {
                self.buffer.truncate(length);
                *input = &input[length - before..];
                return Ok(Some(Place::Buffer(0..length)));
            }
            *input = &input[step.len()..];
        }
        Ok(None)
    }

    fn take_body<'i>(
        &mut self,
        input: &mut &'i [u8],
        limits: &HttpLimits,
    ) -> Result<Progress<'i>, Fault> {
        let complete = match &mut self.stage {
            Stage::Length(length) => {
                let missing = *length - (self.buffer.len() - self.head_bytes);
                let (part, rest) = input.split_at(missing.min(input.len()));
                self.buffer.extend_from_slice(part);
                *input = rest;
                part.len() == missing
            }
            Stage::Chunked(decoder) => {
                decoder.decode(input, &mut self.buffer, self.head_bytes, limits)?
            }
            Stage::UntilClose => {
                let body_bytes = self.buffer.len() - self.head_bytes;
                let left = limits.body_bytes.saturating_sub(body_bytes);
                if input.len() > left {
                    return Err(Fault::BodyTooLarge);
                }
                self.buffer.extend_from_slice(input);
                *input = &[];
                false
            }
            Stage::Head | Stage::Delivered | Stage::DeliveredLast | Stage::Dead => false,
        };
        Ok(if complete { self.deliver_buffered() } else { Progress::Incomplete })
    }

    fn deliver_buffered(&mut self) -> Progress<'static> {
        self.stage = Stage::Delivered;
        Progress::Message {
            head: Place::Buffer(0..self.head_bytes),
            body: Place::Buffer(self.head_bytes..self.buffer.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_line::RequestLine;
    use super::*;

    const BODY_BYTES: usize = 3 * RETAINED_BUFFER_BYTES;
    const PIPELINED: usize = 4;

    fn requests() -> Vec<u8> {
        let head = format!("PUT / HTTP/1.1\r\nContent-Length: {BODY_BYTES}\r\n\r\n");
        [head.as_bytes(), &[b'b'; BODY_BYTES]].concat().repeat(PIPELINED)
    }

    /// Takes all messages of `input` and returns how many there were and how many of their parts were lent
    /// from the input.
    fn take_all(assembler: &mut Assembler<RequestLine>, mut input: &[u8]) -> (usize, usize) {
        let limits = HttpLimits::default();
        let (mut messages, mut lent) = (0, 0);
        loop {
            let progress =
                assembler.advance(&mut input, &limits, |_| Ok(Framing::Length(BODY_BYTES as u64)));
            match progress {
                Ok(Progress::Message { head, body }) => {
                    messages += 1;
                    lent += usize::from(matches!(head, Place::Input(_)));
                    lent += usize::from(matches!(body, Place::Input(_)));
                    assert_eq!(assembler.resolve(body), [b'b'; BODY_BYTES]);
                }
                Ok(Progress::Head { .. }) => {}
                Ok(Progress::Incomplete) => return (messages, lent),
                Err(fault) => panic!("{fault:?}"),
            }
        }
    }

    #[test]
    fn whole_messages_are_lent_and_nothing_is_allocated() {
        let mut assembler = Assembler::default();
        let taken = take_all(&mut assembler, &requests());
        assert_eq!(taken, (PIPELINED, 2 * PIPELINED));
        assert_eq!(assembler.buffer.capacity(), 0);
    }

    #[test]
    fn a_body_that_comes_whole_after_a_cut_head_is_lent() {
        let mut assembler = Assembler::default();
        let requests = requests();
        assert_eq!(take_all(&mut assembler, &requests[..20]), (0, 0));
        assert_eq!(take_all(&mut assembler, &requests[20..]), (PIPELINED, 2 * PIPELINED - 1));
        assert!(assembler.buffer.capacity() <= RETAINED_BUFFER_BYTES);
    }

    #[test]
    fn large_buffers_are_given_back_and_small_ones_kept() {
        let mut assembler = Assembler::default();
        let requests = requests();
        let cut = requests.len() - 1;
        assert_eq!(take_all(&mut assembler, &requests[..cut]).0, PIPELINED - 1);
        assert!(assembler.buffer.capacity() > RETAINED_BUFFER_BYTES);
        assert_eq!(take_all(&mut assembler, &requests[cut..]), (1, 0));
        assert_eq!(assembler.buffer.capacity(), 0);

        take_all(&mut assembler, &requests[..20]);
        take_all(&mut assembler, &requests[20..]);
        let kept = assembler.buffer.capacity();
        assert!(kept > 0 && kept <= RETAINED_BUFFER_BYTES);
        take_all(&mut assembler, &requests[..20]);
        assert_eq!(assembler.buffer.capacity(), kept);
    }

    #[test]
    fn buffers_are_given_back_without_further_input() {
        let limits = HttpLimits::default();
        let requests = requests();
        for is_last in [false, true] {
            let mut assembler = Assembler::<RequestLine>::default();
            let (first, second) = requests[..requests.len() / PIPELINED].split_at(100);
            for mut input in [first, second] {
                let framing = |_: &_| Ok(Framing::Length(BODY_BYTES as u64));
                assert!(assembler.advance(&mut input, &limits, framing).is_ok());
            }
            if is_last {
                assembler.was_last();
            }
            assert!(assembler.buffer.capacity() > BODY_BYTES);
            assembler.release();
            assert_eq!(assembler.buffer.capacity(), 0);
            assert_eq!(assembler.is_over(), is_last);
        }
    }
}
