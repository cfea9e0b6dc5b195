//! Wire formats as state machines: HTTP/1.1 for both sides, and JSON read without building a tree.
//!
//! Bytes go in, values come out that borrow from them. Nothing here does IO, reads a clock or starts a
//! thread, so the engines, the simulator and the tests all drive the same code. Whatever a peer sends is
//! answered with a value or an error, never with a panic, and the outcome depends on the bytes alone: not
//! on how the network happened to cut them.
//!
//! This crate deliberately knows no route, no status policy of an application and no schema.

#![forbid(unsafe_code)]

pub mod limits;

pub mod http1;
pub mod json;
