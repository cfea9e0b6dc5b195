//! When an open loop means to ask: a list of instants that does not depend on how the server does.
//!
//! Only the next instant is ever held. What a slow server has not been asked yet is simply not drawn yet, so
//! a backlog of any length takes no memory, and its requests still bear the instant at which they were due.

use std::sync::Arc;
use std::time::Duration;

use crate::random::Random;
use crate::workload::Arrivals;

/// A rate that may change evenly at the beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests per second at the start.
    pub from: f64,
    /// Requests per second from the end of the ramp on.
    pub to: f64,
    /// How long the ramp takes.
    pub ramp: Duration,
}

impl Rate {
    /// The same rate all the time.
    #[must_use]
    pub const fn steady(per_second: f64) -> Self {
        Self { from: per_second, to: per_second, ramp: Duration::ZERO }
    }

    /// The `part`th of `parts` of this rate; all parts are alike.
    #[must_use]
    pub fn divided(self, parts: u32) -> Self {
        let parts = f64::from(parts);
        Self { from: self.from / parts, to: self.to / parts, ramp: self.ramp }
    }

    /// When so many requests are due in all, in seconds: the inverse of the rate's integral.
    fn seconds_until(self, requests: f64) -> f64 {
        if requests <= 0.0 {
            return 0.0;
        }
        let ramp_s = self.ramp.as_secs_f64();
        let in_ramp = (self.from + self.to) / 2.0 * ramp_s;
        if requests >= in_ramp {
            return ramp_s + (requests - in_ramp) / self.to;
        }
        // Within the ramp, `from t + (to - from) t² / (2 ramp) = requests`. This form of the root loses
        // nothing where the two rates are close.
        let slope = (self.to - self.from) / ramp_s;
        2.0 * requests / (self.from + (self.from * self.from + 2.0 * slope * requests).sqrt())
    }
}

/// The instants, as durations since the start of the run.
#[derive(Clone, Debug)]
pub struct Schedule {
    next: Option<Duration>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Rate { rate: Rate, arrivals: Arrivals, random: Random, requests: f64 },
    Trace { instants: Arc<[Duration]>, index: usize, step: usize },
}

impl Schedule {
    /// Requests at a rate. `phase` in `[0, 1)` shifts evenly spaced ones by that part of a gap, so that
    /// several cores interleave.
    #[must_use]
    pub fn at_rate(rate: Rate, arrivals: Arrivals, phase: f64, mut random: Random) -> Self {
        let requests = match arrivals {
            Arrivals::Constant => phase,
            Arrivals::Poisson | Arrivals::Uniform => arrivals.gap(&mut random),
        };
        let mut schedule =
            Self { next: None, source: Source::Rate { rate, arrivals, random, requests } };
        schedule.next = schedule.compute();
        schedule
    }

    /// Every `step`th of given instants, from the `first` on. They must be sorted.
    #[must_use]
    pub fn replay(instants: Arc<[Duration]>, first: usize, step: usize) -> Self {
        let next = instants.get(first).copied();
        Self { next, source: Source::Trace { instants, index: first, step } }
    }

    /// The next instant; `None` at the end of a trace.
    #[must_use]
    pub fn peek(&self) -> Option<Duration> {
        self.next
    }

    /// Goes on to the instant after the next.
    pub fn advance(&mut self) {
        match &mut self.source {
            Source::Rate { arrivals, random, requests, .. } => *requests += arrivals.gap(random),
            Source::Trace { index, step, .. } => *index = index.saturating_add(*step),
        }
        self.next = self.compute();
    }

    fn compute(&self) -> Option<Duration> {
        match &self.source {
            Source::Rate { rate, requests, .. } => {
                Duration::try_from_secs_f64(rate.seconds_until(*requests)).ok()
            }
            Source::Trace { instants, index, .. } => instants.get(*index).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instants(mut schedule: Schedule, until_s: u64) -> Vec<Duration> {
        let mut list = Vec::new();
        while let Some(next) = schedule.peek()
            && next < Duration::from_secs(until_s)
        {
            list.push(next);
            schedule.advance();
        }
        list
    }

    fn at_rate(rate: Rate, arrivals: Arrivals) -> Schedule {
        Schedule::at_rate(rate, arrivals, 0.0, Random::new(1))
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced_and_does_not_drift() {
        let list = instants(at_rate(Rate::steady(1_000.0), Arrivals::Constant), 100);
        assert_eq!(list.len(), 100_000);
        assert_eq!(list[99_999], Duration::from_micros(99_999_000));
    }

    #[test]
    fn cores_interleave() {
        let part = |phase| {
            let rate = Rate::steady(10.0).divided(2);
            Schedule::at_rate(rate, Arrivals::Constant, phase, Random::new(1))
        };
        let millis =
            |schedule| instants(schedule, 1).iter().map(Duration::as_millis).collect::<Vec<_>>();
        assert_eq!(millis(part(0.0)), [0, 200, 400, 600, 800]);
        assert_eq!(millis(part(0.5)), [100, 300, 500, 700, 900]);
    }

    #[test]
    fn random_arrivals_keep_the_rate_and_have_the_spread_of_their_law() {
        let check = |arrivals, variance_of_gap: f64| {
            let list = instants(at_rate(Rate::steady(1_000.0), arrivals), 100);
            let gaps: Vec<f64> =
                list.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect();
            let count = gaps.len() as f64;
            let mean = gaps.iter().sum::<f64>() / count;
            let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
            assert!((mean - 1.0).abs() < 0.01, "{arrivals:?}: mean {mean}");
            assert!((variance - variance_of_gap).abs() < 0.03, "{arrivals:?}: {variance}");
        };
        check(Arrivals::Poisson, 1.0);
        check(Arrivals::Uniform, 1.0 / 3.0);
    }

    #[test]
    fn a_ramp_asks_as_often_as_its_integral_says() {
        let rate = Rate { from: 0.0, to: 100.0, ramp: Duration::from_secs(10) };
        let list = instants(at_rate(rate, Arrivals::Constant), 20);
        let before = |seconds| list.iter().filter(|at| at.as_secs_f64() < seconds).count();
        // The integral of 10 t is 5 t²; the request at 0 comes on top.
        assert_eq!([before(4.999), before(9.999), before(19.999)], [125, 500, 1_500]);
    }

    #[test]
    fn a_falling_ramp_is_inverted_too() {
        let rate = Rate { from: 100.0, to: 50.0, ramp: Duration::from_secs(10) };
        for requests in [0.0, 10.0, 400.0, 749.0, 750.0, 900.0] {
            let t = rate.seconds_until(requests);
            let ramp = t.min(10.0);
            let integral = 100.0 * ramp - 2.5 * ramp * ramp + 50.0 * (t - ramp);
            assert!((integral - requests).abs() < 1e-9, "{requests}: {integral}");
        }
    }

    #[test]
    fn a_trace_is_dealt_out_and_ends() {
        let trace: Arc<[Duration]> = (0..5).map(Duration::from_millis).collect();
        let part = |first| instants(Schedule::replay(Arc::clone(&trace), first, 2), 1);
        assert_eq!(part(0), [0, 2, 4].map(Duration::from_millis));
        assert_eq!(part(1), [1, 3].map(Duration::from_millis));
        assert_eq!(part(7), []);
    }
}
