//! Clients as a state machine: connections that ask, each lane at its own pace, and wait for answers.
//!
//! One [`Generator`] is one core's worth of clients. It is an [`App`] like any server, so an engine drives
//! it against real servers and the simulator against made-up ones. It keeps time honestly: in an open loop
//! a request bears the instant at which it was *due*, however late a slow server let it be sent, and
//! what was never sent is counted too. What is asked, and what the answers mean, is the business
//! of its [`Script`]; summing up over cores and showing figures is that of whoever hears its [`News`].

pub mod plan;
pub mod schedule;
pub mod script;

mod links;
mod requests;
mod seats;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::mpsc::Sender;
use std::time::Duration;

use ringyard_runtime::app::{App, Commands, ConnectToken, Event, Now, Origin, Time};

use crate::limits::TIMEOUT_SWEEPS;
use plan::{LanePlan, News, Pace, Plan, Vitals};
use schedule::Schedule;
use script::{Fate, Script};
use seats::{Link, Seat, SeatIndex};

/// One core's worth of clients.
#[derive(Debug)]
pub struct Generator<S: Script> {
    script: S,
    plan: Plan,
    lanes: Vec<Lane>,
    seats: Vec<Seat<S::Codec, S::Ticket>>,
    index: SeatIndex,
    timers: BinaryHeap<Reverse<(Time, Timer)>>,
    phase: Phase,
    /// Up to when `in_flight_nanoseconds` is summed.
    accounted: Time,
    next_interval: Time,
    next_sweep: Time,
    vitals: Vitals,
    news: Sender<News<S::Interval>>,
    /// Attempts to connect that are not settled.
    attempts: u32,
    draining: bool,
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been done.
    Fresh,
    /// The first connections are being made; so many attempts are not settled.
    Connecting { unsettled: u32 },
    /// Asking.
    Running { began: Time, ends: Time },
    /// Waiting for the last answers.
    Ending { began: Time, over: Time },
    /// Done.
    Over,
}

/// A group of connections that share a pace.
#[derive(Debug)]
struct Lane {
    depth: u32,
    /// The schedule of an open loop.
    schedule: Option<Schedule>,
    /// Seats of an open loop that may be asked, the one free for longest first.
    free: VecDeque<u32>,
}

/// What a seat waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A pause ends.
    Ask { seat: u32 },
    /// It is time to connect.
    Connect { seat: u32 },
}

impl<S: Script> Generator<S> {
    /// A generator that carries out `plan` with `script` and tells `news`.
    ///
    /// # Panics
    ///
    /// If the plan has no connection or nothing to ask, or more seats than their numbers have room for.
    #[must_use]
    pub fn new(mut plan: Plan, script: S, news: Sender<News<S::Interval>>) -> Self {
        let mut seats = Vec::new();
        let mut lanes = Vec::new();
        for (number, LanePlan { seats: count, depth, pace }) in (0..).zip(plan.lanes.drain(..)) {
            seats.extend((0..count).map(|_| Seat::new(number)));
            let schedule = match pace {
                Pace::Closed => None,
                Pace::Open(schedule) => Some(schedule),
            };
            lanes.push(Lane { depth, schedule, free: VecDeque::new() });
        }
        assert!(!seats.is_empty(), "a generator has connections");
        assert!(plan.requests_max != Some(0), "a generator has something to ask");
        assert!(u32::try_from(seats.len()).is_ok(), "seats are numbered with 32 bits");
        Self {
            script,
            plan,
            lanes,
            seats,
            index: SeatIndex::default(),
            timers: BinaryHeap::new(),
            phase: Phase::Fresh,
            accounted: Time::ZERO,
            next_interval: Time::FAR_FUTURE,
            next_sweep: Time::FAR_FUTURE,
            vitals: Vitals::default(),
            news,
            attempts: 0,
            draining: false,
        }
    }

    /// Makes the first connections, or plans when to.
    fn start(&mut self, now: Time, commands: &mut Commands<()>) {
        let count = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        self.next_sweep = now + self.plan.timeout;
        if self.plan.connect_ramp.is_zero() {
            self.phase = Phase::Connecting { unsettled: count };
            for seat in 0..count {
                self.connect(seat, now, commands);
            }
        } else {
            let ramp = self.plan.connect_ramp;
            for seat in 0..count {
                let at = now + ramp.mul_f64(f64::from(seat) / f64::from(count));
                self.timers.push(Reverse((at, Timer::Connect { seat })));
            }
            self.begin(now, commands);
        }
    }

    /// Begins to ask: all connections that could be made at once are there.
    fn begin(&mut self, now: Time, commands: &mut Commands<()>) {
        self.phase = Phase::Running { began: now, ends: now + self.plan.duration };
        self.next_interval = now + self.plan.interval;
        for seat in 0..u32::try_from(self.seats.len()).unwrap_or(u32::MAX) {
            self.serve(seat, now, commands);
        }
    }

    /// Whether there is more to ask.
    fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// When the run began, until it is over.
    fn began(&self) -> Option<Time> {
        match self.phase {
            Phase::Running { began, .. } | Phase::Ending { began, .. } => Some(began),
            Phase::Fresh | Phase::Connecting { .. } | Phase::Over => None,
        }
    }

    /// Does what its time has come for.
    fn elapse(&mut self, now: Time, commands: &mut Commands<()>) {
        if now >= self.next_sweep {
            let next = self.sweep(now, commands);
            self.next_sweep = next.max(now + self.plan.timeout / TIMEOUT_SWEEPS);
        }
        if now >= self.next_interval {
            self.next_interval = (self.next_interval + self.plan.interval).max(now);
            self.vitals.elapsed = self.began().map_or(Duration::ZERO, |began| now.since(began));
            let figures = self.script.take_interval();
            // Nobody listens any more when the run was abandoned; there is nobody left to tell.
            let _ = self.news.send(News::Interval { figures, vitals: self.vitals });
        }
        while let Some(&Reverse((due, timer))) = self.timers.peek()
            && due <= now
        {
            self.timers.pop();
            match timer {
                Timer::Connect { seat } => {
                    if matches!(self.phase, Phase::Connecting { .. } | Phase::Running { .. }) {
                        self.connect(seat, now, commands);
                    }
                }
                Timer::Ask { seat } => {
                    self.seats[seat as usize].pausing -= 1;
                    self.serve(seat, now, commands);
                }
            }
        }
        match self.phase {
            Phase::Running { ends, .. } => {
                // However late the wake-up: what was due before the end is owed if there is a seat for it.
                for lane in 0..self.lanes.len() {
                    self.send_due(lane, now, commands);
                }
                if now >= ends {
                    self.end_asking(now, commands);
                }
            }
            Phase::Ending { over, .. } if now >= over => self.finish(now, commands),
            _ => {}
        }
    }

    /// Asks no more. What was due and could not be sent is told.
    fn end_asking(&mut self, now: Time, commands: &mut Commands<()>) {
        let Phase::Running { began, ends } = self.phase else { return };
        self.phase = Phase::Ending { began, over: now + self.plan.grace };
        let until = now.min(ends);
        for (number, lane) in (0..).zip(&mut self.lanes) {
            let Some(schedule) = &mut lane.schedule else { continue };
            while let Some(intended) = schedule.peek().map(|offset| began + offset)
                && intended < until
            {
                self.script.unsent(number, intended, until);
                self.vitals.unsent += 1;
                schedule.advance();
            }
        }
        self.finish_when_quiet(now, commands);
    }

    fn finish_when_quiet(&mut self, now: Time, commands: &mut Commands<()>) {
        if matches!(self.phase, Phase::Ending { .. }) && self.vitals.in_flight == 0 {
            self.finish(now, commands);
        }
    }

    /// The run is over: lets go of all connections and tells the last figures.
    fn finish(&mut self, now: Time, commands: &mut Commands<()>) {
        self.vitals.elapsed = self.began().map_or(Duration::ZERO, |began| now.since(began));
        for seat in 0..u32::try_from(self.seats.len()).unwrap_or(u32::MAX) {
            let quiet = self.seats[seat as usize].under_way.is_empty();
            self.settle_all(seat, now, Fate::Unfinished);
            if let Link::Connecting { .. } = self.seats[seat as usize].link {
                commands.cancel_connect(ConnectToken(u64::from(seat)));
            }
            match self.detach(seat) {
                Some(conn) if quiet => commands.close(conn),
                Some(conn) => commands.abort(conn),
                None => {}
            }
        }
        self.phase = Phase::Over;
        self.timers.clear();
        let figures = self.script.take_interval();
        // As above: without a listener there is nobody to tell.
        let _ = self.news.send(News::Finished { figures, vitals: self.vitals });
        self.part(commands);
    }

    /// Tells the driver that all is done, if it has asked to drain and nothing is left to hear of.
    fn part(&self, commands: &mut Commands<()>) {
        if self.draining && self.phase == Phase::Over && self.attempts == 0 {
            commands.finished();
        }
    }

    fn drain(&mut self, now: Time, commands: &mut Commands<()>) {
        self.draining = true;
        match self.phase {
            Phase::Running { .. } => self.end_asking(now, commands),
            Phase::Fresh | Phase::Connecting { .. } => self.finish(now, commands),
            Phase::Ending { .. } => {}
            Phase::Over => self.part(commands),
        }
    }

    /// Sums up how long requests have been under way.
    fn account(&mut self, now: Time) {
        let passed = now.since(self.accounted).as_nanos();
        self.vitals.in_flight_nanoseconds += passed * u128::from(self.vitals.in_flight);
        self.accounted = now;
    }

    /// When the generator has to act next, whatever comes.
    fn next_deadline(&self) -> Option<Time> {
        let mut next = self.next_sweep;
        match self.phase {
            Phase::Over => return None,
            Phase::Fresh => return Some(Time::ZERO),
            Phase::Connecting { .. } => {}
            Phase::Running { began, ends } => {
                next = next.min(ends).min(self.next_interval);
                for lane in self.lanes.iter().filter(|lane| !lane.free.is_empty()) {
                    let due = lane.schedule.as_ref().and_then(Schedule::peek);
                    next = next.min(due.map_or(Time::FAR_FUTURE, |offset| began + offset));
                }
            }
            Phase::Ending { over, .. } => next = next.min(over).min(self.next_interval),
        }
        let timer = self.timers.peek().map_or(Time::FAR_FUTURE, |Reverse((due, _))| *due);
        Some(next.min(timer))
    }
}

impl<S: Script> App for Generator<S> {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        let now = now.time;
        self.account(now);
        let seat_of =
            |token: ConnectToken| u32::try_from(token.0).expect("tokens are seats' numbers");
        match event {
            Event::Opened { conn, origin: Origin::Connected { token } } => {
                self.opened(conn, seat_of(token), now, commands);
            }
            Event::ConnectFailed { token, error } => {
                self.connect_failed(seat_of(token), error, now, commands);
            }
            Event::Received { conn, bytes } => self.received(conn, bytes, now, commands),
            Event::PeerClosed { conn } => self.peer_closed(conn, now, commands),
            Event::Failed { conn, .. } => self.connection_failed(conn, now, commands),
            Event::Deadline if self.phase == Phase::Fresh => self.start(now, commands),
            Event::Deadline => self.elapse(now, commands),
            Event::Drain => self.drain(now, commands),
            Event::Opened { conn, origin: Origin::Accepted { .. } } => commands.abort(conn),
            // Requests are small: a queue that congests is a peer that does not read, and times out.
            Event::Congested { .. } | Event::Drained { .. } => {}
            Event::Mail { .. } | Event::MailReturned { .. } => {}
        }
        commands.set_deadline(self.next_deadline());
    }
}
