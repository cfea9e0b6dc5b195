//! Engines that drive an [`App`](app::App): one thread per core, one loop per thread.
//!
//! The contract between an engine and an app is stated in [`app`]; everything else here serves it. Without
//! the feature `engines` only that contract and the counters remain, which is all that servers and the
//! simulator see.

pub mod app;
pub mod counters;
