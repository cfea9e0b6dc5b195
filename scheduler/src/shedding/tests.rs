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
                    key.inspect(|key| queue.stopped(*key, 0.0, now, now));
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

/// What is offered to a queue, times in [`SERVICE`], which is what the queue is told that a job takes.
struct Load {
    /// What a job takes in truth.
    service: f64,
    workers: usize,
    /// Arrivals, at random, in jobs that all workers can do.
    times_capacity: f64,
    /// How long clients wait before they leave.
    patience: f64,
    jobs: u32,
}

/// What became of it.
#[derive(Debug, Default)]
struct Outcome {
    /// Of the time that workers had.
    goodput: f64,
    wasted: f64,
    /// Jobs refused once they had waited.
    refused_late: u32,
}

/// Exponential gaps of mean 1, the same in every run.
fn gaps() -> impl Iterator<Item = f64> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -uniform.ln()
    })
}

impl Load {
    /// Plays the whole load. Who leaves while worked on is noticed at once.
    fn play(&self, policy: SheddingPolicy) -> Outcome {
        let mut queue = ShedQueue::new(policy, self.workers, SERVICE);
        let [service, patience] = [self.service, self.patience].map(|times| SERVICE.mul_f64(times));
        let mean_gap = service.div_f64(self.workers as f64 * self.times_capacity);
        let mut arrivals: Vec<Time> = Vec::new();
        let mut running: Vec<(u32, Time)> = Vec::new();
        let (mut outcome, mut now) = (Outcome::default(), Time::ZERO);
        let mut gaps = gaps();
        let (mut next_arrival, mut left) = (now, 0);
        while arrivals.len() < self.jobs as usize {
            let ends = running
                .iter()
                .map(|(key, since)| (*since + service).min(arrivals[*key as usize] + patience));
            let next = ends.chain(queue.next_expiry()).chain([next_arrival]).min();
            now = next.expect("somebody always comes").max(now);
            while let Some(key) = queue.expire(now) {
                outcome.refused_late += 1;
                assert!(arrivals[key as usize] < now, "nobody is stale who has just come");
            }
            running.retain(|(key, since)| {
                let arrived = arrivals[*key as usize];
                let worked = now.since(*since).div_duration_f64(service);
                if worked >= 1.0 {
                    queue.finished(*key, arrived, now);
                    outcome.goodput += 1.0;
                } else if now.since(arrived) >= patience {
                    queue.stopped(*key, worked, arrived, now);
                    outcome.wasted += worked;
                }
                worked < 1.0 && now.since(arrived) < patience
            });
            while let Some(arrived) = arrivals.get(left as usize)
                && now.since(*arrived) >= patience
            {
                queue.cancel(left);
                left += 1;
            }
            if now == next_arrival {
                let key = u32::try_from(arrivals.len()).unwrap();
                arrivals.push(now);
                let _ = queue.offer(key, None, now);
                next_arrival =
                    now + mean_gap.mul_f64(gaps.next().expect("there is no end to them"));
            }
            while let Some(key) = queue.start(now) {
                running.push((key, now));
            }
        }
        let had = now.since(Time::ZERO).div_duration_f64(service) * self.workers as f64;
        outcome.goodput /= had;
        outcome.wasted /= had;
        outcome
    }
}

/// Every policy that refuses anybody, with a time limit of three jobs' times.
const POLICIES: [SheddingPolicy; 4] = [
    SheddingPolicy::Queue(2),
    SheddingPolicy::Time(Duration::from_millis(300)),
    SheddingPolicy::CodelLifo,
    SheddingPolicy::Adaptive,
];

#[test]
fn every_policy_but_none_keeps_the_worker_on_answers_that_are_still_awaited() {
    let load = Load { service: 1.0, workers: 1, times_capacity: 10.0, patience: 4.0, jobs: 4_000 };
    for policy in POLICIES {
        let outcome = load.play(policy);
        assert!(outcome.goodput >= 0.98, "{policy}: {outcome:?}");
        assert!(outcome.wasted <= 0.01, "{policy}: {outcome:?}");
        assert_eq!(outcome.refused_late, 0, "{policy}: {outcome:?}");
    }
    let outcome = load.play(SheddingPolicy::None);
    assert!(outcome.goodput <= 0.1, "{outcome:?}");
}

/// Policies go by what jobs take, not by what they were said to take, and by how long clients turn out to wait.
#[test]
fn workers_of_another_speed_than_was_said_are_found_out() {
    for (service, workers) in [(0.5, 1), (1.3, 1), (1.3, 4), (1.65, 1), (1.65, 4), (1.9, 1)] {
        let load = Load { service, workers, times_capacity: 10.0, patience: 4.0, jobs: 4_000 };
        // Two at once are too few for four workers, as whoever says two wants it.
        for policy in POLICIES.into_iter().skip(usize::from(workers > 2)) {
            let outcome = load.play(policy);
            assert!(outcome.goodput >= 0.97, "{policy} at {service}, {workers}: {outcome:?}");
            assert!(outcome.wasted <= 0.03, "{policy} at {service}, {workers}: {outcome:?}");
        }
    }
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
    let stop = |queue: &mut ShedQueue<u32>, key| queue.stopped(key, 0.0, at(0.0), at(0.0));
    [0, 1].into_iter().for_each(|key| stop(&mut queue, key));
    assert_eq!([queue.start(at(1.0)), queue.start(at(1.0))], [Some(2), Some(3)], "no crowd yet");
    queue.offer(5, None, at(1.9)).unwrap();
    [2, 3].into_iter().for_each(|key| stop(&mut queue, key));
    assert_eq!(queue.start(at(2.0)), Some(4), "4 has no time to lose");
    assert_eq!(queue.start(at(2.0)), Some(5));
    queue.offer(6, None, at(2.1)).unwrap();
    queue.offer(7, None, at(2.9)).unwrap();
    stop(&mut queue, 4);
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
