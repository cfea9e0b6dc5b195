//! The owner's part of the proxy: from requests to batches, and from replies to outcomes.
//!
//! A request is queued (the scheduler has its job), then in a batch on a lane, then gone with exactly one
//! [`Completion`]. It may leave earlier, queued or not: its client left, or its deadline passed. What it leaves
//! behind in a batch is a key that finds nothing; a batch all of whose requests have left is aborted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ringyard_protocol::http1::{Method, Response, write_request};
use ringyard_protocol::json::ItemSpan;
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{Commands, ConnId, ConnectToken, CoreIndex, Event, Now, Origin, Time};
use ringyard_scheduler::{
    Batch, CustomerId, JobId, JobSpec, Scheduler, SchedulerConfig, Slot, StrategyKind,
};

use super::ProxyConfig;
use super::admission::Pace;
use super::board::ProxyBoard;
use super::customers::Customers;
use super::lanes::{Lanes, Line, Loss};
use super::mail::{Completion, Failure, Outcome, Submission};
use super::reply::{scan_results, write_array};
use crate::buffers::BufferPool;
use crate::front::Ticket;
use crate::limits::{BACKEND_REPLY_BYTES_MAX, QUEUE_JOBS_ALWAYS};
use crate::slab::{Key, Slab};
use crate::timers::Timers;

/// Who asked: the ticket of a request, and the core that has its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    pub(super) core: CoreIndex,
    pub(super) ticket: Ticket,
}

/// Where a request stands.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Queued(JobId),
    InFlight { lane: usize },
}

/// A request that is queued or in flight.
#[derive(Debug)]
struct Pending {
    asker: Asker,
    customer: CustomerId,
    payload: Vec<u8>,
    arrived: Time,
    stage: Stage,
}

/// What a lane carries.
#[derive(Debug, Default)]
struct Flight {
    /// Requests and how many sequences each has, in the order of the sequences.
    members: Vec<(Key, u32)>,
    sequences: u32,
    /// Members that still await their answer.
    awaited: usize,
    dispatched: Time,
}

/// The queue, the batches in flight and the lanes.
#[derive(Debug)]
pub(super) struct Dispatcher {
    config: Arc<ProxyConfig>,
    board: Arc<ProxyBoard>,
    reply_limits: HttpLimits,
    scheduler: Scheduler,
    customers: Customers,
    requests: Slab<Pending>,
    by_asker: HashMap<Asker, Key>,
    deadlines: Timers,
    lanes: Lanes,
    /// By lane.
    flights: Vec<Flight>,
    pace: Pace,
    /// Outcomes not yet handed on.
    completions: VecDeque<(CoreIndex, Completion)>,
    /// Something has changed that may allow a batch to leave.
    stirred: bool,
    batch: Batch,
    items: Vec<ItemSpan>,
    body: Vec<u8>,
    buffers: BufferPool,
}

impl Dispatcher {
    /// An empty queue before backends that are still to be connected.
    pub(super) fn new(config: Arc<ProxyConfig>, board: Arc<ProxyBoard>) -> Self {
        let lanes = Lanes::new(&config.backends, config.backend_concurrency);
        let flights = config.backends.len() * config.backend_concurrency as usize;
        let scheduler = Scheduler::new(SchedulerConfig {
            strategy: config.strategy,
            linger: config.linger,
            queue_jobs_max: config.queue_jobs_max,
            ..SchedulerConfig::default()
        });
        Self {
            reply_limits: HttpLimits {
                body_bytes: BACKEND_REPLY_BYTES_MAX,
                ..HttpLimits::default()
            },
            scheduler,
            customers: Customers::default(),
            requests: Slab::default(),
            by_asker: HashMap::new(),
            deadlines: Timers::default(),
            lanes,
            flights: (0..flights).map(|_| Flight::default()).collect(),
            pace: Pace::default(),
            completions: VecDeque::new(),
            stirred: true,
            batch: Batch::default(),
            items: Vec::new(),
            body: Vec::new(),
            buffers: BufferPool::default(),
            config,
            board,
        }
    }

    /// Takes a request in, or says why not. What is taken in gets its completion later.
    pub(super) fn submit(
        &mut self,
        now: Time,
        core: CoreIndex,
        submission: &Submission,
    ) -> Result<(), Failure> {
        self.admit(now)?;
        let asker = Asker { core, ticket: submission.ticket };
        let customer = self.customers.enter(&submission.customer);
        let mut payload = self.buffers.take();
        payload.extend_from_slice(&submission.payload);
        let key = self.requests.insert(Pending {
            asker,
            customer,
            payload,
            arrived: submission.arrived,
            stage: Stage::InFlight { lane: usize::MAX },
        });
        let Submission { sequences, longest, .. } = *submission;
        let spec = JobSpec::new(customer, sequences, longest, key.to_word());
        match self.scheduler.push(spec, now) {
            Ok(job) => {
                let pending = self.requests.get_mut(key).expect("it was inserted just now");
                pending.stage = Stage::Queued(job);
                self.by_asker.insert(asker, key);
                self.deadlines.set(key.index, submission.arrived + self.config.deadline);
                self.stirred = true;
                Ok(())
            }
            Err(_full) => {
                self.remove(key);
                Err(self.overloaded())
            }
        }
    }

    /// Whether one more request may join.
    fn admit(&mut self, now: Time) -> Result<(), Failure> {
        if self.unreachable(now) {
            return Err(Failure::Backend(String::from("no backend can be reached")));
        }
        let waiting = self.scheduler.len();
        let hopeless = waiting > QUEUE_JOBS_ALWAYS
            && self.pace.predicted_wait(waiting, self.lanes.up()) > self.config.queue_wait_max;
        if waiting >= self.config.queue_jobs_max || hopeless {
            return Err(self.overloaded());
        }
        Ok(())
    }

    fn overloaded(&self) -> Failure {
        let waiting = self.scheduler.len();
        self.board.owner.refused.add(1);
        let wait = self.pace.predicted_wait(waiting, self.lanes.up());
        Failure::Overloaded { waiting, retry_after: wait }
    }

    /// Whether no backend could be reached for longer than queued requests are made to wait.
    fn unreachable(&self, now: Time) -> bool {
        self.lanes.all_down_since().is_some_and(|since| now >= since + self.config.backend_grace)
    }

    /// The client of a request has left.
    pub(super) fn abandon<M>(
        &mut self,
        now: Time,
        core: CoreIndex,
        ticket: Ticket,
        commands: &mut Commands<M>,
    ) {
        let Some(&key) = self.by_asker.get(&Asker { core, ticket }) else { return };
        self.board.owner.abandoned.add(1);
        self.leave(now, key, commands);
    }

    /// The strategy in force, after a change if one is asked for.
    pub(super) fn strategy(&mut self, now: Time, change: Option<StrategyKind>) -> StrategyKind {
        if let Some(kind) = change {
            self.scheduler.set_strategy(kind, now);
            self.stirred = true;
        }
        self.scheduler.strategy()
    }

    /// Takes an event of a backend's connection; events of unknown connections are none of ours.
    pub(super) fn event<M>(&mut self, now: Now, event: Event<'_, M>, commands: &mut Commands<M>) {
        match event {
            Event::Opened { conn, origin: Origin::Connected { token } } => {
                self.opened(now.time, token, conn, commands);
            }
            Event::ConnectFailed { token, .. } => {
                self.lanes.connect_failed(now.time, token);
                self.show_lanes();
            }
            Event::Received { conn, bytes } => self.received(now.time, conn, bytes, commands),
            Event::PeerClosed { conn } => {
                if let Some(lane) = self.lanes.of_conn(conn) {
                    self.peer_closed(now.time, lane, conn, commands);
                }
            }
            Event::Failed { conn, error } => {
                if let Some(lane) = self.lanes.of_conn(conn) {
                    self.lane_lost(now.time, lane, Loss::Failure, &error.to_string());
                }
            }
            _ => {}
        }
    }

    fn opened<M>(
        &mut self,
        now: Time,
        token: ConnectToken,
        conn: ConnId,
        commands: &mut Commands<M>,
    ) {
        if self.lanes.opened(now, token, conn, commands).is_some() {
            self.stirred = true;
            self.show_lanes();
        }
    }

    fn received<M>(
        &mut self,
        now: Time,
        conn: ConnId,
        mut bytes: &[u8],
        commands: &mut Commands<M>,
    ) {
        while let Some(lane) = self.lanes.of_conn(conn) {
            // The codec is lent to the reply, which the rest of `self` has to act on.
            let mut codec = std::mem::take(&mut self.lanes.lane_mut(lane).codec);
            let outcome = match codec.next(&mut bytes, &self.reply_limits) {
                Ok(None) => None,
                Ok(Some(reply)) => {
                    self.replied(now, lane, &reply);
                    Some(reply.keep_alive)
                }
                Err(error) => {
                    self.lane_lost(now, lane, Loss::Failure, &error.to_string());
                    commands.abort(conn);
                    return;
                }
            };
            self.lanes.lane_mut(lane).codec = codec;
            match outcome {
                None => return,
                Some(true) => {}
                Some(false) => {
                    commands.close(conn);
                    self.lane_lost(now, lane, Loss::Orderly, "connection closed");
                }
            }
        }
    }

    fn peer_closed<M>(&mut self, now: Time, lane: usize, conn: ConnId, commands: &mut Commands<M>) {
        let mut codec = std::mem::take(&mut self.lanes.lane_mut(lane).codec);
        // The end of the connection may be the end of a reply.
        let loss = match codec.end() {
            Ok(Some(reply)) => {
                self.replied(now, lane, &reply);
                Loss::Orderly
            }
            Ok(None) | Err(_) => Loss::Failure,
        };
        commands.close(conn);
        self.lane_lost(now, lane, loss, "backend closed the connection");
    }

    /// Hands the results of a reply to the requests of its batch.
    fn replied(&mut self, now: Time, lane: usize, reply: &Response<'_>) {
        let mut flight = std::mem::take(&mut self.flights[lane]);
        let mut items = std::mem::take(&mut self.items);
        match scan_results(reply, flight.sequences, &mut items) {
            Ok(()) => {
                self.pace.record(now.since(flight.dispatched), flight.members.len());
                let mut rest = items.as_slice();
                for (key, sequences) in flight.members.drain(..) {
                    let own;
                    (own, rest) = rest.split_at(sequences as usize);
                    if self.requests.get(key).is_some() {
                        let mut results = self.buffers.take();
                        write_array(reply.body, own, &mut results);
                        self.complete(key, Outcome::Results(results));
                    }
                }
            }
            Err(reason) => self.fail_members(&mut flight, &reason),
        }
        self.items = items;
        self.flights[lane] = flight;
        self.lanes.release(now, lane);
        self.stirred = true;
    }

    /// The connection of a lane is gone; its batch, if it carried one, has failed.
    fn lane_lost(&mut self, now: Time, lane: usize, loss: Loss, reason: &str) {
        let mut flight = std::mem::take(&mut self.flights[lane]);
        self.fail_members(&mut flight, reason);
        self.flights[lane] = flight;
        self.lanes.lost(now, lane, loss);
        self.show_lanes();
        self.stirred = true;
    }

    fn fail_members(&mut self, flight: &mut Flight, reason: &str) {
        if !flight.members.is_empty() {
            self.board.owner.batches_failed.add(1);
        }
        for (key, _) in flight.members.drain(..) {
            if self.requests.get(key).is_some() {
                self.complete(key, Outcome::Failed(Failure::Backend(reason.to_owned())));
            }
        }
    }

    /// When [`Dispatcher::turn`] has something to do; a time gone by means at the end of this turn.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.stirred {
            return Some(Time::ZERO);
        }
        let linger =
            self.lanes.find_idle().and_then(|_| self.scheduler.next_deadline(&self.slot()));
        let unreachable = (!self.scheduler.is_empty())
            .then(|| self.lanes.all_down_since())
            .flatten()
            .map(|since| since + self.config.backend_grace);
        [linger, unreachable, self.deadlines.next(), self.lanes.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what is due: deadlines, connections, and the batches that can leave.
    pub(super) fn turn<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        self.stirred = false;
        self.expire(now, commands);
        if !self.scheduler.is_empty() {
            self.lanes.replace_stale(now, commands);
        }
        self.lanes.turn(now, commands);
        if self.unreachable(now) {
            self.fail_queued();
        }
        while let Some(lane) = self.lanes.find_idle() {
            let mut batch = std::mem::take(&mut self.batch);
            let found = self.scheduler.pop_batch(now, &self.slot(), &mut batch);
            if found {
                self.dispatch(now, lane, &batch, commands);
            }
            self.batch = batch;
            if !found {
                break;
            }
        }
        self.show();
    }

    fn slot(&self) -> Slot {
        Slot { sequences_max: self.config.batch_sequences_max }
    }

    /// Sends a batch on an idle lane as one request.
    fn dispatch<M>(&mut self, now: Time, lane: usize, batch: &Batch, commands: &mut Commands<M>) {
        let flight = &mut self.flights[lane];
        flight.members.clear();
        flight.sequences = batch.sequences;
        flight.awaited = batch.jobs.len();
        flight.dispatched = now;
        self.body.clear();
        self.body.extend_from_slice(br#"{"sequences":["#);
        for (index, job) in batch.jobs.iter().enumerate() {
            let key = Key::from_word(job.spec.tag);
            let pending = self.requests.get_mut(key).expect("a queued job has its request");
            pending.stage = Stage::InFlight { lane };
            if index > 0 {
                self.body.push(b',');
            }
            self.body.extend_from_slice(&pending.payload);
            flight.members.push((key, job.spec.sequences));
        }
        self.body.extend_from_slice(b"]}");
        self.lanes.lane_mut(lane).codec.sent(Method::Post);
        let (conn, target) = self.lanes.occupy(lane);
        commands.send_with(conn, |out| {
            let json = [("content-type", "application/json")];
            write_request(out, Method::Post, &target.path, &target.host, &json, Some(&self.body));
        });
        self.board.owner.batches.add(1);
        self.board.owner.batch_requests.add(batch.jobs.len() as u64);
        self.board.owner.batch_sequences.add(u64::from(batch.sequences));
    }

    /// Answers the requests whose deadline has passed.
    fn expire<M>(&mut self, now: Time, commands: &mut Commands<M>) {
        while let Some(index) = self.deadlines.pop_due(now) {
            let Some(key) = self.requests.key_at(index) else { continue };
            self.board.owner.expired.add(1);
            let failure = Failure::TooSlow { limit: self.config.deadline };
            self.announce(key, Outcome::Failed(failure));
            self.leave(now, key, commands);
        }
    }

    /// Answers all queued requests: nobody is there to work on them.
    fn fail_queued(&mut self) {
        let slot = Slot { sequences_max: u32::MAX };
        let mut batch = std::mem::take(&mut self.batch);
        while self.scheduler.pop_batch(Time::FAR_FUTURE, &slot, &mut batch) {
            for job in &batch.jobs {
                let failure = Failure::Backend(String::from("no backend can be reached"));
                self.complete(Key::from_word(job.spec.tag), Outcome::Failed(failure));
            }
        }
        self.batch = batch;
    }

    /// A request leaves before its batch was answered: it is out of the queue, or its batch goes on without it.
    fn leave<M>(&mut self, now: Time, key: Key, commands: &mut Commands<M>) {
        let Some(pending) = self.remove(key) else { return };
        match pending.stage {
            Stage::Queued(job) => {
                self.scheduler.cancel(job);
                self.stirred = true;
            }
            Stage::InFlight { lane } => {
                let flight = &mut self.flights[lane];
                flight.awaited -= 1;
                if flight.awaited == 0
                    && let Line::Busy(conn) = self.lanes.lane_mut(lane).line
                {
                    commands.abort(conn);
                    self.lane_lost(now, lane, Loss::Orderly, "nobody awaits the answer");
                }
            }
        }
    }

    /// Hands a request its outcome and forgets it.
    fn complete(&mut self, key: Key, outcome: Outcome) {
        self.announce(key, outcome);
        self.remove(key);
    }

    fn announce(&mut self, key: Key, outcome: Outcome) {
        let Some(pending) = self.requests.get(key) else { return };
        let Pending { asker, arrived, .. } = *pending;
        self.completions
            .push_back((asker.core, Completion { ticket: asker.ticket, arrived, outcome }));
    }

    fn remove(&mut self, key: Key) -> Option<Pending> {
        let mut pending = self.requests.remove(key)?;
        self.by_asker.remove(&pending.asker);
        self.deadlines.set(key.index, Time::FAR_FUTURE);
        self.customers.leave(pending.customer);
        self.buffers.give_back(std::mem::take(&mut pending.payload));
        Some(pending)
    }

    /// Takes one outcome and the core that it is for.
    pub(super) fn pop_completion(&mut self) -> Option<(CoreIndex, Completion)> {
        self.completions.pop_front()
    }

    /// Takes back the buffer of results that have been sent.
    pub(super) fn recycle(&mut self, results: Vec<u8>) {
        self.buffers.give_back(results);
    }

    /// Whether no request is queued or in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.completions.is_empty()
    }

    /// Shows to all cores whether a backend is there. Not when a lane is replaced, which takes a moment only.
    fn show_lanes(&self) {
        self.board.owner.backend_lanes_up.set(self.lanes.up() as u64);
    }

    /// Shows the state of the queue to all cores.
    fn show(&self) {
        let owner = &self.board.owner;
        owner.queue_requests.set(self.scheduler.len() as u64);
        owner.queue_sequences.set(self.scheduler.sequences());
        owner.customers.set(self.customers.len() as u64);
        let in_flight = self.lanes.backends().iter().map(|backend| backend.busy).sum::<usize>();
        owner.batches_in_flight.set(in_flight as u64);
    }
}
