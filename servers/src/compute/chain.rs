//! The work itself: a chain of SHA-256 digests, each of the one before.
//!
//! Nothing in it can be skipped or done in parallel, and it needs no memory, so its time is that of the processor alone.
//! How many links make so many milliseconds is measured once, at the start, by whoever has a clock.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::limits::{
    COMPUTE_CALIBRATION, COMPUTE_CALIBRATION_LINKS_MAX, COMPUTE_CALIBRATIONS, COMPUTE_STEP,
};

/// A digest under way.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    digest: [u8; 32],
    left: u64,
}

impl Chain {
    /// The digest of `input`, with `links` more to come.
    pub(super) fn new(input: &[u8], links: u64) -> Self {
        Self { digest: Sha256::digest(input).into(), left: links }
    }

    /// Goes on by up to `links`; says how many it went.
    ///
    /// Never inlined, so that what is timed is what workers run: optimised for its surroundings, a link takes half as long
    /// again in one place as in another.
    #[inline(never)]
    pub(super) fn advance(&mut self, links: u64) -> u64 {
        let links = links.min(self.left);
        let mut digest = self.digest;
        for _ in 0..links {
            digest = Sha256::digest(digest).into();
        }
        self.digest = digest;
        self.left -= links;
        links
    }

    /// The digest, once no link is left.
    pub(super) fn done(&self) -> Option<[u8; 32]> {
        (self.left == 0).then_some(self.digest)
    }
}

/// How much work a request is, in links of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Links of a request.
    pub links: u64,
    /// Links that a worker makes before it looks for mail: what is given up stops after so many.
    pub step: u64,
    /// The time that it stands for.
    pub work: Duration,
}

impl Effort {
    /// So many links for `work`, in steps of about a millisecond.
    #[must_use]
    pub fn new(links: u64, work: Duration) -> Self {
        let steps = work.div_duration_f64(COMPUTE_STEP).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates, as is wanted"
        )]
        let step = (links as f64 / steps) as u64;
        Self { links, step: step.max(1), work }
    }

    /// Finds how many links take `work`, by having `time` measure some, best in a thread's own processor time.
    ///
    /// The median of many timings counts, each long enough that a processor that others share and that changes its speed
    /// shows what it usually does: the least would promise what the worker cannot keep.
    #[must_use]
    pub fn calibrate(work: Duration, mut time: impl FnMut(&mut dyn FnMut()) -> Duration) -> Self {
        let mut time = |links| {
            let mut chain = Chain::new(b"calibration", links);
            let took = time(&mut || {
                std::hint::black_box(chain.advance(links));
            });
            took.max(Duration::from_nanos(1))
        };
        let mut links = 1;
        while time(links) < COMPUTE_CALIBRATION && links < COMPUTE_CALIBRATION_LINKS_MAX {
            links *= 2;
        }
        let mut timings = [(); COMPUTE_CALIBRATIONS].map(|()| time(links));
        timings.sort_unstable();
        let ratio = work.div_duration_f64(timings[COMPUTE_CALIBRATIONS / 2]);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates"
        )]
        let links = (ratio * links as f64) as u64;
        Self::new(links.max(1), work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hexadecimal(digest: [u8; 32]) -> String {
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_first_digest_is_the_published_one() {
        let digest = Chain::new(b"abc", 0).done().unwrap();
        assert_eq!(
            hexadecimal(digest),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn steps_make_no_difference_to_the_digest() {
        let mut whole = Chain::new(b"x", 100);
        assert_eq!(whole.advance(1_000), 100);
        let mut parts = Chain::new(b"x", 100);
        while parts.done().is_none() {
            parts.advance(7);
        }
        assert_eq!(parts.done(), whole.done());
        assert_ne!(whole.done(), Chain::new(b"x", 0).done());
    }

    #[test]
    fn calibration_takes_the_median_of_long_timings() {
        let mut timings = 0;
        // A link takes 10 us, so that 1,024 are the first power of two that is long enough.
        let effort = Effort::calibrate(Duration::from_millis(500), |work| {
            work();
            timings += 1;
            let took = Duration::from_micros(10) * 2_u32.pow((timings - 1).min(10));
            match timings % 12 {
                3 | 6 | 9 => took * 3 / 4,
                4 | 8 | 0 => took * 5,
                _ => took,
            }
        });
        assert_eq!(effort.links, 50_000);
        assert_eq!(effort.step, 100);
        assert_eq!(timings as usize, 11 + COMPUTE_CALIBRATIONS);
    }
}
