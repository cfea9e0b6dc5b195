//! Generators, players and errands in the simulator's world: virtual time, virtual network, no engine.
//!
//! Here a server can follow an exact law, stall for an exact second or vanish at an exact instant, so what
//! the generator reports can be held against what is known to be true.

mod errand;
mod fake;
mod faults;
mod laws;
mod probe;
mod strategies;
mod study;
mod sureness;
