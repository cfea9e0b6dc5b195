//! What a simulated world tells whoever listens: one row per recorded completion.

use ringyard_scheduler::balance::Report;

/// The phase of a test, as of a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Too early to count.
    Warming,
    /// What is measured.
    Running,
    /// After the last arrival.
    Cooling,
}

impl Stage {
    /// The name in recorded rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warming => "WARMING",
            Self::Running => "RUNNING",
            Self::Cooling => "COOLING",
        }
    }
}

/// A completed request. All times are ticks.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The phase it counts for.
    pub stage: Stage,
    /// Its client.
    pub client: u32,
    /// Its server.
    pub server: u32,
    /// Whether it is a probe.
    pub is_probe: bool,
    /// When it arrived at the client.
    pub started: u32,
    /// When it was sent.
    pub sent: u32,
    /// When it entered the server's queue.
    pub enqueued: u32,
    /// When it was first taken from the queue.
    pub dequeued: u32,
    /// When it finished at the server.
    pub finished: u32,
    /// When its answer arrived.
    pub completed: u32,
    /// Ticks until it was picked (0 for a probe, which nobody picks).
    pub picking_ticks: u32,
    /// Ticks on the way there.
    pub send_ticks: u32,
    /// Ticks queued.
    pub queue_ticks: u32,
    /// Ticks processing.
    pub processing_ticks: u32,
    /// Ticks on the way back.
    pub receive_ticks: u32,
    /// What its server published before it finished.
    pub report: &'a Report,
}

impl Row<'_> {
    /// The sum of the ticks in every state: what the study calls latency.
    #[must_use]
    pub const fn total_ticks(&self) -> u32 {
        self.picking_ticks
            + self.send_ticks
            + self.queue_ticks
            + self.processing_ticks
            + self.receive_ticks
    }
}

/// Somebody who wants recorded completions.
pub trait Observer {
    /// Whether the rows' moving averages are read.
    const READS_AVERAGES: bool;

    /// A completion was recorded.
    fn record(&mut self, row: &Row<'_>);

    /// A tick ended; `utilization` and `queued` are per server. Called only if [`Observer::WATCHES_TICKS`].
    fn tick(&mut self, _now: u32, _stage: Stage, _utilization: &[f64], _queued: &[u32]) {}

    /// Whether [`Observer::tick`] is wanted.
    const WATCHES_TICKS: bool = false;
}

/// What a world's run came to, beyond its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// User requests that arrived.
    pub requests: u64,
    /// Probes sent.
    pub probes: u64,
    /// User requests completed.
    pub completed: u64,
    /// Probes completed.
    pub probes_completed: u64,
    /// Requests and probes still under way when the world stopped.
    pub lost: u64,
    /// Ticks simulated.
    pub ticks: u32,
}
