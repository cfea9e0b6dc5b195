//! Proxy, backends and customers in one world.

mod backends;
mod classifier;
mod cores;
mod drain;
mod echo;
mod integrity;
mod leaving;
mod raw;
mod seeds;
mod swarm;
mod timeouts;
mod yard;
