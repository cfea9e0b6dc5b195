//! The learning policies against their definitions, written out naively.

use std::time::Duration;

use proptest::prelude::*;
use ringyard_time::Time;

use super::*;
use crate::balance::explain::Reason;
use crate::balance::random::Philox;
use crate::balance::view::{Aggregate, Report};

/// A view of loads, weights and availability.
#[derive(Clone, Debug)]
struct Fleet {
    in_flight: Vec<u32>,
    weights: Vec<f64>,
    available: Vec<bool>,
}

impl Fleet {
    fn idle(count: usize) -> Self {
        Self { in_flight: vec![0; count], weights: vec![1.0; count], available: vec![true; count] }
    }
}

impl Channels for Fleet {
    fn count(&self) -> usize {
        self.in_flight.len()
    }

    fn in_flight(&self, channel: usize) -> u32 {
        self.in_flight[channel]
    }

    fn latency(&self, _channel: usize, _aggregate: Aggregate) -> Option<f64> {
        None
    }

    fn report(&self, _channel: usize) -> Option<&Report> {
        None
    }

    fn weight(&self, channel: usize) -> f64 {
        self.weights[channel]
    }

    fn is_available(&self, channel: usize) -> bool {
        self.available[channel]
    }
}

fn at(milliseconds: u64) -> Time {
    Time::ZERO + Duration::from_millis(milliseconds)
}

fn answer(milliseconds: u64, load: Option<Load>) -> Answer {
    Answer { latency: Duration::from_millis(milliseconds), is_success: true, load }
}

fn fleets() -> impl Strategy<Value = Fleet> {
    prop::collection::vec((0_u32..6, 1_u32..4, any::<bool>()), 1..8).prop_map(|channels| Fleet {
        in_flight: channels.iter().map(|(load, ..)| *load).collect(),
        weights: channels.iter().map(|(_, weight, _)| f64::from(*weight)).collect(),
        available: channels.iter().map(|(.., available)| *available).collect(),
    })
}

/// The channels a policy may choose: the available ones, or all.
fn eligible(fleet: &Fleet) -> Vec<usize> {
    let all = 0..fleet.count();
    let some: Vec<usize> = all.clone().filter(|channel| fleet.available[*channel]).collect();
    if some.is_empty() { all.collect() } else { some }
}

/// `picked` is eligible and no eligible channel scores lower.
fn check_lowest(
    fleet: &Fleet,
    picked: usize,
    score: impl Fn(usize) -> f64,
) -> Result<(), TestCaseError> {
    let eligible = eligible(fleet);
    prop_assert!(eligible.contains(&picked));
    let least = eligible.iter().map(|channel| score(*channel)).fold(f64::INFINITY, f64::min);
    prop_assert!(score(picked) <= least * (1.0 + 1e-12), "{} is not {least}", score(picked));
    Ok(())
}

/// What happened to a policy: a channel, milliseconds since the last event, its latency in milliseconds.
fn histories() -> impl Strategy<Value = Vec<(usize, u64, u64)>> {
    prop::collection::vec((0_usize..8, 0_u64..3_000, 1_u64..500), 0..30)
}

proptest! {
    #[test]
    fn least_request_minimises_weighted_load(fleet in fleets(), bias in 0.0_f64..2.0) {
        let mut policy = LeastRequest::new(None, bias);
        let picked = policy.pick(&fleet, &mut Philox::new(1, 0));
        check_lowest(&fleet, picked, |channel| {
            (f64::from(fleet.in_flight[channel]) + 1.0).powf(bias) / fleet.weights[channel]
        })?;
    }

    #[test]
    fn two_choices_are_never_the_worst_of_three(loads in prop::collection::vec(0_u32..100, 3..9)) {
        let mut fleet = Fleet::idle(loads.len());
        fleet.in_flight = loads.clone();
        let picked = LeastRequest::default().pick(&fleet, &mut Philox::new(2, 0));
        let strictly_better = loads.iter().filter(|load| **load < loads[picked]).count();
        prop_assert!(strictly_better < loads.len() - 1);
    }

    #[test]
    fn peak_ewma_follows_its_recurrence(fleet in fleets(), history in histories()) {
        let config = PeakEwmaConfig { choices: None, ..PeakEwmaConfig::default() };
        let mut policy = PeakEwma::new(config);
        let mut naive = [(0.0_f64, 0_u64); 8];
        let mut now = 0;
        for (channel, gap, latency) in history {
            now += gap;
            policy.finished(channel, &answer(latency, None), at(now));
            let (cost, since) = naive[channel];
            let kept = (-((now - since) as f64) / 10_000.0).exp();
            let seconds = latency as f64 / 1_000.0;
            let cost = if seconds > cost { seconds } else { cost * kept + seconds * (1.0 - kept) };
            naive[channel] = (cost, now);
        }
        now += 700;
        let picked = policy.pick(&fleet, at(now), &mut Philox::new(3, 0));
        check_lowest(&fleet, picked, |channel| {
            let (cost, since) = naive[channel];
            let cost = cost * (-((now - since) as f64) / 10_000.0).exp();
            let load = f64::from(fleet.in_flight[channel]);
            (if cost == 0.0 && load > 0.0 { 1.0 + load } else { cost * (load + 1.0) }) / fleet.weights[channel]
        })?;
    }

    #[test]
    fn c3_follows_its_formula(fleet in fleets(), history in histories()) {
        let mut policy = C3::new(C3Config { memory: 0.8, clients: 3.0 });
        let mut naive: Vec<Option<(f64, f64, f64)>> = vec![None; 8];
        for (channel, queue, latency) in history {
            let load = Load { service_seconds: latency as f64 / 3_000.0, queued: queue as f64, ..Load::default() };
            policy.finished(channel, &answer(latency, Some(load)));
            let new = (latency as f64 / 1_000.0, load.service_seconds, load.queued);
            let mix = |old: f64, new: f64| 0.8 * old + 0.2 * new;
            naive[channel] = Some(naive[channel].map_or(new, |old| {
                (mix(old.0, new.0), mix(old.1, new.1), mix(old.2, new.2))
            }));
        }
        let picked = policy.pick(&fleet, &mut Philox::new(4, 0));
        check_lowest(&fleet, picked, |channel| {
            let load = f64::from(fleet.in_flight[channel]);
            naive[channel].map_or(load, |(response, service, queued)| {
                response - service + (1.0 + load * 3.0 + queued).powi(3) * service
            })
        })?;
    }

    #[test]
    fn weighted_least_latency_follows_its_recurrence(fleet in fleets(), history in histories()) {
        let mut policy = WeightedLeastLatency::default();
        let mut naive: Vec<Option<(f64, u64)>> = vec![None; 8];
        let mut now = 0;
        for (channel, gap, latency) in history {
            now += gap;
            policy.finished(channel, &answer(latency, None), at(now));
            let seconds = latency as f64 / 1_000.0;
            let mean = naive[channel].map_or(seconds, |(mean, since)| {
                let kept = (-((now - since) as f64) / 2_000.0).exp();
                mean * kept + seconds * (1.0 - kept)
            });
            naive[channel] = Some((mean, now));
        }
        let known: Vec<f64> = naive.iter().flatten().map(|(mean, _)| *mean).collect();
        let average = if known.is_empty() { 1.0 } else { known.iter().sum::<f64>() / known.len() as f64 };
        let picked = policy.pick(&fleet, at(now), &mut Philox::new(5, 0));
        check_lowest(&fleet, picked, |channel| {
            let mean = naive[channel].map_or(average, |(mean, _)| mean);
            mean * (f64::from(fleet.in_flight[channel]) + 1.0) / fleet.weights[channel]
        })?;
    }

    #[test]
    fn a_ring_moves_only_the_keys_of_the_server_that_left(
        servers in prop::collection::btree_set(any::<u64>(), 2..12),
        keys in prop::collection::vec(any::<u64>(), 50),
        leaver in any::<prop::sample::Index>(),
    ) {
        let servers: Vec<(u64, f64)> = servers.into_iter().map(|server| (server, 1.0)).collect();
        let leaver = leaver.index(servers.len());
        let mut rest = servers.clone();
        rest.remove(leaver);
        let mut ring = RingHash::new(&servers, 64 * servers.len(), None);
        let mut smaller = RingHash::new(&rest, 64 * rest.len(), None);
        let (all, fewer) = (Fleet::idle(servers.len()), Fleet::idle(rest.len()));
        for key in keys {
            let before = ring.pick(&all, key);
            if before != leaver {
                prop_assert_eq!(servers[before].0, rest[smaller.pick(&fewer, key)].0);
            }
        }
    }

    #[test]
    fn a_bounded_ring_keeps_its_bound(loads in prop::collection::vec(0_u32..20, 2..10), key in any::<u64>()) {
        let servers: Vec<(u64, f64)> = (0..loads.len() as u64).map(|server| (server, 1.0)).collect();
        let mut fleet = Fleet::idle(loads.len());
        fleet.in_flight = loads.clone();
        let picked = RingHash::new(&servers, 512, Some(1.25)).pick(&fleet, key);
        let limit = (1.25 * f64::from(loads.iter().sum::<u32>() + 1) / loads.len() as f64).ceil();
        prop_assert!(f64::from(loads[picked]) < limit, "{} with a limit of {limit}", loads[picked]);
    }

    #[test]
    fn a_subset_changes_by_one_when_a_server_leaves(
        client in any::<u64>(), size in 1_usize..6, leaver in any::<prop::sample::Index>(),
    ) {
        let servers: Vec<u64> = (100..110).collect();
        let before = rendezvous_subset(client, &servers, size);
        let leaver = leaver.index(servers.len());
        let rest: Vec<u64> = servers.iter().copied().filter(|server| *server != servers[leaver]).collect();
        let after: Vec<u64> =
            rendezvous_subset(client, &rest, size).iter().map(|index| rest[*index as usize]).collect();
        let kept = before.iter().filter(|index| after.contains(&servers[**index as usize])).count();
        let lost = usize::from(before.iter().any(|index| *index as usize == leaver));
        prop_assert_eq!(kept, size - lost);
    }
}

#[test]
fn a_failure_is_never_a_fast_answer() {
    let mut policy = PeakEwma::new(PeakEwmaConfig { choices: None, ..PeakEwmaConfig::default() });
    policy.finished(0, &Answer { is_success: false, ..answer(1, None) }, at(0));
    policy.finished(1, &answer(200, None), at(0));
    assert_eq!(policy.pick(&Fleet::idle(2), at(10), &mut Philox::new(1, 1)), 1);
}

fn shares_of_turns(policy: &mut WeightedRoundRobin, channels: usize, now: Time) -> Vec<f64> {
    const PICKS: u32 = 20_000;
    let (fleet, mut random) = (Fleet::idle(channels), Philox::new(8, 0));
    let mut shares = vec![0.0; channels];
    for _ in 0..PICKS {
        shares[policy.pick(&fleet, now, &mut random)] += 1.0 / f64::from(PICKS);
    }
    shares
}

fn reporting(sequence: Sequence, until: u64) -> WeightedRoundRobin {
    let config = WeightedRoundRobinConfig { sequence, ..WeightedRoundRobinConfig::default() };
    let mut policy = WeightedRoundRobin::new(config);
    for now in (0..=until).step_by(1_000) {
        // Capacities of 100, 200 and, half of whose answers are errors, 200 / (1 + 1).
        for (channel, requests, errors, utilization) in
            [(0, 50.0, 0.0, 0.5), (1, 100.0, 0.0, 0.5), (2, 100.0, 50.0, 0.5)]
        {
            let load = Load {
                requests_per_second: requests,
                errors_per_second: errors,
                utilization,
                ..Load::default()
            };
            policy.finished(channel, &answer(1, Some(load)), at(now));
        }
    }
    policy
}

#[test]
fn turns_are_in_proportion_to_capacity() {
    for sequence in [Sequence::Stride, Sequence::Deadline] {
        let mut policy = reporting(sequence, 12_000);
        let shares = shares_of_turns(&mut policy, 3, at(12_000));
        for (share, expected) in shares.iter().zip([0.25, 0.5, 0.25]) {
            assert!((share - expected).abs() < 0.002, "{sequence:?}: {shares:?}");
        }
        // A fourth channel that never reported gets the mean of the others' weights.
        let mut policy = reporting(sequence, 12_000);
        let shares = shares_of_turns(&mut policy, 4, at(12_000));
        assert!((shares[3] - 0.25).abs() < 0.002, "{sequence:?}: {shares:?}");
    }
}

#[test]
fn turns_are_plain_in_the_blackout_and_after_the_expiry() {
    for (until, now) in [(8_000, 8_000), (12_000, 193_000)] {
        let shares = shares_of_turns(&mut reporting(Sequence::Stride, until), 3, at(now));
        assert!(shares.iter().all(|share| (share - 1.0 / 3.0).abs() < 0.001), "{shares:?}");
    }
}

#[test]
fn maglev_shares_are_even_and_move_little() {
    let servers: Vec<(u64, f64)> = (0..20).map(|server| (server, 1.0)).collect();
    let mut table = Maglev::new(&servers, 5_003);
    let shares = table.shares(20);
    assert!(shares.iter().all(|share| (245..=256).contains(share)), "{shares:?}");
    let mut smaller = Maglev::new(&servers[..19], 5_003);
    const KEYS: usize = 20_000;
    let (all, fewer) = (Fleet::idle(20), Fleet::idle(19));
    let moved = (0..KEYS as u64)
        .filter(|key| {
            table.pick(&all, *key) != 19 && table.pick(&all, *key) != smaller.pick(&fewer, *key)
        })
        .count();
    assert!(moved * 100 < 8 * KEYS, "{moved} of {KEYS} keys moved for nothing");
}

#[test]
fn hashed_shares_follow_weights_and_avoid_the_unavailable() {
    let servers = [(7, 1.0), (8, 2.0), (9, 1.0)];
    let table = Maglev::new(&servers, 4_099).shares(3);
    assert!((table[1] as f64 / table[0] as f64 - 2.0).abs() < 0.02, "{table:?}");
    let mut fleet = Fleet::idle(3);
    let mut ring = RingHash::new(&servers, 4_096, None);
    let mut hits = [0_u32; 3];
    for key in 0..40_000 {
        hits[ring.pick(&fleet, key)] += 1;
    }
    assert!((f64::from(hits[1]) / f64::from(hits[0] + hits[2]) - 1.0).abs() < 0.15, "{hits:?}");
    fleet.available[1] = false;
    let mut maglev = Maglev::new(&servers, 4_099);
    assert!((0..2_000).all(|key| ring.pick(&fleet, key) != 1 && maglev.pick(&fleet, key) != 1));
}

#[test]
fn the_longest_idle_server_is_joined_first() {
    let (fleet, mut random) = (Fleet::idle(3), Philox::new(6, 0));
    let mut policy = JoinIdleQueue::default();
    let mut first: Vec<usize> = Vec::new();
    for _ in 0..3 {
        let channel = policy.pick(&fleet, &mut random);
        assert_eq!(policy.explain().reason, Reason::Idle);
        policy.sent(channel);
        first.push(channel);
    }
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2]);
    policy.pick(&fleet, &mut random);
    assert!(matches!(policy.explain().reason, Reason::Lowest { considered: 2, .. }));
    for channel in [2, 0] {
        policy.finished(channel, &answer(1, None));
    }
    let busy = Load { in_flight: 4.0, ..Load::default() };
    policy.finished(1, &answer(1, Some(busy)));
    let picks: Vec<usize> = (0..2).map(|_| policy.pick(&fleet, &mut random)).collect();
    assert_eq!(picks, [2, 0]);
}

fn prequal(probes: &[(usize, f64, u64)]) -> Prequal {
    let config = PrequalConfig { removals_per_request: 0.0, ..PrequalConfig::default() };
    let mut policy = Prequal::new(config);
    for (channel, in_flight, latency) in probes {
        policy.probed(*channel, *in_flight, Duration::from_millis(*latency), at(0));
    }
    policy
}

#[test]
fn prequal_takes_the_fastest_cold_probe() {
    let mut random = Philox::new(9, 0);
    // Of in-flight counts 1, 2, 3, 9 the 84th percentile is 6.12, so the fastest is hot.
    let mut policy = prequal(&[(0, 1.0, 40), (1, 2.0, 30), (2, 3.0, 35), (3, 9.0, 5)]);
    assert_eq!(policy.pick(&Fleet::idle(4), at(1), &mut random), 1);
    assert!(matches!(policy.explain().reason, Reason::Cold { rank, .. } if rank == 0.03));
    // Raised by one with every use, it gets hot after five.
    let picks: Vec<usize> =
        (0..8).map(|_| policy.pick(&Fleet::idle(4), at(1), &mut random)).collect();
    assert_eq!(picks[..4], [1; 4]);
    assert_eq!(picks[4..], [2; 4]);
}

#[test]
fn prequal_forgets_old_probes_and_prefers_cool_ones_when_all_are_hot() {
    let mut random = Philox::new(9, 1);
    let mut policy = prequal(&[(0, 5.0, 1), (1, 5.0, 2)]);
    // Both exceed the quantile once each was used; then the less loaded one is taken.
    let picks: Vec<usize> =
        (0..4).map(|_| policy.pick(&Fleet::idle(2), at(1), &mut random)).collect();
    assert_eq!(picks, [0, 1, 1, 0]);
    policy.pick(&Fleet::idle(2), at(1_002), &mut random);
    assert_eq!((policy.pool_len(), policy.explain().reason), (0, Reason::NoData));
}

#[test]
fn prequal_removes_the_oldest_and_the_worst_by_turns() {
    let mut policy = Prequal::new(PrequalConfig::default());
    for (channel, latency) in [(0, 10), (1, 90), (2, 20), (3, 30)] {
        policy.probed(channel, 1.0, Duration::from_millis(latency), at(0));
    }
    let (fleet, mut random) = (Fleet::idle(4), Philox::new(9, 2));
    // The oldest, which was also the best, goes after the first choice, the slowest after the second.
    let picks: Vec<usize> = (0..2).map(|_| policy.pick(&fleet, at(1), &mut random)).collect();
    assert_eq!(picks, [0, 2]);
    assert_eq!(policy.pool_len(), 2);
    policy.pick(&fleet, at(1), &mut random);
    assert_eq!(policy.explain().channel, Some(3));
}

#[test]
fn a_server_expects_the_median_latency_at_its_load() {
    let mut server = LatencyAtLoad::default();
    assert_eq!(server.expect(3), Duration::ZERO);
    for milliseconds in [10, 1_000, 20] {
        server.note(2, Duration::from_millis(milliseconds));
    }
    server.note(4, Duration::from_millis(40));
    assert_eq!(server.expect(2), Duration::from_millis(20));
    assert_eq!(server.expect(3), Duration::from_millis(30));
    assert_eq!(server.expect(100), Duration::from_millis(40));
}

/// What a server says that works on eight at once, each for 50 ms.
fn says(in_flight: f64) -> Load {
    Load {
        in_flight,
        queued: (in_flight - 8.0).max(0.0),
        utilization: 0.7,
        service_seconds: 0.05,
        queued_seconds: 0.0,
        ..Load::default()
    }
}

/// A policy that has heard the same of three servers often, the last time `at` 1 s.
fn informed(loads: [f64; 3]) -> Soonest {
    let mut policy = Soonest::default();
    for step in 0..100 {
        for (channel, load) in loads.iter().enumerate() {
            policy.finished(channel, &answer(52, Some(says(*load))), at(10 * step));
        }
    }
    policy
}

#[test]
fn the_soonest_answer_comes_from_where_nobody_waits() {
    let mut random = Philox::new(10, 0);
    let mut fleet = Fleet::idle(3);
    let mut policy = informed([12.0, 5.0, 9.0]);
    assert_eq!(policy.pick(&fleet, at(991), &mut random), 1);
    assert!(matches!(policy.explain().reason, Reason::Lowest { considered: 3, .. }));
    // Its own requests count beside those of others.
    fleet.in_flight = vec![0, 6, 0];
    assert_eq!(policy.pick(&fleet, at(991), &mut random), 2);
    fleet.available[2] = false;
    fleet.in_flight = vec![0, 20, 0];
    assert_eq!(policy.pick(&fleet, at(991), &mut random), 0);
}

#[test]
fn who_fails_fast_is_not_fast_and_is_tried_again_in_the_end() {
    let mut random = Philox::new(10, 1);
    let mut policy = informed([4.0, 4.0, 4.0]);
    let failure = Answer { is_success: false, ..answer(1, None) };
    policy.finished(0, &failure, at(1_000));
    let mut picks = |policy: &mut Soonest, now| {
        (0..300).filter(|_| policy.pick(&Fleet::idle(3), at(now), &mut random) == 0).count()
    };
    assert_eq!(picks(&mut policy, 1_001), 0);
    assert_eq!(picks(&mut policy, 10_000), 0);
    assert!(picks(&mut policy, 10_000_000) > 50);
}

proptest! {
    #[test]
    fn soonest_scores_are_finite_whatever_servers_say(
        fleet in fleets(),
        history in prop::collection::vec(
            (0_usize..8, 0_u64..3_000, 0_u64..500, any::<bool>(), 0.0_f64..50.0, 0.0_f64..9.0), 0..40,
        ),
    ) {
        let mut policy = Soonest::default();
        let mut now = 0;
        for (channel, gap, latency, is_success, in_flight, queued) in history {
            now += gap;
            policy.sent(channel);
            let load = Load {
                in_flight, queued, utilization: in_flight / 40.0, service_seconds: latency as f64 / 1e3,
                ..Load::default()
            };
            let load = (latency % 3 > 0).then_some(load);
            policy.finished(channel, &Answer { is_success, ..answer(latency, load) }, at(now));
        }
        let picked = policy.pick(&fleet, at(now), &mut Philox::new(10, 2));
        prop_assert!(eligible(&fleet).contains(&picked));
        let Reason::Lowest { score, .. } = policy.explain().reason else { panic!("it compares") };
        prop_assert!(score.is_finite() && score >= 0.0, "{score}");
    }
}
