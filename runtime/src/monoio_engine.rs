//! The `monoio` engine: monoio's runtime over io_uring, driving the same app.
//!
//! monoio asks the kernel for no ring flags by itself; it is given here those that our own ring has, as far as
//! its driver can live with them, so that the comparison is of the loops and not of their flags.

#![expect(
    unsafe_code,
    reason = "reads and writes one stream side by side, as monoio's own halves do"
)]

use std::cell::UnsafeCell;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRent};
use monoio::net::{TcpListener, TcpStream};
use monoio::time::TimeDriver;
use monoio::{IoUringDriver, Runtime, RuntimeBuilder};

use crate::app::App;
use crate::counters::CoreContext;
use crate::launch::Seat;
use crate::peer_engine::{self, Executor};
use crate::running::{CoreEnd, RunError};

/// A runtime that can serve.
pub(crate) struct Machine {
    runtime: Runtime<TimeDriver<IoUringDriver>>,
}

impl Machine {
    pub(crate) fn new(entries: u32) -> io::Result<Self> {
        let mut ring = monoio_io_uring::IoUring::builder();
        ring.setup_single_issuer().setup_coop_taskrun().setup_taskrun_flag();
        let builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(entries);
        Ok(Self { runtime: builder.uring_builder(ring).enable_timer().build()? })
    }

    /// Serves until told to end.
    pub(crate) fn serve<A: App + 'static>(
        mut self,
        seat: Seat<A::Mail>,
        listeners: Vec<net::TcpListener>,
        make: impl FnOnce(CoreContext) -> A,
    ) -> Result<CoreEnd, RunError> {
        self.runtime.block_on(peer_engine::serve::<Monoio, A>(seat, listeners, make))
    }
}

struct Monoio;

/// A stream that is read and written side by side, and its descriptor.
#[derive(Clone)]
struct Stream {
    shared: Rc<UnsafeCell<TcpStream>>,
    descriptor: RawFd,
}

impl Stream {
    fn new(stream: TcpStream) -> Self {
        let descriptor = stream.as_raw_fd();
        Self { shared: Rc::new(UnsafeCell::new(stream)), descriptor }
    }
}

impl Executor for Monoio {
    type Stream = Stream;
    type Listener = TcpListener;

    fn adopt(stream: net::TcpStream) -> io::Result<Stream> {
        TcpStream::from_std(stream).map(Stream::new)
    }

    fn adopt_listener(listener: net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    async fn accept(listener: &TcpListener) -> io::Result<Stream> {
        listener.accept().await.map(|(stream, _)| Stream::new(stream))
    }

    async fn connect(address: SocketAddr) -> io::Result<Stream> {
        TcpStream::connect_addr(address).await.map(Stream::new)
    }

    async fn read(stream: &Stream, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        // SAFETY: one task uses the stream, for one read and one write at a time, and monoio's `Split` says
        // of this type that those may go on side by side.
        let stream = unsafe { &mut *stream.shared.get() };
        stream.read(buffer).await
    }

    async fn write(stream: &Stream, buffer: Vec<u8>, start: usize) -> (io::Result<usize>, Vec<u8>) {
        // SAFETY: as above. (Monoio's own write half will not do: dropped, it ends the stream.)
        let stream = unsafe { &mut *stream.shared.get() };
        let (result, slice) = stream.write(buffer.slice(start..)).await;
        (result, slice.into_inner())
    }

    fn descriptor(stream: &Stream) -> RawFd {
        stream.descriptor
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        monoio::time::sleep(duration)
    }

    fn spawn(task: impl Future<Output = ()> + 'static) {
        monoio::spawn(task);
    }
}
