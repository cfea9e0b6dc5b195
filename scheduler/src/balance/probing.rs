//! Policies that spend requests to learn: probes beside ordinary picks, and races between probes.
//!
//! Both only decide which channels to probe and what to make of the answers; sending is the caller's.

use super::explain::{Explanation, Reason};
use super::random::{Random, index_u32};
use super::view::Channels;

/// Sends probes along with ordinary requests, but only as many as there are channels with nothing under way.
///
/// Probes are otherwise wasted: a busy channel learns from its own answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probes {
    /// Probes per request; a fraction is sent with that probability.
    pub per_request: f64,
    /// Whether the idle channels themselves are probed, instead of any.
    pub idle_only: bool,
}

impl Probes {
    /// Fills `into` with the distinct channels to probe now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small whole number"
    )]
    pub fn choose<C, R>(&self, channels: &C, random: &mut R, into: &mut Vec<u32>)
    where
        C: Channels + ?Sized,
        R: Random + ?Sized,
    {
        let idle = |channel: &usize| channels.in_flight(*channel) == 0;
        let idle_count = (0..channels.count()).filter(idle).count();
        let probes = idle_count.min(random.round(self.per_request).max(0.0) as usize);
        if self.idle_only {
            random.sample(idle_count, probes, into);
            for place in into {
                let channel = (0..channels.count()).filter(idle).nth(*place as usize);
                *place = channel.map_or(*place, index_u32);
            }
        } else {
            random.sample(channels.count(), probes, into);
        }
    }
}

/// The most channels that one [`Race`] can probe.
pub const RACERS_MAX: usize = u64::BITS as usize;

/// One request's race: a probe on every channel, in random order; the first of that order with a valid answer wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Race {
    waiting: u64,
    valid: u64,
}

impl Race {
    /// Starts a race over `count` channels, leaving in `order` which to probe in which order.
    ///
    /// # Panics
    /// If there are more than [`RACERS_MAX`] channels or none.
    pub fn start<R: Random + ?Sized>(count: usize, random: &mut R, order: &mut Vec<u32>) -> Self {
        assert!((1..=RACERS_MAX).contains(&count), "a race is run over 1 to {RACERS_MAX} channels");
        order.clear();
        order.extend(0..index_u32(count));
        random.shuffle(order);
        Self { waiting: u64::MAX >> (RACERS_MAX - count), valid: 0 }
    }

    /// The probe at `place` of the order was answered, validly or not.
    #[inline]
    pub fn answer(&mut self, place: usize, is_valid: bool) {
        self.waiting &= !(1 << place);
        self.valid |= u64::from(is_valid) << place;
    }

    /// Whether every probe was answered. If none was valid, the caller has to choose without the race's help.
    #[inline]
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.waiting == 0
    }

    /// The place in the order of the winner, if there is one yet.
    #[inline]
    #[must_use]
    pub fn winner(&self) -> Option<usize> {
        (self.valid != 0).then(|| self.valid.trailing_zeros() as usize)
    }

    /// Why `channel` won.
    #[must_use]
    pub const fn explain(channel: usize) -> Explanation {
        Explanation::new(channel, Reason::FirstAnswer)
    }
}
