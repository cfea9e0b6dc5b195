//! A world's construction, its clock, and the clients' part of a tick.

use std::time::Duration;

use ringyard_scheduler::balance::live::{Answer, LivePolicy, Load, rendezvous_subset};
use ringyard_scheduler::balance::{Cost, LastN, Narrowed, Probes, Random as _, Report};

use ringyard_time::Time;

use super::build::{publishing, reaches};
use super::channels::ChannelTable;
use super::plans::Plans;
use super::record::{Observer, Row, Stage, Tally};
use super::requests::{Calendar, NONE, Request, Requests};
use super::server::{Publishing, Server};
use crate::study::arrivals::TickProcess;
use crate::study::draws::{Draws, Purpose};
use crate::study::policy::{Holder, PickerConfig, Policy};
use crate::study::scenario::{Scenario, Subsetting, World};

/// Everything there is.
pub(super) struct Universe<'a, D, O> {
    pub(super) scenario: &'a Scenario,
    pub(super) world: &'a World,
    pub(super) draws: &'a mut D,
    pub(super) observer: &'a mut O,
    pub(super) now: u32,
    pub(super) stage: Stage,
    pub(super) requests: Requests,
    pub(super) servers: Vec<Server>,
    pub(super) channels: ChannelTable,
    /// Every state ever published; the first is the empty one.
    pub(super) reports: Vec<Report>,
    /// Per server the index of its present state.
    pub(super) published: Vec<u32>,
    /// Per server the mean of its utilisation window, NaN while that is empty.
    pub(super) mean_utilization: Vec<f64>,
    /// Per channel identity the epoch of its server in which it was last warmed.
    pub(super) warm: Vec<u32>,
    pub(super) publishing: Publishing,
    /// What each server finishes on a tick.
    pub(super) finishing: Calendar,
    /// What reaches its server on a tick, by client.
    pub(super) outbound: Calendar,
    /// What reaches its client on a tick.
    pub(super) inbound: Calendar,
    pub(super) due: Vec<u32>,
    pub(super) tally: Tally,
    /// Counts what any server took from its queue.
    pub(super) dequeues: u32,
    pub(super) policies: Vec<Policy>,
    pending: Vec<Vec<u32>>,
    pub(super) plans: Plans,
    pub(super) scratch: Vec<u32>,
    utilizations: Vec<f64>,
    queue_lengths: Vec<u32>,
}

/// Runs `scenario` once, with all its chance from `draws`, recording to `observer`.
pub fn run<D: Draws, O: Observer>(scenario: &Scenario, draws: &mut D, observer: &mut O) -> Tally {
    let world = &scenario.world;
    let mut universe = Universe::new(scenario, draws, observer);
    let per_tick = world.rate * world.servers as f64;
    let (requests, ticks) = (world.requests(), world.total_ticks);
    let mut arrivals =
        TickProcess::new(&world.arrivals, per_tick, requests, ticks, &mut *universe.draws);
    let warm_period = world.warm_period();
    for tick in 0..ticks {
        if tick > warm_period {
            universe.stage = Stage::Running;
        }
        let arriving = arrivals.arriving(tick, &mut *universe.draws);
        universe.tick(arriving);
    }
    universe.stage = Stage::Cooling;
    for _ in 0..world.max_cooldown {
        if universe.is_quiet() {
            break;
        }
        universe.tick(0);
    }
    Tally {
        probes: universe.requests.started() - universe.tally.requests,
        lost: universe.requests.live() as u64,
        ticks: universe.now,
        ..universe.tally
    }
}

impl<'a, D: Draws, O: Observer> Universe<'a, D, O> {
    fn new(scenario: &'a Scenario, draws: &'a mut D, observer: &'a mut O) -> Self {
        let world = &scenario.world;
        let per_client = world.channels_per_client();
        let (leg_reach, work_reach) = reaches(world, draws);
        let costs = scenario.picker.costs();
        let mut universe = Self {
            scenario,
            world,
            observer,
            now: 0,
            stage: Stage::Warming,
            requests: Requests::new(),
            servers: (0..world.servers).map(|_| Server::new(world.server_state_buffer)).collect(),
            channels: ChannelTable::new(per_client, per_client * world.clients),
            reports: vec![Report::EMPTY],
            published: vec![0; world.servers],
            mean_utilization: vec![f64::NAN; world.servers],
            warm: vec![0; per_client * world.clients],
            publishing: publishing::<O>(world, &scenario.picker, &costs),
            finishing: Calendar::new(world.servers, work_reach),
            outbound: Calendar::new(world.clients, leg_reach),
            inbound: Calendar::new(world.clients, leg_reach),
            due: Vec::new(),
            tally: Tally::default(),
            dequeues: 0,
            policies: Vec::with_capacity(world.clients),
            pending: vec![Vec::new(); world.clients],
            plans: Plans::default(),
            scratch: Vec::new(),
            utilizations: Vec::new(),
            queue_lengths: Vec::new(),
            draws,
        };
        (0..world.servers).for_each(|server| universe.reset_server(server));
        (0..world.clients).for_each(|client| universe.connect(client));
        if costs.iter().any(|cost| matches!(cost, Cost::ClientLatency(_))) {
            let window = LastN::new(world.client_requests_buffer);
            universe.channels.latencies = vec![window; per_client * world.clients];
            universe.channels.ewma_weight = world.ewma_weight;
        }
        universe
    }

    /// Chooses the servers of the next client and opens its channels.
    fn connect(&mut self, client: usize) {
        let world = self.world;
        let per_client = world.channels_per_client();
        match (world.subset_size, world.subsetting) {
            (Some(_), Subsetting::Random) => {
                let distinct = world.rules.distinct_subset;
                self.draws.subset(world.servers, per_client, distinct, &mut self.scratch);
            }
            (Some(_), Subsetting::Rendezvous) => {
                let servers: Vec<u64> = (0..world.servers as u64).collect();
                self.scratch = rendezvous_subset(client as u64, &servers, per_client);
            }
            (None, _) => self.scratch = (0..world.servers).map(index_u32).collect(),
        }
        for (place, &server) in self.scratch.iter().enumerate() {
            let twin = self.scratch.iter().position(|other| *other == server).unwrap_or(place);
            let identity = if world.rules.shared_identity { twin } else { place };
            self.channels.server.push(server);
            self.channels.identity.push(index_u32(identity));
            let own = self.draws.gamma(
                Purpose::World,
                world.channel_rtt.mean,
                world.channel_rtt.variance,
            );
            self.channels.halves.push(self.servers[server as usize].mean_rtt + own);
        }
        let takes_turns = self.scenario.picker == PickerConfig::RoundRobin;
        let is_random = world.rules.random_phase && takes_turns;
        let phase = if is_random { self.draws.phase(per_client) } else { 0 };
        let policy = self.scenario.picker.build(&Holder {
            rules: &world.rules,
            history: world.client_requests_buffer,
            phase,
            servers: &self.scratch,
            clients: world.clients,
        });
        self.policies.push(policy);
    }

    fn is_quiet(&self) -> bool {
        if self.world.rules.drain {
            self.requests.live() == 0
        } else {
            self.channels.in_flight.iter().all(|in_flight| *in_flight == 0)
        }
    }

    fn tick(&mut self, arriving: u32) {
        for _ in 0..arriving {
            self.arrive();
        }
        for server in 0..self.world.servers {
            self.serve(server);
        }
        for client in 0..self.world.clients {
            self.pick_pending(client);
            self.move_messages(client);
        }
        if O::WATCHES_TICKS {
            let latest = |report: &u32| self.reports[*report as usize].utilization.latest;
            self.utilizations.clear();
            self.utilizations.extend(self.published.iter().map(latest));
            self.queue_lengths.clear();
            self.queue_lengths.extend(self.servers.iter().map(|server| server.queued));
            self.observer.tick(self.now, self.stage, &self.utilizations, &self.queue_lengths);
        }
        self.now += 1;
    }

    /// A user request arrives at a random client.
    #[inline]
    fn arrive(&mut self) {
        let client = self.draws.client(self.world.clients);
        let request = self.requests.add(self.now);
        self.tally.requests += 1;
        if let Some(per_request) = self.scenario.probes_per_request {
            self.probe(client, per_request);
        }
        if let Some(choose_from) = self.scenario.choose_from {
            let plan = self.plans.add();
            let channels = &mut self.plans.get_mut(plan).channels;
            self.draws.policy().choices(self.channels.per_client, choose_from, channels);
            self.requests.get_mut(request).plan = plan;
        }
        self.pending[client].push(request);
    }

    /// Sends the probes that go along with a request.
    fn probe(&mut self, client: usize, per_request: f64) {
        let probes = Probes { per_request, idle_only: self.world.rules.probe_idle_only };
        let mut targets = std::mem::take(&mut self.scratch);
        let view = self.channels.view(client, &self.reports, &self.published);
        probes.choose(&view, self.draws.policy(), &mut targets);
        self.send_probes(client, &targets);
        self.scratch = targets;
    }

    /// Sends a probe on each of the client's channels `targets`.
    pub(super) fn send_probes(&mut self, client: usize, targets: &[u32]) {
        for &channel in targets {
            let probe = self.requests.add(self.now);
            self.requests.get_mut(probe).is_probe = true;
            self.send(client, channel as usize, probe);
        }
    }

    /// Asks the picker about every request that waits for a channel at `client`.
    #[inline]
    fn pick_pending(&mut self, client: usize) {
        let mut pending = std::mem::take(&mut self.pending[client]);
        if self.scenario.choose_from.is_none() && !self.scenario.picker.races() {
            for request in pending.drain(..) {
                let view = self.channels.view(client, &self.reports, &self.published);
                let channel = match &mut self.policies[client] {
                    Policy::Picker(picker) => picker.pick(&view, self.draws.policy()),
                    Policy::Live(_) => self.pick_live(client),
                };
                self.send(client, channel, request);
            }
        } else {
            pending.retain(|&request| match self.poll(client, request) {
                Some(channel) => {
                    self.requests.get_mut(request).plan = NONE;
                    self.send(client, channel, request);
                    false
                }
                None => true,
            });
        }
        self.pending[client] = pending;
    }

    /// Asks about one request that has a plan, or is to race.
    fn poll(&mut self, client: usize, request: u32) -> Option<usize> {
        if self.scenario.picker.races() {
            return self.poll_race(client, request);
        }
        let plan = self.requests.get(request).plan;
        let channels = &self.plans.get(plan).channels;
        let view = self.channels.view(client, &self.reports, &self.published);
        let few = Narrowed { inner: &view, indices: channels };
        let place = match &mut self.policies[client] {
            Policy::Picker(picker) => picker.pick(&few, self.draws.policy()),
            Policy::Live(_) => panic!("scenarios that narrow a policy that learns are refused"),
        };
        let channel = channels[place] as usize;
        self.plans.free(plan);
        Some(channel)
    }

    /// Sends `request` on the client's channel number `channel`.
    #[inline]
    pub(super) fn send(&mut self, client: usize, channel: usize, request: u32) {
        let channel = client * self.channels.per_client + channel;
        self.channels.in_flight[channel] += 1;
        let ticks = self.leg(channel);
        let entry = self.requests.get_mut(request);
        entry.channel = index_u32(channel);
        entry.sent = self.now;
        self.outbound.due(client, self.now + ticks).push_back(&mut self.requests, request);
    }

    /// Draws how many ticks from now a message on `channel` arrives.
    #[inline]
    pub(super) fn leg(&mut self, channel: usize) -> u32 {
        let ticks = self.draws.half_gamma(Purpose::Legs, self.channels.halves[channel]);
        let ticks = if self.world.rules.short_legs { ticks - 1 } else { ticks };
        assert!(ticks <= self.outbound.reach(), "a leg is within the calendar");
        ticks
    }

    /// The channels' part of a client's tick: resets, then what arrives at servers, then at the client.
    #[inline]
    fn move_messages(&mut self, client: usize) {
        let first = client * self.channels.per_client;
        for channel in first..first + self.channels.per_client {
            let entity = self.world.servers + channel;
            if self.draws.resets(entity, self.now, self.world.network_reset_probability) {
                let own = self.world.channel_rtt;
                let own = self.draws.gamma(Purpose::World, own.mean, own.variance);
                let server = self.channels.server[channel] as usize;
                self.channels.halves[channel] = self.servers[server].mean_rtt + own;
            }
        }
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        self.outbound.due(client, self.now).drain_into(&self.requests, &mut due);
        // The notebook walks channel by channel; within a channel the list is already in order.
        due.sort_by_key(|request| self.requests.get(*request).channel);
        for &request in &due {
            self.enqueue(request);
        }
        due.clear();
        self.inbound.due(client, self.now).drain_into(&self.requests, &mut due);
        due.sort_by_key(|request| self.requests.get(*request).channel);
        for &request in &due {
            self.complete(client, request);
        }
        self.due = due;
    }

    /// An answer arrives at its client.
    #[inline]
    fn complete(&mut self, client: usize, request: u32) {
        let entry = *self.requests.get(request);
        let channel = entry.channel as usize;
        let extra = u32::from(self.world.rules.short_legs);
        let row = Row {
            stage: self.stage_of(entry.started),
            client: index_u32(client),
            server: self.channels.server[channel],
            is_probe: entry.is_probe,
            started: entry.started,
            sent: entry.sent,
            enqueued: entry.enqueued,
            dequeued: entry.first_dequeued,
            finished: entry.finished,
            completed: self.now,
            picking_ticks: if entry.is_probe { 0 } else { entry.sent - entry.started + 1 },
            send_ticks: entry.enqueued - entry.sent + extra,
            queue_ticks: entry.queue_ticks,
            processing_ticks: entry.processing_ticks,
            receive_ticks: self.now - entry.finished + extra,
            report: &self.reports[entry.report as usize],
        };
        if self.world.rules.record_all || self.now.is_multiple_of(self.world.data_frequency) {
            self.observer.record(&row);
        }
        if let Some(window) = self.channels.latencies.get_mut(channel) {
            window.push(f64::from(row.total_ticks()));
        }
        let known = self.channels.report[channel];
        let older = known != NONE && known > entry.report;
        if !(self.world.rules.newest_state && older) {
            self.channels.report[channel] = entry.report;
        }
        let total_ticks = row.total_ticks();
        if matches!(self.policies[client], Policy::Live(_)) {
            self.teach(client, &entry, total_ticks);
        }
        if entry.is_probe {
            self.tally.probes_completed += 1;
            if entry.plan != NONE {
                self.racer_home(&entry);
            }
        } else {
            self.tally.completed += 1;
        }
        self.requests.remove(request);
    }

    /// The present as policies that learn reckon it.
    pub(super) fn instant(&self) -> Time {
        Time::ZERO + self.duration(self.now)
    }

    fn duration(&self, ticks: u32) -> Duration {
        Duration::from_secs_f64(f64::from(ticks) * self.world.tick_seconds)
    }

    /// Tells a policy that learns what came back.
    fn teach(&mut self, client: usize, entry: &Request, total_ticks: u32) {
        let report = &self.reports[entry.report as usize];
        let place = entry.channel as usize - client * self.channels.per_client;
        let now = self.instant();
        if entry.is_probe {
            let expected = report.expected_latency.max(0.0) * self.world.tick_seconds;
            let in_flight = report.in_flight.latest.max(0.0);
            let live = learner(&mut self.policies[client]);
            live.probed(place, in_flight, Duration::from_secs_f64(expected), now);
            return;
        }
        // A server says nothing of itself in the tick after a reset.
        let is_known = !report.utilization.latest.is_nan();
        let load = is_known.then(|| Load {
            requests_per_second: report.queries.mean / self.world.tick_seconds,
            errors_per_second: 0.0,
            utilization: report.utilization.mean / 100.0,
            in_flight: report.in_flight.latest,
            queued: report.queued.latest,
            service_seconds: self.duration(entry.processing_ticks).as_secs_f64(),
            queued_seconds: self.duration(entry.queue_ticks).as_secs_f64(),
        });
        let answer = Answer { latency: self.duration(total_ticks), is_success: true, load };
        learner(&mut self.policies[client]).finished(place, &answer, now);
    }

    fn stage_of(&self, started: u32) -> Stage {
        if !self.world.rules.record_all {
            self.stage
        } else if started > self.world.warm_period() {
            Stage::Running
        } else {
            Stage::Warming
        }
    }
}

/// The policy of a client that was found to learn.
pub(super) fn learner(policy: &mut Policy) -> &mut LivePolicy {
    match policy {
        Policy::Live(live) => live,
        Policy::Picker(_) => panic!("only a policy that learns is taught"),
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "worlds have fewer than 2^32 of anything")]
pub(super) fn index_u32(index: usize) -> u32 {
    index as u32
}
