//! HTTP/1.1 (RFC 9112), server side and client side, and the words both share.
//!
//! The way of a message: [`ServerCodec`] or [`ClientCodec`] hands received bytes to `assembler`, which
//! finds the message in place or completes it in a buffer; `head` reads the head by means of
//! `request_line`, `status_line` and `fields`; `chunked` joins chunked bodies. [`mod@write`] is the way back.
//!
//! Strict on purpose: this stands in front of other servers, and request smuggling lives where two
//! parsers forgive differently. The grammar is therefore our own, one pass and resumable at any byte;
//! a general parser (`httparse`) is lenient by design and serves as the oracle of the tests instead.
//!
//! Not here: HTTP/2, upgrades, tunnels, content codings. Trailers are checked and dropped.

pub use client::{ClientCodec, Response, ResponseError};
pub use date::DateCache;
pub use headers::Headers;
pub use method::Method;
pub use server::{Head, Phase, Refusal, Request, ServerCodec, Step};
pub use status::Status;
pub use target::Target;
pub use write::{
    CONTINUE, ChunkedBody, ResponseHead, write_chunked_request, write_chunked_response,
    write_request, write_response,
};

pub mod client;
pub mod server;
pub mod write;

mod date;
mod headers;
mod method;
mod status;
mod target;

mod assembler;
mod chunked;
mod fault;
mod fields;
mod head;
mod request_line;
mod status_line;

mod classes;
