//! A server that does nothing: it counts bytes and answers each request with the same answer.
//!
//! What the generator gets from it is the most that it can get from any server on this machine.

use ringyard_runtime::app::{App, Commands, ConnId, Event, Now};

/// The server.
#[derive(Debug)]
pub struct NullServer {
    request_bytes: u64,
    answer: Vec<u8>,
    /// Bytes of a request that is not whole yet, by connection slot.
    come: Vec<u64>,
}

impl NullServer {
    /// A server that takes every `request_bytes` bytes for a request and answers it with `answer`.
    ///
    /// # Panics
    ///
    /// If a request has no bytes.
    #[must_use]
    pub fn new(request_bytes: u64, answer: Vec<u8>) -> Self {
        assert!(request_bytes > 0, "a request has bytes");
        Self { request_bytes, answer, come: Vec::new() }
    }

    fn come(&mut self, conn: ConnId) -> &mut u64 {
        let slot = conn.slot as usize;
        if self.come.len() <= slot {
            self.come.resize(slot + 1, 0);
        }
        &mut self.come[slot]
    }
}

impl App for NullServer {
    type Mail = ();

    fn on_event(&mut self, _now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        match event {
            Event::Opened { conn, .. } => *self.come(conn) = 0,
            Event::Received { conn, bytes } => {
                let request_bytes = self.request_bytes;
                let come = self.come(conn);
                *come += bytes.len() as u64;
                let requests = *come / request_bytes;
                *come %= request_bytes;
                commands.send_with(conn, |out| {
                    (0..requests).for_each(|_| out.extend_from_slice(&self.answer));
                });
            }
            Event::PeerClosed { conn } => commands.close(conn),
            Event::Drain => commands.finished(),
            _ => {}
        }
    }
}
