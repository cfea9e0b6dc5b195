//! What wakes a core from outside: an eventfd.
//!
//! One mechanism for both engines and for threads that have no ring of their own. Who may ring whom and when
//! is not decided here.

#![expect(unsafe_code, reason = "creates an eventfd and has tokio watch it")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use tokio::io::unix::AsyncFd;

/// A bell that any thread can ring and one core hears.
#[derive(Debug)]
pub(crate) struct Bell {
    descriptor: File,
}

impl Bell {
    /// A bell that has not been rung.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes two integers and touches no memory of ours.
        let result = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor and nobody else knows it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(result) };
        Ok(Self { descriptor: File::from(descriptor) })
    }

    /// Has the tokio runtime of this thread watch the bell, through a descriptor of its own.
    pub(crate) fn register(&self) -> io::Result<AsyncFd<OwnedFd>> {
        let descriptor = self.descriptor.as_fd().try_clone_to_owned()?;
        // SAFETY: an `OwnedFd` stays open, and the same, for as long as it is owned.
        unsafe { AsyncFd::register(descriptor) }.map_err(io::Error::from)
    }

    /// Makes the descriptor readable.
    pub(crate) fn ring(&self) {
        // The only error is a full counter, and a bell rung that often without being heard still rings.
        let _ = (&self.descriptor).write(&1u64.to_ne_bytes());
    }

    /// Blocks this thread until the bell is rung. Not for cores, which have better ways to wait.
    pub(crate) fn wait(&self) {
        let mut poll =
            libc::pollfd { fd: self.descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to the one structure that the count says, and valid for the call. The only
        // error is an interruption, after which the caller finds nothing and waits again.
        unsafe { libc::poll(&raw mut poll, 1, -1) };
    }

    /// Makes the descriptor unreadable until the next ring.
    pub(crate) fn silence(&self) {
        // The only error is a bell that was not rung.
        let _ = (&self.descriptor).read(&mut [0; 8]);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
