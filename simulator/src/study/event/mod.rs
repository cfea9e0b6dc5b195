//! The continuous-time world: the same policies under general arrivals, services and faults.
//!
//! Where the tick world reproduces one study, this one answers to queueing theory: time is a number, arrivals and work
//! follow any law, servers are first-come-first-served or share their processor, and may be slow or fail fast. It is a
//! plain event simulation over a heap, with one counter-based stream per purpose. `validate` holds it to the textbook.

mod agenda;
mod client;
mod laws;
mod measure;
mod simulation;
mod station;

#[cfg(test)]
mod tests;

pub use laws::{ArrivalLaw, Law};
pub use measure::Measured;
pub use simulation::{Setup, StationSetup, simulate};
pub use station::Discipline;
