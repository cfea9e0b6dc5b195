//! `ringyard study shedding`: what refusing requests is worth to a server that cannot do all of them.
//!
//! The server is the live compute server, the clients are the load generator's. Each policy meets a few clients who ask
//! again when they are answered (a closed loop), and crowds who ask at their own times (an open loop), at several
//! times what the server can do. Clients wait for so long and no longer. The same experiment runs in real time, and
//! in the simulator's world, where its figures follow from the seed alone.
//!
//! What this leaves out on purpose is batching and fairness: a request is one piece of work of a known size.

pub mod command;
pub mod experiment;
pub mod findings;

mod charts;
mod live;
mod picture;
mod simulated;
mod table;
mod web;
mod words;
