//! The queue against a list that is searched from end to end, and what each policy promises under overload.

use proptest::prelude::*;

use super::*;

const SERVICE: Duration = Duration::from_millis(100);

/// The rules in the plainest words: one list of all who wait, in the order in which they came.
struct Naive {
    policy: SheddingPolicy,
    workers: usize,
    waiting: Vec<(u32, Time)>,
    running: Vec<(u32, Time)>,
    crowded_since: Option<Time>,
}

impl Naive {
    fn overloaded(&self, now: Time) -> bool {
        self.crowded_since.is_some_and(|since| now >= since + SHED_INTERVAL_SERVICES * SERVICE)
    }

    fn offer(&mut self, key: u32, now: Time) -> bool {
        let work: Duration = self
            .running
            .iter()
            .map(|(_, since)| SERVICE.saturating_sub(now.since(*since)))
            .chain(self.waiting.iter().map(|_| SERVICE))
            .sum();
        let is_idle = self.running.len() < self.workers && self.waiting.is_empty();
        let wait =
            if is_idle { Duration::ZERO } else { work / u32::try_from(self.workers).unwrap() };
        let admitted = self.waiting.len() + self.running.len();
        let admits = match self.policy {
            SheddingPolicy::Queue(most) => admitted < most,
            SheddingPolicy::Time(limit) => wait + SERVICE <= limit,
            SheddingPolicy::CodelLifo => !self.overloaded(now) || self.waiting.len() < self.workers,
            // No job is ever finished here, so the limit stays where it began.
            SheddingPolicy::Adaptive => admitted < self.workers + 1,
            SheddingPolicy::None => true,
        };
        if admits {
            self.waiting.push((key, now));
        }
        self.note(now);
        admits
    }

    fn start(&mut self, now: Time) -> Option<u32> {
        if self.running.len() == self.workers || self.waiting.is_empty() {
            return None;
        }
        let newest = self.policy == SheddingPolicy::CodelLifo && self.overloaded(now);
        let index = if newest { self.waiting.len() - 1 } else { 0 };
        let (key, _) = self.waiting.remove(index);
        self.running.push((key, now));
        self.note(now);
        Some(key)
    }

    fn expire(&mut self, now: Time) -> Option<u32> {
        let patience =
            if self.overloaded(now) { SERVICE } else { SHED_INTERVAL_SERVICES * SERVICE };
        let is_stale = |(_, since): &(u32, Time)| now >= *since + patience;
        let index = self.waiting.iter().position(is_stale)?;
        if self.policy != SheddingPolicy::CodelLifo {
            return None;
        }
        let (key, _) = self.waiting.remove(index);
        self.note(now);
        Some(key)
    }

    fn note(&mut self, now: Time) {
        if self.waiting.is_empty() && self.running.len() < self.workers {
            self.crowded_since = None;
        } else if !self.waiting.is_empty() && self.crowded_since.is_none() {
            self.crowded_since = Some(now);
        }
    }
}

fn policies() -> impl Strategy<Value = SheddingPolicy> {
    prop_oneof![
        Just(SheddingPolicy::None),
        (1_usize..6).prop_map(SheddingPolicy::Queue),
        (100_u64..700).prop_map(|limit| SheddingPolicy::Time(Duration::from_millis(limit))),
        Just(SheddingPolicy::CodelLifo),
        Just(SheddingPolicy::Adaptive),
    ]
}

proptest! {
    #[test]
    fn agrees_with_the_plainest_rules(
        policy in policies(),
        workers in 1_usize..4,
        steps in prop::collection::vec((0_u8..5, 0_u64..60), 1..200),
    ) {
        let mut queue = ShedQueue::new(policy, workers, SERVICE);
        let mut naive =
            Naive { policy, workers, waiting: vec![], running: vec![], crowded_since: None };
        let mut now = Time::ZERO;
        for (key, (step, wait)) in (0_u32..).zip(steps) {
            now += Duration::from_millis(wait);
            match step {
                0 | 1 => prop_assert_eq!(queue.offer(key, now).is_ok(), naive.offer(key, now)),
                2 => prop_assert_eq!(queue.start(now), naive.start(now)),
                3 => prop_assert_eq!(queue.expire(now), naive.expire(now)),
                _ => {
                    let key = naive.running.pop().map(|(key, _)| key);
                    key.inspect(|key| queue.stopped(*key));
                    let left = naive.waiting.get(key.unwrap_or(0) as usize).map(|(key, _)| *key);
                    naive.waiting.retain(|(key, _)| Some(*key) != left);
                    naive.note(now);
                    prop_assert_eq!(left.is_some_and(|key| queue.cancel(key)), left.is_some());
                }
            }
            prop_assert_eq!(queue.waiting(), naive.waiting.len());
            prop_assert_eq!(queue.running(), naive.running.len());
        }
    }
}

/// What became of a load on one worker: jobs answered within the clients' patience, answered later, and the longest
/// that anybody waited to be refused.
#[derive(Debug, Default)]
struct Outcome {
    good: u32,
    vain: u32,
    refused_after: Duration,
}

/// Offers `load` times what one worker can do for 400 services, evenly spaced; clients wait four services.
fn overload(policy: SheddingPolicy, load: u32) -> Outcome {
    let mut queue = ShedQueue::new(policy, 1, SERVICE);
    let mut arrived: Vec<Time> = Vec::new();
    let mut outcome = Outcome::default();
    let mut busy: Option<(u32, Time)> = None;
    for tick in 0..400 * load {
        let now = Time::ZERO + SERVICE * tick / load;
        if let Some((key, end)) = busy.filter(|(_, end)| *end <= now) {
            queue.finished(key, arrived[key as usize], end);
            let in_time = end.since(arrived[key as usize]) <= 4 * SERVICE;
            outcome.good += u32::from(in_time);
            outcome.vain += u32::from(!in_time);
            busy = None;
        }
        while let Some(key) = queue.expire(now) {
            outcome.refused_after = outcome.refused_after.max(now.since(arrived[key as usize]));
        }
        arrived.push(now);
        let _ = queue.offer(tick, now);
        if let Some(key) = queue.start(now) {
            busy = Some((key, now + SERVICE));
        }
    }
    outcome
}

#[test]
fn every_policy_but_none_keeps_the_worker_on_answers_that_are_still_awaited() {
    let time = SheddingPolicy::Time(4 * SERVICE);
    for policy in
        [SheddingPolicy::Queue(2), time, SheddingPolicy::CodelLifo, SheddingPolicy::Adaptive]
    {
        for load in [2, 10] {
            let outcome = overload(policy, load);
            assert!(outcome.good >= 380, "{policy} at {load}: {outcome:?}");
            assert!(outcome.vain <= 4, "{policy} at {load}: {outcome:?}");
            assert!(outcome.refused_after <= 4 * SERVICE, "{policy} at {load}: {outcome:?}");
        }
    }
    let outcome = overload(SheddingPolicy::None, 10);
    assert!(outcome.good <= 8, "{outcome:?}");
}

#[test]
fn the_learned_limit_rests_where_its_law_says() {
    for (workers, expected) in [(1, 2.618), (4, 6.562)] {
        let mut gradient = Gradient::new(workers);
        for _ in 0..500 {
            let queue = (gradient.limit() / workers as f64).max(1.0);
            gradient.observe(SERVICE.mul_f64(queue), SERVICE);
        }
        assert!((gradient.limit() - expected).abs() < 0.01, "{workers}: {}", gradient.limit());
    }
}

#[test]
fn the_queue_is_bounded_without_a_policy() {
    let mut queue = ShedQueue::new(SheddingPolicy::None, 1, SERVICE);
    let admitted = (0..u32::MAX).take_while(|key| queue.offer(*key, Time::ZERO).is_ok()).count();
    assert_eq!(admitted, SHED_WAITING_MAX);
    assert_eq!(queue.offer(0, Time::ZERO), Err(ShedReason::QueueFull));
}
