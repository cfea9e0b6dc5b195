//! A proxy that is offered more than its backend can do, in virtual time: it goes on doing what it can, and
//! refuses the rest at once.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ringyard_runtime::app::{ConnId, Time};
use ringyard_scheduler::StrategyKind;
use ringyard_servers::limits::CODEL_TARGET_BATCHES;
use ringyard_servers::proxy::{ProxyConfig, Shedding};

use crate::driver::answers;
use crate::proxy::{Driven, classify, config, reply, server};

/// What the backend takes for a batch of at most five requests.
const BATCH_TIME: Duration = Duration::from_millis(10);

/// Requests a second that the backend can do.
const CAPACITY: u32 = 500;

const SECONDS: u32 = 2;

/// A proxy, its only backend, and its clients, each of which sends one request.
struct Yard {
    driver: Driven,
    backend: ConnId,
    /// When the backend will have done its batch, and of how many requests it is.
    working: Option<(Time, usize)>,
    waiting: BTreeMap<ConnId, Time>,
    answered: Vec<Time>,
    /// What the last hundred answers took.
    latencies: VecDeque<Duration>,
    refused: usize,
    /// Whether some are refused only after they have waited.
    sheds: bool,
}

impl Yard {
    fn new(config: ProxyConfig) -> Self {
        let sheds = config.shedding != Shedding::Never;
        let mut driver = server(config);
        let backend = driver.connect();
        Self {
            driver,
            backend,
            working: None,
            waiting: BTreeMap::new(),
            answered: Vec::new(),
            latencies: VecDeque::new(),
            refused: 0,
            sheds,
        }
    }

    /// Lets time pass until `end`, with what the backend does meanwhile.
    fn advance(&mut self, end: Time) {
        loop {
            if self.working.is_none() {
                let sent = self.driver.take_sent(self.backend);
                let requests = sent.matches('x').count();
                if requests > 0 {
                    self.working = Some((self.driver.now + BATCH_TIME, requests));
                }
            }
            let next = self.working.map_or(end, |(done, _)| done.min(end));
            // A batch may leave at a deadline of the proxy's, so time goes in small steps.
            let step = next.since(self.driver.now).min(Duration::from_millis(1));
            self.driver.advance(step);
            if let Some((done, requests)) =
                self.working.filter(|(done, _)| *done <= self.driver.now)
            {
                assert_eq!(done, self.driver.now);
                self.working = None;
                reply(&mut self.driver, self.backend, &vec!["r"; requests]);
            }
            self.collect();
            if self.driver.now >= end {
                return;
            }
        }
    }

    fn arrive(&mut self, customer: u32) {
        let conn = self.driver.accept();
        self.driver.receive(conn, &classify(&format!("c{customer}"), &["x"]));
        self.waiting.insert(conn, self.driver.now);
        self.collect();
    }

    /// Takes note of the answers that have come.
    fn collect(&mut self) {
        let Self { driver, waiting, answered, latencies, refused, sheds, .. } = self;
        let now = driver.now;
        waiting.retain(|conn, arrived| {
            let text = driver.take_sent(*conn);
            if text.is_empty() {
                return true;
            }
            match answers(&text)[0].0 {
                200 => {
                    answered.push(now);
                    latencies.push_back(now.since(*arrived));
                    if latencies.len() > 100 {
                        latencies.pop_front();
                    }
                }
                503 => {
                    assert!(*sheds || *arrived == now, "a refusal comes at once");
                    *refused += 1;
                }
                status => panic!("{status} under overload"),
            }
            driver.forget(*conn);
            false
        });
    }
}

#[track_caller]
fn check(strategy: StrategyKind, tenths: u32) {
    let mut yard = Yard::new(ProxyConfig { strategy, ..config() });
    let start = yard.driver.now;
    let arrivals = CAPACITY * SECONDS * tenths / 10;
    let gap = Duration::from_secs(u64::from(SECONDS)) / arrivals;
    for number in 0..arrivals {
        yard.advance(start + gap * number);
        yard.arrive(number % 7);
    }
    let end = yard.driver.now;
    let good = u32::try_from(yard.answered.len()).expect("a count");
    let possible = CAPACITY * SECONDS;
    assert!(good * 10 >= possible * 9, "{strategy:?}: {good} of {possible} answered in time");
    assert!(yard.refused > 0);

    yard.advance(end + Duration::from_secs(1));
    assert!(yard.waiting.is_empty(), "the queue is worked off within a second");
    let arrived = yard.driver.now;
    yard.arrive(0);
    yard.advance(arrived + Duration::from_secs(1));
    let latency = yard.answered.last().expect("an answer").since(arrived);
    let linger = strategy.linger_default();
    assert_eq!(latency, BATCH_TIME + linger, "{strategy:?}: back to normal");
}

#[test]
fn goodput_holds_under_one_and_a_half_times_the_capacity() {
    StrategyKind::ALL.iter().for_each(|strategy| check(*strategy, 15));
}

#[test]
fn goodput_holds_under_three_times_the_capacity() {
    StrategyKind::ALL.iter().for_each(|strategy| check(*strategy, 30));
}

#[test]
fn goodput_holds_under_six_times_the_capacity() {
    StrategyKind::ALL.iter().for_each(|strategy| check(*strategy, 60));
}

/// What came of two seconds of three times the capacity with no bound on the queue.
struct Flood {
    answered: u32,
    /// Of the last hundred that were answered.
    median: Duration,
    latest: Duration,
}

fn unbounded(shedding: Shedding) -> Flood {
    let linger = Some(Duration::ZERO);
    let queue_wait_max = Duration::MAX;
    let strategy = StrategyKind::Fcfs;
    let mut yard =
        Yard::new(ProxyConfig { strategy, linger, queue_wait_max, shedding, ..config() });
    let start = yard.driver.now;
    let gap = Duration::from_secs(1) / (3 * CAPACITY);
    for number in 0..6 * CAPACITY {
        yard.advance(start + gap * number);
        yard.arrive(number % 7);
    }
    yard.latencies.make_contiguous().sort_unstable();
    assert_eq!(yard.refused > 0, shedding == Shedding::Codel);
    Flood {
        answered: u32::try_from(yard.answered.len()).expect("a count"),
        median: yard.latencies[yard.latencies.len() / 2],
        latest: *yard.latencies.back().expect("some are answered"),
    }
}

#[test]
fn controlled_delay_keeps_those_who_are_answered_from_waiting() {
    let Flood { answered, latest, .. } = unbounded(Shedding::Never);
    assert!(answered * 10 >= SECONDS * CAPACITY * 9 && latest > Duration::from_secs(1));
    let Flood { answered, median, latest } = unbounded(Shedding::Codel);
    assert!(answered * 10 >= SECONDS * CAPACITY * 9, "{answered}");
    assert!(latest <= BATCH_TIME * (CODEL_TARGET_BATCHES + 2), "{latest:?}");
    // The newest go first: they wait for the batch under way, and for their own.
    assert!(median <= BATCH_TIME * 2, "{median:?}");
}
