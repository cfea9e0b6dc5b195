//! The settings of parity against the proxy that they stand in for, written as the one loop that it is: wait for a
//! request, hold an incomplete batch, fill it in the strategy's sequence, send it, await the reply.
//!
//! What is compared is whole histories, when each batch left and who was in it, before a backend that takes one batch at
//! a time for the longest of its sequences squared. The loop shares no code with the scheduler; it knows three strategies
//! and one composition, and counts in microseconds.

use std::time::Duration;

use proptest::prelude::*;
use ringyard_scheduler::{
    Batch, CompositionKind, CustomerId, FairRule, JobSpec, Scheduler, SchedulerConfig, Slot,
    StrategyKind,
};
use ringyard_time::Time;

/// Sequences of a batch, and of a request.
const SEQUENCES_MAX: u32 = 5;

/// How long first-come-first-served holds an incomplete batch, in microseconds; the others hold none.
const HELD: u64 = 50_000;

#[derive(Clone, Copy, Debug)]
struct Request {
    arrives: u64,
    customer: u32,
    sequences: u32,
    longest: u32,
}

/// When a batch left, and which requests were in it.
type Departure = (u64, Vec<usize>);

/// How long a batch takes.
fn reply_takes(requests: &[Request], batch: &[usize]) -> u64 {
    batch.iter().map(|request| u64::from(requests[*request].longest).pow(2)).max().unwrap_or(0)
}

/// The proxy that is stood in for.
struct Original {
    strategy: StrategyKind,
    /// In order of arrival.
    queued: Vec<usize>,
    /// Customers that have requests queued, the next to be served first.
    ring: Vec<u32>,
}

impl Original {
    fn history(strategy: StrategyKind, requests: &[Request]) -> Vec<Departure> {
        let mut proxy = Self { strategy, queued: Vec::new(), ring: Vec::new() };
        let (mut history, mut now, mut come) = (Vec::new(), 0, 0);
        loop {
            while come < requests.len() && requests[come].arrives <= now {
                proxy.take_in(requests, come);
                come += 1;
            }
            let next_arrival = requests.get(come).map(|request| request.arrives);
            match (proxy.held_until(requests, now), next_arrival) {
                (None, None) => return history,
                (None, Some(next)) => now = next,
                (Some(until), next) if until > now => now = next.unwrap_or(until).min(until),
                (Some(_), _) => {
                    let batch = proxy.fill(requests);
                    let takes = reply_takes(requests, &batch);
                    history.push((now, batch));
                    // Whoever comes before the reply, or with it, has come when the next batch is made.
                    now += takes;
                }
            }
        }
    }

    fn take_in(&mut self, requests: &[Request], request: usize) {
        let customer = requests[request].customer;
        if !self.ring.contains(&customer) {
            self.ring.push(customer);
        }
        self.queued.push(request);
    }

    /// From when on the next batch may leave; `None` while nothing is queued.
    fn held_until(&self, requests: &[Request], now: u64) -> Option<u64> {
        let oldest = requests[*self.queued.first()?].arrives;
        let sequences: u32 = self.queued.iter().map(|request| requests[*request].sequences).sum();
        let holds = self.strategy == StrategyKind::Fcfs && sequences < SEQUENCES_MAX;
        Some(if holds { oldest + HELD } else { now })
    }

    /// The request whose turn it is.
    fn first(&self, requests: &[Request]) -> Option<usize> {
        match self.strategy {
            StrategyKind::Fcfs => self.queued.first().copied(),
            StrategyKind::Sjf => {
                self.queued.iter().copied().min_by_key(|request| requests[*request].longest)
            }
            _ => {
                let customer = self.ring.first()?;
                self.queued.iter().copied().find(|request| requests[*request].customer == *customer)
            }
        }
    }

    /// The next batch: requests by turns up to the first that does not fit, which keeps its turn.
    fn fill(&mut self, requests: &[Request]) -> Vec<usize> {
        let (mut batch, mut sequences) = (Vec::new(), 0);
        while let Some(request) = self.first(requests) {
            sequences += requests[request].sequences;
            if sequences > SEQUENCES_MAX {
                break;
            }
            self.queued.retain(|queued| *queued != request);
            let customer = requests[request].customer;
            self.ring.retain(|other| *other != customer);
            if self.queued.iter().any(|request| requests[*request].customer == customer) {
                self.ring.push(customer);
            }
            batch.push(request);
        }
        batch
    }
}

/// The scheduler as the proxy drives it: asked whenever its backend is free and something has come or fallen due.
fn history(strategy: StrategyKind, requests: &[Request]) -> Vec<Departure> {
    let mut scheduler = Scheduler::new(SchedulerConfig {
        strategy,
        composition: CompositionKind::Fill,
        fair: FairRule::RoundRobin,
        ..SchedulerConfig::default()
    });
    let slot = Slot { sequences_max: SEQUENCES_MAX };
    let at = |microseconds| Time::ZERO + Duration::from_micros(microseconds);
    let (mut history, mut batch) = (Vec::new(), Batch::default());
    let (mut now, mut free_at, mut come) = (0, 0, 0);
    loop {
        while let Some(request) = requests.get(come).filter(|request| request.arrives <= now) {
            let customer = CustomerId(request.customer);
            let spec = JobSpec::new(customer, request.sequences, request.longest, come as u64);
            scheduler.push(spec, at(request.arrives)).expect("there is room");
            come += 1;
        }
        if free_at <= now && scheduler.pop_batch(at(now), &slot, &mut batch) {
            let tag = |tag| usize::try_from(tag).expect("tags count requests");
            let members: Vec<_> = batch.jobs.iter().map(|job| tag(job.spec.tag)).collect();
            free_at = now + reply_takes(requests, &members);
            history.push((now, members));
        }
        let due = scheduler.next_deadline(&slot).map(|due| due.nanoseconds() / 1_000);
        let next_arrival = requests.get(come).map(|request| request.arrives);
        match [due.map(|due| due.max(free_at)), next_arrival].into_iter().flatten().min() {
            Some(next) => now = next.max(now),
            None => return history,
        }
    }
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    // Some come at once, some within the time that a batch is held, some long after the backend is idle.
    let gap = prop_oneof![Just(0u64), 0..20_000u64, 0..120_000u64];
    let longest = prop_oneof![4 => 0u32..64, 1 => 256u32..512];
    let request = (gap, 0u32..4, 1..=SEQUENCES_MAX, longest);
    prop::collection::vec(request, 0..60).prop_map(|rows| {
        let mut arrives = 0;
        let arrived = |(gap, customer, sequences, longest)| {
            arrives += gap;
            Request { arrives, customer, sequences, longest }
        };
        rows.into_iter().map(arrived).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parity_is_the_original_batch_for_batch(requests in requests()) {
        for strategy in [StrategyKind::Fcfs, StrategyKind::Sjf, StrategyKind::Fair] {
            let original = Original::history(strategy, &requests);
            prop_assert_eq!(history(strategy, &requests), original, "{}", strategy);
        }
    }
}
