//! A server: its queue, its threads, what it publishes, and its controller.
//!
//! Nothing here is done per request and tick: queueing time is the difference of two ticks, a processing
//! request waits in the calendar of the tick it finishes on, and windows keep running sums of whole numbers.

use ringyard_scheduler::balance::{
    Gains, Interpolated, LastN, Observed, Pid, Report, ewma, target_utilization,
};

use super::requests::List;

/// What a server's window remembers of one tick.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tick {
    pub(super) busy: u32,
    pub(super) queries: u32,
    pub(super) in_flight: u32,
    pub(super) queued: u32,
}

/// The last ticks of a server, with running sums.
#[derive(Debug)]
struct Window {
    ticks: Vec<Tick>,
    capacity: usize,
    oldest: usize,
    sum: [u64; 4],
}

impl Tick {
    fn values(self) -> [u32; 4] {
        [self.busy, self.queries, self.in_flight, self.queued]
    }
}

impl Window {
    fn new(capacity: usize) -> Self {
        Self { ticks: Vec::with_capacity(capacity), capacity, oldest: 0, sum: [0; 4] }
    }

    fn clear(&mut self) {
        self.ticks.clear();
        self.oldest = 0;
        self.sum = [0; 4];
    }

    fn push(&mut self, tick: Tick) {
        if self.ticks.len() < self.capacity {
            self.ticks.push(tick);
        } else {
            let dropped = std::mem::replace(&mut self.ticks[self.oldest], tick);
            self.oldest = (self.oldest + 1) % self.capacity;
            for (sum, value) in self.sum.iter_mut().zip(dropped.values()) {
                *sum -= u64::from(value);
            }
        }
        for (sum, value) in self.sum.iter_mut().zip(tick.values()) {
            *sum += u64::from(value);
        }
    }

    fn mean(&self, column: usize) -> f64 {
        self.sum[column] as f64 / self.ticks.len() as f64
    }

    /// The moving average of a column, each value multiplied by `scale`.
    fn ewma(&self, column: usize, weight: f64, scale: impl Fn(u32) -> f64) -> f64 {
        let (newer, older) = self.ticks.split_at(self.oldest.min(self.ticks.len()));
        let in_order = older.iter().chain(newer).map(|tick| scale(tick.values()[column]));
        ewma(in_order, weight).unwrap_or(f64::NAN)
    }
}

/// Bounds of the controller in the corrected profile.
const PID_INTEGRAL_BOUND: f64 = 1_000.0;
const PID_WEIGHT_BOUND: f64 = 1_000.0;

/// What a publication has to work out besides the cheap parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publishing {
    /// The weight of moving averages, if anything reads them.
    pub(super) ewma_weight: Option<f64>,
    /// Whether anything reads the expected latency.
    pub(super) expected_latency: bool,
    /// Whether it is looked up at the current load.
    pub(super) expect_at_current: bool,
    /// Whether the controller is bounded.
    pub(super) bounded_pid: bool,
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) threads: u32,
    pub(super) mean_processing: u32,
    pub(super) mean_rtt: u32,
    /// Counts resets, so that warmth from before one is cold.
    pub(super) epoch: u32,
    pub(super) queue: List,
    pub(super) queued: u32,
    pub(super) processing: u32,
    /// Requests that arrived since the last publication.
    pub(super) queries: u32,
    pid: Pid,
    pid_weight: f64,
    window: Window,
    latencies: LastN,
    by_load: Interpolated,
    /// Per load the last latencies seen there (corrected profile only).
    recent_by_load: Vec<LastN>,
}

impl Server {
    pub(super) fn new(buffer: usize) -> Self {
        Self {
            threads: 0,
            mean_processing: 0,
            mean_rtt: 0,
            epoch: 0,
            queue: List::EMPTY,
            queued: 0,
            processing: 0,
            queries: 0,
            pid: Pid::default(),
            pid_weight: 0.0,
            window: Window::new(buffer),
            latencies: LastN::new(buffer),
            by_load: Interpolated::default(),
            recent_by_load: Vec::new(),
        }
    }

    /// Forgets everything but the queue, what is processing, and the arrivals not yet published.
    pub(super) fn forget(&mut self) {
        self.epoch += 1;
        self.pid = Pid::default();
        self.pid_weight = 0.0;
        self.window.clear();
        self.latencies.clear();
        self.by_load.clear();
        self.recent_by_load.clear();
    }

    /// Closes a tick: `busy` threads, `tick` otherwise, `latency` the mean of what finished, `average` the mean
    /// utilisation over servers before this publication.
    pub(super) fn publish(
        &mut self,
        tick: Tick,
        latency: Option<f64>,
        average: Option<f64>,
        publishing: &Publishing,
    ) -> Report {
        let threads = f64::from(self.threads);
        let utilization = 100.0 * f64::from(tick.busy) / threads;
        self.steer(utilization, average, publishing.bounded_pid);
        self.window.push(tick);
        if let Some(latency) = latency {
            self.latencies.push(latency);
            if publishing.expected_latency {
                self.note_latency(tick.in_flight as usize, latency, publishing);
            }
        }
        let observed = |column: usize, latest: f64, percent: bool| {
            let scale = |value: u32| {
                if percent { 100.0 * f64::from(value) / threads } else { f64::from(value) }
            };
            let mean = self.window.mean(column);
            Observed {
                latest,
                mean: if percent { 100.0 * mean / threads } else { mean },
                ewma: publishing
                    .ewma_weight
                    .map_or(f64::NAN, |weight| self.window.ewma(column, weight, scale)),
            }
        };
        Report {
            utilization: observed(0, utilization, true),
            queries: observed(1, f64::from(tick.queries), false),
            in_flight: observed(2, f64::from(tick.in_flight), false),
            queued: observed(3, f64::from(tick.queued), false),
            latency: Observed {
                latest: self.latencies.latest().unwrap_or(f64::NAN),
                mean: self.latencies.mean().unwrap_or(f64::NAN),
                ewma: match publishing.ewma_weight {
                    Some(weight) => self.latencies.ewma(weight).unwrap_or(f64::NAN),
                    None => f64::NAN,
                },
            },
            expected_latency: self.expected_latency(tick.in_flight, publishing),
            pid_weight: self.pid_weight,
        }
    }

    fn steer(&mut self, utilization: f64, average: Option<f64>, bounded: bool) {
        let Some(average) = average else { return };
        let target = target_utilization(average);
        if bounded {
            let gains = Gains { integral_bound: PID_INTEGRAL_BOUND, ..Gains::SERVER };
            let weight = self.pid_weight + self.pid.update(&gains, utilization, target);
            self.pid_weight = weight.clamp(-PID_WEIGHT_BOUND, PID_WEIGHT_BOUND);
        } else {
            self.pid_weight += self.pid.update(&Gains::SERVER, utilization, target);
        }
    }

    fn note_latency(&mut self, load: usize, latency: f64, publishing: &Publishing) {
        if !publishing.expect_at_current {
            self.by_load.insert(load, latency);
            return;
        }
        /// Latencies remembered per load, of which the median counts.
        const REMEMBERED: usize = 9;
        if load >= self.recent_by_load.len() {
            self.recent_by_load.resize_with(load + 1, || LastN::new(REMEMBERED));
        }
        self.recent_by_load[load].push(latency);
        let median = self.recent_by_load[load].median();
        self.by_load.insert(load, median.unwrap_or(latency));
    }

    fn expected_latency(&self, in_flight: u32, publishing: &Publishing) -> f64 {
        if !publishing.expected_latency {
            return f64::NAN;
        }
        let load =
            if publishing.expect_at_current { f64::from(in_flight) } else { self.window.mean(2) };
        self.by_load.at(load).unwrap_or(f64::NAN)
    }
}
