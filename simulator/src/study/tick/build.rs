//! What a scenario's settings mean for a world: its pickers, its calendars' reach, what servers must publish.

use ringyard_scheduler::balance::{
    Aggregate, ClientPid, Cost, Explanation, Gains, HotCold, HotColdConfig, LeastCost, Picker,
    RoundRobin, ServerCost, Weighted,
};

use super::record::Observer;
use super::server::Publishing;
use crate::study::draws::Draws;
use crate::study::law::VARIANCE;
use crate::study::scenario::{PickerConfig, Scenario, World};

/// Bound of a client-side controller's integral and weight in the corrected profile.
const CLIENT_PID_BOUND: f64 = 1_000.0;

/// How many ticks ahead a message, and a server's work, can reach.
pub(super) fn reaches<D: Draws>(world: &World, draws: &mut D) -> (u32, u32) {
    let delay = draws.gamma_max(world.server_rtt.mean, world.server_rtt.variance)
        + draws.gamma_max(world.channel_rtt.mean, world.channel_rtt.variance);
    let leg = draws.half_gamma_max(delay);
    let slowest = draws.gamma_max(world.mean_processing_time, VARIANCE);
    let work = draws.half_gamma_max(2 * slowest) + world.cold_channel_penalty;
    (leg + 1, work.max(world.probe_processing_time) + 1)
}

pub(super) fn publishing<O: Observer>(world: &World, costs: &[Cost]) -> Publishing {
    let reads_averages = costs.iter().any(|cost| match cost {
        Cost::Reported(cost) | Cost::Oracle(cost) => reads_average(*cost),
        _ => false,
    });
    Publishing {
        ewma_weight: (O::READS_AVERAGES || reads_averages).then_some(world.ewma_weight),
        expected_latency: costs.iter().any(|cost| cost.reads_expected_latency()),
        expect_at_current: world.rules.expect_at_current,
        bounded_pid: world.rules.bounded_pid,
    }
}

fn reads_average(cost: ServerCost) -> bool {
    match cost {
        ServerCost::Latency(by) | ServerCost::Queries(by) | ServerCost::Utilization(by) => {
            by == Aggregate::Ewma
        }
        ServerCost::Capacity { queries, utilization }
        | ServerCost::AvailableCapacity { queries, utilization } => {
            queries == Aggregate::Ewma || utilization == Aggregate::Ewma
        }
        ServerCost::InFlight | ServerCost::ExpectedLatency | ServerCost::PidWeight => false,
    }
}

/// The picker of one client with `count` channels.
pub(super) fn build_picker<D: Draws>(scenario: &Scenario, count: usize, draws: &mut D) -> Picker {
    let rules = &scenario.world.rules;
    match &scenario.picker {
        PickerConfig::First | PickerConfig::FastestProbe => Picker::First,
        PickerConfig::Random => Picker::Uniform(Explanation::default()),
        PickerConfig::RoundRobin => {
            let start = if rules.random_phase { draws.phase(count) } else { 0 };
            Picker::RoundRobin(RoundRobin::starting_at(start))
        }
        PickerConfig::LeastCost { cost, choices } => {
            let policy = LeastCost::new(cost.0, choices.map(usize::from));
            Picker::LeastCost(policy.with_unknown(rules.unknown))
        }
        PickerConfig::Weighted { cost, allow_negative } => {
            let policy = Weighted::new(cost.0).with_zero(rules.zero);
            Picker::Weighted(if *allow_negative { policy.allowing_negative() } else { policy })
        }
        PickerConfig::ClientPid if rules.bounded_pid => {
            let gains = Gains { integral_bound: CLIENT_PID_BOUND, ..Gains::CLIENT };
            Picker::ClientPid(ClientPid::new(gains, CLIENT_PID_BOUND))
        }
        PickerConfig::ClientPid => Picker::ClientPid(ClientPid::default()),
        PickerConfig::HotCold { health, ranking } => Picker::HotCold(HotCold::new(HotColdConfig {
            history: scenario.world.client_requests_buffer,
            zero: rules.zero,
            random_ties: rules.fair_hot_cold,
            always_remember: rules.fair_hot_cold,
            ..HotColdConfig::new(health.0, ranking.0)
        })),
    }
}
