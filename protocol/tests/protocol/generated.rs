//! Streams of requests and responses made up for property tests, valid ones and damaged ones.

use proptest::collection::vec;
use proptest::prelude::*;
use ringyard_protocol::http1::Method;
use ringyard_protocol::limits::HttpLimits;

/// A request as its sender means it.
#[derive(Clone, Debug)]
pub(crate) struct Intended {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

/// A message's body and how its length is told.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    None,
    Counted(Vec<u8>),
    Chunked(Vec<Vec<u8>>),
}

impl Body {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Counted(bytes) => bytes.clone(),
            Self::Chunked(chunks) => chunks.concat(),
        }
    }

    /// The header line that tells the length, if there is one, the empty line, and the body.
    pub(crate) fn wire(&self) -> Vec<u8> {
        match self {
            Self::None => b"\r\n".to_vec(),
            Self::Counted(bytes) => {
                let head = format!("Content-Length: {}\r\n\r\n", bytes.len());
                [head.as_bytes(), bytes].concat()
            }
            Self::Chunked(chunks) => {
                let mut wire = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
                for chunk in chunks {
                    wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    wire.extend_from_slice(chunk);
                    wire.extend_from_slice(b"\r\n");
                }
                wire.extend_from_slice(b"0\r\n\r\n");
                wire
            }
        }
    }
}

impl Intended {
    pub(crate) fn wire(&self) -> Vec<u8> {
        let query = self.query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        let mut wire = format!("{} {}{query} HTTP/1.1\r\n", self.method.as_str(), self.path);
        for (name, value) in &self.headers {
            wire.push_str(&format!("{name}: {value}\r\n"));
        }
        [wire.as_bytes(), &self.body.wire()].concat()
    }
}

pub(crate) fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        Just(Body::None),
        vec(any::<u8>(), 0..40).prop_map(Body::Counted),
        vec(vec(any::<u8>(), 1..20), 0..4).prop_map(Body::Chunked),
    ]
}

/// Any valid request that is neither `CONNECT` nor of a special target.
pub(crate) fn request() -> impl Strategy<Value = Intended> {
    let method = proptest::sample::select(&Method::ALL[..8]);
    let headers = vec(("x-[a-zA-Z0-9!#$&'*+.^_`|~-]{0,9}", "([!-~]([ -~\t]{0,20}[!-~])?)?"), 0..5);
    let query = proptest::option::of("([a-z0-9&=+?/:@!,.;-]|%[0-9a-fA-F]{2}){0,12}");
    (method, "(/([a-zA-Z0-9._~!$'()*,;:@-]|%[0-9A-F]{2}){0,8}){1,3}", query, headers, body())
        .prop_map(|(method, path, query, mut headers, body)| {
            headers.insert(headers.len() / 2, ("Host".to_owned(), "h:80".to_owned()));
            Intended { method, path, query, headers, body }
        })
}

/// The bytes of a few pipelined requests.
pub(crate) fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec((request(), 0..3_usize), 1..4).prop_map(|requests| {
        let wires = requests.into_iter().map(|(request, empty_lines)| {
            [b"\r\n".repeat(empty_lines.saturating_sub(1)), request.wire()].concat()
        });
        wires.collect::<Vec<_>>().concat()
    })
}

/// The usual limits, or some so narrow that most streams run into one of them.
pub(crate) fn limits() -> impl Strategy<Value = HttpLimits> {
    let narrow = (10..60_usize, 10..60_usize, 30..200_usize, 1..6_usize, 0..40_usize).prop_map(
        |(request_line_bytes, header_line_bytes, head_bytes, headers, body_bytes)| HttpLimits {
            request_line_bytes,
            header_line_bytes,
            head_bytes,
            headers,
            body_bytes,
            leading_empty_lines: 1,
            chunk_framing_bytes: body_bytes,
            trailer_bytes: headers * 10,
            interim_responses: 1,
        },
    );
    prop_oneof![Just(HttpLimits::default()), narrow]
}

/// One change to a stream of bytes; places are taken modulo its length.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    Replace(usize, u8),
    Insert(usize, &'static [u8]),
    Remove(usize, usize),
    Repeat(usize, usize),
}

/// Bytes and words that parsers trip over.
const TRIPWIRES: [&[u8]; 30] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"%",
    b"+5",
    b"0x",
    b"\x80",
    b"?",
    b"*",
    b"chunked",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"http://h",
    b"0\r\n\r\n",
    b"ffffffffffffffff",
    b"\r\n x",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nContent-Length: 3",
    b"\r\nContent-Length: 3, 3",
    b"\r\nHost: h",
    b"\r\nConnection: close",
    b"\r\nExpect: 100-continue",
    b"PRI * HTTP/2.0\r\n",
    b"1",
];

/// Mutations, few enough for much of the stream to stay whole.
pub(crate) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let place = 0..10_000_usize;
    let mutation = prop_oneof![
        (place.clone(), any::<u8>()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (place.clone(), proptest::sample::select(&TRIPWIRES[..]))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (place.clone(), 1..4_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        (place, 1..40_usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ];
    vec(mutation, 0..4)
}

/// `stream` with all of `mutations` done to it.
pub(crate) fn mutated(mut stream: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    let range = |at: usize, count: usize, stream: &[u8]| {
        let start = at % stream.len().max(1);
        start..(start + count).min(stream.len())
    };
    for mutation in mutations {
        match *mutation {
            Mutation::Replace(at, byte) => {
                let range = range(at, 1, &stream);
                stream[range].fill(byte);
            }
            Mutation::Insert(at, bytes) => {
                let at = range(at, 0, &stream).start;
                stream.splice(at..at, bytes.iter().copied());
            }
            Mutation::Remove(at, count) => {
                stream.drain(range(at, count, &stream));
            }
            Mutation::Repeat(at, count) => {
                let range = range(at, count, &stream);
                let copy = stream[range.clone()].to_vec();
                stream.splice(range.end..range.end, copy);
            }
        }
    }
    stream
}

/// Every way to cut that is worth trying on a stream of `length` bytes: a few cuts, or one at every byte.
pub(crate) fn cuts(length: usize) -> impl Strategy<Value = Vec<usize>> {
    let few = vec(0..=length, 1..6).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    });
    prop_oneof![3 => few, 1 => Just((0..length).collect())]
}
