//! The connections to the backends: which are up, which are free, and when to try again.
//!
//! A *lane* is one place for a connection to one backend and carries one batch at a time; a backend has as
//! many lanes as it may have batches in flight. Lanes connect before they are needed and are kept open. While
//! a backend cannot be reached only one of its lanes goes on trying, ever less often.
//!
//! What a batch is, and what becomes of its requests when a lane fails, is the dispatcher's.

use std::collections::HashMap;
use std::time::Duration;

use ringyard_protocol::http1::ClientCodec;
use ringyard_runtime::app::{Commands, ConnId, ConnectToken, Time};
use ringyard_scheduler::cost::Cost;

use super::concurrency::Limiter;
use super::config::{BackendTarget, ConcurrencyRule};
use crate::limits::{
    BACKEND_CONNECT_TIMEOUT, BACKEND_IDLE_MAX, BACKEND_RECONNECT_MAX, BACKEND_RECONNECT_MIN,
};

/// Where the connection of a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Not connected; to be tried at this time.
    Down { retry_at: Time },
    /// Being connected; to be given up at this time.
    Connecting { give_up_at: Time },
    /// Given up; the driver has not said so yet.
    Cancelling,
    /// Connected, and free for a batch.
    Idle(ConnId),
    /// Connected, with a batch in flight.
    Busy(ConnId),
}

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// As agreed, after a reply or at our wish: it is replaced at once.
    Orderly,
    /// Unforeseen. A process that is killed loses its connections one by one, its listener among them; a
    /// connection made in that moment would take a batch down with it. So there is a pause.
    Failure,
}

/// One place for a connection.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) backend: usize,
    pub(super) line: Line,
    pub(super) codec: ClientCodec,
    /// Since when it has carried nothing, while it is idle.
    idle_since: Time,
}

/// One backend, over all its lanes.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) target: BackendTarget,
    /// Lanes that are connected.
    pub(super) up: usize,
    pub(super) busy: usize,
    /// How many may be.
    pub(super) limiter: Limiter,
    /// Lanes that are trying to connect.
    trying: usize,
    /// Pause before the next attempt after a failed one.
    pause: Duration,
    /// Since when no lane has been connected.
    down_since: Time,
}

/// All lanes to all backends.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    backends: Vec<Backend>,
    by_conn: HashMap<ConnId, usize>,
    /// Where the search for a free lane begins, so that they take turns.
    turn: usize,
}

impl Lanes {
    /// `concurrency` lanes to each of `targets`, none connected yet.
    pub(super) fn new(targets: &[BackendTarget], concurrency: u32, rule: ConcurrencyRule) -> Self {
        let mut lanes = Vec::new();
        let mut backends = Vec::new();
        for (backend, target) in targets.iter().enumerate() {
            backends.push(Backend {
                target: target.clone(),
                up: 0,
                busy: 0,
                limiter: Limiter::new(rule, concurrency),
                trying: 0,
                pause: BACKEND_RECONNECT_MIN,
                down_since: Time::ZERO,
            });
            lanes.extend((0..concurrency).map(|_| Lane {
                backend,
                line: Line::Down { retry_at: Time::ZERO },
                codec: ClientCodec::new(),
                idle_since: Time::ZERO,
            }));
        }
        Self { lanes, backends, by_conn: HashMap::new(), turn: 0 }
    }

    pub(super) fn lane_mut(&mut self, index: usize) -> &mut Lane {
        &mut self.lanes[index]
    }

    /// The lane of a connection, if it has one.
    pub(super) fn of_conn(&self, conn: ConnId) -> Option<usize> {
        self.by_conn.get(&conn).copied()
    }

    pub(super) fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// Lanes that are connected.
    pub(super) fn up(&self) -> usize {
        self.backends.iter().map(|backend| backend.up).sum()
    }

    /// Batches that may be in flight at once, over all backends that are connected.
    pub(super) fn usable(&self) -> usize {
        self.backends.iter().map(|backend| backend.up.min(backend.limiter.allowed())).sum()
    }

    /// Takes note of what a batch on a lane, which is still busy, took beside what was predicted.
    pub(super) fn observe(&mut self, index: usize, predicted: Cost, took: Duration) {
        let backend = &mut self.backends[self.lanes[index].backend];
        backend.limiter.observe(predicted, took, backend.busy);
    }

    /// Since when no backend could be reached; `None` while one can.
    pub(super) fn all_down_since(&self) -> Option<Time> {
        if self.up() > 0 {
            return None;
        }
        self.backends.iter().map(|backend| backend.down_since).max()
    }

    /// Whether each backend can take a batch: it has a free lane and may have more in flight.
    pub(super) fn can_take(&self) -> impl Iterator<Item = bool> {
        self.backends
            .iter()
            .map(|backend| backend.up > backend.busy && backend.busy < backend.limiter.allowed())
    }

    /// A free lane of a backend; its lanes take turns.
    pub(super) fn find_idle(&self, backend: usize) -> Option<usize> {
        let count = self.lanes.len();
        (0..count).map(|step| (self.turn + step) % count).find(|&index| {
            let lane = &self.lanes[index];
            lane.backend == backend && matches!(lane.line, Line::Idle(_))
        })
    }

    /// Marks an idle lane busy; its connection and the target of its backend.
    ///
    /// # Panics
    ///
    /// If the lane is not idle.
    pub(super) fn occupy(&mut self, index: usize) -> (ConnId, &BackendTarget) {
        self.turn = (index + 1) % self.lanes.len();
        let lane = &mut self.lanes[index];
        let Line::Idle(conn) = lane.line else { panic!("only an idle lane takes a batch") };
        lane.line = Line::Busy(conn);
        let backend = &mut self.backends[lane.backend];
        backend.busy += 1;
        (conn, &backend.target)
    }

    /// Marks a busy lane free again.
    pub(super) fn release(&mut self, now: Time, index: usize) {
        let lane = &mut self.lanes[index];
        if let Line::Busy(conn) = lane.line {
            lane.line = Line::Idle(conn);
            lane.idle_since = now;
            self.backends[lane.backend].busy -= 1;
        }
    }

    /// Takes note of a new connection. `None` where the lane has no use for it any more.
    pub(super) fn opened<M>(
        &mut self,
        now: Time,
        token: ConnectToken,
        conn: ConnId,
        commands: &mut Commands<M>,
    ) -> Option<usize> {
        let index = usize::try_from(token.0).expect("the token is the index of a lane");
        let lane = &mut self.lanes[index];
        let backend = &mut self.backends[lane.backend];
        backend.trying -= 1;
        if lane.line == Line::Cancelling {
            commands.abort(conn);
            lane.line = Line::Down { retry_at: now + backend.pause };
            return None;
        }
        lane.line = Line::Idle(conn);
        lane.codec = ClientCodec::new();
        lane.idle_since = now;
        backend.up += 1;
        backend.pause = BACKEND_RECONNECT_MIN;
        self.by_conn.insert(conn, index);
        if backend.up == 1 {
            let backend = lane.backend;
            self.wake(backend, now);
        }
        Some(index)
    }

    /// Takes note that an attempt to connect failed.
    pub(super) fn connect_failed(&mut self, now: Time, token: ConnectToken) {
        let index = usize::try_from(token.0).expect("the token is the index of a lane");
        let lane = &mut self.lanes[index];
        let backend = &mut self.backends[lane.backend];
        backend.trying -= 1;
        lane.line = Line::Down { retry_at: now + backend.pause };
        backend.pause = (backend.pause * 2).min(BACKEND_RECONNECT_MAX);
    }

    /// Takes note that the connection of a lane is gone; whoever calls has closed it or was told so.
    pub(super) fn lost(&mut self, now: Time, index: usize, loss: Loss) {
        let lane = &mut self.lanes[index];
        let backend = &mut self.backends[lane.backend];
        let conn = match lane.line {
            Line::Idle(conn) => conn,
            Line::Busy(conn) => {
                backend.busy -= 1;
                if loss == Loss::Failure {
                    backend.limiter.failed();
                }
                conn
            }
            Line::Down { .. } | Line::Connecting { .. } | Line::Cancelling => return,
        };
        self.by_conn.remove(&conn);
        let pause = match loss {
            Loss::Orderly => Duration::ZERO,
            Loss::Failure => BACKEND_RECONNECT_MIN,
        };
        lane.line = Line::Down { retry_at: now + pause };
        backend.up -= 1;
        if backend.up == 0 {
            backend.down_since = now;
        }
    }

    /// Closes the connections that were idle for too long to carry a batch, so that they are made anew.
    pub(super) fn replace_stale<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        for index in 0..self.lanes.len() {
            let Lane { line, idle_since, .. } = self.lanes[index];
            if let Line::Idle(conn) = line
                && idle_since + BACKEND_IDLE_MAX <= now
            {
                commands.close(conn);
                self.lost(now, index, Loss::Orderly);
            }
        }
    }

    /// Starts the attempts to connect that are due, and gives up those that take too long.
    pub(super) fn turn<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let backend = &mut self.backends[lane.backend];
            let token = ConnectToken(index as u64);
            match lane.line {
                Line::Down { retry_at } if retry_at <= now && backend.may_try() => {
                    commands.connect(token, backend.target.address);
                    backend.trying += 1;
                    lane.line = Line::Connecting { give_up_at: now + BACKEND_CONNECT_TIMEOUT };
                }
                Line::Connecting { give_up_at } if give_up_at <= now => {
                    commands.cancel_connect(token);
                    lane.line = Line::Cancelling;
                }
                _ => {}
            }
        }
    }

    /// When [`Lanes::turn`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.lanes
            .iter()
            .filter_map(|lane| match lane.line {
                Line::Down { retry_at } => {
                    self.backends[lane.backend].may_try().then_some(retry_at)
                }
                Line::Connecting { give_up_at } => Some(give_up_at),
                Line::Cancelling | Line::Idle(_) | Line::Busy(_) => None,
            })
            .min()
    }

    /// A backend is back: its other lanes may connect at once.
    fn wake(&mut self, backend: usize, now: Time) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.backend == backend) {
            if let Line::Down { retry_at } = &mut lane.line {
                *retry_at = now;
            }
        }
    }
}

impl Backend {
    /// Whether a lane that is down may try to connect: one at a time while the backend is out of reach.
    fn may_try(&self) -> bool {
        self.up > 0 || self.trying == 0
    }
}
