//! The binary, from outside: how it is used, and what it promises under load.

mod process;

mod analyze;
mod compare;
mod compute;
mod load;
mod reload;
mod soak;
mod usage;

/// What `--engine` takes.
const ENGINES: [&str; 2] = ["ring", "tokio"];
