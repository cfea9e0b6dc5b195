//! What becomes of single responses, whole and byte by byte.

use proptest::prelude::*;
use ringyard_protocol::http1::{ClientCodec, Method, ResponseError};
use ringyard_protocol::limits::HttpLimits;

use crate::generated::{body, cuts, limits, mutated, mutations};
use crate::support::{Answer, read_responses};

const LIMITS: fn() -> HttpLimits = HttpLimits::default;

fn read(methods: &[Method], stream: &[u8]) -> (Vec<Answer>, Result<(), ResponseError>) {
    let whole = read_responses(methods, stream, &[], &LIMITS());
    let every_byte: Vec<usize> = (0..stream.len()).collect();
    assert_eq!(whole, read_responses(methods, stream, &every_byte, &LIMITS()));
    whole
}

/// The stream answers a request of that method, and nothing is left over.
#[track_caller]
fn check_answer(method: Method, stream: &str, status: u16, keep_alive: bool, body: &str) {
    let (answers, end) = read(&[method], stream.as_bytes());
    assert_eq!(end, Ok(()), "{stream}");
    assert_eq!(answers.len(), 1, "{stream}");
    let Answer { status: seen_status, keep_alive: seen_keep_alive, body: seen_body, .. } =
        &answers[0];
    let seen = (*seen_status, *seen_keep_alive, String::from_utf8_lossy(seen_body));
    assert_eq!(seen, (status, keep_alive, body.into()), "{stream}");
}

#[track_caller]
fn check_error(stream: &str, expected: ResponseError) {
    let (answers, end) = read(&[Method::Get], stream.as_bytes());
    assert_eq!((answers.len(), end), (0, Err(expected)), "{stream}");
}

#[track_caller]
fn check_malformed(stream: &str) {
    let (answers, end) = read(&[Method::Get], stream.as_bytes());
    assert!(matches!(end, Err(ResponseError::Malformed(_))), "{stream}: {end:?}");
    assert_eq!(answers, [], "{stream}");
}

#[test]
fn bodies_end_as_they_are_told() {
    let get = Method::Get;
    check_answer(get, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, true, "ok");
    check_answer(get, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, true, "");
    check_answer(get, "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, true, "");
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n";
    check_answer(get, chunked, 200, true, "ok");
    check_answer(get, "HTTP/1.1 200 OK\r\n\r\nall of it", 200, false, "all of it");
    check_answer(get, "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, false, "ok");
    let keep_alive = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok";
    check_answer(get, keep_alive, 200, true, "ok");
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    check_answer(get, close, 200, false, "ok");
}

#[test]
fn some_responses_have_no_body() {
    let counted = |status: u16| format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\n");
    check_answer(Method::Head, &counted(200), 200, true, "");
    check_answer(
        Method::Head,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        200,
        true,
        "",
    );
    check_answer(Method::Get, &counted(204), 204, true, "");
    check_answer(Method::Get, &counted(304), 304, true, "");
}

#[test]
fn interim_responses_are_skipped_within_reason() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    check_answer(Method::Post, &format!("{interim}{last}"), 200, true, "ok");
    check_error(&format!("{}{last}", interim.repeat(5)), ResponseError::TooManyInterim);
    let twice = format!("{}{last}", interim.repeat(4)).repeat(2);
    let (answers, end) = read(&[Method::Post, Method::Post], twice.as_bytes());
    assert_eq!((answers.len(), end), (2, Ok(())));
    check_error("HTTP/1.1 101 Switching Protocols\r\n\r\n", ResponseError::Switched);
}

#[test]
fn malformed_responses_are_errors() {
    for start in [
        "HTTQ",
        " HTTP/1.1",
        "\r\nHTTP/1.1",
        "HTTP/0.9",
        "HTTP/1.x",
        "HTTP/1.1\r",
        "HTTP/1.1  2",
        "HTTP/1.1 2 ",
        "HTTP/1.1 20 ",
        "HTTP/1.1 2000",
        "HTTP/1.1 099",
        "HTTP/1.1 600",
        "HTTP/1.1 999",
        "HTTP/1.1 200 O\0",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 OK\rx",
        "HTTP/1.1 200 OK\r\nx : y",
        "HTTP/1.1 200 OK\r\n x: y",
    ] {
        check_malformed(start);
    }
    for lines in [
        "Content-Length: 2\r\nContent-Length: 2",
        "Content-Length: 2, 2",
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
    ] {
        check_malformed(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nok"));
    }
    check_malformed("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    check_error("HTTP/2.0 200 OK\r\n", ResponseError::Version);
}

#[test]
fn early_ends_are_errors() {
    for stream in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    ] {
        check_error(stream, ResponseError::Closed);
    }
}

#[test]
fn sizes_have_limits() {
    let limits = HttpLimits { request_line_bytes: 30, head_bytes: 100, body_bytes: 3, ..LIMITS() };
    let error = |stream: &str| read_responses(&[Method::Get], stream.as_bytes(), &[], &limits).1;
    let too_long = format!("HTTP/1.1 200 {}", "x".repeat(30));
    assert_eq!(error(&too_long), Err(ResponseError::HeadTooLarge));
    let too_large = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100));
    assert_eq!(error(&too_large), Err(ResponseError::HeadTooLarge));
    for body in [
        "Content-Length: 4\r\n\r\n",
        "\r\nfour",
        "Transfer-Encoding: chunked\r\n\r\n4\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\n",
    ] {
        let stream = format!("HTTP/1.1 200 OK\r\n{body}");
        assert_eq!(error(&stream), Err(ResponseError::BodyTooLarge), "{stream}");
    }
    assert_eq!(error("HTTP/1.1 200 OK\r\n\r\nabc"), Ok(()));
}

#[test]
fn responses_match_requests_in_order() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let stream = format!("{head}{head}ok{head}");
    let (answers, end) = read(&[Method::Head, Method::Get, Method::Head], stream.as_bytes());
    let bodies: Vec<_> = answers.iter().map(|answer| &answer.body[..]).collect();
    assert_eq!((bodies, end), (vec![&b""[..], b"ok", b""], Ok(())));

    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let (answers, end) = read(&[Method::Get, Method::Get], format!("{close}{head}ok").as_bytes());
    assert_eq!((answers.len(), end), (1, Err(ResponseError::Closed)));
}

#[test]
fn nothing_may_come_unasked() {
    let mut codec = ClientCodec::new();
    let mut input: &[u8] = b"";
    assert_eq!(codec.next(&mut input, &LIMITS()), Ok(None));
    let mut input: &[u8] = b"H";
    assert_eq!(codec.next(&mut input, &LIMITS()), Err(ResponseError::Unsolicited));
    let mut input: &[u8] = b"H";
    assert_eq!(codec.next(&mut input, &LIMITS()), Ok(None));
    assert_eq!((input, codec.awaited()), (&b""[..], 0));
    assert_eq!(codec.end(), Ok(None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn cutting_changes_nothing(
        (stream, cuts) in (proptest::collection::vec((100..600_u16, body()), 1..4), mutations())
            .prop_flat_map(|(responses, mutations)| {
                let wires = responses.iter().map(|(status, body)| {
                    [format!("HTTP/1.1 {status} x\r\n").as_bytes(), &body.wire()].concat()
                });
                let stream = mutated(wires.collect::<Vec<_>>().concat(), &mutations);
                let length = stream.len();
                (Just(stream), cuts(length))
            }),
        limits in limits(),
    ) {
        let methods = [Method::Get, Method::Head, Method::Post];
        let whole = read_responses(&methods, &stream, &[], &limits);
        let cut = read_responses(&methods, &stream, &cuts, &limits);
        prop_assert_eq!(whole, cut, "{}", stream.escape_ascii());
    }
}
