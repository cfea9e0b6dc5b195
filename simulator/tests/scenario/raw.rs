//! A peer that follows a script to the byte, for what no well-behaved client does.

use std::net::SocketAddr;
use std::time::Duration;

use ringyard_runtime::app::{App, Commands, ConnId, ConnectToken, Event, Now, Time};

/// Something that a [`Raw`] peer does at its time.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    Send(Vec<u8>),
    Pause,
    Resume,
}

/// How its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Reset,
}

/// Connects at once, follows its script, and keeps what it receives.
pub(crate) struct Raw {
    server: SocketAddr,
    script: Vec<(Time, Do)>,
    conn: Option<ConnId>,
    pub(crate) received: Vec<u8>,
    /// How the other side ended the connection, and when.
    pub(crate) end: Option<(Time, End)>,
}

impl Raw {
    /// The script is in order of time, in milliseconds.
    pub(crate) fn new(server: SocketAddr, script: &[(u64, Do)]) -> Self {
        let script = script
            .iter()
            .map(|(ms, step)| (Time::ZERO + Duration::from_millis(*ms), step.clone()))
            .collect();
        Self { server, script, conn: None, received: Vec::new(), end: None }
    }

    /// What was received, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.received.clone()).expect("servers send text")
    }
}

impl App for Raw {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        match event {
            Event::Opened { conn, .. } => self.conn = Some(conn),
            Event::Received { bytes, .. } => self.received.extend_from_slice(bytes),
            Event::PeerClosed { conn } => {
                commands.close(conn);
                self.conn = None;
                self.end = Some((now.time, End::Closed));
            }
            Event::Failed { .. } => {
                self.conn = None;
                self.end = Some((now.time, End::Reset));
            }
            Event::Deadline if now.time == Time::ZERO => {
                commands.connect(ConnectToken(0), self.server);
            }
            _ => {}
        }
        while let Some((time, _)) = self.script.first()
            && *time <= now.time
        {
            let (_, step) = self.script.remove(0);
            let Some(conn) = self.conn else { continue };
            match step {
                Do::Send(bytes) => commands.send(conn, &bytes),
                Do::Pause => commands.pause(conn),
                Do::Resume => commands.resume(conn),
            }
        }
        commands.set_deadline(self.script.first().map(|&(time, _)| time));
    }
}
