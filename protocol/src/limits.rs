//! Every bound on what a peer may send, in one place, each with its unit.
//!
//! They stand apart from the parsers so that a reader can see at a glance what an attacker can make us
//! hold. The parsers take [`HttpLimits`] as an argument and deliberately keep no default of their own.

/// Bytes of a request line or status line, line end included.
pub const REQUEST_LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one header line, line end included.
pub const HEADER_LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a whole head: first line, header lines and the empty line that ends it.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Header lines of one message.
pub const HEADERS_MAX: usize = 100;

/// Bytes of one message's body, after chunks have been joined.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Empty lines skipped before a request line; RFC 9112 section 2.2 asks for at least one.
pub const LEADING_EMPTY_LINES_MAX: usize = 4;

/// Bytes of chunk framing (sizes, extensions and line ends) that one body may carry beyond
/// [`CHUNK_FRAMING_BYTES_PER_BODY_BYTE`] for each of its own.
pub const CHUNK_FRAMING_BYTES_MAX: usize = 4 * 1024;

/// Bytes of chunk framing allowed for each byte of the body: one-byte chunks, which careless senders
/// write, cost five.
pub const CHUNK_FRAMING_BYTES_PER_BODY_BYTE: usize = 5;

/// Bytes of the trailer section that may follow a chunked body, the empty line that ends it included.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// Interim (1xx) responses skipped before one final response.
pub const INTERIM_RESPONSES_MAX: usize = 8;

/// Bytes of buffer that a codec keeps while it is idle; what grew larger is given back.
pub const RETAINED_BUFFER_BYTES: usize = 4 * 1024;

/// Bytes copied at a time while the head of a cut message is being completed, so that little of what
/// follows that head is copied with it.
pub const TAIL_STEP_BYTES: usize = 1024;

/// Containers that may be open at once in a JSON text.
pub const JSON_DEPTH_MAX: u32 = 128;

/// Bytes of a JSON text; spans are 32 bits wide.
pub const JSON_TEXT_BYTES_MAX: usize = u32::MAX as usize;

const _: () = assert!(REQUEST_LINE_BYTES_MAX <= HEAD_BYTES_MAX);
const _: () = assert!(HEADER_LINE_BYTES_MAX <= HEAD_BYTES_MAX);
const _: () = assert!(JSON_DEPTH_MAX <= u128::BITS, "one bit per open container");
const _: () = assert!(BODY_BYTES_MAX <= JSON_TEXT_BYTES_MAX);
const _: () = assert!(TAIL_STEP_BYTES <= RETAINED_BUFFER_BYTES);

/// The bounds that an operator may set; the default of each is the constant of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// See [`REQUEST_LINE_BYTES_MAX`].
    pub request_line_bytes: usize,
    /// See [`HEADER_LINE_BYTES_MAX`].
    pub header_line_bytes: usize,
    /// See [`HEAD_BYTES_MAX`].
    pub head_bytes: usize,
    /// See [`HEADERS_MAX`].
    pub headers: usize,
    /// See [`BODY_BYTES_MAX`].
    pub body_bytes: usize,
    /// See [`LEADING_EMPTY_LINES_MAX`].
    pub leading_empty_lines: usize,
    /// See [`CHUNK_FRAMING_BYTES_MAX`].
    pub chunk_framing_bytes: usize,
    /// See [`TRAILER_BYTES_MAX`].
    pub trailer_bytes: usize,
    /// See [`INTERIM_RESPONSES_MAX`].
    pub interim_responses: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            request_line_bytes: REQUEST_LINE_BYTES_MAX,
            header_line_bytes: HEADER_LINE_BYTES_MAX,
            head_bytes: HEAD_BYTES_MAX,
            headers: HEADERS_MAX,
            body_bytes: BODY_BYTES_MAX,
            leading_empty_lines: LEADING_EMPTY_LINES_MAX,
            chunk_framing_bytes: CHUNK_FRAMING_BYTES_MAX,
            trailer_bytes: TRAILER_BYTES_MAX,
            interim_responses: INTERIM_RESPONSES_MAX,
        }
    }
}
