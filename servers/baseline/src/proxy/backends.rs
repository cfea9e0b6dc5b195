//! The backends, behind hyper's pooling client, and the task that sends them batches.

#![expect(clippy::disallowed_types, reason = "the tasks of several batches note one outage")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ringyard_servers::limits::{
    BACKEND_CONNECT_TIMEOUT, BACKEND_RECONNECT_MAX, BACKEND_RECONNECT_MIN, BACKEND_REPLY_BYTES_MAX,
};
use ringyard_servers::proxy::{BackendTarget, ProxyConfig};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::queue::{Failure, Member, Outcome, Queue, Results};
use crate::limits::{POOL_IDLE, READY_CONNECT};

#[derive(Serialize)]
struct BatchRequest<'a> {
    sequences: Vec<&'a String>,
}

#[derive(Deserialize)]
struct BatchReply {
    results: Results,
}

/// The backends and the connections to them.
#[derive(Debug)]
pub(super) struct Backends {
    client: Client<HttpConnector, Full<Bytes>>,
    targets: Vec<(Uri, BackendTarget)>,
    grace: Duration,
    deadline: Duration,
    /// Since when no backend could be connected to.
    down_since: Mutex<Option<Instant>>,
}

/// What a try at one backend came to.
enum TryError {
    /// It was not there to be asked; the batch may go elsewhere.
    Connect(String),
    /// It may have had the batch.
    Failed(String),
}

impl Backends {
    pub(super) fn new(config: &ProxyConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(BACKEND_CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .build(connector);
        let target = |target: &BackendTarget| {
            let uri = format!("http://{}{}", target.address, target.path);
            (uri.parse().expect("an address and a path make a URI"), target.clone())
        };
        Self {
            client,
            targets: config.backends.iter().map(target).collect(),
            grace: config.backend_grace,
            deadline: config.deadline,
            down_since: Mutex::new(None),
        }
    }

    /// Whether any backend can be connected to.
    pub(super) async fn any_up(&self) -> bool {
        for (_, target) in &self.targets {
            let connected = timeout(READY_CONNECT, TcpStream::connect(target.address)).await;
            if matches!(connected, Ok(Ok(_))) {
                return true;
            }
        }
        false
    }

    /// Posts a batch, to backend `first` if it is there and else to another. Where none is, tries again
    /// until that has been so for the grace time.
    async fn post(&self, first: usize, batch: &Bytes) -> Result<Bytes, String> {
        let mut pause = BACKEND_RECONNECT_MIN;
        loop {
            let mut reason = String::new();
            for offset in 0..self.targets.len() {
                match self.try_post((first + offset) % self.targets.len(), batch.clone()).await {
                    Err(TryError::Connect(error)) => reason = error,
                    Err(TryError::Failed(error)) => return Err(error),
                    Ok(reply) => {
                        self.note_outage(false);
                        return Ok(reply);
                    }
                }
            }
            if self.note_outage(true) + pause > self.grace {
                return Err(format!("no backend can be reached: {reason}"));
            }
            sleep(pause).await;
            pause = (pause * 2).min(BACKEND_RECONNECT_MAX);
        }
    }

    /// Notes whether the backends are down, and says for how long they have been.
    fn note_outage(&self, is_down: bool) -> Duration {
        let mut since = self.down_since.lock().expect("nothing panics while it holds the note");
        if is_down {
            since.get_or_insert_with(Instant::now).elapsed()
        } else {
            *since = None;
            Duration::ZERO
        }
    }

    async fn try_post(&self, index: usize, batch: Bytes) -> Result<Bytes, TryError> {
        let (uri, target) = &self.targets[index];
        let request = Request::post(uri)
            .header(header::HOST, &target.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(batch))
            .map_err(|error| TryError::Failed(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| {
            let text = with_cause(&error);
            if error.is_connect() { TryError::Connect(text) } else { TryError::Failed(text) }
        })?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(TryError::Failed(format!("backend answered {status}")));
        }
        let body = Limited::new(response.into_body(), BACKEND_REPLY_BYTES_MAX).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| TryError::Failed(error.to_string()))
    }

    /// The results of a batch of so many sequences.
    async fn classify(&self, first: usize, batch: Bytes, count: usize) -> Outcome {
        let Ok(reply) = timeout(self.deadline, self.post(first, &batch)).await else {
            return Err(Failure::TooSlow);
        };
        reply.and_then(|reply| results_of(&reply, count)).map_err(Failure::Backend)
    }
}

/// The results in a backend's reply to a batch of so many sequences.
fn results_of(reply: &[u8], count: usize) -> Result<Results, String> {
    let BatchReply { results } = serde_json::from_slice(reply)
        .map_err(|error| format!("backend sent a reply that cannot be read: {error}"))?;
    if results.len() != count {
        return Err(format!("backend sent {} results for {count} sequences", results.len()));
    }
    Ok(results)
}

fn with_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Sends batches as lanes become free: `concurrency` for each backend.
pub(super) async fn dispatch(queue: Arc<Queue>, backends: Arc<Backends>, concurrency: u32) {
    let (freed, mut free) = mpsc::unbounded_channel();
    for _ in 0..concurrency {
        for backend in 0..backends.targets.len() {
            freed.send(backend).expect("the receiver is here");
        }
    }
    while let Some(backend) = free.recv().await {
        let members = queue.next_batch().await;
        let (queue, backends, freed) = (Arc::clone(&queue), Arc::clone(&backends), freed.clone());
        tokio::spawn(async move {
            if !serve_batch(&queue, &backends, backend, members).await {
                // A backend that is ending may still accept a connection, and would take the next batch with it.
                sleep(BACKEND_RECONNECT_MIN).await;
            }
            // The receiver goes only when the server does.
            let _ = freed.send(backend);
        });
    }
}

/// Has a backend answer a batch, and says whether it did.
async fn serve_batch(
    queue: &Queue,
    backends: &Backends,
    backend: usize,
    members: Vec<Member>,
) -> bool {
    let sequences: Vec<_> = members.iter().flat_map(|member| &member.sequences).collect();
    let count = sequences.len();
    let batch = serde_json::to_vec(&BatchRequest { sequences }).expect("strings are JSON");
    let customers: Vec<_> = members.iter().map(|member| member.customer).collect();
    let sizes: Vec<_> = members.iter().map(|member| member.sequences.len()).collect();
    let mut answers: Vec<_> = members.into_iter().map(|member| member.answer).collect();
    let _in_flight = queue.figures.batch();
    let started = Instant::now();
    let outcome = tokio::select! {
        outcome = backends.classify(backend, Bytes::from(batch), count) => outcome,
        () = all_left(&mut answers) => {
            Err(Failure::Backend(String::from("nobody awaits the answer")))
        }
    };
    let is_answered = outcome.is_ok();
    queue.batch_ended(&customers, is_answered.then(|| started.elapsed()));
    // An answer that cannot be sent belongs to a client that has left.
    match outcome {
        Ok(results) => {
            let mut results = results.into_iter();
            for (answer, size) in answers.into_iter().zip(sizes) {
                let _ = answer.send(Ok(results.by_ref().take(size).collect()));
            }
        }
        Err(reason) => {
            queue.figures.batches_failed.add(1);
            for answer in answers {
                let _ = answer.send(Err(reason.clone()));
            }
        }
    }
    is_answered
}

/// Resolves once none of the requests of a batch awaits its answer any more.
async fn all_left(answers: &mut [oneshot::Sender<Outcome>]) {
    for answer in answers {
        answer.closed().await;
    }
}
