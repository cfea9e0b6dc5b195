//! The tasks: one for each connection, one for each attempt to connect.

#![expect(unsafe_code, reason = "names a descriptor that the executor owns")]

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use socket2::SockRef;

use super::Executor;
use super::core::Core;
use crate::app::{App, ConnError, ConnId, Event, Origin};
use crate::socket::{SocketOptions, conn_error_from, is_connected_to_itself};

/// Counts a task for as long as it lasts, however it ends.
struct Counted<A: App>(Rc<Core<A>>);

impl<A: App> Counted<A> {
    fn new(core: Rc<Core<A>>) -> Self {
        core.task_begins();
        Self(core)
    }
}

impl<A: App> Drop for Counted<A> {
    fn drop(&mut self) {
        self.0.task_ends();
    }
}

/// Serves one connection to its end.
pub(super) fn serve<X: Executor, A: App + 'static>(
    core: Rc<Core<A>>,
    conn: ConnId,
    stream: X::Stream,
) -> impl Future<Output = ()> + 'static {
    let core = Counted::new(core);
    async move {
        let core = &core.0;
        {
            let mut reading = pin!(read::<X, A>(core, conn, &stream));
            let mut writing = pin!(write::<X, A>(core, conn, &stream));
            let (mut reads, mut writes) = (true, true);
            poll_fn(|context| {
                keep_waker(core, conn, context.waker());
                if core.peek(|links| links.is_over(conn)) {
                    return Poll::Ready(());
                }
                reads = reads && reading.as_mut().poll(context).is_pending();
                writes = writes && writing.as_mut().poll(context).is_pending();
                if core.peek(|links| links.is_over(conn)) {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
            .await;
        }
        core.with(|turn| turn.remove(conn));
    }
}

fn keep_waker<A: App>(core: &Core<A>, conn: ConnId, waker: &Waker) {
    core.peek(|links| {
        if let Some(connection) = links.connections.get_mut(conn)
            && !connection.waker.will_wake(waker)
        {
            connection.waker.clone_from(waker);
        }
    });
}

/// Reads until the peer ends or the connection fails.
async fn read<X: Executor, A: App>(core: &Core<A>, conn: ConnId, stream: &X::Stream) {
    let receives = |core: &Core<A>| {
        core.peek(|links| {
            links.connections.get(conn).is_some_and(|connection| connection.lifecycle.receives())
        })
    };
    let mut buffer = Vec::with_capacity(core.receive_bytes());
    loop {
        // What changes this wakes the task.
        poll_fn(|_| if receives(core) { Poll::Ready(()) } else { Poll::Pending }).await;
        let (result, returned) = X::read(stream, buffer).await;
        buffer = returned;
        let result = result.map(|count| &buffer[..count]);
        if !core.with(|turn| turn.received(conn, result)) {
            return;
        }
    }
}

/// Writes what each turn has queued.
async fn write<X: Executor, A: App>(core: &Core<A>, conn: ConnId, stream: &X::Stream) {
    loop {
        let mut queue = poll_fn(|_| {
            core.peek(|links| links.take_queue(conn)).map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        let mut sent = 0;
        while sent < queue.len() {
            let (result, returned) = X::write(stream, queue, sent).await;
            queue = returned;
            sent += result.as_ref().copied().unwrap_or(0);
            if !core.with(|turn| turn.wrote(conn, result)) {
                return;
            }
        }
        core.peek(|links| links.give_back(queue));
    }
}

/// Makes one attempt to connect, and serves the connection that comes of it.
pub(super) fn connect<X: Executor, A: App + 'static>(
    core: Rc<Core<A>>,
    id: ConnId,
    address: SocketAddr,
) -> impl Future<Output = ()> + 'static {
    let core = Counted::new(core);
    async move {
        let outcome = {
            let mut connecting = pin!(X::connect(address));
            poll_fn(|context| {
                let state = core.0.peek(|links| {
                    let attempt = links.attempts.get_mut(id)?;
                    attempt.waker.clone_from(context.waker());
                    Some(attempt.is_cancelled)
                });
                match state {
                    None => Poll::Ready(None),
                    Some(true) => Poll::Ready(Some(Err(ConnError::Cancelled))),
                    Some(false) => connecting
                        .as_mut()
                        .poll(context)
                        .map(|result| Some(result.map_err(|error| conn_error_from(&error)))),
                }
            })
            .await
        };
        let Some(outcome) = outcome else { return };
        let outcome = outcome
            .and_then(|stream| check::<X>(&stream, address, &core.0.options()).map(|()| stream));
        let opened = core.0.with(|turn| {
            let token = turn.links().attempts.remove(id)?.token;
            match outcome {
                Ok(stream) => {
                    let descriptor = X::descriptor(&stream);
                    let conn = turn.open(descriptor, Origin::Connected { token })?;
                    Some((conn, stream))
                }
                Err(error) => {
                    turn.tell(Event::ConnectFailed { token, error });
                    None
                }
            }
        });
        if let Some((conn, stream)) = opened {
            X::spawn(serve::<X, A>(Rc::clone(&core.0), conn, stream));
        }
    }
}

/// Gives a new connection its options, and refuses one with itself.
fn check<X: Executor>(
    stream: &X::Stream,
    address: SocketAddr,
    options: &SocketOptions,
) -> Result<(), ConnError> {
    // SAFETY: the stream is borrowed for longer than this, and its descriptor is open while it is.
    let descriptor = unsafe { BorrowedFd::borrow_raw(X::descriptor(stream)) };
    if is_connected_to_itself(descriptor, address) {
        return Err(ConnError::Refused);
    }
    let socket = SockRef::from(&descriptor);
    let apply = || {
        socket.set_tcp_nodelay(true)?;
        match &options.congestion_control {
            Some(name) => socket.set_tcp_congestion(name.as_bytes()),
            None => io::Result::Ok(()),
        }
    };
    apply().map_err(|error| conn_error_from(&error))
}
