//! Two simulators: a deterministic world for apps, and the load-balancing study.
//!
//! [`world`] runs any number of [`App`](ringyard_runtime::app::App)s in one thread against a virtual network
//! and virtual time, both drawn from one seed: what goes wrong once goes wrong again whenever the seed is
//! given. It does no IO, reads no clock and spawns no thread.
//!
//! [`study`] asks which way of choosing a server serves requests best, by simulating clients that use the
//! proxy's own balancing policies. The two share no code: one moves bytes, the other moves counts.

#![forbid(unsafe_code)]

pub mod study;
pub mod world;
