//! SIGTERM and SIGINT: the first drains, the second stops at once. SIGHUP, for those who ask for it: read what
//! was configured again.
//!
//! The handler does the two things that are safe in a handler, it counts and rings a bell; a thread hears it
//! and gives the orders. Writing to a connection whose peer is gone raises no SIGPIPE: the engines ask for
//! that with each send, so the handling of that signal is left alone.

#![expect(unsafe_code, reason = "installs signal handlers")]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::{io, mem, ptr};

use crate::bell::Bell;
use crate::running::Stopper;

/// The signals that end a server.
const SIGNALS: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// Rung by the handler. Made before the first handler is installed and never taken down.
static BELL: OnceLock<Bell> = OnceLock::new();

/// Signals that have come since the handlers were installed.
static COME: AtomicU32 = AtomicU32::new(0);

/// Whether SIGHUP has come and was not dealt with.
static HUNG_UP: AtomicBool = AtomicBool::new(false);

/// Whether the listener is to end.
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Whether handlers are installed. There can be one set in a process.
static IS_INSTALLED: AtomicBool = AtomicBool::new(false);

/// Why signals cannot be handled.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// Someone in this process already handles them.
    #[error("signals are already handled in this process")]
    AlreadyHandled,
    /// The operating system refused.
    #[error("cannot handle signals: {0}")]
    Os(#[from] io::Error),
}

/// What SIGHUP calls.
type Reload = Box<dyn FnMut() + Send>;

/// Handles SIGTERM and SIGINT until dropped; then whoever handled them before does so again.
#[derive(Debug)]
pub struct Signals {
    previous: Vec<(libc::c_int, libc::sigaction)>,
    listener: Option<JoinHandle<()>>,
}

impl Signals {
    /// From now on the first SIGTERM or SIGINT drains all that `stoppers` stand for, and the second stops
    /// them at once.
    pub fn handle(stoppers: Vec<Stopper>) -> Result<Self, SignalError> {
        Self::install(stoppers, None)
    }

    /// As [`Signals::handle`]; besides, SIGHUP calls `reload`, on a thread that serves nothing. Several that
    /// come while it runs are one.
    pub fn handle_with_reload(
        stoppers: Vec<Stopper>,
        reload: impl FnMut() + Send + 'static,
    ) -> Result<Self, SignalError> {
        Self::install(stoppers, Some(Box::new(reload)))
    }

    fn install(stoppers: Vec<Stopper>, reload: Option<Reload>) -> Result<Self, SignalError> {
        if IS_INSTALLED.swap(true, Ordering::AcqRel) {
            return Err(SignalError::AlreadyHandled);
        }
        let mut signals = Self { previous: Vec::new(), listener: None };
        // On an error `signals` is dropped, which undoes what was done.
        let bell = match BELL.get() {
            Some(bell) => bell,
            None => {
                let bell = Bell::new()?;
                BELL.get_or_init(|| bell)
            }
        };
        bell.silence();
        COME.store(0, Ordering::Release);
        IS_OVER.store(false, Ordering::Release);
        HUNG_UP.store(false, Ordering::Release);
        for signal in SIGNALS {
            signals.previous.push((signal, set_action(signal, &action_of(handle))?));
        }
        if reload.is_some() {
            let previous = set_action(libc::SIGHUP, &action_of(handle_hangup))?;
            signals.previous.push((libc::SIGHUP, previous));
        }
        let listen = move || listen(bell, &stoppers, reload);
        let listener = thread::Builder::new().name("ringyard-signals".to_owned()).spawn(listen)?;
        signals.listener = Some(listener);
        Ok(signals)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, action) in &self.previous {
            // Restoring what was there before cannot fail, and there is nothing to do if it does.
            let _ = set_action(*signal, action);
        }
        if let (Some(listener), Some(bell)) = (self.listener.take(), BELL.get()) {
            IS_OVER.store(true, Ordering::Release);
            bell.ring();
            listener.join().expect("the listener does not panic");
        }
        IS_INSTALLED.store(false, Ordering::Release);
    }
}

fn listen(bell: &Bell, stoppers: &[Stopper], mut reload: Option<Reload>) {
    while !IS_OVER.load(Ordering::Acquire) {
        bell.wait();
        bell.silence();
        if HUNG_UP.swap(false, Ordering::AcqRel)
            && let Some(reload) = &mut reload
        {
            reload();
        }
        match COME.load(Ordering::Acquire) {
            0 => {}
            1 => stoppers.iter().for_each(Stopper::drain),
            _ => stoppers.iter().for_each(Stopper::stop_now),
        }
    }
}

extern "C" fn handle(_: libc::c_int) {
    COME.fetch_add(1, Ordering::AcqRel);
    ring();
}

extern "C" fn handle_hangup(_: libc::c_int) {
    HUNG_UP.store(true, Ordering::Release);
    ring();
}

/// What the handlers have in common. They may interrupt any code at all, so they only do what is safe
/// anywhere: atomic operations and a write to a descriptor.
fn ring() {
    // SAFETY: points to this thread's error number, which always exists.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; the code interrupted may be about to read it, so it is put back below.
    let saved = unsafe { *errno };
    if let Some(bell) = BELL.get() {
        bell.ring();
    }
    // SAFETY: as above.
    unsafe { *errno = saved };
}

fn action_of(handler: extern "C" fn(libc::c_int)) -> libc::sigaction {
    // SAFETY: all fields are integers or optional pointers, for which zero is valid.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    action
}

/// Sets the action of `signal` and returns the one before.
fn set_action(signal: libc::c_int, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    // SAFETY: all fields are integers or optional pointers, for which zero is valid.
    let mut previous: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: both pointers are valid for the call. The action is either ours, whose handler is safe in any
    // context, or one that was installed before.
    let result = unsafe { libc::sigaction(signal, ptr::from_ref(action), &raw mut previous) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(previous) }
}
