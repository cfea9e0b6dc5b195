//! The load-balancing study: which way of choosing a server serves requests best?
//!
//! Clients spread requests over servers by the very policies that the proxy uses
//! ([`ringyard_scheduler::balance`]); what surrounds the policies is simulated. A study is a list of scenarios
//! (`scenario`, in TOML), each run some number of times (`runner`) in a world that moves in whole ticks
//! (`tick`), each run giving thirteen figures (`summary`). Every draw comes from a stream that is keyed by seed,
//! scenario, run and purpose (`draws`), so a result does not depend on threads or order. A second world moves in
//! continuous time (`event`) and is held to queueing theory (`theory`, `validate`).

pub mod arrivals;
pub mod catalogue;
pub mod command;
pub mod contest;
pub mod csv;
pub mod draws;
pub mod event;
pub mod figure;
pub mod law;
pub mod numeric;
pub mod policy;
pub mod profile;
pub mod recorder;
pub mod report;
pub mod rows;
pub mod runner;
pub mod sample;
pub mod scenario;
pub mod score;
pub mod summary;
pub mod tape;
pub mod theory;
pub mod tick;
pub mod validate;
