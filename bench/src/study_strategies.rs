//! `ringyard study strategies`: every strategy and composition under the same load, in virtual time.
//!
//! The scheduler is the live one. Around it stands the smallest world that can tell strategies apart: one backend that
//! takes a batch at a time, and Poisson arrivals that follow from a seed. Nothing here waits, does IO or reads a
//! clock, so thousands of seconds of queueing take seconds, and the same seed gives the same figures for ever.
//!
//! What this deliberately leaves out is HTTP, several backends and their failures: the simulator's worlds have those.

pub mod command;
pub mod experiment;
pub mod findings;
pub mod mix;
pub mod queueing;
pub mod table;
