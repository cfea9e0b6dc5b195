//! One request and its answer: switching the strategy, reading the metrics.
//!
//! [`Errand`] is the state machine and can run in the simulator; [`run`] drives one on an engine of its own and waits.
//! Nothing here repeats an attempt: what fails is told.

use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use ringyard_protocol::http1::{ClientCodec, Method, Response, write_request};
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{App, Commands, ConnError, ConnectToken, Event, Now};
use ringyard_runtime::launch::{EngineChoice, EngineKind, LaunchError, Plan, launch};

use crate::limits::ANSWER_BYTES_MAX;

/// How much longer than an errand's own time the caller waits for its engine.
const ENGINE_MARGIN: Duration = Duration::from_secs(5);

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whom.
    pub address: SocketAddr,
    /// The authority to name.
    pub host: String,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// How long connecting and answering may take together.
    pub timeout: Duration,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ErrandError {
    /// No connection, or it was lost.
    #[error("{address}: {error}")]
    Connection {
        /// Who was asked.
        address: SocketAddr,
        /// Why.
        error: ConnError,
    },
    /// The peer closed without an answer, or what it sent is none.
    #[error("{address} does not answer in HTTP: {reason}")]
    Malformed {
        /// Who was asked.
        address: SocketAddr,
        /// What is wrong.
        reason: String,
    },
    /// No answer in time.
    #[error("{address} does not answer within {timeout:?}")]
    Timeout {
        /// Who was asked.
        address: SocketAddr,
        /// How long it had.
        timeout: Duration,
    },
    /// No engine to ask with.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}

/// How far an errand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fresh,
    Connecting,
    /// Connected, or given up.
    Settled,
}

/// Asks once.
#[derive(Debug)]
pub struct Errand {
    request: Request,
    codec: ClientCodec,
    limits: HttpLimits,
    stage: Stage,
    draining: bool,
    outcome: Option<Sender<Result<Reply, ErrandError>>>,
}

impl Errand {
    /// An errand that tells `outcome` how it went.
    #[must_use]
    pub fn new(request: Request, outcome: Sender<Result<Reply, ErrandError>>) -> Self {
        let limits = HttpLimits { body_bytes: ANSWER_BYTES_MAX, ..HttpLimits::default() };
        let codec = ClientCodec::new();
        Self {
            request,
            codec,
            limits,
            stage: Stage::Fresh,
            draining: false,
            outcome: Some(outcome),
        }
    }

    fn settle(&mut self, result: Result<Reply, ErrandError>, commands: &mut Commands<()>) {
        if let Some(outcome) = self.outcome.take() {
            // Whoever asked may have stopped waiting.
            let _ = outcome.send(result);
        }
        commands.set_deadline(None);
    }

    fn stop_connecting(&self, commands: &mut Commands<()>) {
        if self.stage == Stage::Connecting {
            commands.cancel_connect(ConnectToken(0));
        }
    }

    /// The attempt to connect has come to its end, one way or the other.
    fn connected(&mut self, commands: &mut Commands<()>) {
        self.stage = Stage::Settled;
        if self.draining {
            commands.finished();
        }
    }

    fn malformed(&self, reason: impl ToString) -> ErrandError {
        ErrandError::Malformed { address: self.request.address, reason: reason.to_string() }
    }

    /// Settles with what the codec has made of the connection's bytes, if anything.
    fn read(&mut self, mut bytes: &[u8], commands: &mut Commands<()>) {
        match self.codec.next(&mut bytes, &self.limits) {
            Ok(None) => {}
            Ok(Some(response)) => {
                let reply = reply_of(&response);
                self.settle(Ok(reply), commands);
            }
            Err(error) => self.settle(Err(self.malformed(error)), commands),
        }
    }
}

fn reply_of(response: &Response<'_>) -> Reply {
    Reply { status: response.status, body: response.body.to_vec() }
}

impl App for Errand {
    type Mail = ();

    fn on_event(&mut self, now: Now, event: Event<'_, ()>, commands: &mut Commands<()>) {
        let address = self.request.address;
        match event {
            Event::Deadline if self.stage == Stage::Fresh => {
                self.stage = Stage::Connecting;
                commands.connect(ConnectToken(0), address);
                commands.set_deadline(Some(now.time + self.request.timeout));
            }
            Event::Deadline => {
                let timeout = self.request.timeout;
                self.settle(Err(ErrandError::Timeout { address, timeout }), commands);
                self.stop_connecting(commands);
            }
            Event::Opened { conn, .. } if self.outcome.is_none() || self.draining => {
                let error = ConnError::Cancelled;
                self.settle(Err(ErrandError::Connection { address, error }), commands);
                commands.abort(conn);
                self.connected(commands);
            }
            Event::Opened { conn, .. } => {
                self.connected(commands);
                let Request { method, target, host, .. } = &self.request;
                let body: Option<&[u8]> = (*method == Method::Post).then_some(b"");
                let extra = [("connection", "close")];
                commands.send_with(conn, |out| {
                    write_request(out, *method, target, host, &extra, body);
                });
                self.codec.sent(*method);
            }
            Event::Received { conn, bytes } => {
                self.read(bytes, commands);
                if self.outcome.is_none() {
                    commands.close(conn);
                }
            }
            Event::PeerClosed { conn } => {
                let result = match self.codec.end() {
                    Ok(Some(response)) => Ok(reply_of(&response)),
                    Ok(None) => Err(self.malformed("closed before any answer")),
                    Err(error) => Err(self.malformed(error)),
                };
                self.settle(result, commands);
                commands.close(conn);
            }
            Event::Failed { error, .. } => {
                self.settle(Err(ErrandError::Connection { address, error }), commands);
            }
            Event::ConnectFailed { error, .. } => {
                self.settle(Err(ErrandError::Connection { address, error }), commands);
                self.connected(commands);
            }
            Event::Drain => {
                self.draining = true;
                match self.stage {
                    Stage::Connecting => self.stop_connecting(commands),
                    Stage::Fresh | Stage::Settled => commands.finished(),
                }
            }
            Event::Congested { .. }
            | Event::Drained { .. }
            | Event::Mail { .. }
            | Event::MailReturned { .. } => {}
        }
    }
}

/// Runs an errand on an engine of its own and waits for it.
///
/// # Errors
///
/// [`ErrandError`] says why there is no answer. An answer of any status is an answer.
pub fn run(request: &Request) -> Result<Reply, ErrandError> {
    let Request { address, timeout, .. } = *request;
    let (outcome, settled) = mpsc::channel();
    let plan = Plan { engine: EngineChoice::Exactly(EngineKind::Tokio), ..Plan::default() };
    let errand = request.clone();
    let running = launch(plan, move |_| Errand::new(errand.clone(), outcome.clone()))?;
    let result = settled.recv_timeout(timeout + ENGINE_MARGIN);
    running.drain();
    match result {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(ErrandError::Timeout { address, timeout })
        }
    }
}
