//! What the end-to-end scenarios share: servers on free loopback ports, and clients to try them with.
//!
//! Clients are plain blocking sockets on purpose: they share no code with what they try.

#![forbid(unsafe_code)]

pub mod client;
pub mod description;
pub mod servers;
