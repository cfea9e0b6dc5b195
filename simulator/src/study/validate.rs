//! The continuous-time world against theory: each check simulates several replications and compares their mean with
//! the exact value, within a 99.9 % confidence interval of the replications.
//!
//! The intervals are that wide because there are many checks: at 95 % two of forty would fail by chance. So that wide
//! intervals hide nothing, it is also counted how many would pass at 95 %: about 95 % of them should, no more and no
//! less.

use ringyard_scheduler::balance::live::{JoinIdleQueue, LivePolicy};
use ringyard_scheduler::balance::{Cost, Explanation, LeastCost, Picker, RoundRobin, ServerCost};

use super::draws::RunKey;
use super::event::{ArrivalLaw, Discipline, Law, Measured, Setup, StationSetup, simulate};
use super::numeric::{deviation, mean, student_95, student_999};
use super::policy::Policy;
use super::theory;

/// Independent replications of each check.
const REPLICATIONS: u32 = 16;

/// What a check compares a measurement with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected {
    /// A value from theory; the measurement must agree within its interval.
    Exactly(f64),
    /// The measurement must lie below.
    Below(f64),
    /// The measurement must lie above.
    Above(f64),
}

/// A check's outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What was compared.
    pub name: String,
    /// The mean over the replications.
    pub measured: f64,
    /// The standard error of that mean.
    pub error: f64,
    /// What theory says.
    pub expected: Expected,
}

impl Check {
    /// Half the 99.9 % interval of the measurement.
    #[must_use]
    pub fn half_interval(&self) -> f64 {
        student_999(REPLICATIONS as usize) * self.error
    }

    /// Whether an exact value lies within the 95 % interval too; `None` if there is only a bound.
    #[must_use]
    pub fn is_close(&self) -> Option<bool> {
        match self.expected {
            Expected::Exactly(value) => {
                let interval = student_95(REPLICATIONS as usize) * self.error;
                Some((self.measured - value).abs() <= interval)
            }
            Expected::Below(_) | Expected::Above(_) => None,
        }
    }

    /// Whether measurement and theory agree.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self.expected {
            Expected::Exactly(value) => (self.measured - value).abs() <= self.half_interval(),
            Expected::Below(bound) => self.measured < bound,
            Expected::Above(bound) => self.measured > bound,
        }
    }
}

/// A figure read off a run: its name, how, and what theory says.
type Reading = (&'static str, fn(&Measured) -> f64, Expected);

/// A system to be measured and what to read off it.
struct Case {
    name: String,
    setup: Setup,
    readings: Vec<Reading>,
}

fn least_of(choices: Option<usize>) -> Policy {
    let cost = Cost::Oracle(ServerCost::InFlight);
    Policy::Picker(Picker::LeastCost(LeastCost::new(cost, choices)))
}

fn uniform() -> Policy {
    Policy::Picker(Picker::Uniform(Explanation::default()))
}

/// One client over `stations` alike, measured for about `arrivals` requests after a tenth of warm-up.
fn system(
    stations: usize,
    station: StationSetup,
    load: f64,
    arrivals: f64,
    policy: Policy,
) -> Setup {
    let rate = load * stations as f64 * f64::from(station.threads);
    let duration = arrivals / rate;
    Setup {
        stations: vec![station; stations],
        policies: vec![policy],
        arrivals: ArrivalLaw::Poisson(rate),
        work: Law::Exponential(1.0),
        publish_period: 0.0,
        initial: Vec::new(),
        remembers_latencies: false,
        warm_up: duration * 0.2,
        horizon: duration * 1.2,
    }
}

const MEAN_TIME: (&str, fn(&Measured) -> f64) = ("mean time", Measured::mean_latency);
const MEAN_WAIT: (&str, fn(&Measured) -> f64) = ("mean wait", Measured::mean_wait);

/// Single stations: M/M/1, M/M/c, M/G/1 in both disciplines.
fn single_stations(effort: f64) -> Vec<Case> {
    let mut cases = Vec::new();
    let fifo = |threads| StationSetup { threads, ..StationSetup::default() };
    for rho in [0.5, 0.7, 0.9] {
        let arrivals = effort * 4_000.0 / (1.0_f64 - rho).powi(2);
        cases.push(Case {
            name: format!("M/M/1 at {rho}"),
            setup: system(1, fifo(1), rho, arrivals, Policy::Picker(Picker::First)),
            readings: vec![
                (MEAN_TIME.0, MEAN_TIME.1, Expected::Exactly(1.0 / (1.0 - rho))),
                ("share waiting", Measured::waiting_share, Expected::Exactly(rho)),
            ],
        });
    }
    for (threads, rho) in [(2, 0.8), (10, 0.8), (100, 0.8), (100, 0.9), (100, 0.95), (100, 0.99)] {
        let arrivals = effort * if rho > 0.98 { 6e5 } else { 1e5 };
        cases.push(Case {
            name: format!("M/M/{threads} at {rho}"),
            setup: system(1, fifo(threads), rho, arrivals, Policy::Picker(Picker::First)),
            readings: vec![
                (MEAN_WAIT.0, MEAN_WAIT.1, Expected::Exactly(theory::mmc_wait(threads, rho))),
                (
                    "share waiting",
                    Measured::waiting_share,
                    Expected::Exactly(theory::erlang_c(threads, rho)),
                ),
            ],
        });
    }
    let works = [
        ("D", Law::Deterministic(1.0)),
        ("Gamma(1/2)", Law::Gamma { mean: 1.0, shape: 0.5 }),
        ("Gamma(4)", Law::Gamma { mean: 1.0, shape: 4.0 }),
        ("one of 1, 2, 6", Law::Empirical(vec![1.0 / 3.0, 2.0 / 3.0, 2.0])),
    ];
    for (label, work) in works {
        let exact = theory::mg1_wait(0.7, work.mean(), work.second_moment());
        let setup = system(1, fifo(1), 0.7, effort * 8e4, Policy::Picker(Picker::First));
        cases.push(Case {
            name: format!("M/{label}/1 at 0.7"),
            setup: Setup { work, ..setup },
            readings: vec![(MEAN_WAIT.0, MEAN_WAIT.1, Expected::Exactly(exact))],
        });
    }
    cases.extend(shared_stations(effort));
    cases
}

/// M/G/1 with a shared processor: time and queue length do not depend on the law of work.
fn shared_stations(effort: f64) -> Vec<Case> {
    const RHO: f64 = 0.7;
    let station = StationSetup { discipline: Discipline::Shared, ..StationSetup::default() };
    let works = [
        ("D", Law::Deterministic(1.0)),
        ("M", Law::Exponential(1.0)),
        ("Pareto(2.5)", Law::Pareto { mean: 1.0, exponent: 2.5 }),
    ];
    let case = |(label, work): (&str, Law)| Case {
        name: format!("M/{label}/1-PS at {RHO}"),
        setup: Setup {
            work,
            ..system(1, station, RHO, effort * 8e4, Policy::Picker(Picker::First))
        },
        readings: vec![
            (MEAN_TIME.0, MEAN_TIME.1, Expected::Exactly(1.0 / (1.0 - RHO))),
            ("time over work", Measured::mean_slowdown, Expected::Exactly(1.0 / (1.0 - RHO))),
            ("share busy", |measured| tail(measured, 1), Expected::Exactly(RHO)),
            (
                "share with 3 or more",
                |measured| tail(measured, 3),
                Expected::Exactly(RHO * RHO * RHO),
            ),
        ],
    };
    works.map(case).into_iter().collect()
}

fn tail(measured: &Measured, level: usize) -> f64 {
    measured.tails.get(level).copied().unwrap_or(0.0)
}

/// Many stations: random and round-robin routing, the shortest of d queues, idle queues, stale information.
fn many_stations(effort: f64) -> Vec<Case> {
    let station = StationSetup::default();
    let turns = Policy::Picker(Picker::RoundRobin(RoundRobin::default()));
    let mut cases = vec![
        Case {
            name: "random over 10 at 0.8".to_owned(),
            setup: system(10, station, 0.8, effort * 2e5, uniform()),
            readings: vec![(MEAN_TIME.0, MEAN_TIME.1, Expected::Exactly(5.0))],
        },
        Case {
            name: "round robin over 10 at 0.8".to_owned(),
            setup: system(10, station, 0.8, effort * 2e5, turns),
            readings: vec![(
                MEAN_TIME.0,
                MEAN_TIME.1,
                Expected::Exactly(theory::erlang_arrivals_time(10, 0.8)),
            )],
        },
    ];
    for load in [0.5, 0.7, 0.8, 0.9, 0.95, 0.99] {
        for choices in [2, 3, 5] {
            cases.push(shortest_of(load, choices, effort));
        }
    }
    let idle = Policy::Live(LivePolicy::JoinIdleQueue(JoinIdleQueue::default()));
    cases.push(Case {
        name: "join-idle-queue over 1,000 at 0.9".to_owned(),
        setup: system(1_000, station, 0.9, effort * 2e5, idle),
        readings: vec![("share waiting", Measured::waiting_share, Expected::Below(0.02))],
    });
    for (period, expected) in [(0.1, Expected::Below(2.0)), (100.0, Expected::Above(10.0))] {
        let setup = system(100, station, 0.9, effort * 3e5, least_of(None));
        cases.push(Case {
            name: format!("least loaded of 100 at 0.9, as of up to {period} s ago (random: 10)"),
            setup: Setup { publish_period: period, ..setup },
            readings: vec![(MEAN_TIME.0, MEAN_TIME.1, expected)],
        });
    }
    cases
}

/// JSQ(d). The system starts at the fixed point, as filling it up from empty would take longer than everything else;
/// the number of servers keeps its O(1/n) error below the interval.
fn shortest_of(load: f64, choices: u32, effort: f64) -> Case {
    let servers = if load > 0.98 { 10_000 } else { 2_000 };
    let setup = system(
        servers,
        StationSetup::default(),
        load,
        effort * 6e5,
        least_of(Some(choices as usize)),
    );
    // Server i of n holds as many requests as levels k have a tail above (i + 1/2) / n.
    let held = |server: usize| {
        let place = (server as f64 + 0.5) / servers as f64;
        (1..).take_while(|level| theory::jsq_tail(load, choices, *level) > place).count()
    };
    let initial = (0..servers).map(|server| u32::try_from(held(server)).unwrap_or(0)).collect();
    let tails: [Reading; 2] = [
        ("servers with 2 or more", |run| tail(run, 2), exact_tail(load, choices, 2)),
        ("servers with 3 or more", |run| tail(run, 3), exact_tail(load, choices, 3)),
    ];
    let time = Expected::Exactly(theory::jsq_time(load, choices));
    let mut readings = vec![(MEAN_TIME.0, MEAN_TIME.1, time)];
    // What happens to less than one server in ten thousand is not measured in this time.
    readings.extend(tails.into_iter().filter(|(_, _, expected)| match expected {
        Expected::Exactly(share) => *share > 1e-4,
        Expected::Below(_) | Expected::Above(_) => true,
    }));
    let name = format!("shortest of {choices} of {servers} at {load}");
    Case { name, setup: Setup { initial, ..setup }, readings }
}

fn exact_tail(load: f64, choices: u32, level: u32) -> Expected {
    Expected::Exactly(theory::jsq_tail(load, choices, level))
}

/// Runs every check, `effort` times as long as usual, telling `progress` of each case done out of how many.
pub fn validate(
    seed: u64,
    effort: f64,
    threads: usize,
    mut progress: impl FnMut(usize, usize),
) -> Vec<Check> {
    let mut cases = single_stations(effort);
    cases.extend(many_stations(effort));
    let mut checks = Vec::new();
    let mut widest_gap: f64 = 0.0;
    for (index, case) in cases.iter().enumerate() {
        let runs = replicate(case, seed, threads);
        checks.extend(compare(case, &runs));
        widest_gap = runs.iter().map(Measured::little_gap).fold(widest_gap, f64::max);
        progress(index + 1, cases.len());
    }
    checks.push(Check {
        name: "Little's law on every run: widest gap".to_owned(),
        measured: widest_gap,
        error: 0.0,
        expected: Expected::Below(1e-9),
    });
    checks
}

/// What was read off the replications of a case, beside what theory says.
fn compare(case: &Case, runs: &[Measured]) -> Vec<Check> {
    let check = |(what, read, expected): &Reading| {
        let values: Vec<f64> = runs.iter().map(read).collect();
        Check {
            name: format!("{}: {what}", case.name),
            measured: mean(&values),
            error: deviation(&values) / (values.len() as f64).sqrt(),
            expected: *expected,
        }
    };
    case.readings.iter().map(check).collect()
}

/// The replications of a case, in order, whichever thread ran them.
fn replicate(case: &Case, seed: u64, threads: usize) -> Vec<Measured> {
    let threads = threads.clamp(1, REPLICATIONS as usize);
    let run = |run| simulate(&case.setup, &RunKey { seed, scenario: &case.name, run });
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mine = (0..REPLICATIONS).skip(worker).step_by(threads);
                    mine.map(|number| (number, run(number))).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut runs: Vec<(u32, Measured)> = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(done) => runs.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        runs.sort_by_key(|(number, _)| *number);
        runs.into_iter().map(|(_, measured)| measured).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_checks_agree_even_when_short() {
        let mut cases = single_stations(0.2);
        cases.retain(|case| {
            ["M/M/1 at 0.7", "M/D/1 at 0.7", "M/D/1-PS at 0.7"].contains(&case.name.as_str())
        });
        cases.push(shortest_of(0.8, 2, 0.2));
        assert_eq!(cases.len(), 4);
        for case in &cases {
            for check in compare(case, &replicate(case, 1, 2)) {
                assert!(check.passes(), "{check:?}");
            }
        }
    }

    #[test]
    fn a_simulator_that_is_off_is_caught() {
        let mut cases = single_stations(1.0);
        cases.retain(|case| case.name == "M/M/1 at 0.7");
        let case = &mut cases[0];
        case.setup.work = Law::Exponential(1.05);
        assert!(compare(case, &replicate(case, 1, 2)).iter().all(|check| !check.passes()));
    }
}
