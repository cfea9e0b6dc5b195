//! Questions and what their answers must be, byte for byte.

use ringyard_protocol::http1::{Method, Response, write_chunked_request, write_request};

use super::super::random::{Chance, Random};
use super::{CustomerPlan, Office};

/// What the backends make of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// The classifier's label, `"code"` or `"not code"`.
    Labels,
    /// The sequence itself, as it stood in the request: tells every sequence of the world from every other.
    Echoes,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Classify,
    /// As that, but wrong; it may be refused before anybody looks.
    Wrong,
    /// Answered by the server's front at once, whatever waits before it in the pipeline.
    Stray,
}

/// How a question is put.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// With the wish that the connection be closed after the answer.
    pub(super) closes: bool,
    /// Its body comes later; the server is to say that it wants it.
    pub(super) expects_continue: bool,
}

/// A question that was asked.
#[derive(Debug)]
pub(super) struct Question {
    customer: u32,
    number: u32,
    office: Office,
    kind: Kind,
    method: Method,
    /// The status of the right answer.
    status: u16,
    /// The right answer's body up to its first figure that cannot be known.
    body: Vec<u8>,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    BackendFailed,
    Overloaded,
    TooSlow,
    /// Refused because it would be too slow.
    Hopeless,
    NotInTime,
}

/// What stands at the end of a sequence that is code. Each holds what the classifier looks for, some of it
/// only when decoded.
const CODE: [&str; 7] = [";", "{", "}", "def f", "class X", r"\u003b", r"a\u007Bb\u007d"];

/// What stands at the end of one that is not: near misses, escapes, and characters of every width.
const NOT_CODE: [&str; 7] = ["", "defx", "klass ", r"\n\t\\", "é", "😀", r"\ud83d\ude00\u0041"];

/// Names of strategies to switch to.
const STRATEGIES: [&str; 11] =
    ["fcfs", "sjf", "fair", "rr", "sjf-ageing", "wfq", "vtc", "tiers", "edf", "wspt", "auto"];

/// Targets to switch at: some change the composition as well.
const SWITCHES: [&str; 5] = [
    "/strategy",
    "/strategy?composition=fill",
    "/strategy?composition=anchor",
    "/strategy?composition=plan",
    "/strategy?composition=auto",
];

/// That a sequence is long enough to take a classifier a moment.
const LONG: Chance = Chance::percent(5);

/// Characters that a long sequence has more than others.
const LONG_CHARACTERS: u64 = 150;

impl Question {
    /// Draws question `number` of a customer and appends its request to `out`. Also where in `out` its body
    /// begins.
    pub(super) fn draw(
        plan: &CustomerPlan,
        number: u32,
        manner: Manner,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> (Self, usize) {
        let customer = format!("customer-{}", plan.number);
        let mut extra = vec![("X-Customer-Id", customer.as_str())];
        if manner.closes {
            extra.push(("Connection", "close"));
        }
        if manner.expects_continue {
            extra.push(("Expect", "100-continue"));
        }
        if random.happens(plan.habits.strays) {
            return Self::draw_stray(plan, number, &extra, random, out);
        }
        if random.happens(plan.habits.switches) {
            return Self::draw_switch(plan, number, &extra, random, out);
        }
        let count = random.between(plan.sequences.clone());
        let mut request = Vec::from(br#"{"sequences":["#);
        let mut body = Vec::from(br#"{"results":["#);
        for index in 0..count {
            let code = random.below(2) == 1;
            let endings = if code { CODE } else { NOT_CODE };
            let ending = endings[random.index(endings.len())];
            let padding = if random.happens(LONG) { random.below(LONG_CHARACTERS) } else { 0 };
            let padding = usize::try_from(padding).expect("a small number");
            let text =
                format!(r#""c{} q{number} s{index} {:x<padding$} {ending}""#, plan.number, "");
            if index > 0 {
                request.push(b',');
                body.push(b',');
            }
            request.extend_from_slice(text.as_bytes());
            body.extend_from_slice(match (plan.answers, code) {
                (Answers::Echoes, _) => text.as_bytes(),
                (Answers::Labels, true) => br#""code""#,
                (Answers::Labels, false) => br#""not code""#,
            });
        }
        request.extend_from_slice(b"]}");
        body.extend_from_slice(match plan.office {
            Office::Proxy => br#"],"proxy_latency_ms":"#,
            Office::Classifier => b"]",
        });
        let start = write_post(path_of(plan.office), plan, &extra, &request, random, out);
        let method = Method::Post;
        (Self::new(plan, number, Kind::Classify, method, 200, body), start)
    }

    fn new(
        plan: &CustomerPlan,
        number: u32,
        kind: Kind,
        method: Method,
        status: u16,
        body: Vec<u8>,
    ) -> Self {
        let CustomerPlan { number: customer, office, .. } = *plan;
        Self { customer, number, office, kind, method, status, body }
    }

    /// A question that the server answers on the spot.
    fn draw_stray(
        plan: &CustomerPlan,
        number: u32,
        extra: &[(&str, &str)],
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> (Self, usize) {
        let too_many = format!(r#"{{"sequences":["a"{}]}}"#, r#","b""#.repeat(100));
        let (method, path, request, status): (_, _, Option<&str>, _) = match random.below(6) {
            0 => (Method::Get, "/healthz", None, 200),
            1 => (Method::Get, "/nowhere", None, 404),
            2 => (Method::Get, path_of(plan.office), None, 405),
            3 => (Method::Head, "/openapi.json", None, 200),
            4 => (Method::Get, "/openapi.json", None, 200),
            _ => (Method::Post, path_of(plan.office), Some(too_many.as_str()), 400),
        };
        let mut start = out.len();
        match request {
            None => write_request(out, method, path, "proxy", extra, None),
            Some(request) => {
                start = write_post(path, plan, extra, request.as_bytes(), random, out);
            }
        }
        let asks = method == Method::Post && plan.office == Office::Proxy;
        let kind = if asks { Kind::Wrong } else { Kind::Stray };
        (Self::new(plan, number, kind, method, status, Vec::new()), start)
    }

    /// A change of strategy.
    fn draw_switch(
        plan: &CustomerPlan,
        number: u32,
        extra: &[(&str, &str)],
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> (Self, usize) {
        let name = STRATEGIES[random.index(STRATEGIES.len())];
        let target = SWITCHES[random.index(SWITCHES.len())];
        let start = write_post(target, plan, extra, format!("\"{name}\"").as_bytes(), random, out);
        let body = format!(r#"{{"active_strategy":"{name}""#).into_bytes();
        (Self::new(plan, number, Kind::Stray, Method::Post, 200, body), start)
    }

    pub(super) fn method(&self) -> Method {
        self.method
    }

    /// Holds an answer against the right one.
    ///
    /// # Panics
    ///
    /// If it is neither right nor a refusal that the question may get.
    pub(super) fn judge(&self, response: &Response<'_>) -> Verdict {
        if response.status == self.status && self.is_right(response.body) {
            return Verdict::Right;
        }
        let told_why = response.body.starts_with(br#"{"detail":""#);
        let told_when = response.headers.get("retry-after").is_some();
        match (response.status, self.kind) {
            (502, Kind::Classify | Kind::Wrong) if told_why => Verdict::BackendFailed,
            (429 | 503, Kind::Classify | Kind::Wrong) if told_why && told_when => {
                Verdict::Overloaded
            }
            (504, Kind::Classify | Kind::Wrong) if told_why => {
                match response.body.ends_with(br#""reason":"expired"}"#) {
                    true => Verdict::TooSlow,
                    false => Verdict::Hopeless,
                }
            }
            (408, _) if told_why && !response.keep_alive => Verdict::NotInTime,
            _ => panic!(
                "customer {}, question {}: expected {} {:?}, got {} {:?}",
                self.customer,
                self.number,
                self.status,
                String::from_utf8_lossy(&self.body),
                response.status,
                String::from_utf8_lossy(response.body),
            ),
        }
    }

    fn is_right(&self, body: &[u8]) -> bool {
        let Some(rest) = body.strip_prefix(self.body.as_slice()) else { return false };
        match (self.kind, self.office) {
            (Kind::Stray | Kind::Wrong, _) => true,
            (Kind::Classify, Office::Classifier) => rest == b"}",
            (Kind::Classify, Office::Proxy) => rest
                .strip_suffix(b"}")
                .is_some_and(|figure| !figure.is_empty() && figure.iter().all(u8::is_ascii_digit)),
        }
    }
}

/// Where questions for classification go.
const fn path_of(office: Office) -> &'static str {
    match office {
        Office::Proxy => "/proxy_classify",
        Office::Classifier => "/classify",
    }
}

/// Appends a POST, its body whole or in chunks. Where the body begins.
fn write_post(
    path: &str,
    plan: &CustomerPlan,
    extra: &[(&str, &str)],
    body: &[u8],
    random: &mut Random,
    out: &mut Vec<u8>,
) -> usize {
    if !random.happens(plan.habits.chunks) {
        write_request(out, Method::Post, path, "proxy", extra, Some(body));
        return out.len() - body.len();
    }
    let chunks = write_chunked_request(out, Method::Post, path, "proxy", extra);
    let start = out.len();
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(1 + random.index(rest.len()));
        chunks.chunk(out, chunk);
        rest = after;
    }
    chunks.end(out);
    start
}
