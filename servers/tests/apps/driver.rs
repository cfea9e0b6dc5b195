//! A driver for one app in a test's own hands: virtual time, connections as byte queues.
//!
//! It keeps the contract of `ringyard_runtime::app` for one core, in the plainest way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ringyard_runtime::app::{
    App, Command, Commands, ConnError, ConnId, ConnectToken, CoreIndex, Event, Now, Origin, Time,
};

/// What the app did with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    Closed,
    Aborted,
}

/// A connection as its peer sees it.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) sent: Vec<u8>,
    pub(crate) fate: Fate,
    pub(crate) paused: bool,
}

/// One app and the world around it.
pub(crate) struct Driver<A: App> {
    pub(crate) app: A,
    pub(crate) now: Time,
    pub(crate) wires: BTreeMap<ConnId, Wire>,
    /// Attempts to connect that the test has not settled yet.
    pub(crate) connects: Vec<(ConnectToken, SocketAddr)>,
    pub(crate) mail: Vec<(CoreIndex, A::Mail)>,
    pub(crate) finished: bool,
    commands: Commands<A::Mail>,
    next_slot: u32,
}

impl<A: App> Driver<A> {
    pub(crate) fn new(app: A) -> Self {
        let mut driver = Self {
            app,
            now: Time::ZERO + Duration::from_secs(1),
            wires: BTreeMap::new(),
            connects: Vec::new(),
            mail: Vec::new(),
            finished: false,
            commands: Commands::default(),
            next_slot: 0,
        };
        driver.end_turn();
        driver
    }

    /// Delivers one event, and ends the turn.
    pub(crate) fn event(&mut self, event: Event<'_, A::Mail>) {
        self.deliver(event);
        self.end_turn();
    }

    /// Delivers one event of a turn that goes on.
    pub(crate) fn deliver(&mut self, event: Event<'_, A::Mail>) {
        let now = Now {
            time: self.now,
            unix_seconds: 1_700_000_000 + self.now.nanoseconds() / 1_000_000_000,
        };
        self.app.on_event(now, event, &mut self.commands);
        let Self { commands, wires, connects, mail, finished, .. } = self;
        commands.take(|command, bytes| match command {
            Command::Send { conn, range } => {
                if let Some(wire) = wires.get_mut(&conn).filter(|wire| wire.fate == Fate::Open) {
                    wire.sent.extend_from_slice(&bytes[range]);
                }
            }
            Command::Close { conn } => set_fate(wires, conn, Fate::Closed),
            Command::Abort { conn } => set_fate(wires, conn, Fate::Aborted),
            Command::Pause { conn } => set_paused(wires, conn, true),
            Command::Resume { conn } => set_paused(wires, conn, false),
            Command::Finish { .. } => {}
            Command::Connect { token, address } => connects.push((token, address)),
            Command::CancelConnect { token } => connects.retain(|(other, _)| *other != token),
            Command::Mail { to, message } => mail.push((to, message)),
            Command::Finished => *finished = true,
        });
    }

    fn end_turn(&mut self) {
        if self.commands.take_due_deadline(self.now).is_some() {
            self.deliver(Event::Deadline);
        }
    }

    /// Lets time pass, with the deadlines that come up.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(deadline) = self.commands.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.end_turn();
        }
        self.now = end;
    }

    fn open(&mut self, origin: Origin) -> ConnId {
        let conn = ConnId { slot: self.next_slot, generation: 0 };
        self.next_slot += 1;
        self.wires.insert(conn, Wire { sent: Vec::new(), fate: Fate::Open, paused: false });
        self.event(Event::Opened { conn, origin });
        conn
    }

    /// A client connects.
    pub(crate) fn accept(&mut self) -> ConnId {
        self.open(Origin::Accepted { listener: 0 })
    }

    /// The first attempt to connect that is open succeeds.
    pub(crate) fn connect(&mut self) -> ConnId {
        let (token, _) = self.connects.remove(0);
        self.open(Origin::Connected { token })
    }

    /// The first attempt to connect that is open fails.
    pub(crate) fn refuse(&mut self) {
        let (token, _) = self.connects.remove(0);
        self.event(Event::ConnectFailed { token, error: ConnError::Refused });
    }

    /// The peer of `conn` sends.
    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        if !bytes.is_empty() && self.wires[&conn].fate == Fate::Open {
            self.event(Event::Received { conn, bytes });
        }
    }

    /// What the app has sent on `conn` since the last call, as text.
    pub(crate) fn take_sent(&mut self, conn: ConnId) -> String {
        let wire = self.wires.get_mut(&conn).expect("the connection was opened");
        String::from_utf8(std::mem::take(&mut wire.sent)).expect("what we send is text")
    }

    /// The peer of `conn` resets it, if it is still there, and the driver forgets it.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        if self.fate(conn) == Fate::Open {
            self.event(Event::Failed { conn, error: ConnError::Reset });
        }
        self.wires.remove(&conn);
    }

    pub(crate) fn fate(&self, conn: ConnId) -> Fate {
        self.wires[&conn].fate
    }
}

fn set_fate(wires: &mut BTreeMap<ConnId, Wire>, conn: ConnId, fate: Fate) {
    if let Some(wire) = wires.get_mut(&conn).filter(|wire| wire.fate == Fate::Open) {
        wire.fate = fate;
    }
}

fn set_paused(wires: &mut BTreeMap<ConnId, Wire>, conn: ConnId, paused: bool) {
    if let Some(wire) = wires.get_mut(&conn) {
        wire.paused = paused;
    }
}

/// `POST path` with a JSON body.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The answers in `text`, each as (status, head, body).
pub(crate) fn answers(text: &str) -> Vec<(u16, String, String)> {
    let mut rest = text;
    let mut list = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_once("\r\n\r\n").expect("a whole head");
        let status = head[9..12].parse().expect("a status");
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned)
            })
            .map_or(0, |length| length.parse().expect("a length"));
        list.push((status, head.to_owned(), after[..length].to_owned()));
        rest = &after[length..];
    }
    list
}
