//! How a core leaves: the stages of a drain, the same for every engine.
//!
//! Serving, then closing the listeners with all that waits in their queues accepted first, then one more
//! turn so that what those peers had already sent is heard, then [`Event::Drain`](crate::app::Event::Drain),
//! then waiting for all apps or the drain's limit, then flushing and lingering on what is left, then gone.

use std::time::Duration;

use ringyard_time::Time;

use crate::control::Control;
use crate::limits::PARTING_LIMIT;

/// Where one core stands between serving and gone.
#[derive(Debug)]
pub(crate) struct Departure {
    stage: Stage,
    drain_limit: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    ClosingListeners { until: Time },
    LastReceives { until: Time },
    Draining { until: Time },
    Leaving { until: Time },
}

/// What the engine has to do at the end of this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Nothing new.
    Carry,
    /// Accept what waits, then close the listeners.
    CloseListeners,
    /// Tell the app to drain.
    Announce,
    /// Close all connections; the app hears no more.
    CloseConnections,
    /// End now.
    Leave,
}

/// What the engine says of itself at the end of a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remaining {
    /// Whether a listener is still open.
    pub(crate) is_listening: bool,
    /// Connections, whatever their state.
    pub(crate) connections: usize,
}

impl Departure {
    /// A core that serves, and that drains for `drain_limit` at most once told to.
    pub(crate) fn new(drain_limit: Duration) -> Self {
        Self { stage: Stage::Serving, drain_limit }
    }

    /// Takes the next step at the end of a turn.
    pub(crate) fn advance(&mut self, now: Time, control: &Control, left: Remaining) -> Task {
        if control.is_stopping() {
            return Task::Leave;
        }
        let (stage, task) = match self.stage {
            Stage::Serving if control.is_draining() => {
                let until = now + self.drain_limit;
                (Stage::ClosingListeners { until }, Task::CloseListeners)
            }
            Stage::ClosingListeners { until } if !left.is_listening || now >= until => {
                (Stage::LastReceives { until }, Task::Carry)
            }
            Stage::LastReceives { until } => (Stage::Draining { until }, Task::Announce),
            Stage::Draining { until } if control.all_finished() || now >= until => {
                (Stage::Leaving { until: now + PARTING_LIMIT }, Task::CloseConnections)
            }
            Stage::Leaving { until } if left.connections == 0 || now >= until => {
                (self.stage, Task::Leave)
            }
            stage => (stage, Task::Carry),
        };
        self.stage = stage;
        task
    }

    /// Until when the core may wait for something to happen, given how many connections are left.
    pub(crate) fn wait_until(&self, connections: usize) -> Time {
        match self.stage {
            Stage::Serving => Time::FAR_FUTURE,
            Stage::ClosingListeners { .. } | Stage::LastReceives { .. } => Time::ZERO,
            // The last connection is released after the stage was looked at.
            Stage::Leaving { .. } if connections == 0 => Time::ZERO,
            Stage::Draining { until } | Stage::Leaving { until } => until,
        }
    }

    /// Whether the app still hears of what happens.
    pub(crate) fn app_listens(&self) -> bool {
        !matches!(self.stage, Stage::Leaving { .. })
    }

    /// Whether new connections are still to be accepted.
    pub(crate) fn accepts(&self) -> bool {
        self.stage == Stage::Serving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const NOTHING_LEFT: Remaining = Remaining { is_listening: false, connections: 0 };
    const LISTENING: Remaining = Remaining { is_listening: true, connections: 1 };
    const CONNECTED: Remaining = Remaining { is_listening: false, connections: 1 };

    fn announced(control: &Control) -> Departure {
        let mut departure = Departure::new(LIMIT);
        let mut step = |left| departure.advance(Time::ZERO, control, left);
        assert_eq!(step(LISTENING), Task::Carry);
        control.drain();
        assert_eq!(step(LISTENING), Task::CloseListeners);
        assert_eq!(step(LISTENING), Task::Carry);
        assert_eq!(step(CONNECTED), Task::Carry, "one turn for what was already sent");
        assert_eq!(step(CONNECTED), Task::Announce);
        assert_eq!(step(CONNECTED), Task::Carry);
        departure
    }

    #[test]
    fn a_drain_ends_when_all_apps_have_finished() {
        let control = Control::new(1).unwrap();
        let mut departure = announced(&control);
        control.app_finished();
        let mut step = |left| departure.advance(Time::ZERO, &control, left);
        assert_eq!(step(CONNECTED), Task::CloseConnections);
        assert_eq!(step(CONNECTED), Task::Carry);
        assert_eq!(step(NOTHING_LEFT), Task::Leave);
        assert_eq!(departure.wait_until(1), Time::ZERO + PARTING_LIMIT);
        assert_eq!(departure.wait_until(0), Time::ZERO);
    }

    #[test]
    fn a_drain_ends_at_its_limit_and_so_does_the_parting() {
        let control = Control::new(1).unwrap();
        let mut departure = announced(&control);
        let limit = Time::ZERO + LIMIT;
        assert_eq!(departure.wait_until(1), limit);
        assert_eq!(departure.advance(limit, &control, CONNECTED), Task::CloseConnections);
        assert_eq!(departure.advance(limit, &control, CONNECTED), Task::Carry);
        assert_eq!(departure.advance(limit + PARTING_LIMIT, &control, CONNECTED), Task::Leave);
    }

    #[test]
    fn a_stop_ends_every_stage() {
        let control = Control::new(1).unwrap();
        let mut departure = Departure::new(LIMIT);
        control.stop();
        assert_eq!(departure.advance(Time::ZERO, &control, LISTENING), Task::Leave);
    }
}
