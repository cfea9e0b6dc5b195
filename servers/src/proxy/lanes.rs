//! The connections to the backends: which are up, what has room, and when to try again.
//!
//! A *lane* is one place for one batch in flight. A *line* is a connection to one backend; it has one lane, or
//! several where batches may follow one another on it before the first is answered (pipelining). Answers come in
//! the order of the batches. On a new connection only one batch leaves until its answer has shown that more may
//! follow: whoever closes after each answer never sees a second one.
//!
//! Lines connect before they are needed and are kept open. While a backend cannot be reached only one of its
//! lines goes on trying, ever less often. What a batch is, and what becomes of its requests when a line fails, is
//! the dispatcher's.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use ringyard_protocol::http1::{ClientCodec, Method};
use ringyard_runtime::app::{Commands, ConnId, ConnectToken, Time};
use ringyard_scheduler::cost::Cost;

use super::concurrency::Limiter;
use super::config::{BackendTarget, ConcurrencyRule};
use crate::limits::{
    BACKEND_CONNECT_TIMEOUT, BACKEND_IDLE_MAX, BACKEND_RECONNECT_MAX, BACKEND_RECONNECT_MIN,
};

/// Where the connection of a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not connected; to be tried at this time.
    Down { retry_at: Time },
    /// Being connected; to be given up at this time.
    Connecting { give_up_at: Time },
    /// Given up; the driver has not said so yet.
    Cancelling,
    /// Connected.
    Up(ConnId),
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

/// One connection, or the place for one.
#[derive(Debug)]
struct Line {
    backend: usize,
    state: State,
    codec: ClientCodec,
    /// Lanes whose batches are in flight, in the order of their answers.
    carried: VecDeque<usize>,
    /// Lanes that carry nothing.
    free: Vec<usize>,
    /// Whether an answer has come after which the connection stayed open.
    is_proven: bool,
    /// Nobody awaits a batch that it carries. It takes no more before it has shown that it still answers.
    is_shunned: bool,
    /// Since when it has carried nothing, while it carries nothing.
    idle_since: Time,
}

/// One backend, over all its lines.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) target: BackendTarget,
    /// Its lines among all.
    lines: Range<usize>,
    /// The line where the search for one with room begins.
    turn: usize,
    /// Lines that are connected.
    pub(super) up: usize,
    /// Batches in flight.
    pub(super) busy: usize,
    /// How many may be.
    pub(super) limiter: Limiter,
    /// Lines that are trying to connect.
    trying: usize,
    /// Pause before the next attempt after a failed one.
    pause: Duration,
    /// Since when no line has been connected.
    down_since: Time,
}

/// All lines to all backends.
#[derive(Debug)]
pub(super) struct Lanes {
    lines: Vec<Line>,
    /// Lanes of each line; those of line `n` begin with lane `n * depth`.
    depth: usize,
    backends: Vec<Backend>,
    /// Connections and their lines, by slot.
    by_slot: Vec<Option<(ConnId, usize)>>,
}

impl Lanes {
    /// Lanes for `concurrency` batches to each of `targets`, up to `depth` of them on one connection. None is
    /// connected yet.
    pub(super) fn new(
        targets: &[BackendTarget],
        concurrency: u32,
        depth: u32,
        rule: ConcurrencyRule,
    ) -> Self {
        let depth = depth.clamp(1, concurrency.max(1));
        let count = concurrency.div_ceil(depth);
        let depth = depth as usize;
        let mut lines = Vec::new();
        let mut backends = Vec::new();
        for (backend, target) in targets.iter().enumerate() {
            let first = lines.len();
            backends.push(Backend {
                target: target.clone(),
                lines: first..first + count as usize,
                turn: first,
                up: 0,
                busy: 0,
                limiter: Limiter::new(rule, concurrency),
                trying: 0,
                pause: BACKEND_RECONNECT_MIN,
                down_since: Time::ZERO,
            });
            for _ in 0..count {
                let first = lines.len() * depth;
                lines.push(Line::new(backend, first..first + depth));
            }
        }
        Self { lines, depth, backends, by_slot: Vec::new() }
    }

    /// How many lanes there are; they are numbered from 0.
    pub(super) fn count(&self) -> usize {
        self.lines.len() * self.depth
    }

    /// The backend that a lane leads to.
    pub(super) fn backend_of(&self, lane: usize) -> usize {
        self.lines[lane / self.depth].backend
    }

    /// The line of a connection, if it has one.
    pub(super) fn of_conn(&self, conn: ConnId) -> Option<usize> {
        let (found, line) = (*self.by_slot.get(conn.slot as usize)?)?;
        (found == conn).then_some(line)
    }

    /// What reads the answers on a line.
    pub(super) fn codec_mut(&mut self, line: usize) -> &mut ClientCodec {
        &mut self.lines[line].codec
    }

    /// The line of a lane and its connection; `None` unless it is connected.
    pub(super) fn line_of(&self, lane: usize) -> Option<(usize, ConnId)> {
        let index = lane / self.depth;
        let State::Up(conn) = self.lines[index].state else { return None };
        Some((index, conn))
    }

    /// The lanes whose batches are in flight on a line, in the order of their answers.
    pub(super) fn carried(&self, line: usize) -> impl Iterator<Item = usize> {
        self.lines[line].carried.iter().copied()
    }

    pub(super) fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// Lines that are connected.
    pub(super) fn up(&self) -> usize {
        self.backends.iter().map(|backend| backend.up).sum()
    }

    /// Batches that may be in flight at once, over all backends that are connected.
    pub(super) fn usable(&self) -> usize {
        let usable = |backend: &Backend| (backend.up * self.depth).min(backend.limiter.allowed());
        self.backends.iter().map(usable).sum()
    }

    /// Takes note of what a batch on a lane, which is still busy, took beside what was predicted.
    pub(super) fn observe(&mut self, lane: usize, predicted: Cost, took: Duration) {
        let backend = self.backend_of(lane);
        let backend = &mut self.backends[backend];
        backend.limiter.observe(predicted, took, backend.busy);
    }

    /// Since when no backend could be reached; `None` while one can.
    pub(super) fn all_down_since(&self) -> Option<Time> {
        if self.up() > 0 {
            return None;
        }
        self.backends.iter().map(|backend| backend.down_since).max()
    }

    /// Whether each backend can take a batch: a connection of it has room, and it may have more in flight.
    pub(super) fn can_take(&self) -> impl Iterator<Item = bool> {
        self.backends.iter().map(|backend| {
            backend.busy < backend.limiter.allowed() && self.emptiest(backend).is_some()
        })
    }

    /// A free lane of a backend, on its connection with the fewest batches in flight; equals take turns.
    pub(super) fn find_idle(&self, backend: usize) -> Option<usize> {
        let line = self.emptiest(&self.backends[backend])?;
        self.lines[line].free.last().copied()
    }

    /// The line of a backend that carries least, of those with room.
    fn emptiest(&self, backend: &Backend) -> Option<usize> {
        let Range { start, end } = backend.lines;
        let mut best: Option<(usize, usize)> = None;
        for line in (backend.turn..end).chain(start..backend.turn) {
            let carried = self.lines[line].carried.len();
            if self.lines[line].has_room() && best.is_none_or(|(least, _)| carried < least) {
                best = Some((carried, line));
                if carried == 0 {
                    break;
                }
            }
        }
        best.map(|(_, line)| line)
    }

    /// Takes a batch on a lane that [`find_idle`](Self::find_idle) found; its connection and the target of its
    /// backend.
    ///
    /// # Panics
    ///
    /// If the lane is not free.
    pub(super) fn occupy(&mut self, lane: usize) -> (ConnId, &BackendTarget) {
        let index = lane / self.depth;
        let line = &mut self.lines[index];
        let State::Up(conn) = line.state else { panic!("only a line that is up takes a batch") };
        assert_eq!(line.free.pop(), Some(lane), "only a free lane takes a batch");
        line.carried.push_back(lane);
        line.codec.sent(Method::Post);
        let backend = &mut self.backends[line.backend];
        backend.turn = if index + 1 < backend.lines.end { index + 1 } else { backend.lines.start };
        backend.busy += 1;
        (conn, &backend.target)
    }

    /// Marks the lane whose batch was answered on its line free again.
    pub(super) fn release(&mut self, now: Time, lane: usize) {
        let line = &mut self.lines[lane / self.depth];
        assert_eq!(line.carried.pop_front(), Some(lane), "answers come in order");
        line.free.push(lane);
        line.is_shunned = false;
        line.idle_since = now;
        self.backends[line.backend].busy -= 1;
    }

    /// Takes note that a line stayed open after an answer: more batches may follow one another on it.
    pub(super) fn proven(&mut self, line: usize) {
        self.lines[line].is_proven = true;
    }

    /// Lets a line take no more batches until it answers one.
    pub(super) fn shun(&mut self, line: usize) {
        self.lines[line].is_shunned = true;
    }

    /// Takes note of a new connection. `None` where the line has no use for it any more.
    pub(super) fn opened<M>(
        &mut self,
        now: Time,
        token: ConnectToken,
        conn: ConnId,
        commands: &mut Commands<M>,
    ) -> Option<usize> {
        let index = usize::try_from(token.0).expect("the token is the index of a line");
        let line = &mut self.lines[index];
        let backend = &mut self.backends[line.backend];
        backend.trying -= 1;
        if line.state == State::Cancelling {
            commands.abort(conn);
            line.state = State::Down { retry_at: now + backend.pause };
            return None;
        }
        line.state = State::Up(conn);
        line.codec = ClientCodec::new();
        line.is_proven = false;
        line.idle_since = now;
        backend.up += 1;
        backend.pause = BACKEND_RECONNECT_MIN;
        let slot = conn.slot as usize;
        self.by_slot.resize(self.by_slot.len().max(slot + 1), None);
        self.by_slot[slot] = Some((conn, index));
        if backend.up == 1 {
            let backend = line.backend;
            self.wake(backend, now);
        }
        Some(index)
    }

    /// Takes note that an attempt to connect failed.
    pub(super) fn connect_failed(&mut self, now: Time, token: ConnectToken) {
        let index = usize::try_from(token.0).expect("the token is the index of a line");
        let line = &mut self.lines[index];
        let backend = &mut self.backends[line.backend];
        backend.trying -= 1;
        line.state = State::Down { retry_at: now + backend.pause };
        backend.pause = (backend.pause * 2).min(BACKEND_RECONNECT_MAX);
    }

    /// Takes note that the connection of a line is gone; whoever calls has closed it or was told so. The lanes
    /// whose batches were in flight on it are free again, and handed to `abandoned` in order.
    pub(super) fn lost(
        &mut self,
        now: Time,
        index: usize,
        loss: Loss,
        mut abandoned: impl FnMut(usize),
    ) {
        let line = &mut self.lines[index];
        let State::Up(conn) = line.state else { return };
        let backend = &mut self.backends[line.backend];
        backend.busy -= line.carried.len();
        if loss == Loss::Failure && !line.carried.is_empty() {
            backend.limiter.failed();
        }
        for lane in line.carried.drain(..) {
            line.free.push(lane);
            abandoned(lane);
        }
        line.is_shunned = false;
        self.by_slot[conn.slot as usize] = None;
        let pause = match loss {
            Loss::Orderly => Duration::ZERO,
            Loss::Failure => BACKEND_RECONNECT_MIN,
        };
        line.state = State::Down { retry_at: now + pause };
        backend.up -= 1;
        if backend.up == 0 {
            backend.down_since = now;
        }
    }

    /// Closes the connections that were idle for too long to carry a batch, so that they are made anew.
    pub(super) fn replace_stale<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        for index in 0..self.lines.len() {
            let Line { state, ref carried, idle_since, .. } = self.lines[index];
            if let State::Up(conn) = state
                && carried.is_empty()
                && idle_since + BACKEND_IDLE_MAX <= now
            {
                commands.close(conn);
                self.lost(now, index, Loss::Orderly, |_| {});
            }
        }
    }

    /// Starts the attempts to connect that are due, and gives up those that take too long.
    pub(super) fn turn<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        if self.are_all_up() {
            return;
        }
        for (index, line) in self.lines.iter_mut().enumerate() {
            let backend = &mut self.backends[line.backend];
            let token = ConnectToken(index as u64);
            match line.state {
                State::Down { retry_at } if retry_at <= now && backend.may_try() => {
                    commands.connect(token, backend.target.address);
                    backend.trying += 1;
                    line.state = State::Connecting { give_up_at: now + BACKEND_CONNECT_TIMEOUT };
                }
                State::Connecting { give_up_at } if give_up_at <= now => {
                    commands.cancel_connect(token);
                    line.state = State::Cancelling;
                }
                _ => {}
            }
        }
    }

    /// When [`Lanes::turn`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.are_all_up() {
            return None;
        }
        self.lines
            .iter()
            .filter_map(|line| match line.state {
                State::Down { retry_at } => {
                    self.backends[line.backend].may_try().then_some(retry_at)
                }
                State::Connecting { give_up_at } => Some(give_up_at),
                State::Cancelling | State::Up(_) => None,
            })
            .min()
    }

    fn are_all_up(&self) -> bool {
        self.backends.iter().all(|backend| backend.up == backend.lines.len())
    }

    /// A backend is back: its other lines may connect at once.
    fn wake(&mut self, backend: usize, now: Time) {
        for line in self.lines.iter_mut().filter(|line| line.backend == backend) {
            if let State::Down { retry_at } = &mut line.state {
                *retry_at = now;
            }
        }
    }
}

impl Line {
    fn new(backend: usize, lanes: Range<usize>) -> Self {
        Self {
            backend,
            state: State::Down { retry_at: Time::ZERO },
            codec: ClientCodec::new(),
            carried: VecDeque::with_capacity(lanes.len()),
            free: lanes.rev().collect(),
            is_proven: false,
            is_shunned: false,
            idle_since: Time::ZERO,
        }
    }

    /// Whether it takes one more batch.
    fn has_room(&self) -> bool {
        matches!(self.state, State::Up(_))
            && !self.is_shunned
            && !self.free.is_empty()
            && (self.is_proven || self.carried.is_empty())
    }
}

impl Backend {
    /// Whether a line that is down may try to connect: one at a time while the backend is out of reach.
    fn may_try(&self) -> bool {
        self.up > 0 || self.trying == 0
    }
}
