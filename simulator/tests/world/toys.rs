//! Apps that exist to try the world out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ringyard_runtime::app::{App, Commands, ConnError, ConnId, ConnectToken, Event, Now, Time};
use ringyard_simulator::world::{Chance, Random};

/// What a toy does with an event.
pub(crate) type React<S, M> = fn(&mut S, Now, Event<'_, M>, &mut Commands<M>);

/// An app made of a state and a function, for tests that need a few lines of behaviour.
pub(crate) struct Toy<S, M = ()> {
    pub(crate) state: S,
    react: React<S, M>,
}

impl<S, M> Toy<S, M> {
    pub(crate) fn new(state: S, react: React<S, M>) -> Self {
        Self { state, react }
    }
}

impl<S, M: Send + 'static> App for Toy<S, M> {
    type Mail = M;

    fn on_event(&mut self, now: Now, event: Event<'_, M>, commands: &mut Commands<M>) {
        (self.react)(&mut self.state, now, event, commands);
    }
}

/// Sends back what it receives, holds back when its peer does not read, and closes when its peer does. Peers
/// that were silent for [`Echo::PATIENCE`] are dropped.
#[derive(Default)]
pub(crate) struct Echo {
    last_heard: BTreeMap<ConnId, Time>,
    pub(crate) congested: u32,
    draining: bool,
    finished: bool,
}

impl Echo {
    pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

    fn look_after(&mut self, now: Now, commands: &mut Commands<()>) {
        self.last_heard.retain(|&conn, &mut last| {
            let patient = last + Self::PATIENCE > now.time;
            if !patient {
                commands.abort(conn);
            }
            patient
        });
        let next = self.last_heard.values().min().map(|&last| last + Self::PATIENCE);
        commands.set_deadline(next);
        if self.draining && self.last_heard.is_empty() && !self.finished {
            self.finished = true;
            commands.finished();
        }
    }
}

impl App for Echo {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        match event {
            Event::Opened { conn, .. } => {
                self.last_heard.insert(conn, now.time);
            }
            Event::Received { conn, bytes } => {
                self.last_heard.insert(conn, now.time);
                commands.send(conn, bytes);
            }
            Event::Congested { conn } => {
                self.congested += 1;
                commands.pause(conn);
            }
            Event::Drained { conn } => {
                self.last_heard.insert(conn, now.time);
                commands.resume(conn);
            }
            Event::PeerClosed { conn } => {
                commands.close(conn);
                self.last_heard.remove(&conn);
            }
            Event::Failed { conn, .. } => {
                self.last_heard.remove(&conn);
            }
            Event::Drain => self.draining = true,
            _ => {}
        }
        self.look_after(now, commands);
    }
}

/// The byte at `position` of stream number `stream`: any byte lost, doubled or out of its place shows.
fn byte_at(stream: u64, position: u64) -> u8 {
    let mixed = (position ^ stream << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    u8::try_from(mixed >> 56).expect("eight bits")
}

struct Session {
    conn: ConnId,
    length: u64,
    sent: u64,
    received: u64,
    congested: bool,
    paused: bool,
    progress: Time,
}

/// What a [`Streamer`] does.
#[derive(Clone, Copy)]
pub(crate) struct StreamerPlan {
    pub(crate) sessions: u32,
    pub(crate) bytes_max: u64,
    /// That it breaks a session off at any of its timers.
    pub(crate) quits: Chance,
}

/// How a [`Streamer`]'s sessions ended.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Outcomes {
    /// Everything came back, then the end.
    pub(crate) whole: u32,
    /// The end came too early.
    pub(crate) cut_short: u32,
    pub(crate) failed: u32,
    pub(crate) not_connected: u32,
    pub(crate) timed_out: u32,
    pub(crate) quit: u32,
    pub(crate) congested: u32,
}

/// Sends streams of known bytes to an [`Echo`] in bursts, now and then without reading for a while, and
/// asserts that what comes back is what it sent.
pub(crate) struct Streamer {
    server: SocketAddr,
    plan: StreamerPlan,
    random: Random,
    started: u32,
    connecting: bool,
    session: Option<Session>,
    pub(crate) outcomes: Outcomes,
}

const TOKEN: ConnectToken = ConnectToken(7);

impl Streamer {
    const PATIENCE: Duration = Duration::from_secs(60);

    pub(crate) fn new(server: SocketAddr, plan: StreamerPlan, random: Random) -> Self {
        Self {
            server,
            plan,
            random,
            started: 0,
            connecting: false,
            session: None,
            outcomes: Outcomes::default(),
        }
    }

    pub(crate) fn done(&self) -> bool {
        self.started == self.plan.sessions && self.session.is_none() && !self.connecting
    }

    fn burst(&mut self, now: Now, commands: &mut Commands<()>) {
        let Some(session) = &mut self.session else { return };
        if self.random.happens(self.plan.quits) {
            match self.random.below(2) {
                0 => commands.close(session.conn),
                _ => commands.abort(session.conn),
            }
            self.outcomes.quit += 1;
            self.session = None;
            return;
        }
        if now.time.since(session.progress) > Self::PATIENCE {
            commands.abort(session.conn);
            self.outcomes.timed_out += 1;
            self.session = None;
            return;
        }
        if self.random.happens(Chance::percent(20)) {
            session.paused = !session.paused;
            match session.paused {
                true => commands.pause(session.conn),
                false => commands.resume(session.conn),
            }
        }
        if !session.congested && session.sent < session.length {
            let burst_max = [2_000, 50_000, 500_000][self.random.index(3)];
            let count = self.random.between(0..=burst_max).min(session.length - session.sent);
            let stream = u64::from(self.started);
            commands.send_with(session.conn, |buffer| {
                buffer.extend((0..count).map(|index| byte_at(stream, session.sent + index)));
            });
            session.sent += count;
            if session.sent == session.length {
                commands.finish(session.conn);
            }
        }
    }

    fn check(&mut self, bytes: &[u8]) {
        let session = self.session.as_mut().expect("bytes come in a session");
        for &byte in bytes {
            let expected = byte_at(u64::from(self.started), session.received);
            assert_eq!(byte, expected, "at byte {} of stream {}", session.received, self.started);
            session.received += 1;
        }
        assert!(session.received <= session.sent, "more came back than was sent");
    }

    fn end_session(&mut self) -> Session {
        self.session.take().expect("an event in a session")
    }
}

impl App for Streamer {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        match event {
            Event::Opened { conn, .. } => {
                self.connecting = false;
                self.session = Some(Session {
                    conn,
                    length: self.random.between(0..=self.plan.bytes_max),
                    sent: 0,
                    received: 0,
                    congested: false,
                    paused: false,
                    progress: now.time,
                });
            }
            Event::Received { bytes, .. } => {
                self.check(bytes);
                if let Some(session) = &mut self.session {
                    session.progress = now.time;
                }
            }
            Event::PeerClosed { conn } => {
                commands.close(conn);
                let session = self.end_session();
                let whole = session.sent == session.length && session.received == session.sent;
                self.outcomes.whole += u32::from(whole);
                self.outcomes.cut_short += u32::from(!whole);
            }
            Event::Failed { .. } => {
                self.end_session();
                self.outcomes.failed += 1;
            }
            Event::ConnectFailed { .. } => {
                self.connecting = false;
                self.outcomes.not_connected += 1;
            }
            Event::Congested { .. } | Event::Drained { .. } => {
                let congested = matches!(event, Event::Congested { .. });
                self.outcomes.congested += u32::from(congested);
                if let Some(session) = &mut self.session {
                    session.congested = congested;
                }
            }
            _ => self.burst(now, commands),
        }
        if self.session.is_none() && !self.connecting && self.started < self.plan.sessions {
            self.started += 1;
            self.connecting = true;
            commands.connect(TOKEN, self.server);
        }
        let waiting = self.session.is_some() || self.connecting;
        if !waiting {
            commands.set_deadline(None);
        } else if commands.deadline().is_none() {
            let pause = Duration::from_micros(self.random.between(10..=100_000));
            commands.set_deadline(Some(now.time + pause));
        }
    }
}

/// Something that a [`Probe`] does at its time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Do {
    Connect,
    Cancel,
    /// So many bytes on every connection.
    Send(usize),
    Finish,
    Close,
    Abort,
    Pause,
    Resume,
    Finished,
}

/// Something that a [`Probe`] heard. Bytes that follow one another count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Opened,
    Received(usize),
    PeerClosed,
    Congested,
    Drained,
    Failed(ConnError),
    ConnectFailed(ConnError),
    Drain,
}

/// Does what its script says, when it says so, and writes down what it hears.
pub(crate) struct Probe {
    server: Option<SocketAddr>,
    script: Vec<(Duration, Do)>,
    conns: Vec<ConnId>,
    pub(crate) heard: Vec<(Time, Heard)>,
}

impl Probe {
    /// `script` is in order of time, in milliseconds since the origin.
    pub(crate) fn new(server: Option<SocketAddr>, script: &[(u64, Do)]) -> Self {
        let script = script.iter().map(|&(ms, step)| (Duration::from_millis(ms), step));
        Self { server, script: script.collect(), conns: Vec::new(), heard: Vec::new() }
    }

    /// What was heard, without the times.
    pub(crate) fn list(&self) -> Vec<Heard> {
        self.heard.iter().map(|&(_, heard)| heard).collect()
    }

    fn write_down(&mut self, now: Now, heard: Heard) {
        match (heard, self.heard.last_mut()) {
            (Heard::Received(count), Some((_, Heard::Received(sum)))) => *sum += count,
            _ => self.heard.push((now.time, heard)),
        }
    }

    fn act(&mut self, step: Do, commands: &mut Commands<()>) {
        match step {
            Do::Connect => commands.connect(TOKEN, self.server.expect("whom to connect to")),
            Do::Cancel => commands.cancel_connect(TOKEN),
            Do::Finished => commands.finished(),
            _ => {}
        }
        for &conn in &self.conns {
            match step {
                Do::Send(count) => commands.send(conn, &vec![b'x'; count]),
                Do::Finish => commands.finish(conn),
                Do::Close => commands.close(conn),
                Do::Abort => commands.abort(conn),
                Do::Pause => commands.pause(conn),
                Do::Resume => commands.resume(conn),
                Do::Connect | Do::Cancel | Do::Finished => {}
            }
        }
        if matches!(step, Do::Close | Do::Abort) {
            self.conns.clear();
        }
    }
}

impl App for Probe {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        match event {
            Event::Opened { conn, .. } => {
                self.conns.push(conn);
                self.write_down(now, Heard::Opened);
            }
            Event::Received { bytes, .. } => self.write_down(now, Heard::Received(bytes.len())),
            Event::PeerClosed { .. } => self.write_down(now, Heard::PeerClosed),
            Event::Congested { .. } => self.write_down(now, Heard::Congested),
            Event::Drained { .. } => self.write_down(now, Heard::Drained),
            Event::Failed { conn, error } => {
                self.conns.retain(|&other| other != conn);
                self.write_down(now, Heard::Failed(error));
            }
            Event::ConnectFailed { error, .. } => {
                self.write_down(now, Heard::ConnectFailed(error));
            }
            Event::Drain => self.write_down(now, Heard::Drain),
            Event::Deadline | Event::Mail { .. } | Event::MailReturned { .. } => {}
        }
        let due = |&(at, _): &(Duration, Do)| Time::ZERO + at <= now.time;
        while let Some((_, step)) = self.script.first().copied().filter(due) {
            self.script.remove(0);
            self.act(step, commands);
        }
        commands.set_deadline(self.script.first().map(|&(at, _)| Time::ZERO + at));
    }
}
