//! What a scenario's settings mean for a world: its calendars' reach, and what servers must publish.

use ringyard_scheduler::balance::Cost;

use super::record::Observer;
use super::server::Publishing;
use crate::study::draws::Draws;
use crate::study::law::VARIANCE;
use crate::study::policy::PickerConfig;
use crate::study::scenario::{World, reads_ewma};

/// How many ticks ahead a message, and a server's work, can reach.
pub(super) fn reaches<D: Draws>(world: &World, draws: &mut D) -> (u32, u32) {
    let delay = draws.gamma_max(world.server_rtt.mean, world.server_rtt.variance)
        + draws.gamma_max(world.channel_rtt.mean, world.channel_rtt.variance);
    let leg = draws.half_gamma_max(delay);
    let slowest = draws.gamma_max(world.mean_processing_time, VARIANCE);
    let work = draws.half_gamma_max(2 * slowest) + world.cold_channel_penalty;
    (leg + 1, work.max(world.probe_processing_time) + 1)
}

pub(super) fn publishing<O: Observer>(
    world: &World,
    picker: &PickerConfig,
    costs: &[Cost],
) -> Publishing {
    let reads_averages = costs.iter().any(|cost| reads_ewma(*cost));
    Publishing {
        ewma_weight: (O::READS_AVERAGES || reads_averages).then_some(world.ewma_weight),
        expected_latency: matches!(picker, PickerConfig::Prequal(_))
            || costs.iter().any(|cost| cost.reads_expected_latency()),
        expect_at_current: world.rules.expect_at_current,
        bounded_pid: world.rules.bounded_pid,
    }
}
