//! Whole streams of requests: what valid ones mean, that cutting changes nothing, and that no damage is
//! read otherwise than naively.

use proptest::prelude::*;
use ringyard_protocol::http1::{Method, ServerCodec, Step};
use ringyard_protocol::limits::{HEAD_BYTES_MAX, HttpLimits};

use crate::generated::{cuts, limits, mutated, mutations, request, stream};
use crate::naive::{self, NaiveLength, find};
use crate::support::read_requests;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn valid_requests_are_read_as_intended(intended in request()) {
        let transcript = read_requests(&intended.wire(), &[], &HttpLimits::default());
        prop_assert_eq!(transcript.refusal, None);
        prop_assert_eq!(transcript.requests.len(), 1);
        let seen = &transcript.requests[0];
        prop_assert_eq!(seen.method, intended.method);
        prop_assert_eq!(&seen.path, &intended.path);
        prop_assert_eq!(&seen.query, &intended.query);
        prop_assert_eq!(&seen.body, &intended.body.bytes());
        let mut headers = seen.headers.iter();
        for (name, value) in &intended.headers {
            prop_assert_eq!(headers.next(), Some(&(name.clone(), value.clone().into_bytes())));
        }
    }

    #[test]
    fn cutting_changes_nothing(
        ((stream, cuts), limits) in (stream(), mutations()).prop_flat_map(|(stream, mutations)| {
            let stream = mutated(stream, &mutations);
            let length = stream.len();
            ((Just(stream), cuts(length)), limits())
        })
    ) {
        let whole = read_requests(&stream, &[], &limits);
        let cut = read_requests(&stream, &cuts, &limits);
        prop_assert_eq!(whole, cut, "{}", stream.escape_ascii());
    }

    #[test]
    fn damaged_heads_are_judged_as_naively(intended in request(), mutations in mutations()) {
        let stream = mutated(intended.wire(), &mutations);
        let stream = stream.strip_prefix(b"\r\n").unwrap_or(&stream);
        prop_assume!(!stream.starts_with(b"\r"));
        let transcript = read_requests(stream, &[], &HttpLimits::default());
        let first = transcript.requests.first();
        if find(stream, b"\r\n\r\n").is_none() {
            prop_assert_eq!(first, None);
            return Ok(());
        }
        let Some(naive) = naive::read_head(stream) else {
            prop_assert!(first.is_none() && transcript.refusal.is_some(), "{}", stream.escape_ascii());
            return Ok(());
        };
        let Some(seen) = first else {
            // The head is good, so the body is cut short, too large, or badly chunked.
            let good = match naive.length {
                NaiveLength::Counted(length) => length <= (stream.len() - naive.bytes) as u64,
                NaiveLength::Chunked => false,
            };
            prop_assert!(!good, "{}: {transcript:?}", stream.escape_ascii());
            return Ok(());
        };
        prop_assert_eq!(seen.method.as_str(), naive.method);
        prop_assert_eq!(seen.version_minor, naive.version_minor);
        prop_assert_eq!(&seen.headers, &naive.headers);
        if naive.target.starts_with('/') {
            let query = seen.query.as_ref().map_or(String::new(), |query| format!("?{query}"));
            prop_assert_eq!(format!("{}{query}", seen.path), naive.target);
        }
        if let NaiveLength::Counted(length) = naive.length {
            let body = &stream[naive.bytes..];
            prop_assert_eq!(&seen.body, &body[..usize::try_from(length).expect("it was there")]);
        }
    }

    #[test]
    fn whatever_is_accepted_a_lenient_parser_reads_alike(
        intended in request(),
        mutations in mutations(),
    ) {
        let stream = mutated(intended.wire(), &mutations);
        let transcript = read_requests(&stream, &[], &HttpLimits::default());
        if let Some(seen) = transcript.requests.first() {
            let mut storage = [httparse::EMPTY_HEADER; 100];
            let mut lenient = httparse::Request::new(&mut storage);
            let outcome = lenient.parse(&stream);
            // HTTP/1.2 and later are taken for 1.1 here and are unknown there.
            prop_assume!(outcome != Err(httparse::Error::Version));
            prop_assert!(outcome.is_ok_and(|status| status.is_complete()));
            prop_assert_eq!(lenient.method, Some(seen.method.as_str()));
            let headers = lenient.headers.iter().map(|line| (line.name.to_owned(), line.value.to_vec()));
            prop_assert_eq!(headers.collect::<Vec<_>>(), seen.headers.clone());
        }
    }

    #[test]
    fn noise_is_refused_or_waited_for(noise in proptest::collection::vec(any::<u8>(), 0..60)) {
        let transcript = read_requests(&noise, &[], &HttpLimits::default());
        prop_assert_eq!(transcript.requests, []);
    }
}

#[test]
fn a_head_is_announced_while_its_body_is_awaited() {
    let limits = HttpLimits::default();
    let mut codec = ServerCodec::new();
    let mut input: &[u8] =
        b"PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    match codec.next(&mut input, &limits) {
        Ok(Step::Head(head)) => {
            assert_eq!((head.method, head.target.path), (Method::Put, "/x"));
            assert!(head.expects_continue);
            assert_eq!(head.content_length, Some(2));
            assert_eq!(head.headers.get("expect"), Some(&b"100-continue"[..]));
        }
        step => panic!("{step:?}"),
    }
    assert_eq!(codec.next(&mut input, &limits), Ok(Step::Incomplete));
    let mut input: &[u8] = b"o";
    assert_eq!(codec.next(&mut input, &limits), Ok(Step::Incomplete));
    let mut input: &[u8] = b"kGET ";
    match codec.next(&mut input, &limits) {
        Ok(Step::Request(request)) => assert_eq!(request.body, b"ok"),
        step => panic!("{step:?}"),
    }
    assert_eq!(input, b"GET ");
}

/// The codec looks at each byte of a head once, however it arrives: as many bytes as a head may have, one
/// at a time, would take hours otherwise.
#[test]
fn dribbled_heads_cost_no_more_than_whole_ones() {
    let limits =
        HttpLimits { headers: usize::MAX, head_bytes: 4 * 1024 * 1024, ..HttpLimits::default() };
    let mut stream = b"GET / HTTP/1.1\r\nHost: h\r\n".to_vec();
    while stream.len() < 60 * HEAD_BYTES_MAX {
        stream.extend_from_slice(b"x-filler: 0123456789012345678901234567890123456789\r\n");
    }
    stream.extend_from_slice(b"\r\n");
    let every_byte: Vec<usize> = (0..stream.len()).collect();
    let transcript = read_requests(&stream, &every_byte, &limits);
    assert_eq!(transcript.requests.len(), 1);
}
