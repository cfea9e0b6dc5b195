//! The atomics of what two cores share: the standard library's, or loom's under `--cfg loom`.
//!
//! Only code that loom explores takes its atomics from here.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, Ordering, fence};
