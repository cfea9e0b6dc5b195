//! Engines that drive an [`App`](app::App): one thread per core, one loop per thread.
//!
//! The contract between an engine and an app is stated in [`app`]; everything else here serves it. Without
//! the feature `engines` only that contract, the counters and the table of what ids name remain, which is all that servers
//! and the simulator see. A program that serves starts at [`launch`](mod@launch).

pub mod app;
pub mod counters;
pub mod slab;

#[cfg(all(feature = "engines", not(loom)))]
pub mod affinity;
#[cfg(all(feature = "engines", not(loom)))]
mod bell;
#[cfg(all(feature = "engines", not(loom)))]
mod clock;
#[cfg(all(feature = "engines", not(loom)))]
mod closing;
#[cfg(all(feature = "engines", not(loom)))]
mod control;
#[cfg(all(feature = "engines", not(loom)))]
mod departure;
#[cfg(all(feature = "engines", not(loom)))]
pub mod descriptors;
#[cfg(all(feature = "engines", not(loom)))]
mod dispatcher;
#[cfg(all(feature = "engines", not(loom)))]
pub mod doctor;
#[cfg(all(feature = "peers", not(loom)))]
mod glommio_engine;
#[cfg(all(feature = "engines", not(loom)))]
pub mod launch;
#[cfg(all(feature = "engines", not(loom)))]
mod lifecycle;
#[cfg(all(feature = "engines", not(loom)))]
pub mod limits;
#[cfg(all(feature = "engines", not(loom)))]
mod listener;
#[cfg(all(feature = "engines", not(loom)))]
mod mailbox;
#[cfg(all(feature = "peers", not(loom)))]
mod monoio_engine;
#[cfg(all(feature = "engines", not(loom)))]
mod outbox;
#[cfg(all(feature = "peers", not(loom)))]
mod peer_engine;
#[cfg(all(feature = "engines", not(loom)))]
pub mod plan;
#[cfg(all(feature = "engines", not(loom)))]
pub mod probe;
#[cfg(all(feature = "engines", not(loom)))]
mod ring;
#[cfg(all(feature = "engines", not(loom)))]
pub mod running;
#[cfg(all(feature = "engines", not(loom)))]
pub mod signals;
#[cfg(all(feature = "engines", not(loom)))]
mod socket;
#[cfg(all(feature = "engines", not(loom)))]
pub mod source;
#[cfg(all(feature = "engines", not(loom)))]
mod table;
#[cfg(all(feature = "engines", not(loom)))]
pub mod thread_time;
#[cfg(all(feature = "engines", not(loom)))]
mod tokio_engine;
#[cfg(all(feature = "engines", not(loom)))]
mod urgency;

#[cfg(any(feature = "engines", loom))]
mod sleep;
#[cfg(any(feature = "engines", loom))]
mod sync;

#[cfg(all(feature = "peers", not(loom)))]
pub use ring::bare;
