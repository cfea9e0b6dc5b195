//! Which seeds a run tries, and what it says when one fails.
//!
//! `RINGYARD_SEEDS=N` tries the first N seeds, `RINGYARD_SEED=S` tries one and prints all that happens.

use std::env;

/// Seeds of an ordinary run.
const SEEDS: u64 = 500;

/// Says how to repeat a seed when it fails.
struct Hint {
    seed: u64,
}

impl Drop for Hint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "\nseed {seed} failed; to see it happen again:\n    RINGYARD_SEED={seed} \
                 cargo test -p ringyard-simulator --test scenario swarm -- --nocapture\n",
                seed = self.seed
            );
        }
    }
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} has to be a number, not {text:?}")))
}

/// Whether a world is to be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Nothing,
    Everything,
}

/// Tries the seeds whose remainder by `parts` is `part`.
pub(crate) fn for_each(part: u64, parts: u64, mut one: impl FnMut(u64, Show)) {
    let (range, show) = match number("RINGYARD_SEED") {
        Some(seed) => (seed..seed + 1, Show::Everything),
        None => (0..number("RINGYARD_SEEDS").unwrap_or(SEEDS), Show::Nothing),
    };
    for seed in range.filter(|seed| seed % parts == part) {
        let _hint = Hint { seed };
        one(seed, show);
    }
}
