//! The study's pickers against their definitions, on views written out by hand.

use super::*;
use proptest::prelude::*;

/// A view given as plain lists; NaN is "no data".
pub(super) struct Listed {
    pub(super) in_flight: Vec<u32>,
    pub(super) latency: Vec<f64>,
    pub(super) reports: Vec<Option<Report>>,
    pub(super) identities: Vec<usize>,
}

impl Listed {
    pub(super) fn idle(count: usize) -> Self {
        Self {
            in_flight: vec![0; count],
            latency: vec![f64::NAN; count],
            reports: vec![None; count],
            identities: (0..count).collect(),
        }
    }

    fn utilized(values: &[f64]) -> Self {
        let mut view = Self::idle(values.len());
        for (report, value) in view.reports.iter_mut().zip(values) {
            let utilization = Observed::single(*value);
            *report = (!value.is_nan()).then_some(Report { utilization, ..Report::EMPTY });
        }
        view
    }
}

impl Channels for Listed {
    fn count(&self) -> usize {
        self.in_flight.len()
    }

    fn identity(&self, channel: usize) -> usize {
        self.identities[channel]
    }

    fn in_flight(&self, channel: usize) -> u32 {
        self.in_flight[channel]
    }

    fn latency(&self, channel: usize, _aggregate: Aggregate) -> Option<f64> {
        Some(self.latency[channel]).filter(|value| !value.is_nan())
    }

    fn report(&self, channel: usize) -> Option<&Report> {
        self.reports[channel].as_ref()
    }
}

fn frequencies(picker: &mut Picker, view: &Listed, picks: u32) -> Vec<f64> {
    let mut random = Philox::new(11, 4);
    let mut hits = vec![0.0; view.count()];
    for _ in 0..picks {
        let channel = picker.pick(view, &mut random);
        hits[channel] += 1.0 / f64::from(picks);
        assert_eq!(picker.explain().channel, Some(channel));
    }
    hits
}

fn check_frequencies(mut picker: Picker, view: &Listed, expected: &[f64]) {
    let hits = frequencies(&mut picker, view, 40_000);
    for (hit, expected) in hits.iter().zip(expected) {
        assert!((hit - expected).abs() < 0.012, "{hits:?} is not {expected:?}");
    }
}

const UTILIZATION: Cost = Cost::Reported(ServerCost::Utilization(Aggregate::Mean));

#[test]
fn least_cost_takes_missing_zero_and_negative_as_best() {
    let view = Listed::utilized(&[30.0, f64::NAN, 0.0, 50.0]);
    let policy = LeastCost::new(UTILIZATION, None);
    check_frequencies(Picker::LeastCost(policy.clone()), &view, &[0.0, 0.5, 0.5, 0.0]);
    let policy = policy.with_unknown(Unknown::Worst);
    check_frequencies(Picker::LeastCost(policy), &view, &[0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn two_choices_lose_only_to_better_ones() {
    let mut view = Listed::idle(4);
    view.in_flight = vec![3, 2, 1, 0];
    // Of the 6 equally likely pairs, channel i wins those with the i channels worse than it.
    let policy = LeastCost::new(Cost::ClientInFlight, Some(2));
    check_frequencies(Picker::LeastCost(policy), &view, &[0.0, 1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0]);
}

#[test]
fn weighted_draws_by_inverse_cost_and_averages_the_unknown() {
    let view = Listed::utilized(&[20.0, f64::NAN, 0.0, 60.0]);
    // Unknown and zero count as 40, so the weights are 1/20, 1/40, 1/40, 1/60.
    let policy = Weighted::new(UTILIZATION);
    let total = 1.0 / 20.0 + 2.0 / 40.0 + 1.0 / 60.0;
    let expected = [20.0, 40.0, 40.0, 60.0].map(|cost| 1.0 / cost / total);
    check_frequencies(Picker::Weighted(policy.clone()), &view, &expected);
    // With zero as the best it counts as 10.
    let total = 1.0 / 20.0 + 1.0 / 40.0 + 1.0 / 10.0 + 1.0 / 60.0;
    let expected = [20.0, 40.0, 10.0, 60.0].map(|cost| 1.0 / cost / total);
    check_frequencies(Picker::Weighted(policy.with_zero(Zero::Best)), &view, &expected);
}

#[test]
fn weighted_without_data_is_uniform() {
    let policy = Picker::Weighted(Weighted::new(UTILIZATION));
    check_frequencies(policy.clone(), &Listed::idle(4), &[0.25; 4]);
    check_frequencies(policy, &Listed::utilized(&[0.0, 0.0]), &[0.5; 2]);
}

#[test]
fn negative_weights_are_shifted_to_a_tenth() {
    let mut view = Listed::idle(3);
    for (report, pid_weight) in view.reports.iter_mut().zip([-4.0, 0.9, 4.9]) {
        *report = Some(Report { pid_weight, ..Report::EMPTY });
    }
    let policy = Weighted::new(Cost::Oracle(ServerCost::PidWeight)).allowing_negative();
    let expected = [0.1, 5.0, 9.0].map(|weight| weight / 14.1);
    check_frequencies(Picker::Weighted(policy), &view, &expected);
}

#[test]
fn round_robin_takes_turns() {
    let mut policy = RoundRobin::starting_at(2);
    let view = Listed::idle(3);
    let picks: Vec<_> = (0..5).map(|_| policy.pick(&view)).collect();
    assert_eq!(picks, [2, 0, 1, 2, 0]);
}

#[test]
fn the_clients_controllers_favour_the_idle_server() {
    let view = Listed::utilized(&[80.0, 20.0, f64::NAN]);
    let mut policy = Picker::ClientPid(ClientPid::default());
    let hits = frequencies(&mut policy, &view, 2_000);
    assert!(hits[1] > hits[2] && hits[2] > hits[0], "{hits:?}");
}

/// The hot/cold rule word for word: concatenate, sort, interpolate, compare.
struct NaiveHotCold {
    histories: Vec<Vec<f64>>,
}

impl NaiveHotCold {
    /// `Err(())` where the choice is uniform.
    #[expect(clippy::cast_possible_truncation, reason = "positions are in range")]
    fn pick(&mut self, view: &Listed) -> Result<usize, ()> {
        let mean = |values: &[f64]| {
            let used: Vec<_> =
                values.iter().filter(|value| !value.is_nan() && **value != 0.0).collect();
            if used.is_empty() {
                Err(())
            } else {
                Ok(used.iter().copied().sum::<f64>() / used.len() as f64)
            }
        };
        let mut healths: Vec<f64> = view.in_flight.iter().copied().map(f64::from).collect();
        let healthy = mean(&healths)?;
        for (channel, health) in healths.iter().enumerate() {
            let history = &mut self.histories[view.identities[channel]];
            history.push(*health);
            if history.len() > HotColdConfig::HISTORY {
                history.remove(0);
            }
        }
        let mut all: Vec<f64> =
            view.identities.iter().flat_map(|identity| self.histories[*identity].clone()).collect();
        all.sort_by(f64::total_cmp);
        let position = (all.len() - 1) as f64 * HotColdConfig::CUTOFF;
        let (low, high) = (all[position.floor() as usize], all[position.ceil() as usize]);
        let cutoff = low + position.fract() * (high - low);
        let middling = mean(&view.latency)?;
        let patch = |value: f64, average: f64| {
            if value.is_nan() || value == 0.0 { average } else { value }
        };
        healths.iter_mut().for_each(|health| *health = patch(*health, healthy));
        let ranks: Vec<f64> = view.latency.iter().map(|rank| patch(*rank, middling)).collect();
        let best = |candidates: Vec<usize>, scores: &[f64]| {
            candidates
                .into_iter()
                .reduce(|best, next| if scores[next] < scores[best] { next } else { best })
        };
        let cold: Vec<_> =
            (0..view.count()).filter(|channel| healths[*channel] <= cutoff).collect();
        Ok(best(cold, &ranks).or_else(|| best((0..view.count()).collect(), &healths)).unwrap())
    }
}

proptest! {
    #[test]
    fn hot_cold_agrees_with_its_definition(
        views in prop::collection::vec(
            prop::collection::vec((0_u32..6, prop::option::weighted(0.8, 0_u32..9)), 5), 1..160),
    ) {
        let config = HotColdConfig::new(Cost::ClientInFlight, Cost::ClientLatency(Aggregate::Mean));
        let mut policy = HotCold::new(config);
        let mut naive = NaiveHotCold { histories: vec![Vec::new(); 5] };
        let mut random = Philox::new(1, 1);
        for channels in views {
            let mut view = Listed::idle(5);
            view.identities = vec![0, 1, 2, 1, 4];
            view.in_flight = channels.iter().map(|(load, _)| *load).collect();
            view.latency = channels.iter().map(|(_, time)| time.map_or(f64::NAN, f64::from)).collect();
            let picked = policy.pick(&view, &mut random);
            match naive.pick(&view) {
                Ok(expected) => prop_assert_eq!(picked, expected),
                Err(()) => prop_assert_eq!(policy.explain().reason, Reason::NoData),
            }
        }
    }
}

#[test]
fn probes_never_outnumber_idle_channels() {
    let mut view = Listed::idle(4);
    view.in_flight = vec![1, 0, 2, 0];
    let mut random = Philox::new(2, 2);
    let mut probed = Vec::new();
    for _ in 0..200 {
        Probes { per_request: 5.0, idle_only: false }.choose(&view, &mut random, &mut probed);
        assert_eq!(probed.len(), 2);
        Probes { per_request: 5.0, idle_only: true }.choose(&view, &mut random, &mut probed);
        probed.sort_unstable();
        assert_eq!(probed, [1, 3]);
    }
    view.in_flight = vec![1; 4];
    Probes { per_request: 2.0, idle_only: false }.choose(&view, &mut random, &mut probed);
    assert!(probed.is_empty());
}

#[test]
fn the_first_answered_in_shuffled_order_wins() {
    let mut random = Philox::new(3, 3);
    let mut order = Vec::new();
    let mut race = Race::start(5, &mut random, &mut order);
    assert_eq!(race.winner(), None);
    race.answer(3, true);
    assert_eq!(race.winner(), Some(3));
    race.answer(1, true);
    assert_eq!(race.winner(), Some(1));
    race.answer(0, false);
    assert_eq!((race.winner(), race.is_over()), (Some(1), false));
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn a_race_without_a_valid_answer_is_over_with_the_last() {
    for count in [1, 3, RACERS_MAX] {
        let mut race = Race::start(count, &mut Philox::new(3, 4), &mut Vec::new());
        for place in 0..count {
            assert!(!race.is_over());
            race.answer(place, false);
        }
        assert!(race.is_over() && race.winner().is_none(), "{count}");
    }
}
