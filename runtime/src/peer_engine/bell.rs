//! Brings a core's bell to an executor that watches sockets and nothing else.
//!
//! A thread hears the bell and writes a byte to a pair of sockets, whose other end the executor reads. That is
//! a hop more than the other engines need, on the way of mail to a core that sleeps and on no other.

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::app::CoreIndex;
use crate::control::Control;

/// The wire of one core. Its thread ends with it.
#[derive(Debug)]
pub(super) struct BellWire {
    outlet: UnixStream,
    control: Arc<Control>,
    core: CoreIndex,
    is_cut: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BellWire {
    pub(super) fn new(control: Arc<Control>, core: CoreIndex) -> io::Result<Self> {
        let (outlet, inlet) = UnixStream::pair()?;
        inlet.set_nonblocking(true)?;
        let is_cut = Arc::new(AtomicBool::new(false));
        let (heard, cut) = (Arc::clone(&control), Arc::clone(&is_cut));
        let thread = thread::Builder::new().name("ringyard-bell".to_owned()).spawn(move || {
            let bell = heard.bell(core);
            while !cut.load(Ordering::Acquire) {
                bell.wait();
                bell.silence();
                // A wire too full to take a byte wakes its reader all the same.
                let _ = (&inlet).write(&[1]);
            }
        })?;
        Ok(Self { outlet, control, core, is_cut, thread: Some(thread) })
    }

    /// The end to read. The executors know TCP streams; that this is another kind of stream they cannot tell,
    /// because they only receive from it.
    pub(super) fn outlet(&self) -> io::Result<TcpStream> {
        Ok(TcpStream::from(OwnedFd::from(self.outlet.try_clone()?)))
    }
}

impl Drop for BellWire {
    fn drop(&mut self) {
        self.is_cut.store(true, Ordering::Release);
        self.control.bell(self.core).ring();
        if let Some(thread) = self.thread.take() {
            // Its panic would be a bug of its own, and has been printed.
            let _ = thread.join();
        }
    }
}
