//! The crate as its users meet it: streams of bytes in, messages and refusals out, and back again.
//!
//! One binary, so that the modules share [`support`] and link once.

mod requests;
mod responses;
mod round_trips;
mod streams;
mod texts;

mod generated;
mod naive;
mod support;
