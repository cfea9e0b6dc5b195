//! What one core measures between two looks at it, and what those add up to.
//!
//! Everything here is of fixed size: no sample is kept. A core hands its figures on once per interval and
//! begins anew, so what it touches stays small however long the run is.

use crate::generator::script::{Answer, Fate, Times};
use crate::outcome::{ErrorCounts, ErrorKind};
use crate::statistics::Tally;

/// Classes of status codes: 1xx to 5xx, and 0 for protocols without.
pub const STATUS_CLASSES: usize = 6;

/// Figures of one core over one interval, or of all cores over a run.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The core that they are of.
    pub core: u16,
    /// Latencies of answers by class of status, from the intended instant.
    classes: [Option<Box<Tally>>; STATUS_CLASSES],
    /// How long requests had waited that the end of the run cut off: their latencies are at least this.
    cut_off: Option<Box<Tally>>,
    /// Latencies from the instant of sending, in an open loop only.
    uncorrected: Option<Box<Tally>>,
    /// How late requests were sent, in an open loop only.
    slip: Option<Box<Tally>>,
    /// Requests not answered well.
    pub errors: ErrorCounts,
    /// Attempts to connect that failed, and connections that were no use.
    pub connect_errors: ErrorCounts,
    /// Requests under way when the run was over.
    pub unfinished: u64,
    /// Requests due and never sent.
    pub unsent: u64,
}

impl Figures {
    /// Nothing yet, of core `core`.
    #[must_use]
    pub fn of_core(core: u16) -> Self {
        Self { core, ..Self::default() }
    }

    /// What was noted until now; what comes is noted anew, of the same core.
    pub fn take(&mut self) -> Self {
        let next = Self::of_core(self.core);
        std::mem::replace(self, next)
    }

    /// Takes note of a settled request. `open_loop`: whether it was due at an instant of its own.
    pub fn settled(&mut self, times: Times, fate: Fate, open_loop: bool) {
        match fate {
            Fate::Answered(Answer { status, verdict, .. }) => {
                let class = usize::from(status / 100).min(STATUS_CLASSES - 1);
                self.classes[class].get_or_insert_default().record(times.latency());
                if open_loop {
                    self.slip.get_or_insert_default().record(times.slip());
                    let uncorrected = self.uncorrected.get_or_insert_default();
                    uncorrected.record(times.uncorrected_latency());
                }
                if let Err(kind) = verdict {
                    self.errors.add(kind, 1);
                }
            }
            Fate::Failed(kind) => {
                self.errors.add(kind, 1);
                if open_loop {
                    self.slip.get_or_insert_default().record(times.slip());
                    self.cut_off.get_or_insert_default().record(times.latency());
                }
            }
            Fate::Unfinished => {
                self.unfinished += 1;
                if open_loop {
                    self.slip.get_or_insert_default().record(times.slip());
                    self.cut_off.get_or_insert_default().record(times.latency());
                }
            }
        }
    }

    /// Takes note of a request that was due and never sent; it had waited for `waited`.
    pub fn unsent(&mut self, waited: std::time::Duration) {
        self.unsent += 1;
        self.cut_off.get_or_insert_default().record(waited);
        self.slip.get_or_insert_default().record(waited);
    }

    /// Takes note of an attempt to connect that failed.
    pub fn connect_failed(&mut self, kind: ErrorKind) {
        self.connect_errors.add(kind, 1);
    }

    /// Takes what `other` saw into account.
    pub fn merge(&mut self, other: &Self) {
        for (mine, others) in self.classes.iter_mut().zip(&other.classes) {
            merge(mine, others);
        }
        merge(&mut self.cut_off, &other.cut_off);
        merge(&mut self.uncorrected, &other.uncorrected);
        merge(&mut self.slip, &other.slip);
        self.errors.merge(&other.errors);
        self.connect_errors.merge(&other.connect_errors);
        self.unfinished += other.unfinished;
        self.unsent += other.unsent;
    }

    /// Answers, whatever they said.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.classes.iter().flatten().map(|tally| tally.count()).sum()
    }

    /// Latencies as the users of an overloaded server see them: from the intended instant, with what
    /// was cut off for as long as it had waited.
    #[must_use]
    pub fn corrected(&self) -> Tally {
        let mut all = Tally::new();
        let tallies = self.classes.iter().chain([&self.cut_off]);
        tallies.flatten().for_each(|tally| all.merge(tally));
        all
    }

    /// Latencies from the instant of sending: all that a tool sees that waits while the server stalls.
    /// In a closed loop there is no difference, and this is `None`.
    #[must_use]
    pub fn uncorrected(&self) -> Option<&Tally> {
        self.uncorrected.as_deref()
    }

    /// How late requests were sent; `None` in a closed loop, which has no schedule.
    #[must_use]
    pub fn slip(&self) -> Option<&Tally> {
        self.slip.as_deref()
    }

    /// Latencies of the answers of one class of status, if there were any.
    #[must_use]
    pub fn class(&self, class: usize) -> Option<&Tally> {
        self.classes[class].as_deref()
    }
}

fn merge(into: &mut Option<Box<Tally>>, from: &Option<Box<Tally>>) {
    if let Some(from) = from {
        into.get_or_insert_default().merge(from);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringyard_time::Time;

    use super::*;

    fn times(intended_ms: u64, sent_ms: u64, settled_ms: u64) -> Times {
        let at = |ms| Time::ZERO + Duration::from_millis(ms);
        Times {
            intended: at(intended_ms),
            sent: at(sent_ms),
            settled: at(settled_ms),
            run_began: Time::ZERO,
        }
    }

    fn answer(status: u16) -> Fate {
        let verdict = if status < 400 { Ok(()) } else { Err(ErrorKind::Refused) };
        Fate::Answered(Answer { status, verdict, keep_alive: true })
    }

    #[test]
    fn an_open_loop_keeps_three_accounts() {
        let mut figures = Figures::default();
        figures.settled(times(0, 30, 40), answer(200), true);
        figures.settled(times(0, 0, 7), answer(503), true);
        figures.settled(times(0, 90, 100), Fate::Unfinished, true);
        figures.unsent(Duration::from_millis(80));
        assert_eq!(figures.answered(), 2);
        assert_eq!(figures.corrected().summary().max_ms, 100.0);
        assert_eq!(figures.corrected().count(), 4);
        assert_eq!(figures.uncorrected().unwrap().summary().max_ms, 10.0);
        assert_eq!(figures.slip().unwrap().summary().max_ms, 90.0);
        assert_eq!(figures.class(5).unwrap().count(), 1);
        assert_eq!(figures.errors.refused, 1);
        assert_eq!((figures.unfinished, figures.unsent), (1, 1));
    }

    #[test]
    fn a_closed_loop_keeps_one() {
        let mut figures = Figures::default();
        figures.settled(times(5, 5, 8), answer(200), false);
        figures.settled(times(5, 5, 9), Fate::Failed(ErrorKind::ConnectionLost), false);
        assert!(figures.uncorrected().is_none() && figures.slip().is_none());
        assert_eq!(figures.corrected().count(), 1);
        assert_eq!(figures.errors.connection_lost, 1);
    }

    #[test]
    fn what_is_taken_is_not_taken_twice() {
        let mut figures = Figures::of_core(3);
        figures.settled(times(0, 0, 7), answer(200), false);
        let taken = figures.take();
        assert_eq!((taken.core, taken.answered()), (3, 1));
        let next = figures.take();
        assert_eq!((next.core, next.answered()), (3, 0));
    }

    #[test]
    fn merging_adds_everything_up() {
        let mut part = Figures::default();
        part.settled(times(0, 1, 2), answer(200), true);
        part.settled(times(0, 1, 2), answer(404), true);
        part.settled(times(0, 1, 2), Fate::Failed(ErrorKind::Timeout), true);
        part.unsent(Duration::from_millis(1));
        part.connect_failed(ErrorKind::ConnectRefused);
        let mut sum = part.clone();
        sum.merge(&part);
        assert_eq!(sum.answered(), 4);
        assert_eq!(sum.corrected().count(), 8);
        assert_eq!(sum.slip().unwrap().count(), 8);
        assert_eq!((sum.errors.total(), sum.connect_errors.total(), sum.unsent), (4, 2, 2));
    }
}
