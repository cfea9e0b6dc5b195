//! The highest rate at which a server keeps an objective: found by trying rates, few of them.
//!
//! The rate is doubled until the objective is missed, or halved until it is kept, and then the gap between kept and missed
//! is halved in proportion until it is narrow. What a rate comes to is measured by the caller.

use serde::{Deserialize, Serialize};

/// Rates tried at most.
pub const TRIALS_MAX: usize = 40;

/// What came of one rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Requests per second that were due.
    pub rate: f64,
    /// Answers per second that came.
    pub throughput: f64,
    /// Median of the corrected latency in milliseconds.
    pub p50_ms: f64,
    /// 99 % are at or below.
    pub p99_ms: f64,
    /// The part of requests not answered well.
    pub error_rate: f64,
    /// Whether the objective was kept, by a run that did not measure its generator.
    pub kept: bool,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The highest rate that kept the objective; `None` if none did.
    pub rate: Option<f64>,
    /// All that was tried, by rate.
    pub trials: Vec<Trial>,
}

/// Searches from `start` on until the highest rate kept and the lowest missed are within `precision` (0.05 for
/// 5 %) of one another.
///
/// # Errors
///
/// Those of `measure`; the search ends with the first.
///
/// # Panics
///
/// If `start` or `precision` is not above zero.
pub fn search<E>(
    start: f64,
    precision: f64,
    mut measure: impl FnMut(f64) -> Result<Trial, E>,
) -> Result<Found, E> {
    /// A server that misses its objective at this part of the start rate keeps it at none.
    const LOWEST_PART: f64 = 1e-3;
    assert!(start > 0.0 && precision > 0.0, "a search has a start and an end");
    let mut trials: Vec<Trial> = Vec::new();
    let (mut kept, mut missed): (Option<f64>, Option<f64>) = (None, None);
    let mut rate = start;
    while trials.len() < TRIALS_MAX {
        let trial = measure(rate)?;
        trials.push(trial);
        *(if trial.kept { &mut kept } else { &mut missed }) = Some(rate);
        rate = match (kept, missed) {
            (Some(kept), Some(missed)) if missed / kept <= 1.0 + precision => break,
            (Some(kept), Some(missed)) => (kept * missed).sqrt(),
            (Some(kept), None) => kept * 2.0,
            (None, Some(missed)) if missed < start * LOWEST_PART => break,
            (None, Some(missed)) => missed / 2.0,
            (None, None) => unreachable!("a trial was either kept or missed"),
        };
    }
    trials.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    Ok(Found { rate: kept, trials })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn found(capacity: f64, start: f64) -> Found {
        let measure = |rate: f64| {
            let kept = rate <= capacity;
            let throughput = rate.min(capacity);
            let trial = Trial { rate, throughput, p50_ms: 1.0, p99_ms: 1.0, error_rate: 0.0, kept };
            Ok::<_, Infallible>(trial)
        };
        let Ok(found) = search(start, 0.05, measure);
        found
    }

    #[test]
    fn the_capacity_is_found_from_below_and_from_above() {
        for (capacity, start) in [(1_234.0, 100.0), (1_234.0, 1e6), (1_234.0, 1_234.0), (3.3, 1.0)]
        {
            let found = found(capacity, start);
            let rate = found.rate.unwrap();
            assert!(rate <= capacity && rate >= capacity / 1.05, "{rate} of {capacity}");
            assert!(found.trials.len() <= 16, "{}", found.trials.len());
            assert!(found.trials.windows(2).all(|pair| pair[0].rate <= pair[1].rate));
        }
    }

    #[test]
    fn a_server_that_never_keeps_it_is_given_up_on() {
        let found = found(0.0, 1_000.0);
        assert_eq!(found.rate, None);
        assert!(found.trials.len() < 15);
    }

    #[test]
    fn a_server_without_limits_is_given_up_on_too() {
        assert_eq!(found(f64::INFINITY, 1.0).trials.len(), TRIALS_MAX);
    }

    #[test]
    fn the_first_error_ends_the_search() {
        assert_eq!(search(1.0, 0.1, |_| Err::<Trial, _>("no")), Err("no"));
    }
}
