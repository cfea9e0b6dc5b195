//! Servers of known law: what the generator measures must be what queueing theory says.

use std::time::Duration;

use ringyard_bench::generator::plan::Pace;
use ringyard_bench::generator::schedule::{Rate, Schedule};
use ringyard_bench::random::Random;
use ringyard_bench::workload::Arrivals;
use ringyard_runtime::app::Time;
use ringyard_simulator::world::{NetworkConfig, Span};

use crate::fake::{Habits, Law};
use crate::probe::{Figures, Trial, instant_network, plan};

const SERVICE: Duration = Duration::from_millis(1);

/// More connections than requests are ever under way at once.
const PLENTY: u32 = 400;

fn open(rate: f64, arrivals: Arrivals) -> Pace {
    Pace::Open(Schedule::at_rate(Rate::steady(rate), arrivals, 0.0, Random::new(3)))
}

fn run(seats: u32, pace: Pace, seconds: u64, law: Law, habits: Habits) -> Figures {
    let (figures, vitals) =
        Trial::new(plan(seats, 1, pace, seconds), Duration::ZERO, law, habits).finish();
    assert_eq!(figures.errors.total() + figures.unfinished, 0, "{figures:?}");
    assert_eq!(vitals.asked, figures.corrected.count());
    figures
}

/// The mean latency of `figures` in units of the service time, held against what theory says.
fn check_mean(figures: &Figures, expected: f64) {
    let mean = figures.corrected.mean().as_secs_f64() / SERVICE.as_secs_f64();
    assert!((mean / expected - 1.0).abs() < 0.03, "mean {mean}, expected {expected}");
}

#[test]
fn a_server_of_constant_service_time_waits_as_m_d_1() {
    for load in [0.3, 0.7] {
        let pace = open(load * 1e3, Arrivals::Poisson);
        let figures = run(PLENTY, pace, 120, Law::Constant(SERVICE), Habits::default());
        check_mean(&figures, 1.0 + load / (2.0 * (1.0 - load)));
    }
}

#[test]
fn a_memoryless_server_waits_as_m_m_1() {
    for load in [0.3, 0.7] {
        let pace = open(load * 1e3, Arrivals::Poisson);
        let figures = run(PLENTY, pace, 120, Law::Exponential(SERVICE), Habits::default());
        check_mean(&figures, 1.0 / (1.0 - load));
    }
}

#[test]
fn latency_counts_from_the_intended_instant_however_few_the_connections() {
    let load = 0.7;
    let pace = open(load * 1e3, Arrivals::Poisson);
    let figures = run(1, pace, 120, Law::Constant(SERVICE), Habits::default());
    check_mean(&figures, 1.0 + load / (2.0 * (1.0 - load)));
    let uncorrected = figures.uncorrected.mean();
    assert!(uncorrected < SERVICE.mul_f64(1.01), "sent one by one: {uncorrected:?}");
}

#[test]
fn evenly_spaced_requests_never_wait_below_capacity() {
    let figures =
        run(4, open(900.0, Arrivals::Constant), 10, Law::Constant(SERVICE), Habits::default());
    assert_eq!(figures.corrected.count(), 9_000);
    assert_eq!(figures.corrected.quantile(1.0), SERVICE);
    assert_eq!(figures.slip_max, Duration::ZERO);
}

#[test]
fn a_stall_shows_in_the_corrected_tail_only() {
    let habits = Habits {
        stall: Some((Time::ZERO + Duration::from_secs(5), Duration::from_secs(1))),
        ..Habits::default()
    };
    let figures = run(1, open(100.0, Arrivals::Constant), 30, Law::Constant(SERVICE), habits);
    let [corrected, uncorrected] =
        [&figures.corrected, &figures.uncorrected].map(|tally| tally.quantile(0.99));
    assert!(corrected > Duration::from_millis(600), "{corrected:?}");
    assert!(uncorrected < Duration::from_millis(2), "{uncorrected:?}");
}

#[test]
fn a_closed_loop_asks_as_often_as_its_pauses_and_the_server_allow() {
    let plan = plan(3, 1, Pace::Closed, 10);
    let pause = Duration::from_millis(47);
    let law = Law::Constant(SERVICE);
    let (figures, _) = Trial::new(plan, pause, law, Habits::default()).finish();
    // Three clients ask together and are answered after 1, 2 and 3 ms; from then on they never meet.
    assert_eq!(figures.corrected.quantile(1.0), SERVICE * 3);
    let per_client = Duration::from_secs(10).as_millis() / 48;
    let asked = u128::from(figures.corrected.count());
    assert!((3 * per_client..=3 * (per_client + 1)).contains(&asked), "{asked}");
}

#[test]
fn a_pipeline_keeps_its_depth() {
    let mut plan = plan(2, 8, Pace::Closed, 10);
    plan.requests_max = Some(4_000);
    let law = Law::Constant(SERVICE);
    let (figures, vitals) = Trial::new(plan, Duration::ZERO, law, Habits::default()).finish();
    assert_eq!(vitals.asked, 4_000);
    assert_eq!(figures.corrected.count(), 4_000);
    // Sixteen are always under way, so each waits for fifteen others, but for the first few.
    assert_eq!(figures.corrected.quantile(0.5), SERVICE * 16);
    assert_eq!(figures.unfinished, 0);
}

#[test]
fn overload_does_not_prolong_the_run_and_what_was_not_sent_is_told() {
    let pace = open(2_000.0, Arrivals::Constant);
    let mut plan = plan(10, 1, pace, 10);
    plan.grace = Duration::from_millis(100);
    let law = Law::Constant(SERVICE);
    let (figures, vitals) = Trial::new(plan, Duration::ZERO, law, Habits::default()).finish();
    assert!(vitals.elapsed <= Duration::from_millis(10_100), "{:?}", vitals.elapsed);
    assert_eq!(vitals.asked + vitals.unsent, 20_000);
    assert_eq!(vitals.unsent, figures.unsent);
    assert!((9_900..=10_100).contains(&vitals.asked), "{}", vitals.asked);
    let worst = figures.corrected.quantile(1.0);
    assert!(worst > Duration::from_millis(4_900), "the backlog counts: {worst:?}");
}

#[test]
fn whoever_wakes_after_the_end_still_sends_what_was_due_before_it() {
    let network = NetworkConfig {
        timer_slack: Span::exactly(Duration::from_millis(30)),
        ..instant_network()
    };
    let plan = plan(10, 1, open(100.0, Arrivals::Constant), 1);
    let law = Law::Constant(SERVICE);
    let (figures, vitals) =
        Trial::on(network, plan, Duration::ZERO, law, Habits::default()).finish();
    assert_eq!(vitals.asked, 100);
    assert_eq!(figures.unsent, 0);
}
