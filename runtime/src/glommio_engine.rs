//! The `glommio` engine: glommio's executor, driving the same app.
//!
//! glommio keeps three rings a thread and wants 512 KiB of locked memory. Its streams try a plain system call
//! first and poll through the ring where that finds nothing.

#![expect(unsafe_code, reason = "hands descriptors to glommio, which takes them raw")]

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::{TcpListener, TcpStream};
use glommio::timer::Timer;
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement};

use crate::app::App;
use crate::counters::CoreContext;
use crate::launch::Seat;
use crate::peer_engine::{self, Executor};
use crate::running::{CoreEnd, RunError};

/// An executor that can serve.
pub(crate) struct Machine {
    executor: LocalExecutor,
}

impl Machine {
    pub(crate) fn new() -> io::Result<Self> {
        // The thread is pinned already where it is to be.
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
        Ok(Self { executor: executor.map_err(|error| io::Error::other(error.to_string()))? })
    }

    /// Serves until told to end.
    pub(crate) fn serve<A: App + 'static>(
        self,
        seat: Seat<A::Mail>,
        listeners: Vec<net::TcpListener>,
        make: impl FnOnce(CoreContext) -> A,
    ) -> Result<CoreEnd, RunError> {
        self.executor.run(peer_engine::serve::<Glommio, A>(seat, listeners, make))
    }
}

struct Glommio;

/// A stream that its task reads and writes by turns; borrowed for one poll at a time.
type Stream = Rc<RefCell<TcpStream>>;

fn shared(stream: TcpStream) -> Stream {
    Rc::new(RefCell::new(stream))
}

impl Executor for Glommio {
    type Stream = Stream;
    type Listener = TcpListener;

    fn adopt(stream: net::TcpStream) -> io::Result<Stream> {
        // SAFETY: the descriptor was just given up by its only owner.
        Ok(shared(unsafe { TcpStream::from_raw_fd(stream.into_raw_fd()) }))
    }

    fn adopt_listener(listener: net::TcpListener) -> io::Result<TcpListener> {
        // SAFETY: as above.
        Ok(unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) })
    }

    async fn accept(listener: &TcpListener) -> io::Result<Stream> {
        Ok(shared(listener.accept().await.map_err(io::Error::from)?))
    }

    async fn connect(address: SocketAddr) -> io::Result<Stream> {
        Ok(shared(TcpStream::connect(address).await.map_err(io::Error::from)?))
    }

    async fn read(stream: &Stream, mut buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        buffer.resize(buffer.capacity(), 0);
        let result =
            poll_fn(|context| Pin::new(&mut *stream.borrow_mut()).poll_read(context, &mut buffer))
                .await;
        (result, buffer)
    }

    async fn write(stream: &Stream, buffer: Vec<u8>, start: usize) -> (io::Result<usize>, Vec<u8>) {
        let result = poll_fn(|context| {
            Pin::new(&mut *stream.borrow_mut()).poll_write(context, &buffer[start..])
        })
        .await;
        (result, buffer)
    }

    fn descriptor(stream: &Stream) -> RawFd {
        stream.borrow().as_raw_fd()
    }

    async fn sleep(duration: Duration) {
        Timer::new(duration).await;
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        glommio::spawn_local(task).detach();
    }
}
