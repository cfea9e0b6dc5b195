//! Which backend the next batch goes to: a balancing policy, and what this proxy tells it.
//!
//! The policy is one of `scheduler`'s, the same that the study judges. It learns from what this proxy sees itself:
//! batches in flight, how long they took and whether they came to anything. Backends say nothing of their load, so
//! the figures that some policies want reported are the proxy's own: answers a second and the busy share of the
//! connections. Probes cost nothing here, as all that a probe could tell is in the proxy's own books.
//!
//! Chance is a counter with a fixed key, so that a proxy does the same again when the same happens.

use std::time::Duration;

use ringyard_runtime::app::Time;
use ringyard_scheduler::balance::live::{Answer, LatencyAtLoad, LiveKind, LivePolicy, Load};
use ringyard_scheduler::balance::{Aggregate, Channels, Explanation, Philox, Report};

/// Seconds over which a backend's own statistics decay to 1/e.
const STATISTICS_TAU_SECONDS: f64 = 5.0;

/// What is known of a backend's batches.
#[derive(Debug, Default)]
struct Books {
    in_flight: u32,
    by_load: LatencyAtLoad,
    /// Answers and failures a second, and the share of its room in use, all decaying.
    rate: f64,
    error_rate: f64,
    busy: f64,
    updated: Time,
}

/// Chooses backends.
#[derive(Debug)]
pub(super) struct Balancer {
    kind: LiveKind,
    policy: LivePolicy,
    random: Philox,
    books: Vec<Books>,
    /// How many batches each backend may have in flight at most.
    room: u32,
    /// Which backends can take a batch now.
    free: Vec<bool>,
    /// A choice that no batch has been sent on yet.
    held: Option<usize>,
    probes: Vec<u32>,
}

struct View<'a> {
    books: &'a [Books],
    free: &'a [bool],
}

impl Channels for View<'_> {
    fn count(&self) -> usize {
        self.books.len()
    }

    fn in_flight(&self, channel: usize) -> u32 {
        self.books[channel].in_flight
    }

    fn latency(&self, _channel: usize, _aggregate: Aggregate) -> Option<f64> {
        None
    }

    fn report(&self, _channel: usize) -> Option<&Report> {
        None
    }

    fn is_available(&self, channel: usize) -> bool {
        self.free[channel]
    }
}

impl Books {
    /// Brings the decaying figures up to `now`. To be called before any change.
    fn advance(&mut self, now: Time, room: u32) {
        let kept = (-now.since(self.updated).as_secs_f64() / STATISTICS_TAU_SECONDS).exp();
        let share = f64::from(self.in_flight) / f64::from(room);
        self.busy = self.busy * kept + share * (1.0 - kept);
        self.rate *= kept;
        self.error_rate *= kept;
        self.updated = now;
    }
}

impl Balancer {
    /// The policy `kind` over `backends` backends of `room` batches each.
    pub(super) fn new(kind: LiveKind, backends: usize, room: u32) -> Self {
        Self {
            kind,
            policy: kind.build(),
            random: Philox::new(0, 0),
            books: (0..backends).map(|_| Books::default()).collect(),
            room: room.max(1),
            free: vec![false; backends],
            held: None,
            probes: Vec::new(),
        }
    }

    /// The backend for the next batch, of those that are free; `None` if none is. Asked again before a batch was
    /// sent, it stands by its choice while that is free.
    pub(super) fn choose(
        &mut self,
        now: Time,
        is_free: impl Iterator<Item = bool>,
    ) -> Option<usize> {
        self.free.clear();
        self.free.extend(is_free);
        debug_assert_eq!(self.free.len(), self.books.len());
        if !self.free.contains(&true) {
            return None;
        }
        if self.held.is_none_or(|backend| !self.free[backend]) {
            let view = View { books: &self.books, free: &self.free };
            self.held = Some(self.policy.pick(&view, 0, now, &mut self.random));
        }
        self.held
    }

    /// A batch was sent to `backend`.
    pub(super) fn sent(&mut self, now: Time, backend: usize) {
        self.held = None;
        self.books[backend].advance(now, self.room);
        self.books[backend].in_flight += 1;
        self.policy.sent(backend);
        let view = View { books: &self.books, free: &self.free };
        self.policy.probes(&view, &mut self.random, &mut self.probes);
        for &probed in &self.probes {
            let probed = probed as usize;
            let Books { in_flight, by_load, .. } = &self.books[probed];
            let expected = by_load.expect(*in_flight as usize);
            self.policy.probed(probed, f64::from(*in_flight), expected, now);
        }
    }

    /// A batch on `backend` is over: `took` since it was sent, with or without results.
    pub(super) fn finished(&mut self, now: Time, backend: usize, took: Duration, success: bool) {
        let books = &mut self.books[backend];
        books.advance(now, self.room);
        books.in_flight = books.in_flight.saturating_sub(1);
        books.rate += 1.0 / STATISTICS_TAU_SECONDS;
        if success {
            books.by_load.note(books.in_flight as usize, took);
        } else {
            books.error_rate += 1.0 / STATISTICS_TAU_SECONDS;
        }
        // Only turns by capacity need a report; to the others their own count and clock are the better source.
        let load = (self.kind == LiveKind::WeightedRoundRobin).then(|| Load {
            requests_per_second: books.rate,
            errors_per_second: books.error_rate,
            utilization: books.busy,
            in_flight: f64::from(books.in_flight),
            queued: 0.0,
            service_seconds: took.as_secs_f64(),
            queued_seconds: 0.0,
        });
        let answer = Answer { latency: took, is_success: success, load };
        self.policy.finished(backend, &answer, now);
    }

    /// A batch on `backend` was given up; that says nothing of the backend.
    pub(super) fn abandoned(&mut self, now: Time, backend: usize) {
        let books = &mut self.books[backend];
        books.advance(now, self.room);
        books.in_flight = books.in_flight.saturating_sub(1);
        self.policy.abandoned(backend);
    }

    /// Why the last choice was made.
    pub(super) const fn explain(&self) -> Explanation {
        self.policy.explain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ringyard_scheduler::balance::Reason;

    fn at(milliseconds: u64) -> Time {
        Time::ZERO + Duration::from_millis(milliseconds)
    }

    proptest! {
        #[test]
        fn every_policy_chooses_only_among_the_free_and_says_why(
            steps in prop::collection::vec((any::<[bool; 4]>(), 1_u64..200, any::<bool>()), 1..60),
        ) {
            for kind in LiveKind::ALL {
                let mut balancer = Balancer::new(kind, 4, 8);
                let mut now = 0;
                for (free, pause, success) in &steps {
                    let chosen = balancer.choose(at(now), free.iter().copied());
                    prop_assert_eq!(chosen.is_some(), free.contains(&true), "{}", kind);
                    let Some(backend) = chosen else { continue };
                    prop_assert!(free[backend], "{}: {} of {:?}", kind, backend, free);
                    prop_assert_eq!(balancer.choose(at(now), free.iter().copied()), chosen);
                    let explained = balancer.explain();
                    prop_assert_eq!(explained.channel, chosen, "{}", kind);
                    prop_assert_ne!(explained.reason, Reason::NothingChosen);
                    balancer.sent(at(now), backend);
                    now += pause;
                    let took = Duration::from_millis(*pause);
                    balancer.finished(at(now), backend, took, *success);
                }
                prop_assert!(balancer.books.iter().all(|books| books.in_flight == 0));
            }
        }
    }

    /// The share of 2,000 batches that goes to the last of three backends, where it alone is ten times slower, or
    /// fails at once. Batches go one after the other.
    fn share_of_the_odd_one(kind: LiveKind, fails: bool) -> f64 {
        const BATCHES: u32 = 2_000;
        let mut balancer = Balancer::new(kind, 3, 4);
        let (mut now, mut odd) = (0, 0);
        for _ in 0..BATCHES {
            let backend = balancer.choose(at(now), [true; 3].into_iter()).expect("all are free");
            balancer.sent(at(now), backend);
            let is_odd = backend == 2;
            odd += u32::from(is_odd);
            let took = if !is_odd {
                20
            } else if fails {
                1
            } else {
                200
            };
            now += took;
            let took = Duration::from_millis(took);
            balancer.finished(at(now), backend, took, !(is_odd && fails));
        }
        f64::from(odd) / f64::from(BATCHES)
    }

    #[test]
    fn who_watches_the_clock_leaves_the_slow_one_and_who_watches_errors_the_broken_one() {
        for kind in [LiveKind::PeakEwma, LiveKind::WeightedLeastLatency, LiveKind::Soonest] {
            let share = share_of_the_odd_one(kind, false);
            assert!(share < 0.1, "{kind}: {share}");
        }
        for kind in [LiveKind::PeakEwma, LiveKind::Soonest] {
            let share = share_of_the_odd_one(kind, true);
            assert!(share < 0.1, "{kind}: {share}");
        }
        let share = share_of_the_odd_one(LiveKind::LeastRequest, false);
        assert!((share - 1.0 / 3.0).abs() < 0.05, "{share}");
    }
}
