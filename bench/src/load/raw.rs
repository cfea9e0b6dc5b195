//! The script of the load generator for raw TCP: the same bytes over and over, and a rule for where an
//! answer ends.

use std::time::Duration;

use ringyard_time::Time;

use super::figures::Figures;
use crate::generator::script::{Answer, Client, Fate, Script, Times};
use crate::outcome::ErrorKind;

/// Where an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerEnd {
    /// After so many bytes; at least one.
    Bytes(u64),
    /// With these bytes; at least one.
    Until(Vec<u8>),
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRequest {
    /// The bytes of a request.
    pub send: Vec<u8>,
    /// Where its answer ends.
    pub expect: AnswerEnd,
    /// Whether a connection is closed after its first answer.
    pub close: bool,
}

/// Repeats a request.
#[derive(Debug)]
pub struct RawScript {
    request: RawRequest,
    open_loop: bool,
    figures: Figures,
}

/// How much of an answer has come: bytes of a counted one, matching bytes of an awaited end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Come(u64);

impl RawScript {
    /// A script for core `core`. `open_loop`: whether requests are due by a schedule.
    ///
    /// # Panics
    ///
    /// If nothing is sent or expected.
    #[must_use]
    pub fn new(request: RawRequest, open_loop: bool, core: u16) -> Self {
        assert!(!request.send.is_empty(), "a request has bytes");
        assert!(
            match &request.expect {
                AnswerEnd::Bytes(bytes) => *bytes > 0,
                AnswerEnd::Until(end) => !end.is_empty(),
            },
            "an answer has bytes"
        );
        Self { request, open_loop, figures: Figures::of_core(core) }
    }
}

/// Bytes of `input` up to and with the end that is awaited, or `None` if it is not there yet. `matched` bytes
/// of the end came before.
fn find_end(end: &[u8], matched: &mut u64, input: &[u8]) -> Option<usize> {
    for (index, byte) in input.iter().enumerate() {
        let mut length = usize::try_from(*matched).unwrap_or(0);
        // Falls back to the longest beginning of the end that is still matched with this byte.
        while end[length] != *byte && length > 0 {
            length = (0..length)
                .rev()
                .find(|shorter| end[..length].ends_with(&end[..*shorter]))
                .unwrap_or(0);
        }
        if end[length] == *byte {
            length += 1;
        }
        if length == end.len() {
            *matched = 0;
            return Some(index + 1);
        }
        *matched = length as u64;
    }
    None
}

impl Script for RawScript {
    type Codec = Come;
    type Ticket = ();
    type Interval = Figures;

    fn codec(&mut self) -> Come {
        Come::default()
    }

    fn ask(&mut self, _client: Client, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.request.send);
    }

    fn pause(&mut self, _client: Client) -> Duration {
        Duration::ZERO
    }

    fn read(
        &mut self,
        come: &mut Come,
        (): &(),
        input: &mut &[u8],
    ) -> Result<Option<Answer>, ErrorKind> {
        let taken = match &self.request.expect {
            AnswerEnd::Bytes(bytes) => {
                let missing = usize::try_from(bytes - come.0).unwrap_or(usize::MAX);
                if input.len() < missing {
                    come.0 += input.len() as u64;
                    None
                } else {
                    come.0 = 0;
                    Some(missing)
                }
            }
            AnswerEnd::Until(end) => find_end(end, &mut come.0, input),
        };
        *input = &input[taken.unwrap_or(input.len())..];
        let keep_alive = !self.request.close;
        Ok(taken.map(|_| Answer { status: 0, verdict: Ok(()), keep_alive }))
    }

    fn end(&mut self, _come: &mut Come, (): &()) -> Option<Answer> {
        None
    }

    fn settled(&mut self, _client: Client, (): &(), times: Times, fate: Fate) {
        self.figures.settled(times, fate, self.open_loop);
    }

    fn unsent(&mut self, _lane: u16, intended: Time, over: Time) {
        self.figures.unsent(over.since(intended));
    }

    fn connect_failed(&mut self, _lane: u16, kind: ErrorKind) {
        self.figures.connect_failed(kind);
    }

    fn take_interval(&mut self) -> Figures {
        self.figures.take()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(expect: AnswerEnd, stream: &[u8], piece: usize) -> usize {
        let request = RawRequest { send: b"x".to_vec(), expect, close: false };
        let mut script = RawScript::new(request, false, 0);
        let mut come = script.codec();
        let mut answers = 0;
        for mut bytes in stream.chunks(piece) {
            while !bytes.is_empty() {
                answers += usize::from(script.read(&mut come, &(), &mut bytes).unwrap().is_some());
            }
        }
        answers
    }

    /// Ends found by looking at the whole stream, none overlapping another.
    fn naive(end: &[u8], stream: &[u8]) -> usize {
        let mut rest = stream;
        let mut found = 0;
        while let Some(at) = rest.windows(end.len()).position(|window| window == end) {
            found += 1;
            rest = &rest[at + end.len()..];
        }
        found
    }

    #[test]
    fn counted_answers_are_counted_however_they_are_cut() {
        for piece in 1..40 {
            assert_eq!(count(AnswerEnd::Bytes(7), &[b'a'; 39], piece), 5, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn ends_are_found_however_they_are_cut(
            end in "[ab]{1,5}",
            stream in "[ab]{0,60}",
            piece in 1_usize..10,
        ) {
            let (end, stream) = (end.into_bytes(), stream.into_bytes());
            let found = count(AnswerEnd::Until(end.clone()), &stream, piece);
            prop_assert_eq!(found, naive(&end, &stream));
        }
    }
}
