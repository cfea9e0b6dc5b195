//! What is measured of a run: sums, integrals over time, and a histogram fine enough for tails.

/// Buckets per factor of e, so that a quantile is read within half a percent.
const BUCKETS_PER_E: f64 = 100.0;
/// The shortest latency told apart, seconds.
const SHORTEST: f64 = 1e-6;

/// Integrals over time of how many servers hold at least k requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Tails {
    at_least: Vec<u32>,
    integral: Vec<f64>,
    since: Vec<f64>,
}

impl Tails {
    /// A server went from `level - 1` to `level` requests, or back if not `up`.
    #[inline]
    pub(super) fn step(&mut self, level: usize, up: bool, now: f64) {
        if level >= self.at_least.len() {
            self.at_least.resize(level + 1, 0);
            self.integral.resize(level + 1, 0.0);
            self.since.resize(level + 1, now);
        }
        self.integral[level] += f64::from(self.at_least[level]) * (now - self.since[level]);
        self.since[level] = now;
        if up {
            self.at_least[level] += 1;
        } else {
            self.at_least[level] -= 1;
        }
    }

    /// Starts the integrals anew at `now`.
    pub(super) fn restart(&mut self, now: f64) {
        self.integral.fill(0.0);
        self.since.fill(now);
    }

    /// Closes the integrals at `now`.
    pub(super) fn close(&mut self, now: f64) -> Vec<f64> {
        for level in 0..self.at_least.len() {
            self.integral[level] += f64::from(self.at_least[level]) * (now - self.since[level]);
            self.since[level] = now;
        }
        self.integral.clone()
    }
}

/// The outcome of a run, over the time after its warm-up.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Answers that reached their client, of requests that arrived after the warm-up.
    pub completed: u64,
    /// Of these, errors.
    pub failed: u64,
    /// Of these, requests that had to queue.
    pub waited: u64,
    /// Probes sent.
    pub probes: u64,
    /// Sum of latencies of good answers, from arrival at the client to the answer.
    pub latency_sum: f64,
    /// Sum of times queued at servers.
    pub wait_sum: f64,
    /// Sum of latency over work.
    pub slowdown_sum: f64,
    /// Time measured.
    pub duration: f64,
    /// Fraction of servers with at least k requests, averaged over time; index 0 is unused.
    pub tails: Vec<f64>,
    /// Mean number of requests at servers, from the same integrals.
    pub mean_at_servers: f64,
    /// The same from the requests' own times at servers.
    pub mean_by_requests: f64,
    /// Busy share of each server.
    pub utilization: Vec<f64>,
    histogram: Vec<u64>,
}

impl Measured {
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand buckets")]
    pub(super) fn note_latency(&mut self, latency: f64) {
        self.latency_sum += latency;
        let bucket = ((latency / SHORTEST).max(1.0).ln() * BUCKETS_PER_E) as usize;
        if bucket >= self.histogram.len() {
            self.histogram.resize(bucket + 1, 0);
        }
        self.histogram[bucket] += 1;
    }

    /// The mean latency of good answers.
    #[must_use]
    pub fn mean_latency(&self) -> f64 {
        self.latency_sum / (self.completed - self.failed) as f64
    }

    /// The mean time queued.
    #[must_use]
    pub fn mean_wait(&self) -> f64 {
        self.wait_sum / self.completed as f64
    }

    /// The mean of latency over work.
    #[must_use]
    pub fn mean_slowdown(&self) -> f64 {
        self.slowdown_sum / self.completed as f64
    }

    /// The share of requests that had to queue.
    #[must_use]
    pub fn waiting_share(&self) -> f64 {
        self.waited as f64 / self.completed as f64
    }

    /// The latency below which a `fraction` of the good answers stay, within half a percent.
    #[must_use]
    pub fn latency_quantile(&self, fraction: f64) -> f64 {
        let total: u64 = self.histogram.iter().sum();
        let mut seen = 0;
        for (bucket, count) in self.histogram.iter().enumerate() {
            seen += count;
            if seen as f64 >= fraction * total as f64 {
                return SHORTEST * ((bucket as f64 + 0.5) / BUCKETS_PER_E).exp();
            }
        }
        f64::NAN
    }

    /// The standard deviation over servers of their busy share.
    #[must_use]
    pub fn utilization_spread(&self) -> f64 {
        crate::study::numeric::deviation(&self.utilization)
    }

    /// How far the two ways to count requests at servers are apart: Little's law on this very path.
    #[must_use]
    pub fn little_gap(&self) -> f64 {
        (self.mean_at_servers - self.mean_by_requests).abs() / self.mean_at_servers.max(1e-12)
    }
}
