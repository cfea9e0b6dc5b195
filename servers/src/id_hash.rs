//! A quick hash for keys that are numbers of our own.
//!
//! The standard library's hash withstands keys chosen to collide, which costs more than the rest of a look-up. Slots
//! and counters of ours are not chosen by anybody. Never for names or bytes that a peer sends.

use std::hash::{BuildHasherDefault, Hasher};

/// For a `HashMap` by numbers of our own.
pub(crate) type BuildIdHasher = BuildHasherDefault<IdHasher>;

/// Multiplies and folds; see Knuth, The Art of Computer Programming, 6.4, on multiplicative hashing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

/// 2^64 over the golden ratio, odd.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl IdHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(32) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.add(u64::from(*byte));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.add(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.add(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.add(number);
    }

    fn finish(&self) -> u64 {
        // Tables take the low bits for the place and the high ones for a first comparison.
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn neighbours_are_spread_over_a_table() {
        const PLACES: u64 = 4096;
        let hasher = BuildIdHasher::default();
        let places = |key: fn(u32) -> (u16, u32, u32, u32)| {
            let places = (0..1024).map(|number| hasher.hash_one(key(number)) % PLACES);
            places.collect::<HashSet<_>>().len()
        };
        // So many of 1,024 keys thrown at random would have a place of their own or share it: 906.
        let slots = places(|number| (0, number, 7, 0));
        let numbers = places(|number| (0, 3, 7, number));
        let both = places(|number| (0, number % 32, 0, number / 32));
        assert!(
            [slots, numbers, both].iter().all(|places| *places > 800),
            "{slots} {numbers} {both}"
        );
    }
}
