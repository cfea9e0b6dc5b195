//! The servers against their contracts, without an engine: each app driven by hand in virtual time.

mod driver;

mod allocation;
mod classifier;
mod mutated;
mod overload;
mod proxy;
