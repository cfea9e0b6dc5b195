//! What a user may set of a scheduler.

use std::time::Duration;

use crate::composition::CompositionKind;
use crate::cost::CostModel;
use crate::limits;
use crate::strategy::StrategyKind;

/// Settings of a [`Scheduler`](crate::Scheduler). Name the ones that differ and take the rest from
/// [`SchedulerConfig::default`], so that a setting can be added without touching every caller.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerConfig {
    /// The strategy to begin with; first come, first served by default.
    pub strategy: StrategyKind,
    /// How long an incomplete batch is held, counted from the arrival of the oldest queued job. `None`, the
    /// default, leaves it to the strategy in force: [`StrategyKind::linger_default`].
    pub linger: Option<Duration>,
    /// Jobs queued at once, by default [`limits::QUEUE_JOBS_MAX`]; memory is taken as the queue grows.
    pub queue_jobs_max: usize,
    /// Which jobs share a batch; by default [`CompositionKind::Fill`].
    pub composition: CompositionKind,
    /// What a batch is expected to cost, until [`Scheduler::set_cost_model`] says otherwise.
    ///
    /// [`Scheduler::set_cost_model`]: crate::Scheduler::set_cost_model
    pub cost_model: CostModel,
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            strategy: StrategyKind::default(),
            linger: None,
            queue_jobs_max: limits::QUEUE_JOBS_MAX,
            composition: CompositionKind::default(),
            cost_model: CostModel::default(),
        }
    }
}
