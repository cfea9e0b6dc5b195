//! A deterministic world for apps.
//!
//! [`world`] runs any number of [`App`](ringyard_runtime::app::App)s in one thread against a virtual network
//! and virtual time, both drawn from one seed: what goes wrong once goes wrong again whenever the seed is
//! given. Nothing here does IO, reads a clock or spawns a thread.

#![forbid(unsafe_code)]

pub mod world;
