//! The `ringyard` binary.

fn main() {}
