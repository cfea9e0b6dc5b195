//! One client's connection: hyper serves it; what hyper leaves out at its end is here.
//!
//! hyper closes at once what it refuses, and says nothing to a client whose request head comes too slowly. The
//! contract wants a 408, and no answer lost to the reset that closing with unread input causes.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ringyard_servers::front::{FrontConfig, HalfClosed};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::limits::{HEAD_BYTES_MIN, LINGER};
use crate::metrics::Number;

/// The answer to a request whose head did not come in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n\
content-length: 45\r\nconnection: close\r\n\r\n{\"detail\":\"The request head came too slowly\"}";

/// What all connections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Serve.
    Serve,
    /// Finish what is in flight, take no more.
    Drain,
    /// End at once.
    Stop,
}

/// What connections share.
#[derive(Debug)]
pub(crate) struct Traffic {
    open: Number,
    orders: watch::Receiver<Order>,
}

impl Traffic {
    pub(crate) fn new(orders: watch::Receiver<Order>) -> Self {
        Self { open: Number::default(), orders }
    }

    /// Connections open now.
    pub(crate) fn open(&self) -> u64 {
        self.open.get()
    }

    /// Whether the server is finishing.
    pub(crate) fn is_draining(&self) -> bool {
        *self.orders.borrow() >= Order::Drain
    }

    /// Resolves once the order is `order` or stronger.
    pub(crate) async fn ordered(&self, order: Order) {
        let mut orders = self.orders.clone();
        // An error means that whoever gives orders is gone, which ends everything too.
        let _ = orders.wait_for(|given| *given >= order).await;
    }
}

/// How connections are served.
pub(crate) fn http(front: &FrontConfig) -> Builder {
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(front.timeouts.header)
        .max_headers(front.http.headers)
        .max_buf_size(front.http.head_bytes.max(HEAD_BYTES_MIN))
        .half_close(front.half_closed == HalfClosed::Answer);
    builder
}

/// Serves one connection to its end.
pub(crate) async fn serve(stream: TcpStream, router: Router, http: Builder, traffic: Arc<Traffic>) {
    traffic.open.add(1);
    let (give_back, returned) = oneshot::channel();
    let io =
        Returning { stream: Some(stream), has_partial_request: false, give_back: Some(give_back) };
    let outcome = {
        let service = TowerToHyperService::new(router);
        let mut connection = pin!(http.serve_connection(TokioIo::new(io), service));
        let drained = tokio::select! {
            biased;
            outcome = connection.as_mut() => Some(outcome),
            () = traffic.ordered(Order::Drain) => None,
        };
        match drained {
            Some(outcome) => outcome,
            None => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    outcome = connection => outcome,
                    () = traffic.ordered(Order::Stop) => Ok(()),
                }
            }
        }
    };
    if let (Err(error), Ok((stream, has_partial_request))) = (outcome, returned.await) {
        part(stream, error.is_timeout() && has_partial_request).await;
    }
    traffic.open.subtract(1);
}

/// Ends a connection that hyper gave up: tells the peer why if it was `too_slow`, and reads until it closes,
/// so that what it was told is not lost.
async fn part(mut stream: TcpStream, too_slow: bool) {
    let farewell = async {
        if too_slow {
            stream.write_all(TOO_SLOW).await?;
        }
        stream.shutdown().await?;
        let mut dropped = [0; 4096];
        while stream.read(&mut dropped).await? > 0 {}
        io::Result::Ok(())
    };
    // A peer that neither reads nor closes has had its time.
    let _ = timeout(LINGER, farewell).await;
}

/// A stream that comes back from hyper when hyper drops it, with whether a request had begun to arrive.
struct Returning {
    /// There until dropped.
    stream: Option<TcpStream>,
    has_partial_request: bool,
    give_back: Option<oneshot::Sender<(TcpStream, bool)>>,
}

impl Returning {
    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.stream.as_mut().expect("the stream is there until this is dropped"))
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let (Some(stream), Some(give_back)) = (self.stream.take(), self.give_back.take()) {
            // Nobody wants it back when the task itself was dropped.
            let _ = give_back.send((stream, self.has_partial_request));
        }
    }
}

impl AsyncRead for Returning {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = self.stream().poll_read(context, buffer);
        self.has_partial_request |= buffer.filled().len() > before;
        result
    }
}

impl AsyncWrite for Returning {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.has_partial_request = false;
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.has_partial_request = false;
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
