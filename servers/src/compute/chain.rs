//! The work itself: a chain of SHA-256 digests, each of the one before.
//!
//! Nothing in it can be skipped or done in parallel, and it needs no memory, so its time is that of the processor alone.
//! How many links make so many milliseconds is measured once, at the start, by whoever has a clock.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::limits::{COMPUTE_CALIBRATION_LINKS, COMPUTE_CALIBRATIONS, COMPUTE_STEP};

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
    pub(super) fn advance(&mut self, links: u64) -> u64 {
        let links = links.min(self.left);
        for _ in 0..links {
            self.digest = Sha256::digest(self.digest).into();
        }
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

    /// Finds how many links take `work`, by having `time` measure some, best in a thread's own processor time. The least
    /// of many measurements counts: whatever else the processor did can only have made them longer.
    #[must_use]
    pub fn calibrate(work: Duration, mut time: impl FnMut(&mut dyn FnMut()) -> Duration) -> Self {
        let mut measure = || {
            let mut chain = Chain::new(b"calibration", COMPUTE_CALIBRATION_LINKS);
            time(&mut || {
                std::hint::black_box(chain.advance(COMPUTE_CALIBRATION_LINKS));
            })
        };
        let measurements = (0..COMPUTE_CALIBRATIONS).map(|_| measure());
        let least = measurements.min().unwrap_or_default();
        let ratio = work.div_duration_f64(least.max(Duration::from_nanos(1)));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates"
        )]
        let links = (ratio * COMPUTE_CALIBRATION_LINKS as f64) as u64;
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
    fn calibration_divides_the_work_by_what_a_link_takes() {
        let mut measured = 0;
        let effort = Effort::calibrate(Duration::from_millis(500), |work| {
            work();
            measured += 1;
            Duration::from_millis(10 * measured)
        });
        assert_eq!(effort.links, 50 * COMPUTE_CALIBRATION_LINKS);
        assert_eq!(effort.step, effort.links / 500);
        assert_eq!(measured, u64::from(COMPUTE_CALIBRATIONS));
    }
}
