//! How many completions to wait for.
//!
//! A core that is woken for every single completion spends much of its time on going to sleep and waking up.
//! When completions come so fast that several are to be expected within a short [`WINDOW`], it is cheaper to
//! take them together, at the price of at most that window in latency. When they come more slowly, each is
//! taken at once. The kernel does the waiting (since Linux 6.12), so nothing spins.

use std::time::Duration;

use ringyard_time::Time;

/// The longest that a completion waits for others.
pub(super) const WINDOW: Duration = Duration::from_micros(80);

/// Connections for each completion that is waited for: of fewer, those that are missing may well be the ones
/// that wait for us.
const CONNECTIONS_PER_COMPLETION: usize = 4;

/// Completions to wait for at most.
const COMPLETIONS_MAX: u32 = 64;

/// A pause this long between two turns says that nothing is to be expected.
const PAUSE_MAX: Duration = Duration::from_millis(1);

/// Weight of the latest turn in the averages: one in eight.
const TURNS_AVERAGED: u64 = 8;

/// Averages over the latest turns.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    /// Completions per turn, in 1024ths.
    completions: u64,
    /// Time per turn.
    nanoseconds: u64,
    last_turn: Time,
}

impl Gatherer {
    /// Takes note of a turn and of the completions that it took.
    pub(super) fn note(&mut self, now: Time, completions: usize) {
        let elapsed = now.since(self.last_turn).min(PAUSE_MAX);
        self.last_turn = now;
        average(&mut self.completions, completions as u64 * 1024);
        average(&mut self.nanoseconds, u64::from(elapsed.subsec_nanos()));
    }

    /// How many completions to wait for within [`WINDOW`], of `connections` connections: as many as are to be
    /// expected, and one at least.
    pub(super) fn expected(&self, connections: usize) -> u32 {
        let window = u64::from(WINDOW.subsec_nanos());
        let expected = self.completions * window / self.nanoseconds.max(1);
        // Whole completions only; the sixteenth makes up for what the averages have lost to rounding.
        let expected = (expected + 1024 / 16) / 1024;
        let connections = u32::try_from(connections / CONNECTIONS_PER_COMPLETION);
        let expected = u32::try_from(expected).unwrap_or(COMPLETIONS_MAX);
        expected.min(connections.unwrap_or(COMPLETIONS_MAX)).clamp(1, COMPLETIONS_MAX)
    }
}

fn average(average: &mut u64, latest: u64) {
    *average = (*average * (TURNS_AVERAGED - 1) + latest) / TURNS_AVERAGED;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is expected after many turns, each `microseconds` long with `completions` completions.
    fn check(microseconds: u64, completions: usize, connections: usize, expected: u32) {
        let mut gatherer = Gatherer::default();
        let mut now = Time::ZERO;
        for _ in 0..100 {
            now += Duration::from_micros(microseconds);
            gatherer.note(now, completions);
        }
        let found = gatherer.expected(connections);
        assert_eq!(found, expected, "{microseconds} us, {completions}, {connections}");
    }

    #[test]
    fn many_are_waited_for_only_where_many_are_to_be_expected() {
        check(50, 1, 1, 1);
        check(50, 1, 1000, 1);
        check(20, 2, 64, 8);
        check(10, 1, 64, 8);
        check(10, 1, 8, 2);
        check(10, 1, 3, 1);
        check(1, 100, 100_000, COMPLETIONS_MAX);
        check(10_000_000, 1, 1000, 1);
        check(10_000_000, 20, 1000, 1);
        check(0, 0, 0, 1);
    }
}
