//! The world's invariants, on every built-in scenario of every profile.

use ringyard_scheduler::balance::Philox;

use super::*;
use crate::study::catalogue::built_in;
use crate::study::draws::{Draws, Keyed, Purpose, RunKey};
use crate::study::law::Laws;
use crate::study::profile::Profile;
use crate::study::runner::{run_all, run_once};
use crate::study::scenario::{Scenario, parse};

/// Checks every row as it is recorded.
#[derive(Default)]
struct Auditor {
    rows: u64,
    legs_extra: u32,
}

impl Observer for Auditor {
    const READS_AVERAGES: bool = true;
    const WATCHES_TICKS: bool = true;

    fn record(&mut self, row: &Row<'_>) {
        self.rows += 1;
        let elapsed = row.completed - row.started;
        let boundaries = 1 + 2 * self.legs_extra - u32::from(row.is_probe);
        assert_eq!(row.total_ticks(), elapsed + boundaries, "{row:?}");
        assert!(row.started <= row.sent && row.sent <= row.enqueued, "{row:?}");
        assert!(row.enqueued < row.dequeued && row.dequeued <= row.finished, "{row:?}");
        assert!(row.finished <= row.completed, "{row:?}");
        assert!(row.processing_ticks >= 1 && (row.is_probe || row.picking_ticks >= 1));
        let utilization = row.report.utilization;
        for value in [utilization.latest, utilization.mean, utilization.ewma] {
            assert!(value.is_nan() || (0.0..=100.0 + 1e-9).contains(&value), "{value}");
        }
    }

    fn tick(&mut self, _now: u32, _stage: Stage, utilization: &[f64], _queued: &[u32]) {
        assert!(utilization.iter().all(|value| (0.0..=100.0).contains(value)), "{utilization:?}");
    }
}

fn audit(scenario: &Scenario) {
    let mut scenario = scenario.clone();
    scenario.world.data_frequency = 1;
    let mut laws = Laws::default();
    let rules = scenario.world.rules;
    let key = RunKey { seed: 9, scenario: &scenario.name, run: 0 };
    let mut draws = Keyed::new(&mut laws, &key, rules.round_means);
    let mut auditor = Auditor { legs_extra: u32::from(rules.short_legs), ..Auditor::default() };
    let tally = run(&scenario, &mut draws, &mut auditor);
    let name = &scenario.name;
    assert_eq!(tally.requests, scenario.world.requests() as u64, "{name}");
    let completed = tally.completed + tally.probes_completed;
    assert_eq!(tally.requests + tally.probes, completed + tally.lost, "{name}: {tally:?}");
    assert_eq!(auditor.rows, completed, "{name}");
    assert!(tally.ticks <= scenario.world.total_ticks + scenario.world.max_cooldown, "{name}");
    if rules.drain && tally.ticks < scenario.world.total_ticks + scenario.world.max_cooldown {
        assert_eq!(tally.lost, 0, "{name}");
    }
}

#[test]
fn nothing_is_lost_or_miscounted_in_any_scenario() {
    for profile in [Profile::V1, Profile::V2, Profile::Fixed] {
        for scenario in built_in(profile).unwrap() {
            audit(&scenario);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_figures() {
    let mut scenarios = built_in(Profile::V1).unwrap();
    scenarios.retain(|scenario| scenario.name.starts_with("ProbingC") || scenario.name == "Random");
    let figures = |threads| -> Vec<[u64; 13]> {
        let results = run_all(&scenarios, |_| 3, 5, threads, |_| {});
        results.iter().map(|result| result.summary.values.map(f64::to_bits)).collect()
    };
    let alone = figures(1);
    assert_eq!(alone.len(), 9);
    assert_eq!(alone, figures(4));
    assert_ne!(alone[0], alone[1], "runs differ");
}

#[test]
fn a_busy_server_population_is_as_busy_as_theory_says() {
    // With more threads than work, Random's mean number in service is Poisson with mean rate * E[P].
    let text = r#"
        [[scenario]]
        name = "Plenty"
        picker = "random"
        rate = 5.0
        [scenario.world]
        servers = 20
        subset_size = 0
        total_ticks = 3000
        server_reset_probability = 0.0
        network_reset_probability = 0.0
        cold_channel_penalty = 0
        data_frequency = 1
    "#;
    struct Busy(f64, f64);
    impl Observer for Busy {
        const READS_AVERAGES: bool = false;
        const WATCHES_TICKS: bool = true;
        fn record(&mut self, _row: &Row<'_>) {}
        fn tick(&mut self, now: u32, stage: Stage, utilization: &[f64], _queued: &[u32]) {
            if stage == Stage::Running && now > 100 {
                self.0 += utilization.iter().sum::<f64>() / utilization.len() as f64;
                self.1 += 1.0;
            }
        }
    }
    let scenario = &parse("test", text).unwrap()[0];
    let mut laws = Laws::default();
    let key = RunKey { seed: 4, scenario: &scenario.name, run: 0 };
    let mut draws = Keyed::new(&mut laws, &key, false);
    let mut busy = Busy(0.0, 0.0);
    run(scenario, &mut draws, &mut busy);
    // Mean work: E[randGamma(randGamma(6))] is about 5.67; utilisation about 100 * 5 * 5.67 / 100.
    let utilization = busy.0 / busy.1;
    assert!((25.0..32.0).contains(&utilization), "{utilization}");
}

/// Deterministic draws: every gamma is its mean rounded down, nothing resets, one client and one server.
struct Plain {
    policy: Philox,
    arrivals: Vec<u32>,
}

impl Draws for Plain {
    type Policy = Philox;

    fn policy(&mut self) -> &mut Philox {
        &mut self.policy
    }

    fn gamma(&mut self, _purpose: Purpose, mean: f64, _variance: f64) -> u32 {
        mean.to_string().parse().unwrap()
    }

    fn half_gamma(&mut self, _purpose: Purpose, halves: u32) -> u32 {
        halves / 2
    }

    fn half_gamma_max(&mut self, halves: u32) -> u32 {
        halves
    }

    fn gamma_max(&mut self, mean: f64, variance: f64) -> u32 {
        self.gamma(Purpose::World, mean, variance)
    }

    fn subset(&mut self, _servers: usize, picks: usize, _distinct: bool, into: &mut Vec<u32>) {
        *into = vec![0; picks];
    }

    fn arrival_plan(&mut self, _requests: usize, per_tick: &mut [u32]) {
        for tick in &self.arrivals {
            per_tick[*tick as usize] += 1;
        }
    }

    fn poisson(&mut self, _mean: f64) -> u32 {
        0
    }

    fn exponential(&mut self) -> f64 {
        1.0
    }

    fn client(&mut self, _clients: usize) -> usize {
        0
    }

    fn resets(&mut self, _entity: usize, _now: u32, _probability: f64) -> bool {
        false
    }

    fn phase(&mut self, _count: usize) -> usize {
        0
    }
}

/// (started, enqueued, dequeued, finished, completed, total) of every row.
#[derive(Default)]
struct Times(Vec<(u32, u32, u32, u32, u32, u32)>);

impl Observer for Times {
    const READS_AVERAGES: bool = false;

    fn record(&mut self, row: &Row<'_>) {
        let total = row.total_ticks();
        self.0.push((row.started, row.enqueued, row.dequeued, row.finished, row.completed, total));
    }
}

fn timed(profile: Profile, threads: u32, arrivals: &[u32]) -> Vec<(u32, u32, u32, u32, u32, u32)> {
    let text = format!(
        r#"
        [[scenario]]
        name = "Timing"
        picker = "first"
        [scenario.world]
        servers = 1
        clients = 1
        subset_size = 1
        total_ticks = 200
        mean_channel_rtt = 5.0
        mean_server_rtt = 5.0
        mean_processing_time = 10.0
        mean_threads = {threads}.0
        cold_channel_penalty = 0
        data_frequency = 1
        "#
    );
    let scenario = parse("test", &text).unwrap().remove(0).under(profile);
    let mut draws = Plain { policy: Philox::new(0, 0), arrivals: arrivals.to_vec() };
    let mut times = Times::default();
    run(&scenario, &mut draws, &mut times);
    times.0
}

#[test]
fn requests_keep_the_published_timing() {
    // S 5, q 0, P 10, R 5 and one tick of picking.
    assert_eq!(timed(Profile::V1, 2, &[77]), [(77, 81, 82, 91, 95, 21)]);
    assert_eq!(timed(Profile::V2, 2, &[77]), [(77, 82, 83, 92, 97, 21)]);
    // The second of two on one thread waits for the first: q = 10.
    assert_eq!(
        timed(Profile::V1, 1, &[77, 77]),
        [(77, 81, 82, 91, 95, 21), (77, 81, 92, 101, 105, 31)]
    );
}

#[test]
fn a_run_is_a_function_of_its_key() {
    let scenario = &built_in(Profile::V1).unwrap()[0];
    let values = |seed, run| run_once(scenario, seed, run, &mut Laws::default()).0.values;
    assert_eq!(values(1, 0), values(1, 0));
    assert_ne!(values(1, 0), values(2, 0));
    assert_ne!(values(1, 0), values(1, 1));
}
