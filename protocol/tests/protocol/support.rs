//! What the tests of requests and responses share: how a stream of bytes is cut, and what came of it.

use ringyard_protocol::http1::{
    ClientCodec, Head, Headers, Method, Phase, Refusal, Response, ResponseError, ServerCodec, Step,
};
use ringyard_protocol::limits::HttpLimits;

/// A request, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) version_minor: u8,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) content_length: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn new(head: &Head<'_>, body: &[u8]) -> Self {
        Self {
            method: head.method,
            path: head.target.path.to_owned(),
            query: head.target.query.map(str::to_owned),
            version_minor: head.version_minor,
            headers: owned(&head.headers),
            keep_alive: head.keep_alive,
            expects_continue: head.expects_continue,
            content_length: head.content_length,
            body: body.to_vec(),
        }
    }
}

/// What came of a stream of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) requests: Vec<Seen>,
    pub(crate) refusal: Option<Refusal>,
    /// Whether the stream ended within a request.
    pub(crate) unfinished: bool,
}

/// Feeds `stream`, cut before each of the ascending indices `cuts`, to a codec, and checks on the way what
/// holds for every stream.
pub(crate) fn read_requests(stream: &[u8], cuts: &[usize], limits: &HttpLimits) -> Transcript {
    let mut codec = ServerCodec::new();
    let mut transcript = Transcript::default();
    let mut announced = None;
    for mut input in pieces(stream, cuts) {
        loop {
            let before = input.len();
            match codec.next(&mut input, limits) {
                Ok(Step::Incomplete) => {
                    assert!(input.is_empty(), "a codec that wants more has taken all");
                    break;
                }
                Ok(Step::Head(head)) => {
                    assert_eq!(announced, None, "a head is announced once");
                    announced = Some(Seen::new(&head, b""));
                    assert!(input.is_empty(), "a body that is at hand is taken with its head");
                    assert_eq!(codec.phase(), Phase::Body);
                }
                Ok(Step::Request(request)) => {
                    assert!(input.len() <= before);
                    let seen = Seen::new(&request.head, request.body);
                    if let Some(head) = announced.take() {
                        assert_eq!(Seen { body: Vec::new(), ..seen.clone() }, head);
                    }
                    transcript.requests.push(seen);
                    assert_eq!(codec.phase(), Phase::Idle);
                }
                Err(refusal) => {
                    assert_eq!(transcript.refusal, None, "a refusal is the last that is heard");
                    transcript.refusal = Some(refusal);
                    announced = None;
                }
            }
        }
    }
    transcript.unfinished = codec.phase() != Phase::Idle;
    transcript
}

/// A response, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) keep_alive: bool,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(response: &Response<'_>) -> Self {
        Self {
            status: response.status,
            headers: owned(&response.headers),
            keep_alive: response.keep_alive,
            body: response.body.to_vec(),
        }
    }
}

/// Feeds `stream` to a client that has sent requests of these methods, then closes it.
pub(crate) fn read_responses(
    methods: &[Method],
    stream: &[u8],
    cuts: &[usize],
    limits: &HttpLimits,
) -> (Vec<Answer>, Result<(), ResponseError>) {
    let mut codec = ClientCodec::new();
    for method in methods {
        codec.sent(*method);
    }
    let mut answers = Vec::new();
    for mut input in pieces(stream, cuts) {
        loop {
            match codec.next(&mut input, limits) {
                Ok(Some(response)) => answers.push(Answer::new(&response)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(codec.next(&mut input, limits), Ok(None));
                    assert!(input.is_empty(), "a failed codec swallows the rest");
                    return (answers, Err(error));
                }
            }
        }
        assert!(input.is_empty(), "a codec that wants more has taken all");
    }
    let end = match codec.end() {
        Ok(Some(response)) => {
            answers.push(Answer::new(&response));
            codec.end().map(|last| assert_eq!(last, None))
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    assert!(end.is_err() || codec.awaited() == 0);
    (answers, end)
}

fn owned(headers: &Headers<'_>) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

/// `stream` cut before each of `cuts`.
pub(crate) fn pieces<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for cut in cuts.iter().copied().filter(|cut| *cut <= stream.len()) {
        pieces.push(&stream[start..cut.max(start)]);
        start = cut.max(start);
    }
    pieces.push(&stream[start..]);
    pieces
}
