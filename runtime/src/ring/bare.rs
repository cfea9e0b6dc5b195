//! The least that answers requests over io_uring: what everything else in this engine is measured against.
//!
//! It asks the kernel for the same things as the engine does (one ring, multishot operations, provided buffers,
//! quiet sends) and does nothing else: no app, no protocol, no timers, no limits, no mail, no end. Whatever came in
//! is taken for requests of one length, and each gets the same answer. Not a server to use.

#![expect(unsafe_code, reason = "submits operations that read our memory")]

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use io_uring::types::Fd;
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::COMPLETIONS_PER_SUBMISSION;
use super::buffers::{Buffers, GROUP};
use crate::limits::EngineLimits;
use crate::listener::{ListenError, Listeners};
use crate::socket::SocketOptions;

/// Answers that one send can hold; a burst of more takes several.
const ANSWERS_PER_SEND: usize = 64;

/// What a completion belongs to, in the upper half of its word; a descriptor is in the lower.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1 << 32;
const SEND: u64 = 2 << 32;

/// Why a bare loop does not answer.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    /// An address on which it cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The kernel refuses a ring or an operation.
    #[error("the kernel refuses a bare loop what it needs: {0}; `ringyard doctor` says more")]
    Os(#[from] io::Error),
}

/// Answers every `request_bytes` bytes of a connection to `address` with `answer`, on this thread, until the process
/// ends. Tells `serving` where it listens.
///
/// # Errors
///
/// [`BareError`]: it cannot listen, or the kernel refuses a ring or an operation.
///
/// # Panics
///
/// If a request or its answer has no bytes.
pub fn serve(
    address: SocketAddr,
    request_bytes: usize,
    answer: &[u8],
    serving: impl FnOnce(SocketAddr),
) -> Result<Infallible, BareError> {
    assert!(request_bytes > 0 && !answer.is_empty(), "requests and answers have bytes");
    let listeners = Listeners::bind(&[address], 1, &SocketOptions::default())?;
    let listener = listeners.by_core[0][0].as_raw_fd();
    let limits = EngineLimits::default();
    let ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_cqsize(limits.ring_entries * COMPLETIONS_PER_SUBMISSION)
        .build(limits.ring_entries)?;
    let mut buffers = Buffers::new(&ring, limits.receive_buffers, limits.receive_buffer_bytes)?;
    buffers.lend();
    let mut bare = Bare {
        ring,
        buffers,
        request_bytes,
        answer_bytes: answer.len(),
        answers: answer.repeat(ANSWERS_PER_SEND).leak(),
        connections: Vec::new(),
    };
    bare.accept(listener)?;
    serving(listeners.addresses[0]);
    loop {
        bare.buffers.publish();
        match bare.ring.submit_and_wait(1) {
            Err(error) if !matches!(error.raw_os_error(), Some(libc::EINTR | libc::EBUSY)) => {
                return Err(error.into());
            }
            _ => bare.take_completions(listener)?,
        }
    }
}

struct Bare {
    ring: IoUring,
    buffers: Buffers,
    request_bytes: usize,
    answer_bytes: usize,
    /// Answers one after the other. Never freed, so any send may point to them.
    answers: &'static [u8],
    /// By descriptor: the connection, and the bytes that have come of a request that is not whole.
    connections: Vec<Option<(OwnedFd, usize)>>,
}

impl Bare {
    fn take_completions(&mut self, listener: RawFd) -> io::Result<()> {
        while let Some(entry) = self.next_completion() {
            let word = entry.user_data();
            let descriptor = RawFd::try_from(word & u64::from(u32::MAX))
                .expect("the kernel returns our own words");
            match word & !u64::from(u32::MAX) {
                ACCEPT => {
                    if entry.result() >= 0 {
                        self.open(entry.result())?;
                    }
                    if !cqueue::more(entry.flags()) {
                        self.accept(listener)?;
                    }
                }
                RECEIVE => self.received(descriptor, &entry)?,
                // A send that failed belongs to a peer that has left, which its receive says too.
                _ => {}
            }
        }
        Ok(())
    }

    fn next_completion(&mut self) -> Option<cqueue::Entry> {
        self.ring.completion().next()
    }

    fn open(&mut self, descriptor: RawFd) -> io::Result<()> {
        // SAFETY: an accept has just delivered the descriptor, and nobody else knows of it.
        let socket = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let place = usize::try_from(descriptor).expect("descriptors are not negative");
        if self.connections.len() <= place {
            self.connections.resize_with(place + 1, || None);
        }
        self.connections[place] = Some((socket, 0));
        self.receive(descriptor)
    }

    fn received(&mut self, descriptor: RawFd, entry: &cqueue::Entry) -> io::Result<()> {
        let length = u32::try_from(entry.result()).unwrap_or(0);
        let place = usize::try_from(descriptor).expect("descriptors are not negative");
        if let Some(lease) = self.buffers.lease(entry.flags(), length) {
            let come = self.buffers.bytes(&lease).len();
            self.buffers.give_back(lease);
            let (_, partial) = self.connections[place].as_mut().expect("it is open until its end");
            *partial += come;
            let requests = *partial / self.request_bytes;
            *partial %= self.request_bytes;
            self.answer(descriptor, requests)?;
        }
        if cqueue::more(entry.flags()) {
            return Ok(());
        }
        if entry.result() > 0 || entry.result() == -libc::ENOBUFS {
            return self.receive(descriptor);
        }
        self.connections[place] = None;
        Ok(())
    }

    fn answer(&mut self, descriptor: RawFd, mut requests: usize) -> io::Result<()> {
        while requests > 0 {
            let count = requests.min(ANSWERS_PER_SEND);
            requests -= count;
            let bytes = &self.answers[..count * self.answer_bytes];
            let length = u32::try_from(bytes.len()).expect("few answers are short");
            let entry = opcode::Send::new(Fd(descriptor), bytes.as_ptr(), length)
                .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | libc::MSG_WAITALL)
                .build()
                .flags(squeue::Flags::SKIP_SUCCESS);
            self.push(entry, SEND, descriptor)?;
        }
        Ok(())
    }

    fn accept(&mut self, listener: RawFd) -> io::Result<()> {
        self.push(opcode::AcceptMulti::new(Fd(listener)).build(), ACCEPT, listener)
    }

    fn receive(&mut self, descriptor: RawFd) -> io::Result<()> {
        self.push(opcode::RecvMulti::new(Fd(descriptor), GROUP).build(), RECEIVE, descriptor)
    }

    fn push(&mut self, entry: squeue::Entry, kind: u64, descriptor: RawFd) -> io::Result<()> {
        let descriptor = u32::try_from(descriptor).expect("descriptors are not negative");
        let entry = entry.user_data(kind | u64::from(descriptor));
        // SAFETY: an entry names no memory but the group of buffers, which is never freed while it is lent, and the
        // answers, which are never freed at all.
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.ring.submit()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn every_request_is_answered_however_it_comes() {
        let (serving, told) = mpsc::channel();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        thread::spawn(move || serve(address, 5, b"yes", |at| serving.send(at).unwrap()));
        let address = told.recv().unwrap();
        for _ in 0..3 {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"ab").unwrap();
            client.write_all(b"cde").unwrap();
            client.write_all(&b"fghij".repeat(1_000)).unwrap();
            let mut answers = vec![0; 3 * 1_001];
            client.read_exact(&mut answers).unwrap();
            assert_eq!(answers, b"yes".repeat(1_001));
        }
    }
}
