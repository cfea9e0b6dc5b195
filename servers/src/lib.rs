//! Ringyard's servers, each a state machine that engines and the simulator drive alike.
//!
//! [`front`] is what they share: client connections and HTTP. [`classifier`], [`compute`] and [`proxy`] are what their
//! requests mean. Nothing here opens a socket, reads a clock or starts a thread; see
//! `ringyard_runtime::app` for the contract.

#![forbid(unsafe_code)]

pub mod front;
pub mod response;

pub mod classifier;
pub mod compute;
pub mod proxy;

pub mod limits;
pub mod metrics;

mod buffers;
mod id_hash;
mod patience;
mod redelivery;
mod request;
mod timers;
