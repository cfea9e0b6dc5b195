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

    fn offer(&mut self, key: u32, deadline: Option<Time>, now: Time) -> bool {
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
        let patience = if self.overloaded(now) { 1 } else { 2 } * SERVICE;
        let admits = match self.policy {
            SheddingPolicy::Queue(most) => admitted < most,
            SheddingPolicy::Time(limit) => wait.is_zero() || wait + SERVICE <= limit,
            SheddingPolicy::CodelLifo => wait <= patience,
            // No job is ever finished here, so the limit stays where it began.
            SheddingPolicy::Adaptive => admitted < self.workers + 1,
            SheddingPolicy::None => true,
        };
        let misses = deadline.is_some_and(|deadline| now + wait + SERVICE > deadline);
        let is_hopeless = misses && !wait.is_zero() && self.policy != SheddingPolicy::None;
        if admits && !is_hopeless {
            self.waiting.push((key, now));
        }
        self.note(now);
        admits && !is_hopeless
    }

    fn start(&mut self, now: Time) -> Option<u32> {
        if self.running.len() == self.workers || self.waiting.is_empty() {
            return None;
        }
        // With the newest gone, the others go in rounds of one for each worker.
        let others = u32::try_from((self.waiting.len() - 1).div_ceil(self.workers)).unwrap();
        let is_harmless = now + others * SERVICE <= self.waiting[0].1 + 2 * SERVICE;
        let newest =
            self.policy == SheddingPolicy::CodelLifo && self.overloaded(now) && is_harmless;
        let index = if newest { self.waiting.len() - 1 } else { 0 };
        let (key, _) = self.waiting.remove(index);
        self.running.push((key, now));
        self.note(now);
        Some(key)
    }

    fn expire(&mut self, now: Time) -> Option<u32> {
        let is_stale = |(_, since): &(u32, Time)| now >= *since + 3 * SERVICE;
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
                0 | 1 => {
                    let patience = Duration::from_millis(wait * 10);
                    let deadline = (key % 3 == 0).then(|| now + patience);
                    let admitted = queue.offer(key, deadline, now).is_ok();
                    prop_assert_eq!(admitted, naive.offer(key, deadline, now));
                }
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
        let _ = queue.offer(tick, None, now);
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
            assert_eq!(outcome.refused_after, Duration::ZERO, "{policy} at {load}: {outcome:?}");
        }
    }
    let outcome = overload(SheddingPolicy::None, 10);
    assert!(outcome.good <= 8, "{outcome:?}");
}

#[test]
fn who_finds_a_worker_idle_is_admitted_whatever_is_predicted() {
    let slow = 10 * SERVICE;
    for policy in [SheddingPolicy::Time(2 * SERVICE), SheddingPolicy::CodelLifo] {
        let mut queue = ShedQueue::new(policy, 1, slow);
        let deadline = Some(Time::ZERO + SERVICE);
        assert_eq!(queue.offer(0, deadline, Time::ZERO), Ok(()), "{policy}");
        assert_eq!(queue.start(Time::ZERO), Some(0));
        assert_eq!(queue.offer(1, deadline, Time::ZERO), Err(ShedReason::TooLate), "{policy}");
        queue.finished(0, Time::ZERO, Time::ZERO + SERVICE);
    }
}

#[test]
fn the_newest_goes_first_in_a_crowd_unless_another_would_be_stale_for_it() {
    let mut queue = ShedQueue::new(SheddingPolicy::CodelLifo, 2, SERVICE);
    let at = |services: f64| Time::ZERO + SERVICE.mul_f64(services);
    for key in [0, 1] {
        queue.offer(key, None, at(0.0)).unwrap();
        assert_eq!(queue.start(at(0.0)), Some(key));
    }
    (2..5).for_each(|key| queue.offer(key, None, at(0.0)).unwrap());
    [0, 1].into_iter().for_each(|key| queue.stopped(key));
    assert_eq!([queue.start(at(1.0)), queue.start(at(1.0))], [Some(2), Some(3)], "no crowd yet");
    queue.offer(5, None, at(1.9)).unwrap();
    [2, 3].into_iter().for_each(|key| queue.stopped(key));
    assert_eq!(queue.start(at(2.0)), Some(4), "4 has no time to lose");
    assert_eq!(queue.start(at(2.0)), Some(5));
    queue.offer(6, None, at(2.1)).unwrap();
    queue.offer(7, None, at(2.9)).unwrap();
    queue.stopped(4);
    assert_eq!(queue.start(at(3.0)), Some(7), "6 has time");
}

#[test]
fn the_learned_limit_rests_where_its_law_says() {
    for (workers, expected) in [(1, 2.618), (4, 6.562)] {
        let mut gradient = Gradient::new(workers);
        for _ in 0..500 {
            let queue = (gradient.limit() / workers as f64).max(1.0);
            gradient.observe(SERVICE.mul_f64(queue), SERVICE, 10);
        }
        assert!((gradient.limit() - expected).abs() < 0.01, "{workers}: {}", gradient.limit());
    }
}

#[test]
fn a_quiet_hour_does_not_raise_the_limit() {
    let mut queue = ShedQueue::new(SheddingPolicy::Adaptive, 1, SERVICE);
    for key in 0..36_000 {
        let arrived = Time::ZERO + SERVICE * key;
        queue.offer(key, None, arrived).unwrap();
        queue.start(arrived).unwrap();
        queue.finished(key, arrived, arrived + SERVICE);
    }
    let limit = queue.limit().unwrap();
    assert!(limit < 3.0, "{limit}");
}

#[test]
fn the_queue_is_bounded_without_a_policy() {
    let mut queue = ShedQueue::new(SheddingPolicy::None, 1, SERVICE);
    let admitted =
        (0..u32::MAX).take_while(|key| queue.offer(*key, None, Time::ZERO).is_ok()).count();
    assert_eq!(admitted, SHED_WAITING_MAX);
    assert_eq!(queue.offer(0, None, Time::ZERO), Err(ShedReason::QueueFull));
}
