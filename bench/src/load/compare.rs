//! Two runs against one another: by how much they differ, and whether that is more than chance.
//!
//! What is compared are stretches of time, not requests: requests that follow one another are alike, and to
//! treat them as independent would find differences where there are none. The ratio's interval comes from drawing
//! the stretches anew, with replacement, many times.

use serde::{Deserialize, Serialize};

use super::report::Interval;
use crate::random::Random;
use crate::statistics::rounded;

/// Times that stretches are drawn anew.
const RESAMPLES: usize = 4_000;

/// Stretches of each side below which nothing is said.
pub const STRETCHES_MIN: usize = 5;

/// How the stretches of the two sides belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Each of A was followed at once by one of B: what disturbed both cancels out.
    Interleaved,
    /// The sides were measured apart.
    Apart,
}

/// How B's figure stands to A's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// What was compared.
    pub figure: String,
    /// A's.
    pub a: f64,
    /// B's.
    pub b: f64,
    /// B over A.
    pub ratio: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Why two runs cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{a} and {b} stretches with answers are too few to compare; {STRETCHES_MIN} of each are needed"
)]
pub struct TooFew {
    /// Stretches of A.
    pub a: usize,
    /// Stretches of B.
    pub b: usize,
}

impl Ratio {
    /// Whether chance alone may explain the difference.
    #[must_use]
    pub fn no_difference_seen(&self) -> bool {
        self.low <= 1.0 && self.high >= 1.0
    }
}

/// A figure of a stretch, with its name.
type Figure = (&'static str, fn(&Interval) -> f64);

const FIGURES: [Figure; 7] = [
    ("throughput", Interval::throughput_per_second),
    ("mean", |interval| interval.mean_ms),
    ("p50", |interval| interval.p50_ms),
    ("p90", |interval| interval.p90_ms),
    ("p99", |interval| interval.p99_ms),
    ("p99.9", |interval| interval.p999_ms),
    ("max", |interval| interval.max_ms),
];

/// Compares the stretches of two sides, figure by figure.
///
/// # Errors
///
/// [`TooFew`] if either side has not enough stretches with answers.
pub fn compare(
    a: &[Interval],
    b: &[Interval],
    pairing: Pairing,
    seed: u64,
) -> Result<Vec<Ratio>, TooFew> {
    let (a, b): (Vec<Interval>, Vec<Interval>) = match pairing {
        Pairing::Interleaved => a
            .iter()
            .zip(b)
            .filter(|(a, b)| a.answered > 0 && b.answered > 0)
            .map(|(a, b)| (*a, *b))
            .unzip(),
        Pairing::Apart => {
            let answered = |side: &[Interval]| {
                side.iter().filter(|interval| interval.answered > 0).copied().collect()
            };
            (answered(a), answered(b))
        }
    };
    if a.len().min(b.len()) < STRETCHES_MIN {
        return Err(TooFew { a: a.len(), b: b.len() });
    }
    let ratio = |(name, figure): &Figure| {
        let [a, b] = [&a, &b].map(|side| side.iter().map(figure).collect::<Vec<f64>>());
        one(name, &a, &b, pairing, &mut Random::new(seed))
    };
    Ok(FIGURES.iter().map(ratio).collect())
}

fn one(name: &str, a: &[f64], b: &[f64], pairing: Pairing, random: &mut Random) -> Ratio {
    let [own_a, own_b] = [a, b].map(|side| median(&mut side.to_vec()));
    let (ratio, (low, high)) = match pairing {
        Pairing::Interleaved => {
            let together: Vec<f64> = a.iter().zip(b).map(|(a, b)| b / a).collect();
            (median(&mut together.clone()), interval(random, |random| redrawn(&together, random)))
        }
        Pairing::Apart => {
            let redraw = |random: &mut Random| {
                let (a, b) = (redrawn(a, random), redrawn(b, random));
                b / a
            };
            (own_b / own_a, interval(random, redraw))
        }
    };
    Ratio {
        figure: name.to_owned(),
        a: rounded(own_a),
        b: rounded(own_b),
        ratio: rounded(ratio),
        low: rounded(low),
        high: rounded(high),
    }
}

/// The median of `numbers` and its 95 % interval.
///
/// # Panics
///
/// If there are none.
#[must_use]
pub fn median_with_interval(numbers: &[f64], seed: u64) -> (f64, (f64, f64)) {
    let mut random = Random::new(seed);
    let interval = interval(&mut random, |random| redrawn(numbers, random));
    (median(&mut numbers.to_vec()), interval)
}

/// Where 95 % of what `redraw` gives lie.
fn interval(random: &mut Random, mut redraw: impl FnMut(&mut Random) -> f64) -> (f64, f64) {
    let mut drawn: Vec<f64> = (0..RESAMPLES).map(|_| redraw(random)).collect();
    drawn.sort_by(f64::total_cmp);
    let edge = RESAMPLES / 40;
    (drawn[edge], drawn[RESAMPLES - 1 - edge])
}

/// The median of as many of `numbers`, drawn with replacement.
fn redrawn(numbers: &[f64], random: &mut Random) -> f64 {
    let mut drawn: Vec<f64> =
        (0..numbers.len()).map(|_| numbers[pick(random, numbers.len())]).collect();
    median(&mut drawn)
}

fn pick(random: &mut Random, count: usize) -> usize {
    let index = random.below(count as u64);
    usize::try_from(index).expect("an index below a length")
}

/// The middle of some numbers, or the mean of the middle two.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        (numbers[middle - 1] + numbers[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stretches whose latencies vary by a tenth about `level`.
    fn stretches(level: f64, count: usize, random: &mut Random) -> Vec<Interval> {
        let mut stretch = || {
            let ms = level * (1.0 + 0.1 * random.normal());
            Interval {
                length_s: 1.0,
                answered: 1_000,
                mean_ms: ms,
                p50_ms: ms,
                p90_ms: ms,
                p99_ms: ms,
                max_ms: ms,
                ..Interval::default()
            }
        };
        (0..count).map(|_| stretch()).collect()
    }

    fn p50(a: &[Interval], b: &[Interval], pairing: Pairing) -> Ratio {
        let [a, b] = [a, b].map(|side| side.iter().map(|interval| interval.p50_ms).collect());
        let (a, b): (Vec<f64>, Vec<f64>) = (a, b);
        one("p50", &a, &b, pairing, &mut Random::new(1))
    }

    #[test]
    fn a_true_difference_is_seen_and_mostly_within_the_interval() {
        for pairing in [Pairing::Interleaved, Pairing::Apart] {
            let mut random = Random::new(5);
            let holds = (0..50)
                .filter(|_| {
                    let a = stretches(10.0, 20, &mut random);
                    let b = stretches(13.0, 20, &mut random);
                    let ratio = p50(&a, &b, pairing);
                    assert!(!ratio.no_difference_seen(), "{ratio:?}");
                    ratio.low <= 1.3 && 1.3 <= ratio.high
                })
                .count();
            assert!(holds >= 42, "{pairing:?}: {holds} of 50");
        }
    }

    #[test]
    fn where_there_is_no_difference_one_is_rarely_seen() {
        let mut random = Random::new(6);
        let seen = (0..100)
            .filter(|_| {
                let a = stretches(10.0, 12, &mut random);
                let b = stretches(10.0, 12, &mut random);
                !p50(&a, &b, Pairing::Interleaved).no_difference_seen()
            })
            .count();
        assert!(seen <= 12, "{seen} of 100");
    }

    #[test]
    fn what_disturbs_both_sides_cancels_out_when_interleaved() {
        let mut random = Random::new(7);
        let level = |index: usize| if index < 10 { 10.0 } else { 40.0 };
        let mut side = |factor: f64| -> Vec<Interval> {
            (0..20).flat_map(|index| stretches(level(index) * factor, 1, &mut random)).collect()
        };
        let (a, b) = (side(1.0), side(1.4));
        let interleaved = p50(&a, &b, Pairing::Interleaved);
        let apart = p50(&a, &b, Pairing::Apart);
        assert!(interleaved.high - interleaved.low < (apart.high - apart.low) / 3.0);
        assert!(!interleaved.no_difference_seen());
    }

    #[test]
    fn too_little_is_not_compared() {
        let mut random = Random::new(8);
        let (few, enough) = (stretches(1.0, 4, &mut random), stretches(1.0, 9, &mut random));
        assert_eq!(compare(&few, &enough, Pairing::Apart, 1), Err(TooFew { a: 4, b: 9 }));
    }
}
