//! Servers against one another on this machine, by what a request costs them in processor time.
//!
//! Requests per second say little on a machine that is shared: they swing with what the hypervisor leaves, and on
//! loopback with what the generator takes. The processor time of a pinned server for each request repeats. So each
//! server is a process on one CPU, the [generator of load](crate::load) stands on another, all take turns in short
//! windows, windows in which the hypervisor stole too much are thrown away, and what is reported is the median of
//! the ratios of neighbouring windows, beside that of a server with its own twin.
//!
//! [`case`] says who meets under which load and what is aimed at, [`contest`] holds the windows, [`finding`] is
//! what came of them, and [`command`] what a user may ask for.

pub mod command;

pub mod aim;
pub mod case;
pub mod contest;
pub mod entrant;
pub mod finding;
pub mod window;

pub mod facts;
pub mod picture;
pub mod table;

mod proc;
mod server;
mod system_calls;
