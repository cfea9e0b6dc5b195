//! What becomes of single requests: accepted ones by what they say, refused ones by their status.
//!
//! Every line is also fed byte by byte, and nothing may change.

use crate::support::{Seen, Transcript, read_requests};
use ringyard_protocol::http1::{Method, Status};
use ringyard_protocol::limits::HttpLimits;

fn read(stream: &[u8], limits: &HttpLimits) -> Transcript {
    let whole = read_requests(stream, &[], limits);
    let every_byte: Vec<usize> = (0..stream.len()).collect();
    let cut = read_requests(stream, &every_byte, limits);
    assert_eq!(whole, cut, "{}", stream.escape_ascii());
    whole
}

/// The request is refused with that status.
#[track_caller]
fn check_refused(stream: &[u8], status: Status) {
    check_refused_within(stream, status, &HttpLimits::default());
}

#[track_caller]
fn check_refused_within(stream: &[u8], status: Status, limits: &HttpLimits) {
    let transcript = read(stream, limits);
    let refusal = transcript.refusal.map(|refusal| refusal.status);
    assert_eq!(refusal, Some(status), "{}: {transcript:?}", stream.escape_ascii());
    assert_eq!(transcript.requests, [], "{}", stream.escape_ascii());
}

/// The stream is one whole request.
#[track_caller]
fn check_accepted(stream: &[u8]) -> Seen {
    check_accepted_within(stream, &HttpLimits::default())
}

#[track_caller]
fn check_accepted_within(stream: &[u8], limits: &HttpLimits) -> Seen {
    let mut transcript = read(stream, limits);
    assert_eq!(transcript.refusal, None, "{}", stream.escape_ascii());
    assert!(!transcript.unfinished, "{}", stream.escape_ascii());
    let request = transcript.requests.pop().expect("a request comes of it");
    assert_eq!(transcript.requests, []);
    request
}

/// The stream so far is neither a request nor refused.
#[track_caller]
fn check_unfinished(stream: &[u8]) {
    let transcript = read(stream, &HttpLimits::default());
    assert_eq!(
        transcript,
        Transcript { unfinished: true, ..Transcript::default() },
        "{}",
        stream.escape_ascii()
    );
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

fn with_lines(lines: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: h\r\n{lines}\r\n").into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    let mut stream = with_lines("Transfer-Encoding: chunked\r\n");
    stream.extend_from_slice(body.as_bytes());
    stream
}

#[test]
fn methods_are_known_or_refused() {
    for method in Method::ALL {
        let target = if method == Method::Connect { "h:80" } else { "/" };
        let stream = format!("{} {target} HTTP/1.1\r\nHost: h\r\n\r\n", method.as_str());
        assert_eq!(check_accepted(stream.as_bytes()).method, method);
    }
    for unknown in ["BREW /", "get /", "GETT /", "PRI /", "PRI * HTTP/1.1\r\n", "M-SEARCH *"] {
        check_refused(unknown.as_bytes(), Status::NOT_IMPLEMENTED);
    }
    for nonsense in [" GET /", "G@T /", "GET", ":", "\n", "{\"a\"", "\x16\x03\x01", "\u{e9}"] {
        match nonsense {
            "GET" => check_unfinished(nonsense.as_bytes()),
            _ => check_refused(nonsense.as_bytes(), Status::BAD_REQUEST),
        }
    }
}

#[test]
fn versions_are_judged_at_their_first_wrong_byte() {
    assert_eq!(check_accepted(b"GET / HTTP/1.0\r\n\r\n").version_minor, 0);
    assert_eq!(check_accepted(&get("/")).version_minor, 1);
    assert_eq!(check_accepted(b"GET / HTTP/1.7\r\nHost: h\r\n\r\n").version_minor, 1);
    for version in ["HTTP/2", "HTTP/2.0", "HTTP/3", "HTTP/9.9"] {
        check_refused(format!("GET / {version}").as_bytes(), Status::VERSION_NOT_SUPPORTED);
    }
    check_refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Status::VERSION_NOT_SUPPORTED);
    for version in
        ["\r", " H", "h", "HTTP/0", "HTTP/1.x", "HTTP/11", "HTTP/1.10", "HTTP/1.1 ", "HTTP/1.1\n"]
    {
        check_refused(format!("GET / {version}").as_bytes(), Status::BAD_REQUEST);
    }
    check_refused(b"GET /\r\n", Status::BAD_REQUEST);
    check_refused(b"GET /\n", Status::BAD_REQUEST);
    check_refused(b"GET\t/", Status::BAD_REQUEST);
    check_refused(b"GET  /", Status::BAD_REQUEST);
}

#[test]
fn targets_take_four_forms() {
    #[track_caller]
    fn check(target: &str, path: &str, query: Option<&str>) {
        let seen = check_accepted(&get(target));
        assert_eq!((seen.path.as_str(), seen.query.as_deref()), (path, query), "{target}");
    }
    check("/", "/", None);
    check("/a/b%20c?x=1&y=%2F?z", "/a/b%20c", Some("x=1&y=%2F?z"));
    check("/?", "/", Some(""));
    check("//h/a", "//h/a", None);
    check("http://h", "/", None);
    check("http://h/", "/", None);
    check("HTTPS://h.example:8443/a?b", "/a", Some("b"));
    check("http://[::1]:80?b/c", "/", Some("b/c"));
    check("http://a%2Db:/", "/", None);
    let options = |target: &str| {
        check_accepted(format!("OPTIONS {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).path
    };
    assert_eq!([options("*"), options("http://h"), options("http://h?")], ["*", "*", "/"]);
    let connect = check_accepted(b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((connect.path.as_str(), connect.query, connect.keep_alive), ("h:443", None, false));
}

#[test]
fn wrong_targets_are_refused() {
    for target in [
        "*",
        "a",
        "http:/h",
        "http:///a",
        "ftp://h/",
        "http://u@h/",
        "http://h:x/",
        "http://h:70000/",
        "http://[::1/",
        "http://[]/",
        "http://[g]/",
        "http://h%zz/",
        "/%",
        "/%2",
        "/%2x",
        "/a%g0",
        "h:80",
        "?a",
        "http://?a",
        "http://:80/",
    ] {
        check_refused(&get(target), Status::BAD_REQUEST);
    }
    for byte in
        (0..=u8::MAX).filter(|byte| !byte.is_ascii_graphic() || b"\"#<>\\^`{|}".contains(byte))
    {
        let stream = [b"GET /aaaaaaaaaa", &[byte][..]].concat();
        if byte != b' ' {
            check_refused(&stream, Status::BAD_REQUEST);
        }
    }
    for connect in
        ["CONNECT / ", "CONNECT h ", "CONNECT h: ", "CONNECT :80 ", "CONNECT http://h:1/ "]
    {
        check_refused(connect.as_bytes(), Status::BAD_REQUEST);
    }
    let connect =
        |lines: &str| format!("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n{lines}\r\n").into_bytes();
    check_accepted(&connect("Content-Length: 0\r\n"));
    check_refused(&connect("Content-Length: 1\r\n"), Status::BAD_REQUEST);
    check_refused(&connect("Transfer-Encoding: chunked\r\n"), Status::BAD_REQUEST);
}

#[test]
fn header_lines_are_strict() {
    let seen = check_accepted(&with_lines("a:b\r\nX-Y!:\t v\x09w\u{e9} \r\nempty:\r\n"));
    let lines: Vec<_> = seen.headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    let expected: [(&str, &[u8]); 4] =
        [("Host", b"h"), ("a", b"b"), ("X-Y!", "v\tw\u{e9}".as_bytes()), ("empty", b"")];
    assert_eq!(lines, expected);
    for line in [
        "a : b",
        "a\t: b",
        ": b",
        " a: b",
        "\ta: b",
        "a: b\r\n c: d",
        "a: b\r\n\tc",
        "a",
        "a\r\n",
        "a: b\n",
        "a: b\rc",
        "a: b\0c",
        "a: b\x7f",
        "a: \x1b[0m",
        "a(: b",
        "a\u{e9}: b",
        "\n",
        "\rX",
        "a: b\r\r\n",
    ] {
        check_refused(&with_lines(&format!("{line}\r\n")), Status::BAD_REQUEST);
    }
    check_refused(b"GET / HTTP/1.1\r\n Host: h\r\n\r\n", Status::BAD_REQUEST);
}

#[test]
fn hosts_are_one_and_valid() {
    let with_host = |host: &str| format!("GET / HTTP/1.1\r\nHost:{host}\r\n\r\n").into_bytes();
    for host in ["", "h", " a.b-c_d:80 ", "127.0.0.1:8000", "[::1]", "[1:2::3]:65535", "h:", "a%41"]
    {
        check_accepted(&with_host(host));
    }
    for host in [
        "a b", "a/b", "u@h", "h:65536", "h:+1", "h:1x", ":80", "[::1", "[::1]x", "[]", "a%4", "h?",
        "\u{e9}", "a,b c",
    ] {
        check_refused(&with_host(host), Status::BAD_REQUEST);
    }
    check_refused(b"GET / HTTP/1.1\r\n\r\n", Status::BAD_REQUEST);
    check_refused(b"GET http://h/ HTTP/1.1\r\n\r\n", Status::BAD_REQUEST);
    check_refused(b"GET / HTTP/1.1\r\nHost: h\r\nhost: h\r\n\r\n", Status::BAD_REQUEST);
    check_refused(b"GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", Status::BAD_REQUEST);
    check_refused(b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", Status::BAD_REQUEST);
}

#[test]
fn lengths_are_told_in_one_way_only() {
    let with_length = |length: &str, body: &str| {
        let mut stream = with_lines(&format!("Content-Length:{length}\r\n"));
        stream.extend_from_slice(body.as_bytes());
        stream
    };
    for (length, body) in [("0", ""), ("3", "abc"), (" \t3\t ", "abc"), ("003", "abc")] {
        assert_eq!(check_accepted(&with_length(length, body)).body, body.as_bytes());
    }
    for length in [
        "",
        " ",
        "+5",
        "-1",
        "5, 5",
        "5,5",
        "5 5",
        "0x5",
        "5.0",
        "five",
        "\u{0661}",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        check_refused(&with_length(length, "abcde"), Status::BAD_REQUEST);
    }
    for lines in [
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\ncontent-length: 4\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding:\r\n",
    ] {
        check_refused(&with_lines(lines), Status::BAD_REQUEST);
    }
    check_refused(
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Status::BAD_REQUEST,
    );
}

#[test]
fn chunks_are_joined() {
    #[track_caller]
    fn check(framed: &str, body: &str) {
        let seen = check_accepted(&chunked(framed));
        assert_eq!(
            (seen.body.as_slice(), seen.content_length),
            (body.as_bytes(), None),
            "{framed}"
        );
    }
    check("0\r\n\r\n", "");
    check("3\r\nabc\r\n0\r\n\r\n", "abc");
    check("1\r\na\r\n0A\r\n0123456789\r\n000\r\n\r\n", "a0123456789");
    check("3;x\r\nabc\r\n2;y=\"z \t\"\r\nde\r\n0;last\r\n\r\n", "abcde");
    check("1\r\na\r\n0\r\nTrailer: x\r\nContent-Length: 7\r\n\r\n", "a");
    let upper = with_lines("TRANSFER-ENCODING:\tCHUNKED \r\n");
    check_accepted(&[&upper[..], b"2\r\nab\r\n0\r\n\r\n"].concat());
}

#[test]
fn wrong_chunks_are_refused() {
    for framed in [
        "\r\n",
        "x\r\n",
        "g",
        "-1",
        "+1",
        "0x1",
        " 1",
        "1 \r\n",
        "1 ;x\r\n",
        ";x\r\n",
        "1\n",
        "1\rx",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\rx",
        "1\r\na\r\n\r\n",
        "1;\0",
        "1;x\n",
        "1;x\rx",
        "1;\u{e9}",
        "0\r\n\n",
        "0\r\nx\r\n",
        "0\r\nx : y\r\n",
        "0\r\n x: y\r\n",
        "0\r\nx: y\n",
        "0\r\nx: \0",
        "00000000000000001",
        "fffffffffffffffff",
    ] {
        check_refused(&chunked(framed), Status::BAD_REQUEST);
    }
    let limits = HttpLimits { body_bytes: 4, ..HttpLimits::default() };
    check_refused_within(&chunked("5\r\n"), Status::CONTENT_TOO_LARGE, &limits);
    check_refused_within(&chunked("3\r\nabc\r\n2\r\n"), Status::CONTENT_TOO_LARGE, &limits);
    check_refused_within(&chunked("ffffffffffffffff\r\n"), Status::CONTENT_TOO_LARGE, &limits);
    check_accepted_within(&chunked("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), &limits);
}

#[test]
fn framing_without_end_is_refused() {
    let limits =
        HttpLimits { chunk_framing_bytes: 100, trailer_bytes: 60, ..HttpLimits::default() };
    let refused =
        |framed: &str| check_refused_within(&chunked(framed), Status::BAD_REQUEST, &limits);
    refused(&format!("1;{}", "x".repeat(200)));
    refused(&"1;xxxxxxxxxxxx\r\na\r\n".repeat(30));
    refused(&"000000000001\r\na\r\n".repeat(30));
    refused(&format!("0\r\nx: {}", "y".repeat(60)));
    refused(&format!("0\r\n{}", "x: y\r\n".repeat(11)));
    let tiny_chunks = format!("{}0\r\n\r\n", "1\r\na\r\n".repeat(5000));
    assert_eq!(check_accepted_within(&chunked(&tiny_chunks), &limits).body, [b'a'; 5000]);
}

#[test]
fn sizes_have_limits() {
    let limits = HttpLimits {
        request_line_bytes: 40,
        header_line_bytes: 60,
        head_bytes: 200,
        headers: 4,
        body_bytes: 10,
        ..HttpLimits::default()
    };
    let fitting = "/".repeat(40 - "GET  HTTP/1.1\r\n".len());
    check_accepted_within(&get(&fitting), &limits);
    check_refused_within(&get(&format!("{fitting}/")), Status::URI_TOO_LONG, &limits);
    check_refused_within(&b"G".repeat(41), Status::URI_TOO_LONG, &limits);

    let too_large = Status::HEADER_FIELDS_TOO_LARGE;
    let value = "v".repeat(60 - "x: \r\n".len());
    check_accepted_within(&with_lines(&format!("x: {value}\r\n")), &limits);
    check_refused_within(&with_lines(&format!("x: {value}v\r\n")), too_large, &limits);
    check_refused_within(&with_lines(&"n".repeat(61)), too_large, &limits);
    check_accepted_within(&with_lines(&"a: b\r\n".repeat(3)), &limits);
    check_refused_within(&with_lines(&"a: b\r\n".repeat(4)), too_large, &limits);
    check_refused_within(&with_lines(&format!("x: {value}\r\n").repeat(3)), too_large, &limits);

    let with_length = |length: u64| with_lines(&format!("Content-Length: {length}\r\n"));
    check_accepted_within(&[&with_length(10)[..], b"0123456789"].concat(), &limits);
    check_refused_within(&with_length(11), Status::CONTENT_TOO_LARGE, &limits);
    check_refused_within(&with_length(u64::MAX), Status::CONTENT_TOO_LARGE, &limits);
}

#[test]
fn a_few_empty_lines_are_skipped() {
    let limits = HttpLimits { leading_empty_lines: 2, ..HttpLimits::default() };
    check_accepted_within(&[b"\r\n\r\n", &get("/")[..]].concat(), &limits);
    check_refused_within(b"\r\n\r\n\r", Status::BAD_REQUEST, &limits);
    check_refused_within(b"\n", Status::BAD_REQUEST, &limits);
    check_refused_within(b"\rG", Status::BAD_REQUEST, &limits);
    let between = [&get("/")[..], b"\r\n\r\n", &get("/")[..], b"\r\n"].concat();
    let transcript = read(&between, &limits);
    assert_eq!((transcript.requests.len(), transcript.refusal), (2, None));
}

#[test]
fn connections_go_on_by_version_and_option() {
    #[track_caller]
    fn check(version_minor: u8, lines: &str, expected: bool) {
        let stream = format!("GET / HTTP/1.{version_minor}\r\nHost: h\r\n{lines}\r\n");
        assert_eq!(check_accepted(stream.as_bytes()).keep_alive, expected, "{stream}");
    }
    check(1, "", true);
    check(1, "Connection: close\r\n", false);
    check(1, "Connection: x,\tClose ,y\r\n", false);
    check(1, "Connection: keep-alive\r\nConnection: close\r\n", false);
    check(1, "Connection: closed\r\n", true);
    check(0, "", false);
    check(0, "Connection: Keep-Alive\r\n", true);
    check(0, "Connection: keep-alive, close\r\n", false);
}

#[test]
fn nothing_is_read_after_the_last_request() {
    for lines in ["HTTP/1.0\r\n", "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"] {
        let stream = format!("GET / {lines}\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n\0");
        let transcript = read(stream.as_bytes(), &HttpLimits::default());
        assert_eq!((transcript.requests.len(), transcript.refusal), (1, None), "{stream}");
        assert!(!transcript.unfinished);
    }
}

#[test]
fn expectations_are_met_or_refused() {
    #[track_caller]
    fn check(version_minor: u8, lines: &str, body: &str, expected: bool) {
        let stream = format!("POST / HTTP/1.{version_minor}\r\nHost: h\r\n{lines}\r\n{body}");
        assert_eq!(check_accepted(stream.as_bytes()).expects_continue, expected, "{stream}");
    }
    check(1, "Expect: 100-Continue\r\nContent-Length: 2\r\n", "ab", true);
    check(1, "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", true);
    check(1, "Expect: 100-continue\r\nContent-Length: 0\r\n", "", false);
    check(1, "Expect: 100-continue\r\n", "", false);
    check(0, "Expect: 100-continue\r\nContent-Length: 2\r\n", "ab", false);
    check_refused(
        &with_lines("Expect: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        Status::BAD_REQUEST,
    );
    let lines = "Expect: 100-continue\r\nExpect: x\r\n";
    check_refused(&with_lines(lines), Status::EXPECTATION_FAILED);
    for value in ["", "100-continue, x", "200-ok"] {
        let lines = format!("Expect: {value}\r\nExpect: 100-continue\r\n");
        check_refused(&with_lines(&lines), Status::EXPECTATION_FAILED);
    }
}

#[test]
fn what_is_cut_short_is_waited_for() {
    for stream in [
        &b"G"[..],
        b"GET / HTTP/1.1\r\nHost: h\r\n\r",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
    ] {
        check_unfinished(stream);
    }
}
