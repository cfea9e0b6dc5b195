//! The load generator: many connections, one request, honest figures.
//!
//! [`options`] says what to do, [`run`](mod@run) does it, [`report`] is what was found. The clients themselves are the
//! state machine of [`generator`](crate::generator); [`http`] and [`raw`] are what they say. What a report
//! looks like to a person is [`output`]'s business, and [`command`]'s what a user may ask for.

pub mod command;
pub mod options;
pub mod run;

pub mod http;
pub mod raw;
pub mod target;
pub mod template;

pub mod compare;
pub mod find;

pub mod figures;
pub mod gathering;
pub mod output;
pub mod report;
pub mod slo;
pub mod verdict;

mod headroom;
mod null_server;
mod processor;

pub use null_server::NullServer;
