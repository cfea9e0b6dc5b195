//! The servers' part of a tick: reset, take from the queue, finish, publish.

use super::record::Observer;
use super::server::Tick;
use super::world::Universe;
use crate::study::draws::{Draws, Purpose};
use crate::study::law::VARIANCE;

impl<D: Draws, O: Observer> Universe<'_, D, O> {
    /// A request arrives at its server.
    #[inline]
    pub(super) fn enqueue(&mut self, request: u32) {
        let entry = self.requests.get_mut(request);
        entry.enqueued = self.now;
        entry.queued_since = self.now;
        let server = &mut self.servers[self.channels.server[entry.channel as usize] as usize];
        server.queries += 1;
        server.queued += 1;
        server.queue.push_back(&mut self.requests, request);
    }

    /// One tick of a server.
    pub(super) fn serve(&mut self, server: usize) {
        if self.draws.resets(server, self.now, self.world.server_reset_probability) {
            self.reset_server(server);
        }
        let dequeued = self.dequeue(server);
        let busy = self.servers[server].processing;
        let latency = self.finish(server);
        let queries = std::mem::take(&mut self.servers[server].queries);
        let state = &self.servers[server];
        let tick = Tick {
            busy,
            queries: if self.world.rules.count_dequeued { dequeued } else { queries },
            in_flight: state.queued + state.processing,
            queued: state.queued,
        };
        let average = average_of_known(&self.mean_utilization);
        let report = self.servers[server].publish(tick, latency, average, &self.publishing);
        self.mean_utilization[server] = report.utilization.mean;
        self.published[server] = super::world::index_u32(self.reports.len());
        self.reports.push(report);
    }

    /// Moves from the queue to the threads what they have room for. Returns how many.
    #[inline]
    fn dequeue(&mut self, server: usize) -> u32 {
        let room = self.servers[server].threads.saturating_sub(self.servers[server].processing);
        let count = room.min(self.servers[server].queued);
        for _ in 0..count {
            let Some(request) = self.servers[server].queue.pop_front(&self.requests) else { break };
            let work = self.work_for(server, request);
            let entry = self.requests.get_mut(request);
            entry.queue_ticks += self.now - entry.queued_since - 1;
            entry.dequeued = self.now;
            entry.dequeue_number = self.dequeues;
            self.dequeues = self.dequeues.wrapping_add(1);
            entry.first_dequeued = entry.first_dequeued.min(self.now);
            entry.work = work;
            assert!(work - 1 <= self.finishing.reach(), "work is within the calendar");
            let due = self.finishing.due(server, self.now + work - 1);
            due.push_back(&mut self.requests, request);
        }
        self.servers[server].queued -= count;
        self.servers[server].processing += count;
        count
    }

    /// How many ticks a request will be processed, this one included.
    #[inline]
    fn work_for(&mut self, server: usize, request: u32) -> u32 {
        let entry = *self.requests.get(request);
        if entry.resumes {
            return entry.work;
        }
        let channel = entry.channel as usize;
        let state = &self.servers[server];
        let drawn = self.draws.half_gamma(Purpose::Service, 2 * state.mean_processing);
        let first = channel - channel % self.channels.per_client;
        let identity = first + self.channels.identity[channel] as usize;
        let is_cold = self.warm[identity] != state.epoch;
        if is_cold && (self.world.rules.probes_warm || !entry.is_probe) {
            self.warm[identity] = state.epoch;
        }
        let work = if entry.is_probe {
            self.world.probe_processing_time
        } else if is_cold {
            drawn + self.world.cold_channel_penalty
        } else {
            drawn
        };
        // A mean of zero can draw no work; a request still occupies its thread for the tick it is taken in.
        work.max(1)
    }

    /// Sends the answers of everything that finishes now. Returns the mean of its time at the server.
    #[inline]
    fn finish(&mut self, server: usize) -> Option<f64> {
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        self.finishing.due(server, self.now).drain_into(&self.requests, &mut due);
        let mut sum = 0_u64;
        for &request in &due {
            let entry = self.requests.get_mut(request);
            entry.processing_ticks += self.now - entry.dequeued + 1;
            entry.finished = self.now;
            entry.report = self.published[server];
            sum += u64::from(entry.queue_ticks + entry.processing_ticks);
            let channel = entry.channel as usize;
            self.channels.in_flight[channel] -= 1;
            let ticks = self.leg(channel);
            let client = channel / self.channels.per_client;
            self.inbound.due(client, self.now + ticks).push_back(&mut self.requests, request);
        }
        let count = due.len();
        self.servers[server].processing -= super::world::index_u32(count);
        self.due = due;
        (count > 0).then(|| sum as f64 / count as f64)
    }

    /// Draws a server's character anew; it forgets everything but its work.
    pub(super) fn reset_server(&mut self, server: usize) {
        let world = self.world;
        let threads = self.draws.gamma(Purpose::World, world.mean_threads, VARIANCE);
        let processing = self.draws.gamma(Purpose::World, world.mean_processing_time, VARIANCE);
        let rtt =
            self.draws.gamma(Purpose::World, world.server_rtt.mean, world.server_rtt.variance);
        let state = &mut self.servers[server];
        state.forget();
        state.threads = threads.max(1);
        state.mean_processing = processing;
        state.mean_rtt = rtt;
        self.published[server] = 0;
        self.mean_utilization[server] = f64::NAN;
        if self.servers[server].processing > self.servers[server].threads {
            self.demote_surplus(server);
        }
    }

    /// Returns what is processing beyond the threads to the front of the queue, latest taken first.
    fn demote_surplus(&mut self, server: usize) {
        let mut processing = Vec::new();
        for ahead in 0..=self.finishing.reach() {
            let due = self.finishing.due(server, self.now + ahead);
            due.drain_into(&self.requests, &mut processing);
        }
        processing.sort_by_key(|request| self.requests.get(*request).dequeue_number);
        let threads = self.servers[server].threads as usize;
        let mut surplus = processing.split_off(threads.min(processing.len()));
        for request in processing {
            let entry = self.requests.get(request);
            let due = self.finishing.due(server, entry.dequeued + entry.work - 1);
            due.push_back(&mut self.requests, request);
        }
        if self.world.rules.keep_progress {
            surplus.reverse();
        }
        let state = &mut self.servers[server];
        state.processing -= super::world::index_u32(surplus.len());
        state.queued += super::world::index_u32(surplus.len());
        for request in surplus {
            let entry = self.requests.get_mut(request);
            let spent = self.now - entry.dequeued;
            entry.processing_ticks += spent;
            entry.queued_since = self.now - 1;
            entry.work -= spent;
            entry.resumes = self.world.rules.keep_progress;
            state.queue.push_front(&mut self.requests, request);
        }
    }
}

/// The mean of the values that are not NaN; `None` if there is none.
#[inline]
fn average_of_known(values: &[f64]) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for value in values {
        if !value.is_nan() {
            sum += value;
            count += 1;
        }
    }
    (count > 0).then(|| sum / f64::from(count))
}
