//! The generator's judgement of itself: whether it measured the server or its own limits.
//!
//! The rules are few and plain, and err on the side of doubt: a figure that says more about the generator than
//! about the server is worse than none.

use serde::{Deserialize, Serialize};

/// A core with less than this part of its time to spare may have been what set the pace.
pub const IDLE_SHARE_MIN: f64 = 0.10;

/// A core of which others take more than this part, with nothing left over, is not the generator's own.
pub const OTHERS_SHARE_MAX: f64 = 0.20;

/// A run shorter than this says nothing about how busy the generator was.
pub const OBSERVED_S_MIN: f64 = 0.25;

/// A throughput above this part of what a server costs that does nothing may be the generator's own.
pub const CAPACITY_SHARE_MAX: f64 = 0.95;

/// How far the mean number of requests under way may be from throughput times mean latency.
pub const LITTLE_DEVIATION_MAX: f64 = 0.05;

/// What the judgement rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How long the generator was observed for, in seconds.
    pub observed_s: f64,
    /// For each core the part of its time in which it had nothing to do; empty where the system does
    /// not tell.
    pub idle_share: Vec<f64>,
    /// For each core that the generator is pinned to, the part of the time in which its CPU was idle.
    pub cpu_idle_share: Vec<f64>,
    /// For each such core, the part of the time in which its CPU was busy with something else.
    pub others_share: Vec<f64>,
    /// Completions that the kernel had to keep back from the generator.
    pub completion_overflows: u64,
    /// Answers per second in this run.
    pub throughput_per_second: f64,
    /// Answers per second that this generator gets from a server that does nothing, if that was tried.
    pub capacity_per_second: Option<f64>,
    /// Requests under way, averaged over time.
    pub in_flight_mean: f64,
    /// Throughput times mean latency: by Little's law the same.
    pub in_flight_by_little: f64,
}

/// The judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Why the run may have measured the generator; empty if it did not.
    pub generator_bound: Vec<String>,
    /// What is odd without being decisive.
    pub remarks: Vec<String>,
}

impl Verdict {
    /// Judges.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let mut verdict = Self::default();
        if evidence.observed_s >= OBSERVED_S_MIN {
            verdict.judge_cores(evidence);
        } else {
            verdict.remarks.push("too short to say whether the generator kept up".to_owned());
        }
        if let Some(capacity) = evidence.capacity_per_second
            && evidence.throughput_per_second > capacity * CAPACITY_SHARE_MAX
        {
            verdict.generator_bound.push(format!(
                "{:.0} requests/s are what this generator gets from a server that does nothing ({capacity:.0}/s)",
                evidence.throughput_per_second
            ));
        }
        if evidence.completion_overflows > 0 {
            verdict.remarks.push(format!(
                "the kernel kept back {} completions because the generator was late",
                evidence.completion_overflows
            ));
        }
        let deviation = (evidence.in_flight_mean - evidence.in_flight_by_little).abs();
        if deviation > LITTLE_DEVIATION_MAX * evidence.in_flight_mean.max(1.0) {
            verdict.remarks.push(format!(
                "Little's law: {:.1} requests were under way on average, throughput times latency makes {:.1}; \
                 what failed or was cut off explains the difference, or the run was too short",
                evidence.in_flight_mean, evidence.in_flight_by_little
            ));
        }
        verdict
    }

    fn judge_cores(&mut self, evidence: &Evidence) {
        for (core, idle) in evidence.idle_share.iter().enumerate() {
            if *idle < IDLE_SHARE_MIN {
                self.generator_bound.push(format!(
                    "core {core} of the generator was idle for {:.0} % of the time only; \
                     give it more or other cores with --cores",
                    idle * 100.0
                ));
            }
        }
        let shares = evidence.cpu_idle_share.iter().zip(&evidence.others_share);
        for (core, (idle, others)) in shares.enumerate() {
            if *idle < IDLE_SHARE_MIN && *others > OTHERS_SHARE_MAX {
                self.generator_bound.push(format!(
                    "core {core} of the generator runs on a CPU that something else used for {:.0} % of the \
                     time, the server perhaps, and that had {:.0} % to spare",
                    others * 100.0,
                    idle * 100.0
                ));
            }
        }
    }

    /// Whether the run may have measured the generator.
    #[must_use]
    pub fn is_generator_bound(&self) -> bool {
        !self.generator_bound.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Evidence {
        Evidence {
            observed_s: 1.0,
            idle_share: vec![0.5, 0.3],
            cpu_idle_share: vec![0.05, 0.3],
            others_share: vec![0.1, 0.5],
            completion_overflows: 0,
            throughput_per_second: 1_000.0,
            capacity_per_second: Some(100_000.0),
            in_flight_mean: 10.0,
            in_flight_by_little: 10.1,
        }
    }

    #[test]
    fn a_sound_run_is_let_pass() {
        assert_eq!(Verdict::of(&sound()), Verdict::default());
        let unknown = Evidence { idle_share: vec![], capacity_per_second: None, ..sound() };
        assert_eq!(Verdict::of(&unknown), Verdict::default());
    }

    #[test]
    fn each_rule_speaks_for_itself() {
        let check = |change: fn(&mut Evidence), bound, remarks| {
            let mut evidence = sound();
            change(&mut evidence);
            let verdict = Verdict::of(&evidence);
            let found = (verdict.generator_bound.len(), verdict.remarks.len());
            assert_eq!(found, (bound, remarks), "{verdict:?}");
        };
        check(|evidence| evidence.idle_share[1] = 0.05, 1, 0);
        check(|evidence| evidence.others_share[0] = 0.3, 1, 0);
        check(|evidence| evidence.cpu_idle_share[1] = 0.05, 1, 0);
        check(|evidence| (evidence.observed_s, evidence.idle_share[1]) = (0.1, 0.0), 0, 1);
        check(|evidence| evidence.throughput_per_second = 99_000.0, 1, 0);
        check(|evidence| evidence.completion_overflows = 1, 0, 1);
        check(|evidence| evidence.in_flight_by_little = 8.0, 0, 1);
    }
}
