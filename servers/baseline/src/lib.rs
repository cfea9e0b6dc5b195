//! The classifier and the batching proxy to the same contract, written the way most people would today: tokio
//! with worker threads, axum, hyper's pooling client, one queue behind a mutex and a task that dispatches.
//!
//! It is what every figure of this project is compared with, so it is written with care and without tricks:
//! what its libraries do by default they do here. It shares with the other servers what is not in question,
//! the strategies and the documentation pages, and none of their code on the path of a request.

#![forbid(unsafe_code)]

mod answer;
mod body;
mod pages;
mod sequences;

mod classifier;
mod proxy;

mod connection;
mod limits;
mod listen;
mod metrics;
mod running;

pub use classifier::launch_classifier;
pub use listen::LaunchError;
pub use proxy::launch_proxy;
pub use running::{Ended, Running};
