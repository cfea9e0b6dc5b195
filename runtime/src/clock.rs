//! The one place where an engine reads the clock.
//!
//! Every core of a plan counts from the same origin, so an instant that one core mails to another means the
//! same there. The calendar's second is read again only when it can have changed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringyard_time::{Now, Time};

/// The origin from which all cores of a plan count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin(Instant);

impl Origin {
    /// An origin at the present.
    #[expect(clippy::disallowed_methods, reason = "engines read the clock in this file")]
    pub(crate) fn now() -> Self {
        Self(Instant::now())
    }
}

/// The clock of one core.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    unix_seconds: u64,
    /// When the calendar must be read again.
    second_ends: Time,
}

impl Clock {
    /// A clock that counts from `origin`.
    pub(crate) fn new(origin: Origin) -> Self {
        Self { origin: origin.0, unix_seconds: 0, second_ends: Time::ZERO }
    }

    /// `time` as the standard library has it, if it can be said there.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        self.origin.checked_add(Duration::from_nanos(time.nanoseconds()))
    }

    /// Reads the clock. An engine does so once per turn.
    #[expect(clippy::disallowed_methods, reason = "engines read the clock in this file")]
    pub(crate) fn read(&mut self) -> Now {
        let time = Time::ZERO + Instant::now().duration_since(self.origin);
        if time >= self.second_ends {
            // A clock set before 1970 is taken for 1970: the calendar decides nothing here.
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.unix_seconds = since_epoch.as_secs();
            let fraction = Duration::from_nanos(u64::from(since_epoch.subsec_nanos()));
            self.second_ends = time + (Duration::from_secs(1) - fraction);
        }
        Now { time, unix_seconds: self.unix_seconds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_and_the_calendar_is_right() {
        let mut clock = Clock::new(Origin::now());
        let mut last = clock.read();
        for _ in 0..1000 {
            let now = clock.read();
            assert!(now.time >= last.time);
            last = now;
        }
        #[expect(clippy::disallowed_methods, reason = "compares with the clock itself")]
        let calendar = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(calendar.abs_diff(last.unix_seconds) <= 1);
    }
}
