//! Scheduling decisions as pure data structures: which jobs go to a backend next, and together with which.
//!
//! A [`Scheduler`] is a bounded queue of [`Job`]s. It is told what happens ([`Scheduler::push`],
//! [`Scheduler::cancel`], [`Scheduler::set_strategy`]) and asked, whenever a backend slot is free, for the
//! next batch ([`Scheduler::pop_batch`]). That a slot became free is the caller's to know. The one thing that
//! happens without an event is that a held batch has waited long enough: [`Scheduler::next_deadline`] says
//! when.
//!
//! Two decisions are kept apart, each behind an interface of its own:
//!
//! * the *order* (`order/`) says whose turn it is: one job at a time, by arrival, by length, by customer;
//! * the *composition* (`composition/`) says which jobs share a batch, given whose turn it is.
//!
//! [`balance`] chooses among backends, and [`shedding`] whom to refuse where a queue alone does not help.
//!
//! Nothing here reads a clock, does IO, locks or spawns: the present is an argument. Once every table has
//! reached its high-water mark, no call but [`Scheduler::set_strategy`] allocates.

#![forbid(unsafe_code)]

mod auto;
pub mod balance;
mod batch;
mod by_length;
mod composition;
mod config;
pub mod cost;
mod job;
mod jobs;
pub mod limits;
mod list;
mod order;
mod queue;
mod scheduler;
pub mod shedding;
mod strategy;

pub use auto::{AutoReason, AutoSwitch};
pub use batch::{Batch, Slot};
pub use composition::{CompositionKind, UnknownComposition};
pub use config::{Ageing, FairRule, SchedulerConfig};
pub use job::{CustomerId, CustomerTerms, Job, JobId, JobSpec};
pub use jobs::Backlog;
pub use scheduler::{QueueFull, Scheduler};
pub use strategy::{StrategyKind, UnknownStrategy};
