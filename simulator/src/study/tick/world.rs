//! A world's construction, its clock, and the clients' part of a tick.

use ringyard_scheduler::balance::{
    Cost, LastN, Narrowed, Picker, Probes, Race, Random as _, Report,
};

use super::build::{build_picker, publishing, reaches};
use super::channels::ChannelTable;
use super::record::{Observer, Row, Stage, Tally};
use super::requests::{Calendar, NONE, Requests};
use super::server::{Publishing, Server};
use crate::study::draws::{Draws, Purpose};
use crate::study::scenario::{Arrivals, PickerConfig, Scenario, World};

/// What a request that is not picked at once has going on.
#[derive(Debug)]
struct Plan {
    /// The channels it may go to; for a race, in racing order.
    channels: Vec<u32>,
    race: Option<Race>,
    /// Probes of the race still under way.
    racing: usize,
    decided: bool,
}

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
    pickers: Vec<Picker>,
    pending: Vec<Vec<u32>>,
    plans: Vec<Plan>,
    free_plans: Vec<u32>,
    scratch: Vec<u32>,
    utilizations: Vec<f64>,
    queue_lengths: Vec<u32>,
}

/// Runs `scenario` once, with all its chance from `draws`, recording to `observer`.
pub fn run<D: Draws, O: Observer>(scenario: &Scenario, draws: &mut D, observer: &mut O) -> Tally {
    let world = &scenario.world;
    let mut universe = Universe::new(scenario, draws, observer);
    let mut arrivals = vec![0_u32; world.total_ticks as usize];
    if world.arrivals == Arrivals::Fixed {
        universe.draws.arrival_plan(world.requests(), &mut arrivals);
    }
    let per_tick = world.rate * world.servers as f64;
    let warm_period = world.warm_period();
    for (tick, planned) in (0_u32..).zip(arrivals) {
        if tick > warm_period {
            universe.stage = Stage::Running;
        }
        let arriving = match world.arrivals {
            Arrivals::Fixed => planned,
            Arrivals::Poisson => universe.draws.poisson(per_tick),
        };
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
            publishing: publishing::<O>(world, &costs),
            finishing: Calendar::new(world.servers, work_reach),
            outbound: Calendar::new(world.clients, leg_reach),
            inbound: Calendar::new(world.clients, leg_reach),
            due: Vec::new(),
            tally: Tally::default(),
            dequeues: 0,
            pickers: Vec::with_capacity(world.clients),
            pending: vec![Vec::new(); world.clients],
            plans: Vec::new(),
            free_plans: Vec::new(),
            scratch: Vec::new(),
            utilizations: Vec::new(),
            queue_lengths: Vec::new(),
            draws,
        };
        (0..world.servers).for_each(|server| universe.reset_server(server));
        (0..world.clients).for_each(|_| universe.connect());
        if costs.iter().any(|cost| matches!(cost, Cost::ClientLatency(_))) {
            let window = LastN::new(world.client_requests_buffer);
            universe.channels.latencies = vec![window; per_client * world.clients];
        }
        universe
    }

    /// Draws the next client's servers and opens its channels.
    fn connect(&mut self) {
        let world = self.world;
        let per_client = world.channels_per_client();
        match world.subset_size {
            Some(_) => {
                let distinct = world.rules.distinct_subset;
                self.draws.subset(world.servers, per_client, distinct, &mut self.scratch);
            }
            None => self.scratch = (0..world.servers).map(index_u32).collect(),
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
        let picker = build_picker(self.scenario, per_client, self.draws);
        self.pickers.push(picker);
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
            let plan = self.add_plan();
            let channels = &mut self.plans[plan as usize].channels;
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
        for &channel in &targets {
            let probe = self.requests.add(self.now);
            self.requests.get_mut(probe).is_probe = true;
            self.send(client, channel as usize, probe);
        }
        self.scratch = targets;
    }

    fn add_plan(&mut self) -> u32 {
        let plan = Plan { channels: Vec::new(), race: None, racing: 0, decided: false };
        match self.free_plans.pop() {
            Some(index) => {
                let mut channels = std::mem::take(&mut self.plans[index as usize].channels);
                channels.clear();
                self.plans[index as usize] = Plan { channels, ..plan };
                index
            }
            None => {
                self.plans.push(plan);
                index_u32(self.plans.len() - 1)
            }
        }
    }

    /// Asks the picker about every request that waits for a channel at `client`.
    #[inline]
    fn pick_pending(&mut self, client: usize) {
        let mut pending = std::mem::take(&mut self.pending[client]);
        if self.scenario.choose_from.is_none() && self.scenario.picker != PickerConfig::FastestProbe
        {
            for request in pending.drain(..) {
                let view = self.channels.view(client, &self.reports, &self.published);
                let channel = self.pickers[client].pick(&view, self.draws.policy());
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
        let mut plan = self.requests.get(request).plan;
        if self.scenario.picker != PickerConfig::FastestProbe {
            let channels = &self.plans[plan as usize].channels;
            let view = self.channels.view(client, &self.reports, &self.published);
            let few = Narrowed { inner: &view, indices: channels };
            let place = self.pickers[client].pick(&few, self.draws.policy());
            let channel = channels[place] as usize;
            self.free_plans.push(plan);
            return Some(channel);
        }
        if plan == NONE {
            plan = self.add_plan();
            self.plans[plan as usize].channels.extend(0..index_u32(self.channels.per_client));
            self.requests.get_mut(request).plan = plan;
        }
        let Some(race) = self.plans[plan as usize].race else {
            self.start_race(client, plan);
            return None;
        };
        let winner = self.plans[plan as usize].channels[race.winner()?] as usize;
        self.plans[plan as usize].decided = true;
        self.free_if_over(plan);
        Some(winner)
    }

    fn start_race(&mut self, client: usize, plan: u32) {
        let count = self.plans[plan as usize].channels.len();
        let mut order = std::mem::take(&mut self.scratch);
        let race = Race::start(count, self.draws.policy(), &mut order);
        for place in &mut order {
            *place = self.plans[plan as usize].channels[*place as usize];
        }
        self.plans[plan as usize].race = Some(race);
        self.plans[plan as usize].racing = count;
        for (place, &channel) in (0_u16..).zip(&order) {
            let probe = self.requests.add(self.now);
            let entry = self.requests.get_mut(probe);
            entry.is_probe = true;
            entry.plan = plan;
            entry.place = place;
            self.send(client, channel as usize, probe);
        }
        std::mem::swap(&mut self.plans[plan as usize].channels, &mut order);
        self.scratch = order;
    }

    fn free_if_over(&mut self, plan: u32) {
        let entry = &self.plans[plan as usize];
        if entry.decided && entry.racing == 0 {
            self.free_plans.push(plan);
        }
    }

    /// Sends `request` on the client's channel number `channel`.
    #[inline]
    fn send(&mut self, client: usize, channel: usize, request: u32) {
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
        if entry.is_probe {
            self.tally.probes_completed += 1;
            if entry.plan != NONE {
                let plan = &mut self.plans[entry.plan as usize];
                plan.racing -= 1;
                if let Some(race) = &mut plan.race {
                    race.answer(usize::from(entry.place));
                }
                self.free_if_over(entry.plan);
            }
        } else {
            self.tally.completed += 1;
        }
        self.requests.remove(request);
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

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "worlds have fewer than 2^32 of anything")]
pub(super) fn index_u32(index: usize) -> u32 {
    index as u32
}
