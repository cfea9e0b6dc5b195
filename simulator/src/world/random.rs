//! The world's only source of chance: xoshiro256++, its state filled by splitmix64.
//!
//! It stands here rather than in a dependency because a seed must mean the same world for as long as the
//! seed is quoted in a bug report, and a dependency's next version may draw differently. It is not for
//! secrets.

use std::ops::RangeInclusive;
use std::time::Duration;

/// One part in this many is the unit of [`Chance`].
const PARTS: u32 = 1_000_000;

/// A probability, in parts per million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    /// It does not happen.
    pub const NEVER: Self = Self(0);

    /// It always happens.
    pub const ALWAYS: Self = Self(PARTS);

    /// `parts` times in a million.
    ///
    /// # Panics
    ///
    /// If `parts` is above a million.
    #[must_use]
    pub const fn per_million(parts: u32) -> Self {
        assert!(parts <= PARTS, "a probability is at most one");
        Self(parts)
    }

    /// `parts` times in a hundred.
    ///
    /// # Panics
    ///
    /// If `parts` is above a hundred.
    #[must_use]
    pub const fn percent(parts: u32) -> Self {
        assert!(parts <= 100, "a probability is at most one");
        Self(parts * (PARTS / 100))
    }
}

/// A duration drawn evenly between two others, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    shortest: Duration,
    longest: Duration,
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self::exactly(Duration::ZERO);

    /// Between `shortest` and `longest`.
    ///
    /// # Panics
    ///
    /// If `shortest` is the longer of the two.
    #[must_use]
    pub const fn between(shortest: Duration, longest: Duration) -> Self {
        assert!(shortest.as_nanos() <= longest.as_nanos(), "a span runs from short to long");
        Self { shortest, longest }
    }

    /// Always `duration`.
    #[must_use]
    pub const fn exactly(duration: Duration) -> Self {
        Self { shortest: duration, longest: duration }
    }

    /// Between two numbers of microseconds.
    #[must_use]
    pub const fn microseconds(shortest: u64, longest: u64) -> Self {
        Self::between(Duration::from_micros(shortest), Duration::from_micros(longest))
    }

    /// Between two numbers of milliseconds.
    #[must_use]
    pub const fn milliseconds(shortest: u64, longest: u64) -> Self {
        Self::between(Duration::from_millis(shortest), Duration::from_millis(longest))
    }
}

/// A stream of numbers that depends on its seed and on nothing else.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

/// One step of splitmix64: moves `state` on and returns a number that depends on all its bits.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// The stream of `seed`. Neighbouring seeds give unrelated streams.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self { state: std::array::from_fn(|_| splitmix(&mut state)) }
    }

    /// A stream of its own: what is drawn from it changes nothing in this one.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "an endless stream has no use for an Option")]
    pub fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number below `limit`. Its bias, one part in 2^64 / `limit`, is nothing to a simulation.
    ///
    /// # Panics
    ///
    /// If `limit` is zero: there is no such number.
    pub fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "there is no number below zero");
        let product = u128::from(self.next()) * u128::from(limit);
        (product >> 64) as u64
    }

    /// A number in `range`.
    pub fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        match (high - low).checked_add(1) {
            Some(width) => low + self.below(width),
            None => self.next(),
        }
    }

    /// An index into something that has `count` elements.
    pub fn index(&mut self, count: usize) -> usize {
        let index = self.below(count as u64);
        usize::try_from(index).expect("an index below a usize is one")
    }

    /// Whether something of this probability happens now. Draws nothing for what is certain, so that a
    /// kind of fault switched off leaves the rest of the world as it was.
    pub fn happens(&mut self, chance: Chance) -> bool {
        match chance {
            Chance::NEVER => false,
            Chance::ALWAYS => true,
            Chance(parts) => self.below(u64::from(PARTS)) < u64::from(parts),
        }
    }

    /// A duration of `span`.
    pub fn duration(&mut self, span: Span) -> Duration {
        if span.shortest == span.longest {
            return span.shortest;
        }
        let width = (span.longest - span.shortest).as_nanos();
        let width = u64::try_from(width).unwrap_or(u64::MAX);
        span.shortest + Duration::from_nanos(self.between(0..=width))
    }

    /// Puts `list` in an order of its own.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.index(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_numbers() {
        let mut state = 1_234_567;
        let drawn: Vec<u64> = (0..3).map(|_| splitmix(&mut state)).collect();
        assert_eq!(
            drawn,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn xoshiro_gives_the_published_numbers() {
        let mut random = Random { state: [1, 2, 3, 4] };
        let drawn: Vec<u64> = (0..4).map(|_| random.next()).collect();
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn draws_stay_in_range_and_reach_both_ends() {
        let mut random = Random::new(7);
        let mut seen = [0_u32; 5];
        for _ in 0..1_000 {
            seen[random.index(5)] += 1;
            assert!((3..=4).contains(&random.between(3..=4)));
        }
        assert!(seen.iter().all(|&count| count > 100), "{seen:?}");
        let span = Span::microseconds(5, 6);
        for _ in 0..100 {
            let drawn = random.duration(span);
            assert!(drawn >= span.shortest && drawn <= span.longest);
        }
    }

    #[test]
    fn chances_come_true_as_often_as_they_say() {
        let mut random = Random::new(11);
        let hits = (0..10_000).filter(|_| random.happens(Chance::percent(30))).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!(!random.happens(Chance::NEVER));
        assert!(random.happens(Chance::ALWAYS));
    }

    #[test]
    fn a_fork_leaves_its_origin_alone() {
        let mut first = Random::new(3);
        let mut second = first.clone();
        let mut fork = first.fork();
        for _ in 0..10 {
            fork.next();
        }
        second.next();
        assert_eq!(first.next(), second.next());
    }
}
