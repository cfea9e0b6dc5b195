//! Requests and responses as a user of the crate meets them.

use ringyard_protocol::http1::{Method, ServerCodec, Status, Step};
use ringyard_protocol::limits::HttpLimits;

#[test]
fn pipelined_requests_come_one_by_one() {
    let limits = HttpLimits::default();
    let mut codec = ServerCodec::new();
    let mut input: &[u8] = b"POST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
                             GET /b HTTP/1.1\r\nHost: h\r\n\r\nBREW ";
    let mut seen = Vec::new();
    let refusal = loop {
        match codec.next(&mut input, &limits) {
            Ok(Step::Request(request)) => {
                seen.push((
                    request.head.method,
                    request.head.target.path.to_owned(),
                    request.body.to_vec(),
                ));
            }
            Ok(step) => panic!("{step:?}"),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(
        seen,
        [
            (Method::Post, "/a".to_owned(), b"hi".to_vec()),
            (Method::Get, "/b".to_owned(), Vec::new()),
        ]
    );
    assert_eq!(refusal.status, Status::NOT_IMPLEMENTED);
    assert_eq!(codec.next(&mut input, &limits), Ok(Step::Incomplete));
    assert!(input.is_empty());
}
