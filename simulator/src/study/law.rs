//! The notebook's discretised gamma law, drawn exactly and fast.
//!
//! `randGamma(mean, variance, min)` is `floor(min + G)` with `G ~ Gamma(mean - min / variance, 1)`, so its
//! probabilities are differences of the incomplete gamma function, and an alias table (Walker 1977, Vose 1991)
//! draws it with one word and one look-up. Tables are built on first use and kept: a [`Laws`] belongs to a
//! thread and outlives its runs.

use ringyard_scheduler::balance::Random;

use super::numeric::upper_gamma;

/// Values whose upper tail is less likely than this are not tabulated (it is below one in 2⁶⁴).
const TAIL: f64 = 1e-20;
/// The smallest value of the law.
const MINIMUM: f64 = 1.0;
/// The variance argument of every gamma that does not name another.
pub(super) const VARIANCE: f64 = 1.5;

/// The law's probabilities: the k-th is that of the value k + 1.
#[must_use]
pub fn gamma_probabilities(mean: f64, variance: f64) -> Vec<f64> {
    let shape = mean - MINIMUM / variance;
    assert!(shape > 0.0, "the mean {mean} must exceed {}", MINIMUM / variance);
    let mut probabilities = Vec::new();
    let mut above = 1.0;
    while above > TAIL {
        let next = upper_gamma(shape, probabilities.len() as f64 + 1.0);
        probabilities.push((above - next).max(0.0));
        above = next;
    }
    probabilities
}

#[derive(Clone, Copy, Debug)]
struct Column {
    threshold: u64,
    own: u32,
    other: u32,
}

/// A finite law on whole numbers, drawn with one random word.
#[derive(Clone, Debug)]
pub struct Alias {
    columns: Vec<Column>,
    bits: u32,
    largest: u32,
}

impl Alias {
    /// The table of a law whose k-th probability is that of the value `first + k`.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share below one of 2^64, and short tables"
    )]
    pub fn new(first: u32, probabilities: &[f64]) -> Self {
        let columns_len = probabilities.len().next_power_of_two().max(2);
        let total: f64 = probabilities.iter().sum();
        let scale = columns_len as f64 / total;
        let mut shares: Vec<f64> = probabilities.iter().map(|share| share * scale).collect();
        shares.resize(columns_len, 0.0);
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..columns_len).partition(|column| shares[*column] < 1.0);
        let full = |value: usize| {
            let value = first + value as u32;
            Column { threshold: u64::MAX, own: value, other: value }
        };
        let mut columns: Vec<Column> = (0..columns_len).map(full).collect();
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            columns[poor].threshold = (shares[poor] * 2.0_f64.powi(64)) as u64;
            columns[poor].other = first + rich as u32;
            shares[rich] -= 1.0 - shares[poor];
            if shares[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        let largest = first + probabilities.len() as u32 - 1;
        Self { columns, bits: columns_len.trailing_zeros(), largest }
    }

    /// One draw.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the top bits index the table")]
    pub fn draw<R: Random + ?Sized>(&self, random: &mut R) -> u32 {
        let word = random.word();
        let column = self.columns[(word >> (u64::BITS - self.bits)) as usize];
        if word << self.bits < column.threshold { column.own } else { column.other }
    }

    /// The largest value that can be drawn.
    #[must_use]
    pub const fn largest(&self) -> u32 {
        self.largest
    }
}

/// The gamma laws used so far.
#[derive(Debug, Default)]
pub struct Laws {
    /// By mean in halves, for the usual variance.
    by_half: Vec<Option<Alias>>,
    others: Vec<(f64, f64, Alias)>,
}

impl Laws {
    /// The law with a mean of `halves / 2` and the usual variance.
    #[inline]
    pub fn half(&mut self, halves: u32) -> &Alias {
        let index = halves as usize;
        if index >= self.by_half.len() {
            self.by_half.resize_with(index + 1, || None);
        }
        self.by_half[index].get_or_insert_with(|| build(f64::from(halves) / 2.0, VARIANCE))
    }

    /// The law with any mean and variance; kept as well, but found by comparison.
    pub fn any(&mut self, mean: f64, variance: f64) -> &Alias {
        let found = self.others.iter().position(|(m, v, _)| *m == mean && *v == variance);
        let index = found.unwrap_or_else(|| {
            self.others.push((mean, variance, build(mean, variance)));
            self.others.len() - 1
        });
        &self.others[index].2
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the minimum is one")]
fn build(mean: f64, variance: f64) -> Alias {
    Alias::new(MINIMUM as u32, &gamma_probabilities(mean, variance))
}

#[cfg(test)]
mod tests {
    use super::super::numeric::chi_square_tail;
    use super::*;
    use ringyard_scheduler::balance::Philox;

    /// Mean, variance argument, expectation, variance, probabilities of 1..6: the published table.
    const PUBLISHED: [(f64, f64, f64, f64, [f64; 6]); 6] = [
        (1.0, 1.5, 1.13226, 0.22064, [0.90429, 0.07028, 0.01786, 0.00520, 0.00161, 0.00052]),
        (1.5, 1.5, 1.45102, 0.72754, [0.70422, 0.19510, 0.06550, 0.02273, 0.00801, 0.00285]),
        (2.0, 1.5, 1.86926, 1.31402, [0.49232, 0.29130, 0.12839, 0.05305, 0.02126, 0.00837]),
        (2.5, 1.5, 2.33990, 1.88413, [0.31313, 0.32984, 0.18964, 0.09313, 0.04244, 0.01851]),
        (3.0, 1.5, 2.83245, 2.41608, [0.18334, 0.31385, 0.23389, 0.13630, 0.07056, 0.03406]),
        (6.0, 1.5, 5.83335, 5.41651, [0.00203, 0.03438, 0.10777, 0.16935, 0.18576, 0.16382]),
    ];

    fn moments(probabilities: &[f64]) -> (f64, f64) {
        let moment = |power: i32| -> f64 {
            probabilities.iter().enumerate().map(|(k, p)| p * (k as f64 + 1.0).powi(power)).sum()
        };
        (moment(1), moment(2) - moment(1).powi(2))
    }

    #[test]
    fn probabilities_are_the_published_ones() {
        for (mean, variance, expectation, spread, first) in PUBLISHED {
            let probabilities = gamma_probabilities(mean, variance);
            let total: f64 = probabilities.iter().sum();
            assert!((total - 1.0).abs() < 1e-12, "they sum to {total}");
            for (actual, expected) in probabilities.iter().zip(first) {
                assert!(
                    (actual - expected).abs() < 1.1e-5,
                    "mean {mean}: {actual} is not {expected}"
                );
            }
            let (actual_mean, actual_spread) = moments(&probabilities);
            assert!((actual_mean - expectation).abs() < 1.1e-5, "{actual_mean}");
            assert!((actual_spread - spread).abs() < 1.1e-5, "{actual_spread}");
        }
        let (mean, spread) = moments(&gamma_probabilities(2.0, 3.0));
        assert!((mean - 2.17945).abs() < 1.1e-5 && (spread - 1.69842).abs() < 1.1e-5);
        let (mean, spread) = moments(&gamma_probabilities(400.0, 1.5));
        assert!((mean - 399.83).abs() < 0.005 && (spread.sqrt() - 19.99).abs() < 0.01);
    }

    #[test]
    fn draws_follow_the_law_by_chi_square() {
        const DRAWS: u32 = 1_000_000;
        let mut laws = Laws::default();
        for (stream, (mean, variance)) in
            [(1.0, 1.5), (1.5, 1.5), (2.0, 1.5), (3.0, 1.5), (6.0, 1.5), (2.0, 3.0), (100.0, 1.5)]
                .into_iter()
                .enumerate()
        {
            let probabilities = gamma_probabilities(mean, variance);
            let mut random = Philox::new(2_024, stream as u64);
            let mut counts = vec![0_u32; probabilities.len()];
            for _ in 0..DRAWS {
                counts[laws.any(mean, variance).draw(&mut random) as usize - 1] += 1;
            }
            // Cells too rare for the approximation are pooled.
            let (mut statistic, mut freedom) = (0.0, -1.0);
            let (mut pooled_expected, mut pooled_count) = (0.0, 0.0);
            let mut add = |expected: f64, count: f64| {
                statistic += (count - expected).powi(2) / expected;
                freedom += 1.0;
            };
            for (probability, count) in probabilities.iter().zip(&counts) {
                let expected = probability * f64::from(DRAWS);
                if expected < 10.0 {
                    pooled_expected += expected;
                    pooled_count += f64::from(*count);
                } else {
                    add(expected, f64::from(*count));
                }
            }
            add(pooled_expected, pooled_count);
            let tail = chi_square_tail(statistic, freedom);
            assert!(tail > 1e-4, "mean {mean}: chi-square {statistic} of {freedom}, p = {tail}");
        }
    }
}
