//! The tick world: clients, channels and servers that move in whole ticks, as the published study has them.
//!
//! A tick has three parts, in this order: requests arrive, servers work, clients act. [`run`] walks them and does
//! no more than that; what a request's life looks like is in `world` (built in `build`), what a server does and publishes in
//! `serve` and `server`, what goes on
//! before a request is picked in `plans`.

mod build;
mod channels;
mod plans;
mod record;
mod requests;
mod serve;
mod server;
mod world;

#[cfg(test)]
mod tests;

pub use record::{Observer, Row, Stage, Tally};
pub use world::run;
