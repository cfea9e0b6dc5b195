//! The instant that every crate takes as an argument.
//!
//! Schedulers, servers, engines and the simulator all speak of time, and none of them may depend on all
//! the others, so the type stands alone here. This crate deliberately reads no clock: an engine reads the
//! kernel's clock once per turn of its loop, the simulator makes time up, and both hand the result on.

#![forbid(unsafe_code)]

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point in monotonic time, in nanoseconds since an origin that the driver chose.
///
/// Only differences mean anything. Sums saturate at [`Time::FAR_FUTURE`], differences at zero, so no
/// arithmetic on a peer's timing can panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The driver's origin.
    pub const ZERO: Self = Self(0);

    /// A deadline that never comes (584 years after the origin).
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The instant `nanoseconds` after the origin.
    #[must_use]
    #[inline]
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    #[inline]
    pub const fn nanoseconds(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero where `earlier` is the later of the two.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// `duration` in nanoseconds, saturating at 584 years.
#[inline]
const fn saturating_nanoseconds(duration: Duration) -> u64 {
    let nanoseconds = duration.as_nanos();
    if nanoseconds > u64::MAX as u128 {
        u64::MAX
    } else {
        #[expect(clippy::cast_possible_truncation, reason = "the branch above bounds the value")]
        {
            nanoseconds as u64
        }
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanoseconds(duration)))
    }
}

impl AddAssign<Duration> for Time {
    #[inline]
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    #[inline]
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanoseconds(duration)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", Duration::from_nanos(self.0))
    }
}

/// What a driver tells an app about the present: monotonic time for every decision, and the calendar's
/// second for what peers read (HTTP's `Date`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time; never goes back from one event to the next on one core.
    pub time: Time,
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub unix_seconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let second = Duration::from_secs(1);
        assert_eq!(Time::ZERO - second, Time::ZERO);
        assert_eq!(Time::FAR_FUTURE + second, Time::FAR_FUTURE);
        assert_eq!(Time::ZERO + Duration::MAX, Time::FAR_FUTURE);
        assert_eq!(Time::ZERO.since(Time::ZERO + second), Duration::ZERO);
        assert_eq!((Time::ZERO + second).since(Time::ZERO), second);
    }
}
