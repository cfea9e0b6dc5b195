//! When closing connections are cut off: those whose peer neither reads its last bytes nor closes.
//!
//! Progress moves a connection's time, so an entry here is only a reminder to look again. Each closing
//! connection has one. It is set for the shorter of the limits at first, so that the reminders of connections
//! that closed quickly, which are nearly all, do not pile up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ringyard_time::Time;

use crate::app::ConnId;

/// Reminders, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct ClosingTimes(BinaryHeap<Reverse<(Time, ConnId)>>);

impl ClosingTimes {
    /// Reminds of `conn` at `time`.
    pub(crate) fn remind(&mut self, time: Time, conn: ConnId) {
        self.0.push(Reverse((time, conn)));
    }

    /// When the next reminder is due.
    pub(crate) fn next(&self) -> Time {
        self.0.peek().map_or(Time::FAR_FUTURE, |Reverse((time, _))| *time)
    }

    /// The next connection to look at again at `now`. `cut_off` says when it is to be cut off, or nothing
    /// if it is gone; one whose time has moved is put back.
    pub(crate) fn due(
        &mut self,
        now: Time,
        mut cut_off: impl FnMut(ConnId) -> Option<Time>,
    ) -> Option<ConnId> {
        while self.next() <= now {
            let Reverse((_, conn)) = self.0.pop()?;
            match cut_off(conn) {
                Some(time) if time <= now => return Some(conn),
                Some(time) => self.remind(time, conn),
                None => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moved_time_is_kept_and_a_gone_connection_forgotten() {
        let conn = |slot| ConnId { slot, generation: 0 };
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let mut times = ClosingTimes::default();
        times.remind(at(3), conn(3));
        times.remind(at(1), conn(1));
        times.remind(at(2), conn(2));
        let cut_off = |asked: ConnId| match asked.slot {
            1 => Some(at(5)),
            2 => None,
            _ => Some(at(3)),
        };
        assert_eq!(times.next(), at(1));
        assert_eq!(times.due(at(2), cut_off), None);
        assert_eq!(times.due(at(3), cut_off), Some(conn(3)));
        assert_eq!(times.next(), at(5));
        assert_eq!(times.due(at(9), cut_off), Some(conn(1)));
        assert_eq!(times.next(), Time::FAR_FUTURE);
    }
}
