//! Workloads, measurements, reports and benchmarks.
//!
//! Every claim that this project makes about itself is made with what stands here. Servers never depend on
//! it; it depends on whatever it measures.

#![forbid(unsafe_code)]

pub mod analyze;
pub mod compare;
pub mod conductor;
pub mod errand;
pub mod estimate;
pub mod generator;
pub mod limits;
pub mod load;
pub mod outcome;
pub mod player;
pub mod progress;
pub mod random;
pub mod report;
pub mod statistics;
pub mod study;
pub mod study_shedding;
pub mod study_strategies;
pub mod wall_clock;
pub mod workload;
