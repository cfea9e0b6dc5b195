//! How requests arrive in a tick world: by a plan, by chance, by chance with moods, or as recorded.
//!
//! The plan is the published study's. The others are options of any profile; rates are multiples of the scenario's
//! own, so that the same process serves any load.

use serde::{Deserialize, Serialize};

use super::draws::Draws;

/// How requests arrive.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Arrivals {
    /// A fixed number of requests, each on a uniformly drawn tick.
    #[default]
    Fixed,
    /// A Poisson process.
    Poisson,
    /// A Poisson process whose rate switches between states after exponential times (MMPP).
    Modulated {
        /// The rate in each state, as a multiple of the scenario's.
        rates: Vec<f64>,
        /// The mean time spent in each state, which are visited in turn, ticks.
        dwell: Vec<f64>,
    },
    /// How many requests arrive on each tick; none after the end. The scenario's rate is not used.
    Trace(Vec<u32>),
}

/// The most states of a modulated process.
const STATES_MAX: usize = 1_000;

impl Arrivals {
    /// What makes the process impossible.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Self::Modulated { rates, dwell } => modulation_problem(rates, dwell),
            Self::Fixed | Self::Poisson | Self::Trace(_) => None,
        }
    }
}

/// What is wrong with the states of a modulated process.
pub(super) fn modulation_problem(rates: &[f64], dwell: &[f64]) -> Option<String> {
    if rates.len() != dwell.len() || !(1..=STATES_MAX).contains(&rates.len()) {
        return Some(format!(
            "rates and dwell need as many states as one another, 1 to {STATES_MAX}"
        ));
    }
    let good =
        |values: &[f64], least: f64| values.iter().all(|value| (least..=1e6).contains(value));
    if !good(rates, 0.0) || !good(dwell, 1e-3) {
        return Some("rates must be 0 to 1e6, and dwell times 0.001 to 1e6".to_owned());
    }
    None
}

/// An arrival process on its way through a run.
#[derive(Debug)]
pub(super) struct TickProcess<'a> {
    arrivals: &'a Arrivals,
    /// Requests per tick.
    rate: f64,
    plan: Vec<u32>,
    state: usize,
    /// When the state ends.
    switch_at: f64,
}

impl<'a> TickProcess<'a> {
    /// The process of a world of `total_ticks` in which `rate` requests arrive per tick, `requests` in all.
    pub(super) fn new<D: Draws>(
        arrivals: &'a Arrivals,
        rate: f64,
        requests: usize,
        total_ticks: u32,
        draws: &mut D,
    ) -> Self {
        let mut plan = Vec::new();
        let mut switch_at = f64::INFINITY;
        match arrivals {
            Arrivals::Fixed => {
                plan.resize(total_ticks as usize, 0);
                draws.arrival_plan(requests, &mut plan);
            }
            Arrivals::Trace(counts) => plan.clone_from(counts),
            Arrivals::Modulated { dwell, .. } => switch_at = draws.exponential() * dwell[0],
            Arrivals::Poisson => {}
        }
        Self { arrivals, rate, plan, state: 0, switch_at }
    }

    /// How many requests arrive on `tick`. Ticks are asked for in order.
    pub(super) fn arriving<D: Draws>(&mut self, tick: u32, draws: &mut D) -> u32 {
        match self.arrivals {
            Arrivals::Fixed | Arrivals::Trace(_) => {
                self.plan.get(tick as usize).copied().unwrap_or(0)
            }
            Arrivals::Poisson => draws.poisson(self.rate),
            Arrivals::Modulated { rates, dwell } => {
                let (mut from, end) = (f64::from(tick), f64::from(tick) + 1.0);
                let mut expected = 0.0;
                while self.switch_at < end {
                    expected += rates[self.state] * (self.switch_at - from);
                    from = self.switch_at;
                    self.state = (self.state + 1) % rates.len();
                    self.switch_at += draws.exponential() * dwell[self.state];
                }
                expected += rates[self.state] * (end - from);
                draws.poisson(self.rate * expected)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::draws::{Keyed, RunKey};
    use crate::study::law::Laws;
    use crate::study::numeric::{mean, variance};

    fn counts(arrivals: &Arrivals) -> Vec<f64> {
        const TICKS: u32 = 40_000;
        let mut laws = Laws::default();
        let key = RunKey { seed: 8, scenario: "arrivals", run: 0 };
        let mut draws = Keyed::new(&mut laws, &key, false);
        let mut process = TickProcess::new(arrivals, 5.0, 200_000, TICKS, &mut draws);
        (0..TICKS).map(|tick| f64::from(process.arriving(tick, &mut draws))).collect()
    }

    #[test]
    fn processes_have_their_mean_and_moods_make_them_burst() {
        let plan = counts(&Arrivals::Fixed);
        assert_eq!(plan.iter().sum::<f64>(), 200_000.0);
        let poisson = counts(&Arrivals::Poisson);
        assert!((mean(&poisson) - 5.0).abs() < 0.06 && (variance(&poisson) - 5.0).abs() < 0.25);
        let moods = Arrivals::Modulated { rates: vec![1.6, 0.4], dwell: vec![20.0, 20.0] };
        let moods = counts(&moods);
        assert!((mean(&moods) - 5.0).abs() < 0.3, "{}", mean(&moods));
        // Five on average, plus the variance of the rate: three up or down, less what a tick smooths.
        assert!((variance(&moods) - 13.7).abs() < 1.0, "{}", variance(&moods));
        let trace = counts(&Arrivals::Trace(vec![3, 0, 7]));
        assert_eq!((&trace[..4], trace.iter().sum::<f64>()), (&[3.0, 0.0, 7.0, 0.0][..], 10.0));
    }
}
