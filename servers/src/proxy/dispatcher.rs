//! The owner's part of the proxy: from requests to batches, and from replies to outcomes.
//!
//! A request is queued (the scheduler has a job for each of its parts), then in batches on lanes, then gone
//! with exactly one [`Completion`]. It may leave earlier, queued or not: its client left, or its deadline
//! passed. What it leaves behind in a batch is a key that finds nothing; a batch all of whose members have
//! left is aborted.

mod admit;
mod events;
mod explain;
mod launch;
mod leaving;
mod shed;

use std::collections::VecDeque;
use std::sync::Arc;

use ringyard_protocol::json::ItemSpan;
use ringyard_protocol::limits::HttpLimits;
use ringyard_runtime::app::{Commands, CoreIndex, Time};
use ringyard_runtime::slab::Key;
use ringyard_scheduler::cost::{BatchShape, CostKind};
use ringyard_scheduler::limits::TIERS;
use ringyard_scheduler::{
    Batch, CompositionKind, CustomerTerms, JobSpec, Scheduler, SchedulerConfig, Slot, StrategyKind,
};

use super::admission::{Load, Pace};
use super::backlog::Backlog;
use super::balance::Balancer;
use super::board::ProxyBoard;
use super::config::{CompositionChoice, CostSetting, ProxyConfig, Shedding};
use super::costs::Costs;
use super::customers::Customers;
use super::decisions::Decisions;
use super::explain::Facts;
use super::lanes::Lanes;
use super::mail::{Completion, Outcome, Submission};
use super::refusal::Refusal;
use super::requests::{Asker, Request, Requests, Stage};
use super::shedding::Codel;
use super::strategy_route::{Change, State};
use super::terms::{CustomerBook, Meters};
use crate::buffers::BufferPool;
use crate::front::Ticket;
use crate::limits::BACKEND_REPLY_BYTES_MAX;
use crate::timers::Timers;

/// What a lane carries.
#[derive(Debug, Default)]
struct Flight {
    /// Parts and how many sequences each has, in the order of the sequences.
    members: Vec<(Key, u32)>,
    shape: BatchShape,
    load: Load,
    /// Members that still await their answer.
    awaited: usize,
    facts: Facts,
    dispatched: Time,
}

impl Flight {
    fn sequences(&self) -> u32 {
        self.members.iter().map(|(_, sequences)| sequences).sum()
    }
}

/// The queue, the batches in flight and the lanes.
#[derive(Debug)]
pub(super) struct Dispatcher {
    config: Arc<ProxyConfig>,
    board: Arc<ProxyBoard>,
    reply_limits: HttpLimits,
    scheduler: Scheduler,
    composition: CompositionChoice,
    costs: Costs,
    customers: Customers,
    book: CustomerBook,
    meters: Meters,
    requests: Requests,
    backlog: Backlog,
    /// By the request's place in the table.
    deadlines: Timers,
    lanes: Lanes,
    balancer: Balancer,
    /// By lane.
    flights: Vec<Flight>,
    /// Batches that were sent and never begun: they leave again before any other.
    returned: VecDeque<Flight>,
    /// Lanes of a connection that was just lost.
    lost: Vec<usize>,
    pace: Pace,
    codel: Codel,
    /// When the last batch left, and whether it left others behind.
    left_behind_at: Option<Time>,
    /// Requests by arrival, as far as they may have to be refused for having waited. Some have gone.
    arrivals: VecDeque<Key>,
    /// Batches sent.
    batches: u64,
    /// The last decisions, where they are kept.
    decisions: Option<Box<Decisions>>,
    /// Outcomes not yet handed on.
    completions: VecDeque<(CoreIndex, Completion)>,
    /// Something has changed that may allow a batch to leave.
    stirred: bool,
    batch: Batch,
    items: Vec<ItemSpan>,
    body: Vec<u8>,
    buffers: BufferPool,
}

/// What the choice of a composition comes to.
fn composition_in_force(
    choice: CompositionChoice,
    strategy: StrategyKind,
    cost: CostKind,
) -> CompositionKind {
    let shortest_first =
        matches!(strategy, StrategyKind::Sjf | StrategyKind::SjfAgeing | StrategyKind::Wspt);
    match choice {
        CompositionChoice::Fixed(kind) => kind,
        CompositionChoice::Auto if shortest_first => CompositionKind::Plan,
        CompositionChoice::Auto if cost == CostKind::Quadratic => CompositionKind::Anchor,
        CompositionChoice::Auto => CompositionKind::Fill,
    }
}

/// How much the waiting of a customer's job counts: its weight, doubled for each tier above the last.
fn weight_of(terms: CustomerTerms) -> u32 {
    let above = TIERS - 1 - usize::from(terms.tier).min(TIERS - 1);
    terms.weight.saturating_mul(1 << above)
}

impl Dispatcher {
    /// An empty queue before backends that are still to be connected.
    pub(super) fn new(config: Arc<ProxyConfig>, board: Arc<ProxyBoard>) -> Self {
        let lanes = Lanes::new(
            &config.backends,
            config.backend_concurrency,
            config.backend_pipeline,
            config.concurrency_rule,
        );
        let flights = lanes.count();
        let balancer =
            Balancer::new(config.balance, config.backends.len(), config.backend_concurrency);
        let costs = Costs::new(config.cost, config.backends.len());
        let model = costs.common().model();
        let scheduler = Scheduler::new(SchedulerConfig {
            strategy: config.strategy,
            linger: config.linger,
            queue_jobs_max: config.queue_jobs_max,
            composition: composition_in_force(config.composition, config.strategy, model.kind()),
            cost_model: model,
            fair: config.fair,
            ageing: config.ageing,
        });
        board.put_up_backends(&config.backends);
        (0..config.backends.len()).for_each(|backend| {
            board.show_costs(backend, costs.backend(backend));
        });
        let mut dispatcher = Self {
            reply_limits: HttpLimits {
                body_bytes: BACKEND_REPLY_BYTES_MAX,
                ..HttpLimits::default()
            },
            scheduler,
            composition: config.composition,
            costs,
            customers: Customers::default(),
            book: CustomerBook::default(),
            meters: Meters::default(),
            requests: Requests::default(),
            backlog: Backlog::default(),
            deadlines: Timers::default(),
            lanes,
            balancer,
            flights: (0..flights).map(|_| Flight::default()).collect(),
            returned: VecDeque::new(),
            lost: Vec::new(),
            pace: Pace::default(),
            codel: Codel::default(),
            left_behind_at: None,
            arrivals: VecDeque::new(),
            batches: 0,
            decisions: explain::decisions_kept(config.explain),
            completions: VecDeque::new(),
            stirred: true,
            batch: Batch::default(),
            items: Vec::new(),
            body: Vec::new(),
            buffers: BufferPool::default(),
            config: Arc::clone(&config),
            board,
        };
        dispatcher.set_book(Time::ZERO, config.customers.clone());
        dispatcher
    }

    /// Takes a request in, or says why not. What is taken in gets its completion later.
    pub(super) fn submit(
        &mut self,
        now: Time,
        core: CoreIndex,
        submission: &Submission,
    ) -> Result<(), Refusal> {
        self.follow_book(now);
        let limit = self.admit(now, submission)?;
        let asker = Asker { core, ticket: submission.ticket };
        let terms = self.book.of(&submission.customer).terms;
        let (customer, is_new) = self.customers.enter(&submission.customer, terms);
        if is_new {
            self.scheduler.set_customer(customer, terms, now);
        }
        let request = Request::new(asker, customer, submission.arrived, limit);
        let deadline = request.deadline();
        let key = self.requests.insert(request);
        // Keys are made of the same figures whichever backend the job will go to.
        self.scheduler.set_cost_model(self.costs.common().model());
        let weight = weight_of(terms);
        if submission.apart.is_empty() {
            self.queue_part(now, key, weight, submission.shape, &submission.payload);
        }
        let mut rest = submission.payload.as_slice();
        for sequence in &submission.apart {
            let (text, after) = rest.split_at(sequence.bytes);
            let shape = BatchShape {
                sequences: 1,
                characters: u64::from(sequence.characters),
                longest: sequence.characters,
            };
            self.queue_part(now, key, weight, shape, text);
            rest = after.strip_prefix(b",").unwrap_or(after);
        }
        self.deadlines.set(key.index(), deadline);
        if self.config.shedding == Shedding::Codel {
            self.arrivals.push_back(key);
        }
        self.stirred = true;
        Ok(())
    }

    /// Queues a part of a request for which there is room.
    fn queue_part(&mut self, now: Time, request: Key, weight: u32, shape: BatchShape, text: &[u8]) {
        let mut buffer = self.buffers.take();
        buffer.extend_from_slice(text);
        let key = self.requests.insert_part(request, shape, buffer);
        let owner = self.requests.get(request).expect("parts are queued for a request");
        let customer = owner.customer;
        let sequences = u32::try_from(shape.sequences).expect("bounded by a small limit");
        let spec = JobSpec::new(customer, sequences, shape.longest, key.to_word())
            .with_characters(shape.characters)
            .with_weight(weight)
            .with_deadline(owner.deadline());
        let job = self.scheduler.push(spec, now).expect("admission left room");
        self.requests.part_mut(key).expect("it was inserted just now").stage = Stage::Queued(job);
        self.backlog.add(customer, &shape, text.len());
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
        let Some(key) = self.requests.of_asker(Asker { core, ticket }) else { return };
        self.board.owner.abandoned.add(1);
        self.leave(now, key, commands);
    }

    /// How the queue is served, after a change if one is asked for.
    pub(super) fn strategy(&mut self, now: Time, change: Change) -> State {
        if let Some(choice) = change.composition {
            self.composition = choice;
        }
        if let Some(kind) = change.strategy {
            self.note_switch(now, kind);
            self.scheduler.set_strategy(kind, now);
        }
        if change != Change::default() {
            self.compose_anew(self.costs.common().model().kind());
            self.stirred = true;
        }
        State {
            strategy: self.scheduler.strategy(),
            composition: self.composition,
            strategy_in_force: self.scheduler.active_strategy(),
            composition_in_force: self.scheduler.composition(),
            reason: self.scheduler.last_switch().map(|switch| switch.reason),
        }
    }

    /// Puts the composition in force that suits strategy and costs, if it is to be another.
    fn compose_anew(&mut self, cost: CostKind) {
        let strategy = self.scheduler.active_strategy();
        let composition = composition_in_force(self.composition, strategy, cost);
        if composition != self.scheduler.composition() {
            self.scheduler.set_composition(composition);
        }
    }

    /// When [`Dispatcher::turn`] has something to do; a time gone by means at the end of this turn.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        if self.stirred {
            return Some(Time::ZERO);
        }
        let can_send = self.lanes.can_take().any(|can| can);
        let linger = can_send.then(|| self.scheduler.next_deadline(&self.slot())).flatten();
        let unreachable = self
            .has_unsent()
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
        if self.has_unsent() {
            self.lanes.replace_stale(now, commands);
        }
        self.lanes.turn(now, commands);
        if self.unreachable(now) {
            self.fail_queued(now, commands);
        }
        self.send_returned(now, commands);
        while let Some(lane) = self.find_lane(now) {
            self.shed(now, commands);
            let mut batch = std::mem::take(&mut self.batch);
            let is_due = self.compose(now, lane, &mut batch);
            self.refuse_late(now, &mut batch, commands);
            if !batch.is_empty() {
                self.dispatch(now, lane, &batch, commands);
                if let Some(before) = self.left_behind_at {
                    self.codel.record(now.since(before));
                }
                self.left_behind_at = (!self.scheduler.is_empty()).then_some(now);
            }
            self.batch = batch;
            if !is_due {
                break;
            }
        }
        self.show(now);
    }

    /// The lane for the next batch: an idle one to the backend that the balancing policy chooses.
    fn find_lane(&mut self, now: Time) -> Option<usize> {
        let backend = self.balancer.choose(now, self.lanes.can_take())?;
        self.lanes.find_idle(backend)
    }

    /// Composes the next batch for a lane. `false` where none is due, though some may be late.
    fn compose(&mut self, now: Time, lane: usize, batch: &mut Batch) -> bool {
        let book = self.costs.backend(self.lanes.backend_of(lane));
        let (model, known_longest) = (book.model(), book.known_longest());
        // Nobody else waits: it is tried whatever is predicted, or no prediction would ever be proved wrong.
        let tries =
            self.scheduler.len() <= 1 && matches!(self.config.cost, CostSetting::Learned(_));
        self.scheduler.set_known_longest(if tries { None } else { known_longest });
        self.scheduler.set_cost_model(model);
        self.compose_anew(model.kind());
        let switch = self.scheduler.last_switch();
        let found = self.scheduler.pop_batch(now, &self.slot(), batch);
        self.note_own_switch(switch);
        found
    }

    fn slot(&self) -> Slot {
        Slot { sequences_max: self.config.batch_sequences_max }
    }

    /// Whether anything waits for a backend.
    fn has_unsent(&self) -> bool {
        !self.scheduler.is_empty() || !self.returned.is_empty()
    }

    /// Sends a batch on an idle lane as one request.
    fn dispatch<M>(&mut self, now: Time, lane: usize, batch: &Batch, commands: &mut Commands<M>) {
        let flight = &mut self.flights[lane];
        flight.members.clear();
        flight.shape = BatchShape::default();
        flight.load = Load::default();
        for job in &batch.jobs {
            let key = Key::from_word(job.spec.tag);
            let part = self.requests.part_mut(key).expect("a queued job has its part");
            flight.members.push((key, job.spec.sequences));
            flight.shape = flight.shape.with(part.shape);
            flight.load.add(&part.shape);
            self.backlog.remove(job.spec.customer, &part.shape, part.text.len());
        }
        self.launch(now, lane, commands);
        self.note_dispatch(now, lane, batch);
        self.board.owner.batches.add(1);
        self.board.owner.batch_requests.add(batch.jobs.len() as u64);
        self.board.owner.batch_sequences.add(u64::from(batch.sequences));
    }

    fn announce(&mut self, key: Key, outcome: Outcome) {
        let Some(request) = self.requests.get(key) else { return };
        let Request { asker, arrived, .. } = *request;
        self.completions
            .push_back((asker.core, Completion { ticket: asker.ticket, arrived, outcome }));
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
    fn show(&self, now: Time) {
        self.board.show_closed(self.closed_for(now));
        let owner = &self.board.owner;
        owner.queue_requests.set(self.scheduler.len() as u64);
        owner.queue_sequences.set(self.scheduler.sequences());
        owner.queue_bytes.set(self.backlog.bytes() as u64);
        owner.customers.set(self.customers.len() as u64);
        let in_flight = self.lanes.backends().iter().map(|backend| backend.busy).sum::<usize>();
        owner.batches_in_flight.set(in_flight as u64);
    }
}
