//! Consistent hashing: the same key goes to the same server, and few keys move when servers come or go.
//!
//! [`RingHash`] places every server many times on a ring of 64-bit hashes, in proportion to its weight, and takes the
//! first place at or after the key's (Karger et al. 1997; the sizing follows Envoy: at least 1,024 places). With a
//! bound c it walks on past servers that have more than `ceil(c * (total + 1) / count)` requests under way (Mirrokni,
//! Thorup, Zadimoghaddam, "Consistent hashing with bounded loads", 2016; c is typically 1.25).
//!
//! [`Maglev`] fills a prime-sized table by letting the servers take turns at their own permutations of it, so every
//! server holds an almost equal share and a look-up is one index (Eisenbud et al., NSDI 2016; 65,537 entries). Turns
//! are in proportion to weights.
//!
//! Servers are named by stable identifiers, not by their index, so that a list in another order hashes the same.

use crate::balance::explain::{Explanation, Reason};
use crate::balance::random::index_u32;
use crate::balance::view::Channels;

/// Scrambles 64 bits bijectively (the finaliser of `SplitMix64`).
#[inline]
pub(super) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// Consistent hashing on a ring.
#[derive(Clone, Debug)]
pub struct RingHash {
    /// Hash and channel of every place, by hash.
    places: Vec<(u64, u32)>,
    bound: Option<f64>,
    last: Explanation,
}

impl RingHash {
    /// The default least number of places.
    pub const PLACES: usize = 1_024;

    /// A ring of at least `places` places over `servers`, given as stable identifiers with their weights, with an
    /// optional bound on each server's load relative to the mean (above 1).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a count of places")]
    pub fn new(servers: &[(u64, f64)], places: usize, bound: Option<f64>) -> Self {
        let lightest = servers.iter().map(|(_, weight)| *weight).fold(f64::INFINITY, f64::min);
        let total: f64 = servers.iter().map(|(_, weight)| *weight / lightest).sum();
        let per_weight = (places as f64 / total).ceil().max(1.0);
        let mut ring = Vec::new();
        for (channel, (server, weight)) in servers.iter().enumerate() {
            let copies = (per_weight * weight / lightest).round() as u64;
            ring.extend(
                (0..copies).map(|copy| (mix(mix(*server) ^ mix(copy)), index_u32(channel))),
            );
        }
        ring.sort_unstable();
        Self { places: ring, bound, last: Explanation::default() }
    }

    /// The channel for `key`.
    #[expect(clippy::cast_possible_truncation, reason = "a count of requests")]
    pub fn pick<C: Channels + ?Sized>(&mut self, channels: &C, key: u64) -> usize {
        let limit = self.bound.map(|bound| {
            let total: u32 = (0..channels.count()).map(|channel| channels.in_flight(channel)).sum();
            (bound * f64::from(total + 1) / channels.count() as f64).ceil() as u32
        });
        let start = self.places.partition_point(|(hash, _)| *hash < mix(key));
        let walk =
            || self.places[start..].iter().chain(&self.places[..start]).map(|(_, to)| *to as usize);
        let fits = |channel: &usize| {
            let has_room = limit.is_none_or(|limit| channels.in_flight(*channel) < limit);
            channels.is_available(*channel) && has_room
        };
        let found = walk().enumerate().find(|(_, channel)| fits(channel));
        let (skipped, channel) = found.or_else(|| walk().enumerate().next()).unwrap_or((0, 0));
        self.last = Explanation::new(channel, Reason::Hashed { skipped });
        channel
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}

/// Consistent hashing by a filled table.
#[derive(Clone, Debug)]
pub struct Maglev {
    table: Vec<u32>,
    last: Explanation,
}

impl Maglev {
    /// The default table size, a prime.
    pub const TABLE: usize = 65_537;

    /// A table of `size` entries, a prime well above the number of servers, over `servers` given as stable
    /// identifiers with their weights.
    #[must_use]
    pub fn new(servers: &[(u64, f64)], size: usize) -> Self {
        const EMPTY: u32 = u32::MAX;
        assert!(size > servers.len() && !servers.is_empty(), "a table holds every server");
        let modulus = size as u64;
        let steps: Vec<(u64, u64)> = servers
            .iter()
            .map(|(server, _)| (mix(*server) % modulus, mix(!*server) % (modulus - 1) + 1))
            .collect();
        let heaviest = servers.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
        let mut tried = vec![0_u64; servers.len()];
        let mut credit = vec![0.0; servers.len()];
        let mut table = vec![EMPTY; size];
        let mut filled = 0;
        while filled < size {
            for (channel, (_, weight)) in servers.iter().enumerate() {
                // The heaviest server takes every turn, a lighter one its share of them.
                credit[channel] += weight / heaviest;
                if credit[channel] < 1.0 || filled == size {
                    continue;
                }
                credit[channel] -= 1.0;
                let (offset, skip) = steps[channel];
                loop {
                    let place = usize_of((offset + tried[channel] % modulus * skip) % modulus);
                    tried[channel] += 1;
                    if table[place] == EMPTY {
                        table[place] = index_u32(channel);
                        filled += 1;
                        break;
                    }
                }
            }
        }
        Self { table, last: Explanation::default() }
    }

    /// The channel for `key`; the table is walked on while channels are unavailable.
    pub fn pick<C: Channels + ?Sized>(&mut self, channels: &C, key: u64) -> usize {
        let start = usize_of(mix(key) % self.table.len() as u64);
        let walk = || self.table[start..].iter().chain(&self.table[..start]).map(|to| *to as usize);
        let found = walk().enumerate().find(|(_, channel)| channels.is_available(*channel));
        let (skipped, channel) = found.unwrap_or((0, self.table[start] as usize));
        self.last = Explanation::new(channel, Reason::Hashed { skipped });
        channel
    }

    /// How many entries each of `count` channels holds.
    #[must_use]
    pub fn shares(&self, count: usize) -> Vec<usize> {
        let mut shares = vec![0; count];
        for channel in &self.table {
            shares[*channel as usize] += 1;
        }
        shares
    }

    /// Why the last choice was made.
    #[must_use]
    pub const fn explain(&self) -> Explanation {
        self.last
    }
}

#[expect(clippy::cast_possible_truncation, reason = "reduced modulo a table's length")]
const fn usize_of(index: u64) -> usize {
    index as usize
}
