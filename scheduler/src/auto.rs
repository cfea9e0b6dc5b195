//! Choosing the strategy by what is going on.
//!
//! Three signs are watched, each with one bound at which it counts as there and a lower one at which it ceases to,
//! so that a figure that hovers about a bound does not make the strategy flap:
//!
//! * *lengths differ*: how widely the costs of recent jobs spread. Without it there is nothing to gain by
//!   serving the short ones first.
//! * *crowded*: how often several customers are backlogged at once. Then they should share.
//! * *tail slow*: how many of the recent jobs took many times as long as they would have alone. It is what
//!   shortest-first does to the long ones.
//!
//! A choice stands for [`AUTO_DWELL`] at least. What a strategy does with the jobs is not decided here.

use std::fmt;

use ringyard_time::Time;

use crate::cost::Cost;
use crate::job::Job;
use crate::limits::{
    AUTO_CROWDED, AUTO_CUSTOMERS, AUTO_DISPERSION, AUTO_DWELL, AUTO_FORGETTING, AUTO_SLOW_PART,
    AUTO_SLOWDOWN_HIGH,
};
use crate::strategy::StrategyKind;

/// Why `auto` chose a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoReason {
    /// Jobs cost much the same and come from few customers: first come, first served.
    LengthsAlike,
    /// Several customers are waiting: each gets its share.
    Crowded,
    /// Jobs cost very different amounts: the short ones first.
    LengthsDiffer,
    /// The same, and too many of the long ones wait too long: waiting makes them count as shorter.
    TailSlow,
}

impl fmt::Display for AutoReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::LengthsAlike => "jobs are alike and customers few",
            Self::Crowded => "several customers are waiting",
            Self::LengthsDiffer => "jobs differ in length",
            Self::TailSlow => "jobs differ in length and long ones wait too long",
        })
    }
}

/// A change of strategy that `auto` made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoSwitch {
    /// When.
    pub at: Time,
    /// The strategy before.
    pub from: StrategyKind,
    /// The strategy from then on.
    pub to: StrategyKind,
    /// Why.
    pub reason: AutoReason,
}

/// A figure's two bounds: at or above the one a sign counts as there, below the other as gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) appears: f64,
    pub(crate) vanishes: f64,
}

impl Bounds {
    /// Whether the sign is there, given whether it was.
    fn judge(self, figure: f64, was: bool) -> bool {
        figure >= if was { self.vanishes } else { self.appears }
    }
}

/// What `auto` has seen and chosen.
#[derive(Debug)]
pub(crate) struct Auto {
    pub(crate) active: StrategyKind,
    pub(crate) last: Option<AutoSwitch>,
    since: Option<Time>,
    /// Discounted count, sum and sum of squares of the costs of jobs that arrived.
    costs: [f64; 3],
    /// Discounted count of jobs that were served, and of those among them that were slow.
    served: [f64; 2],
    /// Discounted count of decisions, and of those among them that found a crowd.
    crowds: [f64; 2],
    lengths_differ: bool,
    crowded: bool,
    tail_slow: bool,
}

impl Auto {
    pub(crate) fn new() -> Self {
        Self {
            active: StrategyKind::Fcfs,
            last: None,
            since: None,
            costs: [0.0; 3],
            served: [0.0; 2],
            crowds: [0.0; 2],
            lengths_differ: false,
            crowded: false,
            tail_slow: false,
        }
    }

    /// A job of this cost has arrived.
    pub(crate) fn arrived(&mut self, cost: Cost) {
        let cost = cost.duration().as_secs_f64();
        remember(&mut self.costs, [1.0, cost, cost * cost]);
    }

    /// A job that would have cost so much alone leaves now, in a batch that costs so much.
    pub(crate) fn served(&mut self, job: &Job, alone: Cost, batch: Cost, now: Time) {
        let took = now.since(job.arrived) + batch.duration();
        let slow = took.as_secs_f64() > AUTO_SLOWDOWN_HIGH * alone.duration().as_secs_f64();
        remember(&mut self.served, [1.0, f64::from(u8::from(slow))]);
    }

    /// The strategy to switch to, if it is to be another. `backlogged` customers have jobs queued.
    pub(crate) fn decide(&mut self, backlogged: usize, now: Time) -> Option<AutoSwitch> {
        let crowd = backlogged >= AUTO_CUSTOMERS;
        remember(&mut self.crowds, [1.0, f64::from(u8::from(crowd))]);
        let since = *self.since.get_or_insert(now);
        if now.since(since) < AUTO_DWELL {
            return None;
        }
        self.lengths_differ = AUTO_DISPERSION.judge(self.dispersion(), self.lengths_differ);
        let crowds = self.crowds[1] / self.crowds[0];
        self.crowded = AUTO_CROWDED.judge(crowds, self.crowded);
        let slow_part = self.served[1] / self.served[0].max(1.0);
        self.tail_slow = AUTO_SLOW_PART.judge(slow_part, self.tail_slow);
        let (to, reason) = match (self.crowded, self.lengths_differ, self.tail_slow) {
            (true, _, _) => (StrategyKind::Fair, AutoReason::Crowded),
            (_, true, true) => (StrategyKind::SjfAgeing, AutoReason::TailSlow),
            (_, true, false) => (StrategyKind::Sjf, AutoReason::LengthsDiffer),
            (_, false, _) => (StrategyKind::Fcfs, AutoReason::LengthsAlike),
        };
        if to == self.active {
            return None;
        }
        let switch = AutoSwitch { at: now, from: self.active, to, reason };
        self.active = to;
        self.since = Some(now);
        self.last = Some(switch);
        Some(switch)
    }

    /// The standard deviation of recent costs over their mean.
    fn dispersion(&self) -> f64 {
        let [count, sum, squares] = self.costs;
        if sum <= 0.0 {
            return 0.0;
        }
        (squares * count / (sum * sum) - 1.0).max(0.0).sqrt()
    }
}

/// Discounts sums and adds to them.
fn remember<const N: usize>(sums: &mut [f64; N], added: [f64; N]) {
    for (sum, added) in sums.iter_mut().zip(added) {
        *sum = *sum * AUTO_FORGETTING + added;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::job::{CustomerId, JobId, JobSpec};

    /// Ten seconds of one decision each 10 ms, with a job of each cost in turn, so many customers
    /// backlogged and every job waiting so long.
    struct Phase {
        costs_ms: &'static [u64],
        backlogged: usize,
        waited_ms: u64,
    }

    fn check(phases: &[(Phase, StrategyKind, Option<AutoReason>)]) {
        let mut auto = Auto::new();
        let mut now = Time::ZERO + Duration::from_secs(100);
        for (phase, strategy, reason) in phases {
            let mut switches = 0;
            for step in 0..1_000 {
                now += Duration::from_millis(10);
                let cost = Cost(phase.costs_ms[step % phase.costs_ms.len()] * 1_000_000);
                auto.arrived(cost);
                let job = Job {
                    id: JobId { index: 0, generation: 0 },
                    spec: JobSpec::new(CustomerId(0), 1, 1, 0),
                    arrived: now - Duration::from_millis(phase.waited_ms),
                };
                auto.served(&job, cost, cost, now);
                switches += u32::from(auto.decide(phase.backlogged, now).is_some());
            }
            assert_eq!(auto.active, *strategy);
            assert_eq!(auto.last.map(|switch| switch.reason), *reason);
            // Two signs may change, one after the other.
            assert!(switches <= 2, "{switches} switches to get to {strategy}");
        }
    }

    #[test]
    fn each_sign_has_its_strategy() {
        let alike = Phase { costs_ms: &[10, 11], backlogged: 1, waited_ms: 0 };
        let differ = Phase { costs_ms: &[1, 1, 1, 1, 1, 1, 1, 200], backlogged: 1, waited_ms: 1 };
        let slow = Phase { costs_ms: &[1, 1, 1, 1, 1, 1, 1, 200], backlogged: 1, waited_ms: 900 };
        let crowded = Phase { costs_ms: &[1, 1, 1, 1, 1, 1, 1, 200], backlogged: 9, waited_ms: 1 };
        let calm = Phase { costs_ms: &[10, 11], backlogged: 1, waited_ms: 0 };
        let two = Phase { costs_ms: &[10, 11], backlogged: 2, waited_ms: 0 };
        let calm_again = Phase { costs_ms: &[10, 11], backlogged: 1, waited_ms: 0 };
        check(&[
            (alike, StrategyKind::Fcfs, None),
            (differ, StrategyKind::Sjf, Some(AutoReason::LengthsDiffer)),
            (slow, StrategyKind::SjfAgeing, Some(AutoReason::TailSlow)),
            (crowded, StrategyKind::Fair, Some(AutoReason::Crowded)),
            (calm, StrategyKind::Fcfs, Some(AutoReason::LengthsAlike)),
            (two, StrategyKind::Fair, Some(AutoReason::Crowded)),
            (calm_again, StrategyKind::Fcfs, Some(AutoReason::LengthsAlike)),
        ]);
    }

    #[test]
    fn a_figure_between_the_bounds_changes_nothing() {
        let bounds = Bounds { appears: 2.0, vanishes: 1.0 };
        assert!(!bounds.judge(1.5, false));
        assert!(bounds.judge(2.0, false));
        assert!(bounds.judge(1.5, true));
        assert!(!bounds.judge(0.9, true));
    }
}
