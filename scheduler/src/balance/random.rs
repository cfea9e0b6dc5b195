//! Where chance enters a policy: the [`Random`] trait, and [`Philox`], the counter-based source behind it.
//!
//! It stands apart because a policy must not care whether its draws come from a live generator, from a
//! keyed simulation stream or from a recorded tape. Every *kind* of draw a policy makes is a method, so a
//! tape can answer it with what another implementation drew. Nothing here seeds itself from the machine.

/// A source of random draws. Only [`Random::word`] must be given; the rest is exact arithmetic on it.
pub trait Random {
    /// 64 independent fair bits.
    fn word(&mut self) -> u64;

    /// A number in `[0, 1)`, a multiple of 2⁻⁵³.
    #[inline]
    fn uniform(&mut self) -> f64 {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.word() >> 11) as f64 * UNIT
    }

    /// An index in `0..bound` (the bias is at most `bound` / 2⁶⁴). `bound` must not be zero.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the product's high word is below `bound`")]
    fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "an index needs a non-empty range");
        ((u128::from(self.word()) * bound as u128) >> 64) as usize
    }

    /// `floor(x)` or `ceil(x)`, the latter with probability `frac(x)`. Always consumes one uniform.
    #[inline]
    fn round(&mut self, x: f64) -> f64 {
        if self.uniform() < x - x.floor() { x.ceil() } else { x.floor() }
    }

    /// An index drawn with probability `weights[i] / sum(weights)`. The weights must not be negative.
    #[inline]
    fn weighted(&mut self, weights: &[f64]) -> usize {
        let total: f64 = weights.iter().sum();
        let mut target = self.uniform() * total;
        for (index, weight) in weights.iter().enumerate() {
            target -= weight;
            if target < 0.0 {
                return index;
            }
        }
        // Rounding may leave a sliver beyond the last weight; it belongs to the last index that has any.
        weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0)
    }

    /// Permutes `items` uniformly.
    fn shuffle(&mut self, items: &mut [u32]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }

    /// Fills `into` with `picks` distinct indices of `0..count`, every ordered choice equally likely.
    fn sample(&mut self, count: usize, picks: usize, into: &mut Vec<u32>) {
        debug_assert!(picks <= count, "cannot draw {picks} distinct of {count}");
        into.clear();
        while into.len() < picks {
            let candidate = index_u32(self.below(count));
            // Rejection beats bookkeeping while the draw is a small part of the whole.
            if !into.contains(&candidate) {
                into.push(candidate);
            }
        }
    }

    /// Fills `into` with `picks` indices of `0..count`, drawn with replacement.
    fn choices(&mut self, count: usize, picks: usize, into: &mut Vec<u32>) {
        into.clear();
        for _ in 0..picks {
            let choice = index_u32(self.below(count));
            into.push(choice);
        }
    }

    /// The index of a smallest score; among equals each is equally likely. Draws only to break a tie.
    ///
    /// This has the law of "shuffle, then take the first minimum" at a fraction of its price.
    #[inline]
    fn first_minimum(&mut self, scores: &[f64]) -> usize {
        let mut lowest = f64::INFINITY;
        let mut first = 0;
        let mut ties = 0_usize;
        for (index, &score) in scores.iter().enumerate() {
            if score < lowest {
                (lowest, first, ties) = (score, index, 1);
            } else if score == lowest {
                ties += 1;
            }
        }
        if ties <= 1 {
            return first;
        }
        let mut skip = self.below(ties);
        for (index, &score) in scores.iter().enumerate().skip(first) {
            if score == lowest {
                if skip == 0 {
                    return index;
                }
                skip -= 1;
            }
        }
        first
    }
}

/// A channel or backend index as the four bytes that scratch lists hold.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "nobody balances over four billion channels")]
pub(crate) fn index_u32(index: usize) -> u32 {
    index as u32
}

const BLOCKS: usize = 4;
const ROUNDS: usize = 10;
const MULTIPLIER: u64 = 0xD2B7_4407_B1CE_6E93;
const KEY_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Philox2x64-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
///
/// The n-th word is a pure function of (key, stream, n): streams never overlap, and who runs which stream
/// on which thread cannot change a bit. Four blocks are computed at once so their multiplications overlap.
#[derive(Clone, Debug)]
pub struct Philox {
    key: u64,
    stream: u64,
    next_block: u64,
    buffer: [u64; 2 * BLOCKS],
    used: usize,
}

impl Philox {
    /// Stream number `stream` of the family `key`, at its first word.
    #[must_use]
    pub const fn new(key: u64, stream: u64) -> Self {
        Self { key, stream, next_block: 0, buffer: [0; 2 * BLOCKS], used: 2 * BLOCKS }
    }

    #[inline(never)]
    fn refill(&mut self) {
        let mut low = [0_u64; BLOCKS];
        let mut high = [self.stream; BLOCKS];
        for word in &mut low {
            *word = self.next_block;
            self.next_block = self.next_block.wrapping_add(1);
        }
        let mut key = self.key;
        for _ in 0..ROUNDS {
            for (low, high) in low.iter_mut().zip(&mut high) {
                (*low, *high) = philox_round(*low, *high, key);
            }
            key = key.wrapping_add(KEY_STEP);
        }
        for (block, pair) in self.buffer.chunks_exact_mut(2).enumerate() {
            pair[0] = low[block];
            pair[1] = high[block];
        }
        self.used = 0;
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the product are the point")]
const fn philox_round(low: u64, high: u64, key: u64) -> (u64, u64) {
    let product = low as u128 * MULTIPLIER as u128;
    ((product >> 64) as u64 ^ key ^ high, product as u64)
}

impl Random for Philox {
    #[inline]
    fn word(&mut self) -> u64 {
        if self.used == self.buffer.len() {
            self.refill();
        }
        let word = self.buffer[self.used];
        self.used += 1;
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published known answers are for single blocks; the stream is the counter's high word.
    fn block(counter: [u64; 2], key: u64) -> [u64; 2] {
        let mut source = Philox::new(key, counter[1]);
        source.next_block = counter[0];
        [source.word(), source.word()]
    }

    #[test]
    fn matches_the_published_known_answers() {
        assert_eq!(block([0, 0], 0), [0xca00_a045_9843_d731, 0x66c2_4222_c9a8_45b5]);
        assert_eq!(block([!0, !0], !0), [0x65b0_21d6_0cd8_310f, 0x4d02_f322_2f86_df20]);
        assert_eq!(
            block([0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344], 0xa409_3822_299f_31d0),
            [0x0a5e_742c_2997_341c, 0xb0f8_83d3_8000_de5d]
        );
    }

    #[test]
    fn first_minimum_breaks_ties_evenly() {
        let mut random = Philox::new(1, 2);
        let mut hits = [0_u32; 5];
        for _ in 0..30_000 {
            hits[random.first_minimum(&[2.0, 1.0, 3.0, 1.0, 1.0])] += 1;
        }
        assert_eq!((hits[0], hits[2]), (0, 0));
        for tied in [hits[1], hits[3], hits[4]] {
            assert!((9_600..10_400).contains(&tied), "{hits:?}");
        }
    }

    #[test]
    fn sample_is_distinct_and_shuffle_a_permutation() {
        let mut random = Philox::new(7, 0);
        let mut drawn = Vec::new();
        for picks in 0..=12 {
            random.sample(12, picks, &mut drawn);
            let mut seen = drawn.clone();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), picks);
        }
        random.shuffle(&mut drawn);
        drawn.sort_unstable();
        assert_eq!(drawn, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn weighted_follows_its_weights() {
        let mut random = Philox::new(3, 9);
        let mut hits = [0_u32; 3];
        for _ in 0..40_000 {
            hits[random.weighted(&[1.0, 0.0, 3.0])] += 1;
        }
        assert_eq!(hits[1], 0);
        assert!((9_600..10_400).contains(&hits[0]), "{hits:?}");
    }

    #[test]
    fn rounding_keeps_integers_and_splits_fractions() {
        let mut random = Philox::new(5, 5);
        assert!((0..1_000).all(|_| random.round(2.0) == 2.0));
        let ups = (0..20_000).filter(|_| random.round(0.2) == 1.0).count();
        assert!((3_700..4_300).contains(&ups), "{ups}");
    }
}
