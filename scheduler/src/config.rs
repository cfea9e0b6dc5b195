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
    /// What [`StrategyKind::Fair`] means; by default [`FairRule::RoundRobin`].
    pub fair: FairRule,
    /// How [`StrategyKind::SjfAgeing`] lets waiting jobs come forward.
    pub ageing: Ageing,
}

/// How customers share under [`StrategyKind::Fair`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FairRule {
    /// One job a turn, whatever it costs, and no weights: [`StrategyKind::RoundRobin`].
    #[default]
    RoundRobin,
    /// Deficit round robin by weight, where everybody pays its share of what batches cost.
    Deficit,
}

/// How waiting jobs come forward under [`StrategyKind::SjfAgeing`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ageing {
    /// Nanoseconds of cost that a job loses per nanosecond of waiting, by default
    /// [`limits::AGEING_COST_PER_WAIT`]. A job is overtaken only by jobs that arrive within the difference of
    /// their costs divided by this. Zero or less is no ageing.
    pub cost_per_wait: f64,
    /// How long a job waits before it goes first whatever it costs, by default
    /// [`limits::AGEING_WAIT_MAX`].
    pub wait_max: Duration,
}

impl Default for Ageing {
    fn default() -> Self {
        Self { cost_per_wait: limits::AGEING_COST_PER_WAIT, wait_max: limits::AGEING_WAIT_MAX }
    }
}

impl Default for SchedulerConfig {
    fn default() -> Self {
        Self {
            strategy: StrategyKind::default(),
            linger: None,
            queue_jobs_max: limits::QUEUE_JOBS_MAX,
            composition: CompositionKind::default(),
            cost_model: CostModel::default(),
            fair: FairRule::default(),
            ageing: Ageing::default(),
        }
    }
}
