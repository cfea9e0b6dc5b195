//! When closing connections are cut off: those whose peer neither reads its last bytes nor closes.
//!
//! Progress moves a connection's time, so an entry here is only a reminder to look again. Each closing
//! connection has one. It is set for the shorter of the limits at first, so that the reminders of connections
//! that closed quickly, which are nearly all, do not pile up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use ringyard_time::Time;

use crate::app::ConnId;
use crate::lifecycle::Lifecycle;

/// Reminders, the earliest first, and the limits.
#[derive(Debug)]
pub(crate) struct ClosingTimes {
    reminders: BinaryHeap<Reverse<(Time, ConnId)>>,
    /// How long a peer has to close too, once it has been sent everything.
    linger: Duration,
    /// How long a peer may go without taking a byte of what is still to be sent.
    flush_stall: Duration,
}

impl ClosingTimes {
    /// No reminders; see [`EngineLimits`](crate::limits::EngineLimits) for the limits.
    pub(crate) fn new(linger: Duration, flush_stall: Duration) -> Self {
        Self { reminders: BinaryHeap::new(), linger, flush_stall }
    }

    /// Has `lifecycle`, that of the open connection `conn`, begin to close.
    pub(crate) fn begin(&mut self, now: Time, conn: ConnId, lifecycle: &mut Lifecycle) {
        lifecycle.close();
        let (linger, flush_stall) = (now + self.linger, now + self.flush_stall);
        lifecycle.cut_off = if lifecycle.has_ended_sending() { linger } else { flush_stall };
        // Most are gone by then, and their reminders with them.
        self.remind(linger.min(flush_stall), conn);
    }

    /// The peer has taken some of what was to be sent.
    pub(crate) fn progressed(&self, now: Time, lifecycle: &mut Lifecycle) {
        lifecycle.cut_off = now + self.flush_stall;
    }

    /// The peer has been told that no more will come.
    pub(crate) fn ended_sending(&self, now: Time, lifecycle: &mut Lifecycle) {
        lifecycle.ended_sending();
        if lifecycle.is_closing() {
            lifecycle.cut_off = now + self.linger;
        }
    }

    fn remind(&mut self, time: Time, conn: ConnId) {
        self.reminders.push(Reverse((time, conn)));
    }

    /// When the next reminder is due.
    pub(crate) fn next(&self) -> Time {
        self.reminders.peek().map_or(Time::FAR_FUTURE, |Reverse((time, _))| *time)
    }

    /// The next connection to look at again at `now`. `cut_off` says when it is to be cut off, or nothing
    /// if it is gone; one whose time has moved is put back.
    pub(crate) fn due(
        &mut self,
        now: Time,
        mut cut_off: impl FnMut(ConnId) -> Option<Time>,
    ) -> Option<ConnId> {
        while self.next() <= now {
            let Reverse((_, conn)) = self.reminders.pop()?;
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
    use super::*;

    const LINGER: Duration = Duration::from_secs(1);
    const FLUSH_STALL: Duration = Duration::from_secs(10);

    #[test]
    fn a_connection_with_nothing_to_send_is_cut_off_sooner() {
        let conn = ConnId { slot: 0, generation: 0 };
        let now = Time::ZERO + LINGER;
        let mut times = ClosingTimes::new(LINGER, FLUSH_STALL);
        let mut lifecycle = Lifecycle::new();
        times.begin(now, conn, &mut lifecycle);
        assert_eq!((lifecycle.cut_off, times.next()), (now + FLUSH_STALL, now + LINGER));
        times.ended_sending(now + LINGER, &mut lifecycle);
        assert_eq!(lifecycle.cut_off, now + LINGER + LINGER);

        let mut finished = Lifecycle::new();
        finished.finish();
        times.ended_sending(now, &mut finished);
        assert_eq!(finished.cut_off, Time::FAR_FUTURE, "it is not closing");
        times.begin(now, conn, &mut finished);
        assert_eq!(finished.cut_off, now + LINGER);
    }

    #[test]
    fn a_moved_time_is_kept_and_a_gone_connection_forgotten() {
        let conn = |slot| ConnId { slot, generation: 0 };
        let at = |seconds| Time::ZERO + Duration::from_secs(seconds);
        let mut times = ClosingTimes::new(LINGER, FLUSH_STALL);
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
