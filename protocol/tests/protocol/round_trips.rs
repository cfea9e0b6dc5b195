//! What is written here is read here, unchanged.

use proptest::collection::vec;
use proptest::prelude::*;
use ringyard_protocol::http1::{
    CONTINUE, DateCache, Method, ResponseHead, Status, write_chunked_request,
    write_chunked_response, write_request, write_response,
};
use ringyard_protocol::limits::HttpLimits;

use crate::support::{Answer, Seen, read_requests, read_responses};

const OK: ResponseHead<'_> = ResponseHead {
    status: Status::OK,
    content_type: "application/json",
    extra: &[],
    version_minor: 1,
    keep_alive: true,
    head_only: false,
};

fn date() -> DateCache {
    let mut date = DateCache::new();
    date.refresh(784_111_777);
    date
}

/// Reads `wire` as the answer to a request of that method; nothing may be left over.
fn answer(method: Method, wire: &[u8]) -> Answer {
    let (mut answers, end) = read_responses(&[method], wire, &[], &HttpLimits::default());
    assert_eq!((answers.len(), end), (1, Ok(())), "{}", wire.escape_ascii());
    answers.remove(0)
}

#[track_caller]
fn check_written(head: &ResponseHead<'_>, body: &[u8], expected: &str) {
    let mut wire = Vec::new();
    write_response(&mut wire, head, &date(), body);
    assert_eq!(String::from_utf8_lossy(&wire), expected);
}

#[test]
fn responses_are_written_to_the_letter() {
    check_written(
        &ResponseHead { extra: &[("retry-after", "1"), ("allow", "GET")], ..OK },
        b"{}",
        "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: application/json\r\n\
         retry-after: 1\r\nallow: GET\r\ncontent-length: 2\r\n\r\n{}",
    );
    check_written(
        &ResponseHead { head_only: true, keep_alive: false, ..OK },
        b"0123456789",
        "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: 10\r\n\r\n",
    );
    check_written(
        &ResponseHead { status: Status::NO_CONTENT, content_type: "", version_minor: 0, ..OK },
        b"",
        "HTTP/1.1 204 No Content\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         connection: keep-alive\r\n\r\n",
    );
}

#[test]
fn chunks_are_written_for_those_who_know_them() {
    let write = |head: &ResponseHead<'_>| {
        let mut wire = Vec::new();
        let body = write_chunked_response(&mut wire, head, &date());
        body.chunk(&mut wire, b"one, ");
        body.chunk(&mut wire, b"");
        body.chunk(&mut wire, b"two and more than sixteen");
        let ends_connection = body.ends_connection();
        body.end(&mut wire);
        (wire, ends_connection)
    };
    let text = b"one, two and more than sixteen";

    let (wire, ends_connection) = write(&OK);
    let seen = answer(Method::Get, &wire);
    assert_eq!((seen.keep_alive, ends_connection, &seen.body[..]), (true, false, &text[..]));

    let (wire, ends_connection) = write(&ResponseHead { version_minor: 0, ..OK });
    let seen = answer(Method::Get, &wire);
    assert_eq!((seen.keep_alive, ends_connection, &seen.body[..]), (false, true, &text[..]));
    assert!(!seen.headers.iter().any(|(name, _)| name == "transfer-encoding"));

    let (wire, ends_connection) = write(&ResponseHead { head_only: true, ..OK });
    let seen = answer(Method::Head, &wire);
    assert_eq!((seen.keep_alive, ends_connection, &seen.body[..]), (true, false, &b""[..]));
}

#[test]
fn the_interim_answer_is_one() {
    let mut wire = CONTINUE.to_vec();
    write_response(&mut wire, &OK, &date(), b"{}");
    assert_eq!(answer(Method::Post, &wire).body, b"{}");
}

#[test]
fn requests_are_written_to_the_letter() {
    let mut wire = Vec::new();
    write_request(&mut wire, Method::Get, "/healthz", "h:80", &[], None);
    write_request(&mut wire, Method::Post, "/", "h", &[("a", "b")], Some(b"{}"));
    assert_eq!(
        String::from_utf8_lossy(&wire),
        "GET /healthz HTTP/1.1\r\nhost: h:80\r\n\r\n\
         POST / HTTP/1.1\r\nhost: h\r\na: b\r\ncontent-length: 2\r\n\r\n{}"
    );
}

proptest! {
    #[test]
    fn responses_come_back(
        code in 200..600_u16,
        body in vec(any::<u8>(), 0..300),
        value in "([!-~]([ -~]{0,20}[!-~])?)?",
        keep_alive: bool,
        head_only: bool,
    ) {
        let status = Status::from_code(code).expect("it is in range");
        let extra = [("x-extra", value.as_str())];
        let head = ResponseHead { status, extra: &extra, keep_alive, head_only, ..OK };
        let mut wire = Vec::new();
        write_response(&mut wire, &head, &date(), &body);
        let seen = answer(if head_only { Method::Head } else { Method::Get }, &wire);
        prop_assert_eq!((seen.status, seen.keep_alive), (code, keep_alive));
        let bodiless = head_only || !status.has_body();
        prop_assert_eq!(&seen.body, if bodiless { &[][..] } else { &body });
        prop_assert!(seen.headers.contains(&("x-extra".to_owned(), value.into_bytes())));
    }

    #[test]
    fn requests_come_back(
        path in "(/[a-z0-9]{0,8}){1,3}",
        body in proptest::option::of(vec(any::<u8>(), 0..300)),
        chunk_bytes in proptest::option::of(1..50_usize),
    ) {
        let extra = [("x-extra", "some value")];
        let mut wire = Vec::new();
        let sent = body.clone().unwrap_or_default();
        if let Some(chunk_bytes) = chunk_bytes {
            let chunks = write_chunked_request(&mut wire, Method::Put, &path, "h", &extra);
            sent.chunks(chunk_bytes).for_each(|data| chunks.chunk(&mut wire, data));
            chunks.end(&mut wire);
        } else {
            write_request(&mut wire, Method::Put, &path, "h", &extra, body.as_deref());
        }
        let transcript = read_requests(&wire, &[], &HttpLimits::default());
        prop_assert_eq!(transcript.refusal, None);
        prop_assert_eq!(transcript.requests.len(), 1);
        let Seen { path: seen_path, body: seen_body, headers, keep_alive, .. } = &transcript.requests[0];
        prop_assert_eq!((seen_path, seen_body, *keep_alive), (&path, &sent, true));
        prop_assert!(headers.contains(&("x-extra".to_owned(), b"some value".to_vec())));
    }
}
