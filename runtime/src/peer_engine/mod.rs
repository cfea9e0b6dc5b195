//! What the `monoio` and `glommio` engines share: the same app driven by tasks on somebody else's executor.
//!
//! Each connection is one task that reads and writes, each attempt to connect another, and the engine itself is
//! the main future: it accepts, hears the bell, keeps the timer, and ends each turn. A task that brings an
//! event tells the app at once and wakes the main future, which such executors poll after what else is ready;
//! so one turn is what was ready together, and ends with one write per connection. What differs between
//! the executors is behind [`Executor`].

mod bell;
mod core;
mod links;
mod tasks;

use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::net::{self, SocketAddr};
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ringyard_time::Time;

use self::bell::BellWire;
use self::core::Core;
use crate::app::App;
use crate::counters::CoreContext;
use crate::dispatcher::Dispatcher;
use crate::launch::Seat;
use crate::limits::ACCEPT_RETRY;
use crate::running::{CoreEnd, RunError};
use crate::socket::{AcceptFailure, accept_failure};

/// Turns that may follow one another without the executor looking at its sockets.
const TURNS_IN_A_ROW: u32 = 4;

/// The executor's shortest sleep, in which it looks at its sockets.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// What an engine needs of an executor. Futures may be dropped at any time.
pub(crate) trait Executor: 'static {
    /// A connected stream; clones share it.
    type Stream: Clone + 'static;
    type Listener: 'static;

    fn adopt(stream: net::TcpStream) -> io::Result<Self::Stream>;
    fn adopt_listener(listener: net::TcpListener) -> io::Result<Self::Listener>;
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;

    /// Reads into the start of `buffer`, up to its capacity.
    fn read(
        stream: &Self::Stream,
        buffer: Vec<u8>,
    ) -> impl Future<Output = (io::Result<usize>, Vec<u8>)>;

    /// Writes `buffer` from `start` on, or a part of that.
    fn write(
        stream: &Self::Stream,
        buffer: Vec<u8>,
        start: usize,
    ) -> impl Future<Output = (io::Result<usize>, Vec<u8>)>;

    /// The stream's descriptor, open for as long as the stream is.
    fn descriptor(stream: &Self::Stream) -> RawFd;
    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static;
    fn spawn(task: impl Future<Output = ()> + 'static);
}

/// Serves one core, within the executor, until told to end.
pub(crate) async fn serve<X: Executor, A: App + 'static>(
    seat: Seat<A::Mail>,
    listeners: Vec<net::TcpListener>,
    make: impl FnOnce(CoreContext) -> A,
) -> Result<CoreEnd, RunError> {
    let index = seat.core;
    let failed = |call| move |source| RunError::Os { core: index, call, source };
    let dispatcher = Dispatcher::new(index, Arc::clone(&seat.shared), make);
    let wire =
        BellWire::new(Arc::clone(&seat.shared.control), index).map_err(failed("socketpair"))?;
    let duplicates = listeners.iter().map(net::TcpListener::try_clone).collect::<io::Result<_>>();
    let core = Rc::new(Core::new(seat, dispatcher, duplicates.map_err(failed("dup"))?));
    let mut engine = Engine::<X, A>::new(core);
    for (index, listener) in (0..).zip(listeners) {
        let listener = X::adopt_listener(listener).map_err(failed("listen"))?;
        engine.doors.push(Box::pin(accept::<X, A>(Rc::clone(&engine.core), listener, index)));
    }
    let bell = X::adopt(wire.outlet().map_err(failed("dup"))?).map_err(failed("socketpair"))?;
    let mut bell = Box::pin(hear::<X>(bell));
    Ok(poll_fn(|context| {
        let _never_ends = bell.as_mut().poll(context);
        engine.turn(context)
    })
    .await)
}

/// A future of the main one.
type Part = Pin<Box<dyn Future<Output = ()>>>;

struct Engine<X, A: App> {
    core: Rc<Core<A>>,
    doors: Vec<Part>,
    timer: Option<(Time, Part)>,
    turns_in_a_row: u32,
    executor: PhantomData<fn() -> X>,
}

impl<X: Executor, A: App + 'static> Engine<X, A> {
    fn new(core: Rc<Core<A>>) -> Self {
        Self { core, doors: Vec::new(), timer: None, turns_in_a_row: 0, executor: PhantomData }
    }

    fn turn(&mut self, context: &mut Context<'_>) -> Poll<CoreEnd> {
        self.core.begin_turn(context.waker());
        self.doors.retain_mut(|door| door.as_mut().poll(context).is_pending());
        if let Poll::Ready(end) = self.core.end_turn(!self.doors.is_empty()) {
            return Poll::Ready(end);
        }
        for (listener, stream) in self.core.take_last_accepted() {
            if let Ok(stream) = X::adopt(stream) {
                open::<X, A>(&self.core, stream, listener);
            }
        }
        for (id, address) in self.core.take_connects() {
            X::spawn(tasks::connect::<X, A>(Rc::clone(&self.core), id, address));
        }
        self.sleep(context);
        Poll::Pending
    }

    /// Sees to it that the next turn comes when it must.
    fn sleep(&mut self, context: &mut Context<'_>) {
        let now = self.core.now();
        let mut until = self.core.wait_until();
        if until > now && !self.core.may_sleep() {
            until = now;
        }
        let may_repeat = self.turns_in_a_row < TURNS_IN_A_ROW && !self.core.is_leaving();
        if until <= now && may_repeat {
            self.turns_in_a_row += 1;
            context.waker().wake_by_ref();
            return;
        }
        self.turns_in_a_row = 0;
        if until == Time::FAR_FUTURE {
            self.timer = None;
            return;
        }
        // A timer that fires too early does no harm, so one that is set stays while it is early enough.
        if self.timer.as_ref().is_none_or(|(at, _)| *at > until || *at <= now) {
            let duration = until.since(now).max(SHORTEST_SLEEP);
            self.timer = Some((now + duration, Box::pin(X::sleep(duration))));
        }
        if let Some((_, sleep)) = &mut self.timer
            && sleep.as_mut().poll(context).is_ready()
        {
            self.timer = None;
            context.waker().wake_by_ref();
        }
    }
}

/// Accepts from one listener until it is shut down.
async fn accept<X: Executor, A: App + 'static>(
    core: Rc<Core<A>>,
    listener: X::Listener,
    index: u16,
) {
    loop {
        // Polled again in every turn, and a connection that closes begins one.
        poll_fn(|_| if core.is_full() { Poll::Pending } else { Poll::Ready(()) }).await;
        match X::accept(&listener).await {
            Ok(stream) => open::<X, A>(&core, stream, index),
            Err(_) if core.closes_doors() => return,
            Err(error) => match accept_failure(error.raw_os_error().unwrap_or(0)) {
                AcceptFailure::Passing => {}
                AcceptFailure::Exhausted => {
                    core.count_accept_failure();
                    X::sleep(ACCEPT_RETRY).await;
                }
            },
        }
    }
}

fn open<X: Executor, A: App + 'static>(core: &Rc<Core<A>>, stream: X::Stream, listener: u16) {
    if let Some(conn) = core.accepted(X::descriptor(&stream), listener) {
        X::spawn(tasks::serve::<X, A>(Rc::clone(core), conn, stream));
    }
}

/// Reads what the bell's wire brings; that it woke the main future is all that matters.
async fn hear<X: Executor>(stream: X::Stream) {
    let mut buffer = vec![0; 64];
    loop {
        let (result, returned) = X::read(&stream, buffer).await;
        buffer = returned;
        if !matches!(result, Ok(count) if count > 0) {
            return std::future::pending().await;
        }
    }
}
