//! The servers against their contracts, without an engine: each app driven by hand in virtual time.

mod driver;

mod allocation;
mod batching;
mod classifier;
mod conservation;
mod customers;
mod deadlines;
mod explain;
mod heads;
mod mutated;
mod overload;
mod pipelining;
mod proxy;
