//! Which servers a client connects to when it should not connect to all.
//!
//! Rendezvous hashing (Thaler and Ravishankar 1998): every client ranks all servers by a hash of the pair and takes
//! the first k. When a server comes or goes, only the clients that ranked it among their first k change anything, and
//! each of them changes exactly one connection.

use super::hashed::mix;
use crate::balance::random::index_u32;

/// The `size` servers out of `servers` (by stable identifier) for `client`, best ranked first, as indices.
#[must_use]
pub fn rendezvous_subset(client: u64, servers: &[u64], size: usize) -> Vec<u32> {
    let mut ranked: Vec<(u64, u32)> = servers
        .iter()
        .enumerate()
        .map(|(index, server)| (mix(mix(client) ^ *server), index_u32(index)))
        .collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    ranked.truncate(size);
    ranked.into_iter().map(|(_, index)| index).collect()
}
