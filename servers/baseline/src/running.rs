//! A server's life: accepting, draining, its end, and the handle by which others see to that.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use ringyard_runtime::launch::Plan;
use ringyard_servers::front::FrontConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::connection::{self, Order, Traffic};
use crate::limits::{ACCEPT_RETRY, SHUTDOWN};
use crate::listen::{self, LaunchError};

/// A launched server. Dropping it stops it at once; use [`Running::drain`] and [`Running::wait`] to end without
/// loss.
#[derive(Debug)]
pub struct Running {
    addresses: Vec<SocketAddr>,
    workers: usize,
    orders: watch::Sender<Order>,
    /// Taken when it is waited for.
    server: Option<(Runtime, JoinHandle<Ended>)>,
}

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Connections that were open when the drain's limit had passed, or when the server was stopped.
    pub connections_cut: usize,
}

impl Ended {
    /// Whether nothing was cut off.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.connections_cut == 0
    }
}

impl Running {
    /// Where it listens, in the plan's order, with the ports that the kernel chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many worker threads it has.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Begins to drain: accept no more, finish what is in flight within the plan's limit, end.
    pub fn drain(&self) {
        self.give(Order::Drain);
    }

    /// Ends at once.
    pub fn stop_now(&self) {
        self.give(Order::Stop);
    }

    /// From now on the first SIGTERM or SIGINT drains, and the second stops at once.
    pub fn handle_signals(&self) -> std::io::Result<()> {
        let Some((runtime, _)) = &self.server else { return Ok(()) };
        let _within = runtime.enter();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let orders = self.orders.clone();
        runtime.spawn(async move {
            for order in [Order::Drain, Order::Stop] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                strengthen(&orders, order);
            }
        });
        Ok(())
    }

    /// Waits until the server has ended, and says how.
    ///
    /// # Panics
    ///
    /// Where the server has: our bug.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let Some((runtime, ending)) = self.server.take() else { return Ended::default() };
        let ended = runtime.block_on(ending).expect("the server's task does not panic");
        runtime.shutdown_timeout(SHUTDOWN);
        ended
    }

    fn give(&self, order: Order) {
        strengthen(&self.orders, order);
    }
}

fn strengthen(orders: &watch::Sender<Order>, order: Order) {
    orders.send_if_modified(|given| {
        let is_stronger = order > *given;
        *given = order.max(*given);
        is_stronger
    });
}

impl Drop for Running {
    fn drop(&mut self) {
        self.give(Order::Stop);
        if let Some((runtime, _)) = self.server.take() {
            runtime.shutdown_timeout(SHUTDOWN);
        }
    }
}

/// Serves what `make` makes of the server's traffic, on `workers` threads or one for each core of the plan.
pub(crate) fn launch(
    plan: &Plan,
    workers: Option<usize>,
    front: &FrontConfig,
    make: impl FnOnce(Arc<Traffic>) -> Router,
) -> Result<Running, LaunchError> {
    let workers = workers.unwrap_or(plan.cores.len()).max(1);
    let runtime = listen::runtime(plan, workers)?;
    let (orders, ordered) = watch::channel(Order::Serve);
    let within = runtime.enter();
    let listeners = listen::bind(plan)?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>();
    let addresses = addresses.map_err(LaunchError::Runtime)?;
    let traffic = Arc::new(Traffic::new(ordered));
    let server = Server {
        router: make(Arc::clone(&traffic)),
        http: connection::http(front),
        traffic,
        permits: Arc::new(Semaphore::new(plan.limits.connections as usize * workers)),
    };
    let ending = runtime.spawn(serve(server, listeners, plan.drain_limit));
    drop(within);
    Ok(Running { addresses, workers, orders, server: Some((runtime, ending)) })
}

/// What every connection is served with.
#[derive(Clone)]
struct Server {
    router: Router,
    http: Builder,
    traffic: Arc<Traffic>,
    permits: Arc<Semaphore>,
}

/// Serves until told to end.
async fn serve(server: Server, listeners: Vec<TcpListener>, drain_limit: Duration) -> Ended {
    // Every connection holds the sender; once nobody does, all have ended.
    let (held, mut all_ended) = mpsc::channel::<Infallible>(1);
    for listener in listeners {
        tokio::spawn(accept(listener, server.clone(), held.clone()));
    }
    drop(held);
    let traffic = Arc::clone(&server.traffic);
    drop(server);
    traffic.ordered(Order::Drain).await;
    tokio::select! {
        _ = all_ended.recv() => Ended::default(),
        () = sleep(drain_limit) => cut(&traffic),
        () = traffic.ordered(Order::Stop) => cut(&traffic),
    }
}

fn cut(traffic: &Traffic) -> Ended {
    Ended { connections_cut: usize::try_from(traffic.open()).unwrap_or(usize::MAX) }
}

/// Accepts until the server drains, and then what still waits to be accepted.
async fn accept(listener: TcpListener, server: Server, held: mpsc::Sender<Infallible>) {
    loop {
        tokio::select! {
            stream = next(&listener) => start(stream, &server, &held).await,
            () = server.traffic.ordered(Order::Drain) => break,
        }
    }
    while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
        start(stream, &server, &held).await;
    }
}

async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of descriptors or memory, or a connection that was gone again: in doubt wait.
            Err(_) => sleep(ACCEPT_RETRY).await,
        }
    }
}

async fn start(stream: TcpStream, server: &Server, held: &mpsc::Sender<Infallible>) {
    let Ok(permit) = Arc::clone(&server.permits).acquire_owned().await else {
        return pending().await;
    };
    let (server, held) = (server.clone(), held.clone());
    tokio::spawn(async move {
        connection::serve(stream, server.router, server.http, server.traffic).await;
        drop((permit, held));
    });
}
