//! A server of the continuous-time world: threads and a queue, or one shared processor.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use ringyard_scheduler::balance::live::LatencyAtLoad;

/// In which order a server works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discipline {
    /// First come, first served, each thread one request at a time.
    #[default]
    Fifo,
    /// All requests at once, the one processor shared evenly.
    Shared,
}

/// Seconds over which a server's own statistics decay to 1/e.
const STATISTICS_TAU: f64 = 5.0;

/// A server.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) threads: u32,
    /// Work done per second and thread.
    pub(super) speed: f64,
    pub(super) discipline: Discipline,
    pub(super) queue: VecDeque<u32>,
    pub(super) busy: u32,
    /// Work each shared request has had since the start, and by that the requests' ends.
    virtual_time: f64,
    shared: BinaryHeap<Reverse<(u64, u32)>>,
    /// Counts changes, so that an event from before one is void.
    pub(super) changes: u32,
    updated: f64,
    busy_integral: f64,
    busy_decayed: f64,
    rate: f64,
    error_rate: f64,
    pub(super) by_load: LatencyAtLoad,
}

impl Station {
    pub(super) fn new(threads: u32, speed: f64, discipline: Discipline) -> Self {
        Self {
            threads,
            speed,
            discipline,
            queue: VecDeque::new(),
            busy: 0,
            virtual_time: 0.0,
            shared: BinaryHeap::new(),
            changes: 0,
            updated: 0.0,
            busy_integral: 0.0,
            busy_decayed: 0.0,
            rate: 0.0,
            error_rate: 0.0,
            by_load: LatencyAtLoad::default(),
        }
    }

    /// Requests here.
    #[inline]
    pub(super) fn load(&self) -> usize {
        self.queue.len() + self.busy as usize + self.shared.len()
    }

    fn busy_share(&self) -> f64 {
        match self.discipline {
            Discipline::Fifo => f64::from(self.busy) / f64::from(self.threads),
            Discipline::Shared => f64::from(u8::from(!self.shared.is_empty())),
        }
    }

    /// Brings integrals and shared work up to `now`. To be called before any change.
    pub(super) fn advance(&mut self, now: f64) {
        let elapsed = now - self.updated;
        if elapsed <= 0.0 {
            return;
        }
        let share = self.busy_share();
        self.busy_integral += share * elapsed;
        let kept = (-elapsed / STATISTICS_TAU).exp();
        self.busy_decayed = self.busy_decayed * kept + share * (1.0 - kept);
        self.rate *= kept;
        self.error_rate *= kept;
        if !self.shared.is_empty() {
            self.virtual_time += elapsed * self.speed / self.shared.len() as f64;
        }
        self.updated = now;
    }

    /// Counts an answer in the server's own statistics.
    pub(super) fn count_answer(&mut self, is_error: bool) {
        self.rate += 1.0 / STATISTICS_TAU;
        self.error_rate += f64::from(u8::from(is_error)) / STATISTICS_TAU;
    }

    /// Busy share, answers and errors per second, as of late.
    pub(super) const fn statistics(&self) -> (f64, f64, f64) {
        (self.busy_decayed, self.rate, self.error_rate)
    }

    /// Adds a request to the shared processor.
    pub(super) fn share(&mut self, request: u32, work: f64) {
        self.shared.push(Reverse(((self.virtual_time + work).to_bits(), request)));
        self.changes = self.changes.wrapping_add(1);
    }

    /// When the next shared request will be done if nothing changes.
    pub(super) fn next_shared(&self, now: f64) -> Option<f64> {
        let Reverse((end, _)) = self.shared.peek()?;
        let left = (f64::from_bits(*end) - self.virtual_time).max(0.0);
        Some(now + left * self.shared.len() as f64 / self.speed)
    }

    /// Takes the shared request that is done.
    pub(super) fn finish_shared(&mut self) -> Option<u32> {
        let Reverse((end, request)) = self.shared.pop()?;
        // The sum of small steps may have fallen short of the end by rounding.
        self.virtual_time = self.virtual_time.max(f64::from_bits(end));
        self.changes = self.changes.wrapping_add(1);
        Some(request)
    }

    /// Starts the measured integral anew at `now`.
    pub(super) fn restart(&mut self, now: f64) {
        self.advance(now);
        self.busy_integral = 0.0;
    }

    /// The busy share over `duration`, up to `now`.
    pub(super) fn utilization(&mut self, now: f64, duration: f64) -> f64 {
        self.advance(now);
        self.busy_integral / duration
    }
}
