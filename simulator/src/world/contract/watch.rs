//! What can be known of a driver and an app by listening to both.
//!
//! [`Watch`] keeps the least state that tells right from wrong. It cannot see a turn of the driver's loop,
//! so what the contract says of turns is checked as far as time tells them apart.

use ringyard_runtime::app::{
    Command, Commands, ConnError, ConnId, ConnectToken, CoreIndex, Event, Now, Origin,
    SEND_QUEUE_HIGH_BYTES, SEND_QUEUE_LOW_BYTES, Time,
};

use super::super::limits::{CONGESTED_EXCESS_BYTES_MAX, PAUSED_BYTES_MAX, SPINS_MAX};
use super::Violation;

/// An open connection, as far as the contract is concerned.
#[derive(Clone, Copy, Debug)]
struct Conn {
    id: ConnId,
    peer_closed: bool,
    finished: bool,
    /// Bytes handed over since the app paused, if it has.
    paused: Option<usize>,
    /// Bytes sent since the app heard Congested, if it has.
    congested: Option<usize>,
    /// The most that can be queued: what was sent, but for what must have gone out when it drained.
    queued_max: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    held: u32,
    conn: Option<Conn>,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    token: ConnectToken,
    cancelled: bool,
}

/// Mail of one turn that may still be returned.
#[derive(Debug, Default)]
struct Posted {
    time: Time,
    /// By addressee.
    counts: Vec<u32>,
}

/// Listens to a driver and an app and knows what each may say next.
#[derive(Debug)]
pub struct Watch {
    core: CoreIndex,
    cores: u16,
    time: Time,
    slots: Vec<Slot>,
    open: usize,
    attempts: Vec<Attempt>,
    deadline: Option<Time>,
    /// Deadlines in a row, without any other event, each of which left one that is due at once.
    spins: u32,
    /// Whether the event at hand is a deadline.
    at_deadline: bool,
    posted: Posted,
    draining: bool,
    finished: bool,
}

impl Watch {
    /// Watches core `core` of `cores` from its beginning.
    #[must_use]
    pub fn new(core: CoreIndex, cores: u16) -> Self {
        Self {
            core,
            cores,
            time: Time::ZERO,
            slots: Vec::new(),
            open: 0,
            attempts: Vec::new(),
            deadline: Some(Time::ZERO),
            spins: 0,
            at_deadline: false,
            posted: Posted { time: Time::ZERO, counts: vec![0; usize::from(cores)] },
            draining: false,
            finished: false,
        }
    }

    /// Connections that the app has open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.open
    }

    /// Attempts to connect that are not settled.
    #[must_use]
    pub fn pending_attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Whether the app has said that it has finished.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// The driver hands the app `event`, and `commands` to fill.
    ///
    /// # Errors
    ///
    /// Where the contract forbids it.
    pub fn event<M>(
        &mut self,
        now: Now,
        event: &Event<'_, M>,
        commands: &Commands<M>,
    ) -> Result<(), Violation> {
        if now.time < self.time {
            return Err(Violation::TimeWentBack { before: self.time, now: now.time });
        }
        self.time = now.time;
        if !commands.is_empty() {
            return Err(Violation::CommandsNotCarriedOut);
        }
        self.at_deadline = matches!(event, Event::Deadline);
        if !self.at_deadline {
            self.expect_deadline(commands.deadline(), self.deadline)?;
        }
        match *event {
            Event::Opened { conn, origin } => self.opened(conn, origin),
            Event::Received { conn, bytes } => self.received(conn, bytes.len()),
            Event::PeerClosed { conn } => {
                let state = self.conn(conn)?;
                if std::mem::replace(&mut state.peer_closed, true) {
                    return Err(Violation::AfterPeerClosed { conn });
                }
                Ok(())
            }
            Event::Congested { conn } => {
                let state = self.conn(conn)?;
                if state.congested.is_some() || state.queued_max <= SEND_QUEUE_HIGH_BYTES {
                    return Err(Violation::UnfoundedCongested { conn });
                }
                state.congested = Some(0);
                Ok(())
            }
            Event::Drained { conn } => {
                let state = self.conn(conn)?;
                state.queued_max = SEND_QUEUE_LOW_BYTES;
                state.congested.take().map(drop).ok_or(Violation::UnfoundedDrained { conn })
            }
            Event::Failed { conn, .. } => {
                self.conn(conn)?;
                self.gone(conn);
                Ok(())
            }
            Event::ConnectFailed { token, error } => self.attempt_over(token, Some(error)),
            Event::Deadline => self.deadline_fired(commands.deadline()),
            Event::Mail { from, .. } => match self.is_other_core(from) {
                true => Ok(()),
                false => Err(Violation::StrangeSender { from }),
            },
            Event::MailReturned { to, .. } => self.mail_returned(to),
            Event::Drain => match std::mem::replace(&mut self.draining, true) {
                true => Err(Violation::DrainedTwice),
                false => Ok(()),
            },
        }
    }

    /// The app asks for `command`.
    ///
    /// # Errors
    ///
    /// Where the contract forbids it.
    pub fn command<M>(&mut self, command: &Command<M>) -> Result<(), Violation> {
        match *command {
            Command::Send { conn, ref range } => self.send(conn, range.len()),
            Command::Finish { conn } => {
                if let Some(state) = self.named(conn)? {
                    state.finished = true;
                }
                Ok(())
            }
            Command::Close { conn } | Command::Abort { conn } => {
                if self.named(conn)?.is_some() {
                    self.gone(conn);
                }
                Ok(())
            }
            Command::Pause { conn } => {
                if let Some(state) = self.named(conn)? {
                    state.paused.get_or_insert(0);
                }
                Ok(())
            }
            Command::Resume { conn } => {
                if let Some(state) = self.named(conn)? {
                    state.paused = None;
                }
                Ok(())
            }
            Command::Connect { token, .. } => {
                if self.attempts.iter().any(|attempt| attempt.token == token) {
                    return Err(Violation::TokenInUse { token });
                }
                self.attempts.push(Attempt { token, cancelled: false });
                Ok(())
            }
            Command::CancelConnect { token } => {
                let found = self.attempts.iter_mut().find(|attempt| attempt.token == token);
                if let Some(attempt) = found {
                    attempt.cancelled = true;
                }
                Ok(())
            }
            Command::Mail { to, .. } => self.mail(to),
            Command::Finished if !self.draining => Err(Violation::FinishedUnasked),
            Command::Finished => match std::mem::replace(&mut self.finished, true) {
                true => Err(Violation::FinishedTwice),
                false => Ok(()),
            },
        }
    }

    /// The app leaves `deadline` behind.
    ///
    /// # Errors
    ///
    /// Where it spins.
    pub fn deadline_left(&mut self, deadline: Option<Time>) -> Result<(), Violation> {
        self.deadline = deadline;
        let due_at_once = deadline.is_some_and(|deadline| deadline <= self.time);
        self.spins = if self.at_deadline && due_at_once { self.spins + 1 } else { 0 };
        if self.spins > SPINS_MAX {
            return Err(Violation::Spinning { count: self.spins });
        }
        Ok(())
    }

    fn expect_deadline(&self, found: Option<Time>, left: Option<Time>) -> Result<(), Violation> {
        if found != left {
            return Err(Violation::DeadlineChanged { left, found });
        }
        Ok(())
    }

    fn deadline_fired(&mut self, found: Option<Time>) -> Result<(), Violation> {
        self.expect_deadline(found, None)?;
        match self.deadline.take() {
            Some(deadline) if deadline <= self.time => Ok(()),
            deadline => Err(Violation::DeadlineNotDue { now: self.time, deadline }),
        }
    }

    fn opened(&mut self, id: ConnId, origin: Origin) -> Result<(), Violation> {
        let slot_index = id.slot as usize;
        if slot_index >= self.slots.len() {
            self.slots.resize(slot_index + 1, Slot::default());
        }
        let slot = &mut self.slots[slot_index];
        if slot.conn.is_some() {
            return Err(Violation::SlotHeld { conn: id });
        }
        if slot.held != id.generation {
            return Err(Violation::NameReused { conn: id, held: slot.held });
        }
        slot.held += 1;
        slot.conn = Some(Conn {
            id,
            peer_closed: false,
            finished: false,
            paused: None,
            congested: None,
            queued_max: 0,
        });
        self.open += 1;
        match origin {
            Origin::Accepted { .. } if self.draining => {
                Err(Violation::AcceptedAfterDrain { conn: id })
            }
            Origin::Accepted { .. } => Ok(()),
            Origin::Connected { token } => self.attempt_over(token, None),
        }
    }

    fn received(&mut self, id: ConnId, bytes: usize) -> Result<(), Violation> {
        let state = self.conn(id)?;
        if bytes == 0 {
            return Err(Violation::NothingReceived { conn: id });
        }
        if state.peer_closed {
            return Err(Violation::AfterPeerClosed { conn: id });
        }
        if let Some(since_pause) = &mut state.paused {
            *since_pause += bytes;
            if *since_pause > PAUSED_BYTES_MAX {
                return Err(Violation::ReceivedWhilePaused { conn: id, bytes: *since_pause });
            }
        }
        Ok(())
    }

    fn send(&mut self, id: ConnId, bytes: usize) -> Result<(), Violation> {
        let Some(state) = self.named(id)? else { return Ok(()) };
        if state.finished {
            return Err(Violation::SendAfterFinish { conn: id });
        }
        state.queued_max += bytes;
        if let Some(since_congested) = &mut state.congested {
            *since_congested += bytes;
            if *since_congested > CONGESTED_EXCESS_BYTES_MAX {
                return Err(Violation::SendWhileCongested { conn: id, bytes: *since_congested });
            }
        }
        Ok(())
    }

    fn attempt_over(
        &mut self,
        token: ConnectToken,
        error: Option<ConnError>,
    ) -> Result<(), Violation> {
        let index = self
            .attempts
            .iter()
            .position(|attempt| attempt.token == token)
            .ok_or(Violation::NoSuchAttempt { token })?;
        let attempt = self.attempts.swap_remove(index);
        if error == Some(ConnError::Cancelled) && !attempt.cancelled {
            return Err(Violation::CancelledUnasked { token });
        }
        Ok(())
    }

    fn mail(&mut self, to: CoreIndex) -> Result<(), Violation> {
        if !self.is_other_core(to) {
            return Err(Violation::StrangeAddressee { to });
        }
        if self.posted.time != self.time {
            self.posted.time = self.time;
            self.posted.counts.fill(0);
        }
        self.posted.counts[usize::from(to.0)] += 1;
        Ok(())
    }

    fn mail_returned(&mut self, to: CoreIndex) -> Result<(), Violation> {
        let count = self.posted.counts.get_mut(usize::from(to.0));
        match count {
            Some(count) if *count > 0 && self.posted.time == self.time => {
                *count -= 1;
                Ok(())
            }
            _ => Err(Violation::ReturnedUnsent { to }),
        }
    }

    fn is_other_core(&self, core: CoreIndex) -> bool {
        core != self.core && core.0 < self.cores
    }

    /// The connection that the driver speaks of.
    fn conn(&mut self, conn: ConnId) -> Result<&mut Conn, Violation> {
        let slot = self.slots.get_mut(conn.slot as usize);
        slot.and_then(|slot| slot.conn.as_mut())
            .filter(|state| state.id == conn)
            .ok_or(Violation::NotOpen { conn })
    }

    /// The connection that the app speaks of, unless it is gone.
    fn named(&mut self, conn: ConnId) -> Result<Option<&mut Conn>, Violation> {
        match self.slots.get_mut(conn.slot as usize) {
            Some(slot) if conn.generation < slot.held => {
                Ok(slot.conn.as_mut().filter(|state| state.id == conn))
            }
            _ => Err(Violation::NeverOpened { conn }),
        }
    }

    fn gone(&mut self, conn: ConnId) {
        self.slots[conn.slot as usize].conn = None;
        self.open -= 1;
    }
}

/// Puts `command` among `commands`, whole.
pub(super) fn pass_on<M>(command: Command<M>, bytes: &[u8], commands: &mut Commands<M>) {
    match command {
        Command::Send { conn, range } => commands.send(conn, &bytes[range]),
        Command::Finish { conn } => commands.finish(conn),
        Command::Close { conn } => commands.close(conn),
        Command::Abort { conn } => commands.abort(conn),
        Command::Pause { conn } => commands.pause(conn),
        Command::Resume { conn } => commands.resume(conn),
        Command::Connect { token, address } => commands.connect(token, address),
        Command::CancelConnect { token } => commands.cancel_connect(token),
        Command::Mail { to, message } => commands.mail(to, message),
        Command::Finished => commands.finished(),
    }
}
