//! The script of the load generator for HTTP/1.1: one request over and over, and every answer read.
//!
//! An answer that is byte for byte the one read last is the same answer, and is not parsed again: servers
//! under load answer alike until the second of their `Date` changes. Whatever differs is parsed in full.

use std::time::Duration;

use ringyard_protocol::http1::{ClientCodec, Method, Response, write_request};
use ringyard_protocol::limits::HttpLimits;
use ringyard_time::Time;

use super::figures::Figures;
use super::template::BodyTemplate;
use crate::generator::script::{Answer, Client, Fate, Script, Times};
use crate::limits::{ANSWER_BYTES_MAX, REPEATED_ANSWER_BYTES_MAX};
use crate::outcome::ErrorKind;
use crate::random::Random;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The authority.
    pub host: String,
    /// Further headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<BodyTemplate>,
    /// Whether each request asks for its connection to be closed.
    pub close: bool,
    /// How long a client of a closed loop pauses that is refused with 429 or 503.
    pub backoff: Duration,
}

/// Repeats a request.
#[derive(Debug)]
pub struct HttpScript {
    request: HttpRequest,
    open_loop: bool,
    /// The whole request, if all are alike.
    fixed: Option<Vec<u8>>,
    body: Vec<u8>,
    random: Random,
    /// The number of the next request; cores count in steps so that no two requests are alike.
    number: u64,
    step: u64,
    limits: HttpLimits,
    last: Last,
    /// Whether the request settled last was refused.
    is_refused: bool,
    figures: Figures,
}

/// The answer read last, if it may be recognised.
#[derive(Debug)]
struct Last {
    bytes: Vec<u8>,
    answer: Answer,
}

impl HttpScript {
    /// A script for core `core` of `cores`. `open_loop`: whether requests are due by a schedule.
    #[must_use]
    pub fn new(request: HttpRequest, open_loop: bool, core: u16, cores: u16, seed: u64) -> Self {
        let mut script = Self {
            open_loop,
            fixed: None,
            body: Vec::new(),
            random: Random::stream(seed, u64::from(core)),
            number: u64::from(core),
            step: u64::from(cores),
            limits: HttpLimits { body_bytes: ANSWER_BYTES_MAX, ..HttpLimits::default() },
            last: Last {
                bytes: Vec::new(),
                answer: Answer { status: 0, verdict: Ok(()), keep_alive: true },
            },
            is_refused: false,
            figures: Figures::of_core(core),
            request,
        };
        if script.request.body.as_ref().is_none_or(BodyTemplate::is_literal) {
            let mut fixed = Vec::new();
            script.write(&mut fixed);
            script.fixed = Some(fixed);
        }
        script
    }

    /// Appends the next request, made anew.
    fn write(&mut self, out: &mut Vec<u8>) {
        let HttpRequest { method, path, host, headers, body, close, .. } = &self.request;
        let mut extra: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if *close {
            extra.push(("connection", "close"));
        }
        self.body.clear();
        if let Some(body) = body {
            body.write(self.number, &mut self.random, &mut self.body);
        }
        self.number += self.step;
        let body = body.is_some().then_some(self.body.as_slice());
        write_request(out, *method, path, host, &extra, body);
    }
}

/// What to make of a response.
fn judge(response: &Response<'_>) -> Answer {
    let verdict = if response.status < 400 { Ok(()) } else { Err(ErrorKind::Refused) };
    Answer { status: response.status, verdict, keep_alive: response.keep_alive }
}

impl Script for HttpScript {
    type Codec = ClientCodec;
    type Ticket = ();
    type Interval = Figures;

    fn codec(&mut self) -> ClientCodec {
        ClientCodec::new()
    }

    fn ask(&mut self, _client: Client, out: &mut Vec<u8>) {
        match &self.fixed {
            Some(fixed) => out.extend_from_slice(fixed),
            None => self.write(out),
        }
    }

    fn pause(&mut self, _client: Client) -> Duration {
        if self.is_refused { self.request.backoff } else { Duration::ZERO }
    }

    fn read(
        &mut self,
        codec: &mut ClientCodec,
        (): &(),
        input: &mut &[u8],
    ) -> Result<Option<Answer>, ErrorKind> {
        // The codec is told of a request only when its answer has to be parsed, so while it awaits none it
        // stands between two answers.
        let between_answers = codec.awaited() == 0;
        if between_answers {
            if !self.last.bytes.is_empty()
                && let Some(rest) = input.strip_prefix(self.last.bytes.as_slice())
            {
                *input = rest;
                return Ok(Some(self.last.answer));
            }
            codec.sent(self.request.method);
        }
        let before = *input;
        let response = codec.next(input, &self.limits).map_err(|_| ErrorKind::Malformed)?;
        let Some(response) = response else { return Ok(None) };
        let answer = judge(&response);
        let length = before.len() - input.len();
        if between_answers && answer.keep_alive && length <= REPEATED_ANSWER_BYTES_MAX {
            self.last.bytes.clear();
            self.last.bytes.extend_from_slice(&before[..length]);
            self.last.answer = answer;
        }
        Ok(Some(answer))
    }

    fn end(&mut self, codec: &mut ClientCodec, (): &()) -> Option<Answer> {
        codec.end().ok().flatten().map(|response| judge(&response))
    }

    fn settled(&mut self, _client: Client, (): &(), times: Times, fate: Fate) {
        self.is_refused = matches!(fate, Fate::Answered(Answer { status: 429 | 503, .. }));
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
    use super::*;

    const CLIENT: Client = Client { lane: 0, seat: 0 };

    fn request() -> HttpRequest {
        HttpRequest {
            method: Method::Get,
            path: "/".into(),
            host: "h".into(),
            headers: vec![("x-a".into(), "b".into())],
            body: None,
            close: false,
            backoff: Duration::from_millis(7),
        }
    }

    fn asked(script: &mut HttpScript) -> String {
        let mut out = Vec::new();
        script.ask(CLIENT, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_fixed_request_is_the_same_every_time() {
        let mut script = HttpScript::new(request(), false, 0, 1, 1);
        assert_eq!(asked(&mut script), "GET / HTTP/1.1\r\nhost: h\r\nx-a: b\r\n\r\n");
        assert_eq!(asked(&mut script), asked(&mut script));
    }

    #[test]
    fn cores_count_in_steps() {
        let body = Some(BodyTemplate::parse(b"{counter}").unwrap());
        let request = HttpRequest { method: Method::Post, body, close: true, ..request() };
        let mut script = HttpScript::new(request, false, 1, 4, 1);
        assert!(asked(&mut script).ends_with("connection: close\r\ncontent-length: 1\r\n\r\n1"));
        assert!(asked(&mut script).ends_with("\r\n\r\n5"));
    }

    /// All answers in `stream`, however it is cut into pieces.
    fn answers(method: Method, stream: &[u8], piece: usize) -> Vec<u16> {
        let mut script = HttpScript::new(HttpRequest { method, ..request() }, false, 0, 1, 1);
        let mut codec = script.codec();
        let mut seen = Vec::new();
        for mut bytes in stream.chunks(piece) {
            while !bytes.is_empty() {
                match script.read(&mut codec, &(), &mut bytes) {
                    Ok(Some(answer)) => seen.push(answer.status),
                    Ok(None) => break,
                    Err(kind) => panic!("{kind:?} after {seen:?}"),
                }
            }
        }
        seen
    }

    #[test]
    fn recognising_a_repeated_answer_changes_nothing() {
        let long = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        let longer = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabd";
        let chunked = "HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let interim = "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 204 None\r\n\r\n";
        let stream =
            [long, long, longer, long, chunked, chunked, interim, interim, interim, long, chunked]
                .concat();
        let expected = [200, 200, 200, 200, 404, 404, 204, 204, 204, 200, 404];
        for piece in 1..stream.len() + 1 {
            assert_eq!(answers(Method::Get, stream.as_bytes(), piece), expected, "{piece}");
        }
    }

    #[test]
    fn who_is_refused_pauses() {
        let mut script = HttpScript::new(request(), false, 0, 1, 1);
        let times = Times {
            intended: Time::ZERO,
            sent: Time::ZERO,
            settled: Time::ZERO,
            run_began: Time::ZERO,
        };
        for (status, pause_ms) in [(200, 0), (503, 7), (404, 0), (429, 7)] {
            let answer = Answer { status, verdict: Ok(()), keep_alive: true };
            script.settled(CLIENT, &(), times, Fate::Answered(answer));
            assert_eq!(script.pause(CLIENT), Duration::from_millis(pause_ms), "{status}");
        }
    }

    #[test]
    fn answers_to_head_have_no_body() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
        let stream = head.repeat(4);
        for piece in 1..stream.len() + 1 {
            assert_eq!(answers(Method::Head, stream.as_bytes(), piece), [200; 4], "{piece}");
        }
    }
}
