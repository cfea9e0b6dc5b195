//! Clients, stations and the events between them.

use std::time::Duration;

use ringyard_scheduler::balance::live::{Answer, Load};
use ringyard_scheduler::balance::{Observed, Philox, Picker, Random, Report};
use ringyard_time::Time;

use super::agenda::{Agenda, Event};
use super::client::{Client, View, report_of};
use super::laws::{ArrivalLaw, ArrivalProcess, Law};
use super::measure::{Measured, Tails};
use super::station::{Discipline, Station};
use crate::study::draws::RunKey;
use crate::study::policy::Policy;

/// A server's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StationSetup {
    /// Requests worked on at once (first come, first served only).
    pub threads: u32,
    /// Work done per second and thread.
    pub speed: f64,
    /// In which order it works.
    pub discipline: Discipline,
    /// If set, from when to when it answers every request with an error, and after how long.
    pub failing: Option<(f64, f64, f64)>,
    /// Mean of the exponential delay of each message to and from it; zero for none.
    pub delay: f64,
}

impl Default for StationSetup {
    fn default() -> Self {
        let discipline = Discipline::Fifo;
        Self { threads: 1, speed: 1.0, discipline, failing: None, delay: 0.0 }
    }
}

/// An experiment in continuous time. All times are seconds.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The servers.
    pub stations: Vec<StationSetup>,
    /// The policy of each client. Every client has a channel to every server.
    pub policies: Vec<Policy>,
    /// How requests arrive, over all clients; each at a client drawn uniformly.
    pub arrivals: ArrivalLaw,
    /// The work of a request.
    pub work: Law,
    /// How often servers' states are published to those who see them without asking; zero for always.
    pub publish_period: f64,
    /// Requests at each server at the start (exponential work only, which has no memory).
    pub initial: Vec<u32>,
    /// Whether a policy reads response times from the view, which are only then remembered.
    pub remembers_latencies: bool,
    /// When measuring starts.
    pub warm_up: f64,
    /// When measuring ends. Arrivals go on until all that were measured are answered, so that long ones count.
    pub horizon: f64,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    client: u32,
    station: u32,
    arrived: f64,
    reached: f64,
    started: f64,
    work: f64,
    load_met: u32,
    is_at_server: bool,
    is_error: bool,
    /// What the answer carries.
    load: Load,
}

/// How many times the measured duration a run may go on for the last measured requests.
const OVERTIME_MAX: f64 = 10.0;

struct Simulation<'a> {
    setup: &'a Setup,
    now: f64,
    agenda: Agenda,
    arrivals: ArrivalProcess<'a>,
    stations: Vec<Station>,
    clients: Vec<Client>,
    requests: Vec<Request>,
    free: Vec<u32>,
    probe_answers: Vec<(u32, u32, f64, Duration)>,
    free_probes: Vec<u32>,
    /// Per server its state as of the last publication.
    current: Vec<Report>,
    tails: Tails,
    measured: Measured,
    /// Sum of requests' times at servers within the measured time.
    presence: f64,
    /// Measured requests not answered yet.
    outstanding: u64,
    /// Whether any client probes, for whom servers keep their latencies by load.
    probes: bool,
    arrival_random: Philox,
    work_random: Philox,
    policy_random: Philox,
    delay_random: Philox,
    targets: Vec<u32>,
}

/// Runs `setup` once under `key`.
#[must_use]
pub fn simulate(setup: &Setup, key: &RunKey<'_>) -> Measured {
    let mut simulation = Simulation::new(setup, key);
    simulation.run();
    simulation.measured
}

impl<'a> Simulation<'a> {
    fn new(setup: &'a Setup, key: &RunKey<'_>) -> Self {
        let count = setup.stations.len();
        let client = |policy| Client::new(policy, count, setup.remembers_latencies);
        let mut arrival_random = key.stream(100);
        let station = |of: &StationSetup| Station::new(of.threads, of.speed, of.discipline);
        Self {
            setup,
            now: 0.0,
            agenda: Agenda::default(),
            arrivals: ArrivalProcess::new(&setup.arrivals, &mut arrival_random),
            stations: setup.stations.iter().map(station).collect(),
            clients: setup.policies.iter().map(client).collect(),
            requests: Vec::new(),
            free: Vec::new(),
            probe_answers: Vec::new(),
            free_probes: Vec::new(),
            current: vec![Report { in_flight: Observed::single(0.0), ..Report::EMPTY }; count],
            tails: Tails::default(),
            measured: Measured::default(),
            presence: 0.0,
            outstanding: 0,
            probes: setup.policies.iter().any(Policy::probes),
            arrival_random,
            work_random: key.stream(101),
            policy_random: key.stream(102),
            delay_random: key.stream(103),
            targets: Vec::new(),
        }
    }

    fn run(&mut self) {
        for (station, jobs) in (0_u32..).zip(&self.setup.initial) {
            for _ in 0..*jobs {
                self.start_request(0, station);
            }
        }
        if self.setup.publish_period > 0.0 {
            self.agenda.enter(0.0, Event::Publish);
        }
        let first = self.arrivals.next(0.0, &mut self.arrival_random);
        self.agenda.enter(first, Event::Arrive);
        let (start, end) = (self.setup.warm_up, self.setup.horizon);
        let last_call = end + OVERTIME_MAX * (end - start);
        let (mut is_warm, mut is_over) = (false, false);
        while let Some((time, event)) = self.agenda.next() {
            if !is_warm && time >= start {
                is_warm = true;
                self.now = start;
                self.tails.restart(start);
                self.stations.iter_mut().for_each(|station| station.restart(start));
            }
            if !is_over && time > end {
                is_over = true;
                self.close_books();
            }
            if time > last_call || (is_over && self.outstanding == 0) {
                break;
            }
            self.now = time;
            self.handle(event);
        }
        if !is_over {
            self.close_books();
        }
    }

    #[inline]
    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Reach(request) => self.reach(request),
            Event::Done(request) => self.leave(request),
            Event::SharedDone(station, changes) => self.shared_done(station, changes),
            Event::Answer(request) => self.answer(request),
            Event::Probe(client, channel) => self.probe(client, channel),
            Event::ProbeAnswer(probe) => self.probe_answered(probe),
            Event::Publish => self.publish_all(),
        }
    }

    fn arrive(&mut self) {
        let next = self.arrivals.next(self.now, &mut self.arrival_random);
        if next.is_finite() {
            self.agenda.enter(next, Event::Arrive);
        }
        let client = match self.clients.len() {
            1 => 0,
            count => self.arrival_random.below(count),
        };
        let instant = instant(self.now);
        let chosen = &mut self.clients[client];
        // The policy is moved out for the choice, so that it can look at the rest of its client.
        let mut policy = std::mem::replace(&mut chosen.policy, Policy::Picker(Picker::First));
        let view = View { client: chosen, current: &self.current };
        let channel = match &mut policy {
            Policy::Picker(picker) => picker.pick(&view, &mut self.policy_random),
            Policy::Live(live) => {
                let key = self.arrival_random.word();
                let channel = live.pick(&view, key, instant, &mut self.policy_random);
                live.sent(channel);
                live.probes(&view, &mut self.policy_random, &mut self.targets);
                channel
            }
        };
        chosen.policy = policy;
        chosen.in_flight[channel] += 1;
        let client = u32::try_from(client).unwrap_or(0);
        for target in std::mem::take(&mut self.targets) {
            self.measured.probes += u64::from(self.is_measured(self.now));
            let at = self.now + self.delay(target);
            self.agenda.enter(at, Event::Probe(client, target));
        }
        self.start_request(client, u32::try_from(channel).unwrap_or(0));
    }

    /// Sends a new request on its way.
    fn start_request(&mut self, client: u32, station: u32) {
        self.outstanding += u64::from(self.is_measured(self.now));
        let work = self.setup.work.draw(&mut self.work_random);
        let request = Request {
            client,
            station,
            arrived: self.now,
            reached: self.now,
            started: self.now,
            work,
            load_met: 0,
            is_at_server: false,
            is_error: false,
            load: Load::default(),
        };
        let index = match self.free.pop() {
            Some(index) => {
                self.requests[index as usize] = request;
                index
            }
            None => {
                self.requests.push(request);
                u32::try_from(self.requests.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let delay = self.delay(station);
        if delay > 0.0 {
            self.agenda.enter(self.now + delay, Event::Reach(index));
        } else {
            self.reach(index);
        }
    }

    /// The delay of one message to or from a server.
    #[inline]
    fn delay(&mut self, station: u32) -> f64 {
        let mean = self.setup.stations[station as usize].delay;
        if mean > 0.0 { super::laws::exponential(&mut self.delay_random) * mean } else { 0.0 }
    }

    /// A request reaches its server.
    fn reach(&mut self, request: u32) {
        let now = self.now;
        let entry = &mut self.requests[request as usize];
        let index = entry.station as usize;
        let station = &mut self.stations[index];
        station.advance(now);
        entry.reached = now;
        entry.is_at_server = true;
        entry.load_met = u32::try_from(station.load()).unwrap_or(u32::MAX);
        self.tails.step(station.load() + 1, true, now);
        if let Some((from, until, after)) = self.setup.stations[index].failing
            && (from..until).contains(&now)
        {
            // A failing server answers at once from a thread of its own; it holds nothing up.
            entry.is_error = true;
            entry.started = now;
            station.queue.push_front(request);
            self.agenda.enter(now + after, Event::Done(request));
        } else if station.discipline == Discipline::Shared {
            entry.started = now;
            let work = entry.work;
            station.share(request, work);
            self.schedule_shared(index);
        } else if station.busy < station.threads {
            entry.started = now;
            station.busy += 1;
            self.agenda.enter(now + entry.work / station.speed, Event::Done(request));
        } else {
            station.queue.push_back(request);
        }
        self.note_current(index);
    }

    fn schedule_shared(&mut self, index: usize) {
        let station = &self.stations[index];
        if let Some(at) = station.next_shared(self.now) {
            let event = Event::SharedDone(u32::try_from(index).unwrap_or(0), station.changes);
            self.agenda.enter(at, event);
        }
    }

    fn shared_done(&mut self, station: u32, changes: u32) {
        let index = station as usize;
        if self.stations[index].changes != changes {
            return;
        }
        self.stations[index].advance(self.now);
        if let Some(request) = self.stations[index].finish_shared() {
            self.depart(request);
        }
        self.schedule_shared(index);
    }

    /// A request leaves a first-come-first-served server.
    fn leave(&mut self, request: u32) {
        let entry = self.requests[request as usize];
        let station = &mut self.stations[entry.station as usize];
        station.advance(self.now);
        if entry.is_error {
            station.queue.retain(|queued| *queued != request);
        } else {
            station.busy -= 1;
            // Errors on their way out stand in the queue but are not waiting for a thread.
            let is_waiting = |queued: &u32| !self.requests[*queued as usize].is_error;
            if let Some(place) = station.queue.iter().position(is_waiting)
                && let Some(next) = station.queue.remove(place)
            {
                station.busy += 1;
                let waiting = &mut self.requests[next as usize];
                waiting.started = self.now;
                self.agenda.enter(self.now + waiting.work / station.speed, Event::Done(next));
            }
        }
        self.depart(request);
    }

    /// A request is gone from its server; its answer sets out.
    fn depart(&mut self, request: u32) {
        let now = self.now;
        let entry = &mut self.requests[request as usize];
        let index = entry.station as usize;
        let station = &mut self.stations[index];
        self.tails.step(station.load() + 1, false, now);
        entry.is_at_server = false;
        self.presence += now - entry.reached.max(self.setup.warm_up).min(now);
        station.count_answer(entry.is_error);
        let (utilization, rate, error_rate) = station.statistics();
        entry.load = Load {
            requests_per_second: rate,
            errors_per_second: error_rate,
            utilization,
            in_flight: station.load() as f64,
            queued: station.queue.len() as f64,
            service_seconds: now - entry.started,
            queued_seconds: entry.started - entry.reached,
        };
        if self.probes && !entry.is_error {
            let took = Duration::from_secs_f64(now - entry.reached);
            station.by_load.note(entry.load_met as usize, took);
        }
        let station = entry.station;
        self.note_current(index);
        let delay = self.delay(station);
        if delay > 0.0 {
            self.agenda.enter(now + delay, Event::Answer(request));
        } else {
            self.answer(request);
        }
    }

    /// An answer reaches its client.
    fn answer(&mut self, request: u32) {
        let entry = self.requests[request as usize];
        let channel = entry.station as usize;
        let latency = self.now - entry.arrived;
        if self.is_measured(entry.arrived) {
            self.outstanding -= 1;
            let measured = &mut self.measured;
            measured.completed += 1;
            measured.failed += u64::from(entry.is_error);
            measured.waited += u64::from(entry.started > entry.reached);
            measured.wait_sum += entry.started - entry.reached;
            measured.slowdown_sum += latency / entry.work;
            if !entry.is_error {
                measured.note_latency(latency);
            }
        }
        let client = &mut self.clients[entry.client as usize];
        // Requests that were there at the start were sent by nobody.
        client.in_flight[channel] = client.in_flight[channel].saturating_sub(1);
        if let Some(window) = client.latencies.get_mut(channel) {
            window.push(latency);
        }
        client.reports[channel] = Some(report_of(&entry.load));
        if let Policy::Live(live) = &mut client.policy {
            let answer = Answer {
                latency: Duration::from_secs_f64(latency),
                is_success: !entry.is_error,
                load: Some(entry.load),
            };
            live.finished(channel, &answer, instant(self.now));
        }
        self.free.push(request);
    }

    /// A probe reaches a server, which answers at once with its load and what it expects of it.
    fn probe(&mut self, client: u32, channel: u32) {
        let station = &self.stations[channel as usize];
        let load = station.load();
        let answer = (client, channel, load as f64, station.by_load.expect(load));
        let index = match self.free_probes.pop() {
            Some(index) => {
                self.probe_answers[index as usize] = answer;
                index
            }
            None => {
                self.probe_answers.push(answer);
                u32::try_from(self.probe_answers.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let at = self.now + self.delay(channel);
        self.agenda.enter(at, Event::ProbeAnswer(index));
    }

    fn probe_answered(&mut self, probe: u32) {
        let (client, channel, load, latency) = self.probe_answers[probe as usize];
        self.free_probes.push(probe);
        if let Policy::Live(live) = &mut self.clients[client as usize].policy {
            live.probed(channel as usize, load, latency, instant(self.now));
        }
    }

    fn publish_all(&mut self) {
        for (current, station) in self.current.iter_mut().zip(&self.stations) {
            current.in_flight = Observed::single(station.load() as f64);
        }
        self.agenda.enter(self.now + self.setup.publish_period, Event::Publish);
    }

    /// Keeps the visible state of a server current, unless states are published by the clock.
    #[inline]
    fn note_current(&mut self, index: usize) {
        if self.setup.publish_period <= 0.0 {
            self.current[index].in_flight.latest = self.stations[index].load() as f64;
        }
    }

    /// Takes down everything that is averaged over the measured time.
    fn close_books(&mut self) {
        let (end, duration) = (self.setup.horizon, self.setup.horizon - self.setup.warm_up);
        let integrals = self.tails.close(end);
        let count = self.stations.len() as f64;
        let still_there = self.requests.iter().filter(|request| request.is_at_server);
        let presence = self.presence
            + still_there.map(|request| end - request.reached.max(self.setup.warm_up)).sum::<f64>();
        let measured = &mut self.measured;
        measured.duration = duration;
        measured.tails = integrals.iter().map(|integral| integral / duration / count).collect();
        measured.mean_at_servers = integrals.iter().sum::<f64>() / duration;
        measured.mean_by_requests = presence / duration;
        measured.utilization =
            self.stations.iter_mut().map(|station| station.utilization(end, duration)).collect();
    }

    /// Whether a request that arrived at `time` is measured.
    fn is_measured(&self, time: f64) -> bool {
        (self.setup.warm_up..self.setup.horizon).contains(&time)
    }
}

/// A time in seconds as policies know it.
fn instant(seconds: f64) -> Time {
    Time::ZERO + Duration::from_secs_f64(seconds)
}
