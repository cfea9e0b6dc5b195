//! Which of its channels a client sends a request on.
//!
//! Every policy is a pure object: it is given a view of the channels ([`Channels`]), a source of randomness
//! ([`Random`]) and, where time matters, the present; it answers with the index of a channel and explains its
//! last choice on request. It sends nothing, reads no clock and knows nothing of connections, so the study's
//! simulators and the proxy run the very same code.
//!
//! * `random`, `rolling`, `percentile`, `pid` are the parts that policies are made of;
//! * `view` is what a policy sees, [`Cost`] what it makes of it;
//! * [`Picker`] holds the policies of the study, [`Probes`] and [`Race`] those that spend requests to learn;
//! * [`live`] holds the policies that keep estimates of their own, as a proxy wants them.

mod client_pid;
mod cost;
mod explain;
mod hot_cold;
mod least_cost;
pub mod live;
mod percentile;
mod picker;
mod pid;
mod probing;
mod random;
mod rolling;
mod simple;
mod view;
mod weighted;

#[cfg(test)]
mod tests;

pub use client_pid::ClientPid;
pub use cost::{Cost, CostError, ServerCost};
pub use explain::{Explanation, Reason};
pub use hot_cold::{HotCold, HotColdConfig};
pub use least_cost::{LeastCost, Unknown};
pub use percentile::PercentileSet;
pub use picker::Picker;
pub use pid::{Gains, Pid, target_utilization};
pub use probing::{Probes, RACERS_MAX, Race};
pub use random::{Philox, Random};
pub use rolling::{EWMA_WEIGHT, Interpolated, LastN, ewma};
pub use simple::RoundRobin;
pub use view::{Aggregate, Channels, Narrowed, Observed, Report};
pub use weighted::{Weighted, Zero};
