//! The figures of a compute server: the core that owns the queue writes them, whoever is asked shows them.

use std::time::Duration;

use ringyard_runtime::app::CoreIndex;
use ringyard_runtime::counters::Counter;
use ringyard_scheduler::shedding::ShedReason;

use super::chain::Effort;
use crate::metrics::{LatencyHistogram, format_label, write_header, write_sample};

/// What is counted. Only the core that owns the queue writes, but for what stands under `cores`.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ComputeBoard {
    pub(super) computing: Counter,
    pub(super) waiting: Counter,
    /// By [`ShedReason`].
    pub(super) refused: [Counter; ShedReason::ALL.len()],
    pub(super) expired: Counter,
    pub(super) links_answered: Counter,
    pub(super) links_wasted: Counter,
    pub(super) computing_nanoseconds: Counter,
    pub(super) after_leaving: LatencyHistogram,
    pub(super) after_leaving_nanoseconds: Counter,
    pub(super) after_leaving_max_nanoseconds: Counter,
    /// The learned limit's bits, where there is one.
    pub(super) limit: Counter,
    /// By core: requests that found the owner's mailbox full.
    cores: Vec<CoreFigures>,
}

/// What one serving core counts itself. Only that core writes.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CoreFigures {
    refused_mail: Counter,
}

/// What a compute server has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ComputeTotals {
    /// Links of chains that were answered.
    pub links_answered: u64,
    /// Links that nobody got an answer for.
    pub links_wasted: u64,
    /// How long workers had a request, summed over workers.
    pub computing: Duration,
    /// How long they had requests of clients known to have left, or whose deadline had passed.
    pub after_leaving: Duration,
    /// The longest of these.
    pub after_leaving_max: Duration,
}

impl ComputeBoard {
    /// A board for so many serving cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self { cores: (0..cores).map(|_| CoreFigures::default()).collect(), ..Self::default() }
    }

    /// What has been done so far.
    #[must_use]
    pub fn totals(&self) -> ComputeTotals {
        ComputeTotals {
            links_answered: self.links_answered.get(),
            links_wasted: self.links_wasted.get(),
            computing: Duration::from_nanos(self.computing_nanoseconds.get()),
            after_leaving: Duration::from_nanos(self.after_leaving_nanoseconds.get()),
            after_leaving_max: Duration::from_nanos(self.after_leaving_max_nanoseconds.get()),
        }
    }

    pub(super) fn count_refused(&self, reason: ShedReason) {
        let index = ShedReason::ALL.iter().position(|known| *known == reason);
        self.refused[index.expect("all reasons are listed")].add(1);
    }

    /// A request of a client of `core` did not reach the owner.
    pub(super) fn count_refused_mail(&self, core: CoreIndex) {
        self.cores[usize::from(core.0)].refused_mail.add(1);
    }

    /// A worker had a request for `length`, the last part of it, if so, for nobody.
    pub(super) fn count_work(&self, length: Duration, after_leaving: Option<Duration>) {
        self.computing_nanoseconds.add(nanoseconds(length));
        if let Some(after_leaving) = after_leaving {
            self.after_leaving.record(after_leaving);
            self.after_leaving_nanoseconds.add(nanoseconds(after_leaving));
            let max = &self.after_leaving_max_nanoseconds;
            max.set(max.get().max(nanoseconds(after_leaving)));
        }
    }

    pub(super) fn write_metrics(&self, effort: &Effort, has_limit: bool, out: &mut Vec<u8>) {
        let name = "ringyard_compute_requests";
        write_header(out, name, "gauge", "Requests that are computed and that wait.");
        write_sample(out, name, "{state=\"computing\"}", self.computing.get());
        write_sample(out, name, "{state=\"waiting\"}", self.waiting.get());
        let name = "ringyard_compute_refused_total";
        write_header(out, name, "counter", "Requests refused, by reason.");
        for (reason, count) in ShedReason::ALL.iter().zip(&self.refused) {
            write_sample(out, name, &format_label("reason", &reason.name()), count.get());
        }
        let mail: u64 = self.cores.iter().map(|core| core.refused_mail.get()).sum();
        write_sample(out, name, "{reason=\"mailbox\"}", mail);
        let name = "ringyard_compute_deadlines_missed_total";
        write_header(out, name, "counter", "Requests given up at their deadline.");
        write_sample(out, name, "", self.expired.get());
        let name = "ringyard_compute_work_seconds_total";
        write_header(out, name, "counter", "Work done, by what became of it.");
        let seconds = |links: u64| effort.work.as_secs_f64() * links as f64 / effort.links as f64;
        write_sample(out, name, "{outcome=\"answered\"}", seconds(self.links_answered.get()));
        write_sample(out, name, "{outcome=\"wasted\"}", seconds(self.links_wasted.get()));
        let help =
            "From when a client was seen to leave, or a deadline passed, to when the work ended.";
        let lags = std::iter::once(&self.after_leaving);
        LatencyHistogram::write(out, "ringyard_compute_after_leaving_seconds", help, lags);
        if has_limit {
            let name = "ringyard_compute_limit";
            write_header(out, name, "gauge", "Requests that the adaptive policy admits at once.");
            write_sample(out, name, "", f64::from_bits(self.limit.get()));
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
