//! Counters that a metrics page shows, in Prometheus' text format.
//!
//! Each core writes only its own counters (see `ringyard_runtime::counters`); whichever core is asked for the
//! page sums over all of them. A figure may therefore be a moment old, and nothing on the path is shared.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use ringyard_protocol::http1::Status;
use ringyard_runtime::counters::{CoreContext, Counter, EngineCounters};

/// The statuses that our servers answer with. A status not listed here is counted as the last.
pub(crate) const STATUSES: [u16; 18] =
    [200, 400, 404, 405, 408, 413, 414, 417, 422, 429, 431, 500, 501, 502, 503, 504, 505, 0];

/// Upper bounds of the latency buckets, in microseconds.
const LATENCY_BOUNDS_US: [u64; 15] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 10_000_000,
];

/// What the HTTP side of one core counts.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct AnswerCounters {
    answers: [Counter; STATUSES.len()],
}

/// One core's counters, with a view of all cores' for the metrics page.
#[derive(Clone, Debug)]
pub struct ServerCounters {
    core: usize,
    answers: Arc<[AnswerCounters]>,
    engine: Arc<[EngineCounters]>,
}

/// The answer counters of all cores of a plan, to be shared among its servers.
#[must_use]
pub fn answer_board(cores: usize) -> Arc<[AnswerCounters]> {
    (0..cores).map(|_| AnswerCounters::default()).collect()
}

impl ServerCounters {
    /// The counters of the core of `context` on a board made by [`answer_board`] for as many cores.
    ///
    /// # Panics
    ///
    /// If the board has fewer cores than the plan.
    #[must_use]
    pub fn new(context: &CoreContext, answers: Arc<[AnswerCounters]>) -> Self {
        assert!(answers.len() >= context.cores(), "the board has a place for each core");
        Self { core: usize::from(context.core.0), answers, engine: Arc::clone(&context.counters) }
    }

    /// Counts one answer.
    pub(crate) fn count_answer(&self, status: Status) {
        let code = status.code();
        let index = STATUSES.iter().position(|known| *known == code).unwrap_or(STATUSES.len() - 1);
        self.answers[self.core].answers[index].add(1);
    }

    /// Appends what the front and the engine count.
    pub(crate) fn write_metrics(&self, out: &mut Vec<u8>) {
        write_header(out, "ringyard_http_responses_total", "counter", "Answers by status.");
        for (index, status) in STATUSES.iter().enumerate() {
            let total: u64 = self.answers.iter().map(|core| core.answers[index].get()).sum();
            if total > 0 {
                write_sample(
                    out,
                    "ringyard_http_responses_total",
                    &format_label("status", status),
                    total,
                );
            }
        }
        for (name, kind, help, get) in ENGINE_METRICS {
            write_header(out, name, kind, help);
            for (core, counters) in self.engine.iter().enumerate() {
                write_sample(out, name, &format_label("core", &core), get(counters).get());
            }
        }
    }
}

type EngineMetric = (&'static str, &'static str, &'static str, fn(&EngineCounters) -> &Counter);

const ENGINE_METRICS: &[EngineMetric] = &[
    ("ringyard_connections", "gauge", "Open connections.", |core| &core.connections),
    ("ringyard_accepted_total", "counter", "Connections accepted.", |core| &core.accepted),
    (
        "ringyard_accept_failures_total",
        "counter",
        "Accepts that failed for want of descriptors or memory.",
        |core| &core.accept_failures,
    ),
    ("ringyard_engine_turns_total", "counter", "Turns of the engine's loop.", |core| &core.turns),
    ("ringyard_engine_system_calls_total", "counter", "System calls made by the engine.", |core| {
        &core.system_calls
    }),
    (
        "ringyard_engine_spun_nanoseconds_total",
        "counter",
        "Nanoseconds spent looking for work instead of sleeping.",
        |core| &core.spun_nanoseconds,
    ),
    (
        "ringyard_receive_buffers_exhausted_total",
        "counter",
        "Receives that found no provided buffer.",
        |core| &core.receive_buffers_exhausted,
    ),
    (
        "ringyard_completion_overflows_total",
        "counter",
        "Completions kept back because the completion queue was full.",
        |core| &core.completion_overflows,
    ),
    ("ringyard_wakeups_total", "counter", "Sleeping cores woken by this one.", |core| {
        &core.wakeups
    }),
    (
        "ringyard_mail_returned_total",
        "counter",
        "Messages returned because a mailbox was full.",
        |core| &core.mail_returned,
    ),
    ("ringyard_received_bytes_total", "counter", "Bytes received.", |core| &core.bytes_received),
    ("ringyard_sent_bytes_total", "counter", "Bytes sent.", |core| &core.bytes_sent),
];

/// A histogram of durations with fixed buckets.
#[derive(Debug, Default)]
pub(crate) struct LatencyHistogram {
    buckets: [Counter; LATENCY_BOUNDS_US.len() + 1],
    sum_us: Counter,
}

impl LatencyHistogram {
    /// Counts one duration.
    pub(crate) fn record(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let index = LATENCY_BOUNDS_US.partition_point(|bound| *bound < microseconds);
        self.buckets[index].add(1);
        self.sum_us.add(microseconds);
    }

    /// Appends the sum of several cores' histograms as one metric in seconds.
    pub(crate) fn write<'a>(
        out: &mut Vec<u8>,
        name: &str,
        help: &str,
        cores: impl Iterator<Item = &'a Self> + Clone,
    ) {
        write_header(out, name, "histogram", help);
        let mut total = 0;
        for (index, bound) in LATENCY_BOUNDS_US.iter().enumerate() {
            total += cores.clone().map(|core| core.buckets[index].get()).sum::<u64>();
            let seconds = Duration::from_micros(*bound).as_secs_f64();
            write_sample(out, &format!("{name}_bucket"), &format_label("le", &seconds), total);
        }
        total += cores.clone().map(|core| core.buckets[LATENCY_BOUNDS_US.len()].get()).sum::<u64>();
        write_sample(out, &format!("{name}_bucket"), &format_label("le", &"+Inf"), total);
        let sum_us = cores.map(|core| core.sum_us.get()).sum::<u64>();
        let seconds = Duration::from_micros(sum_us).as_secs_f64();
        write_sample(out, &format!("{name}_sum"), "", seconds);
        write_sample(out, &format!("{name}_count"), "", total);
    }
}

/// `{name="value"}`.
pub(crate) fn format_label(name: &str, value: &impl ToString) -> String {
    format!("{{{name}=\"{}\"}}", value.to_string())
}

/// Appends the two comment lines that open a metric.
pub(crate) fn write_header(out: &mut Vec<u8>, name: &str, kind: &str, help: &str) {
    write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n").expect("a vector takes all writes");
}

/// Appends one sample; `labels` is empty or in braces.
pub(crate) fn write_sample(
    out: &mut Vec<u8>,
    name: &str,
    labels: &str,
    value: impl std::fmt::Display,
) {
    writeln!(out, "{name}{labels} {value}").expect("a vector takes all writes");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_end_with_the_count() {
        let histogram = LatencyHistogram::default();
        for milliseconds in [0, 1, 3, 60_000] {
            histogram.record(Duration::from_millis(milliseconds));
        }
        let mut out = Vec::new();
        LatencyHistogram::write(&mut out, "wait", "Waiting.", std::iter::once(&histogram));
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("wait_bucket{le=\"0.0001\"} 1\n"), "{text}");
        assert!(text.contains("wait_bucket{le=\"0.001\"} 2\n"), "{text}");
        assert!(text.contains("wait_bucket{le=\"10\"} 3\n"), "{text}");
        assert!(text.contains("wait_bucket{le=\"+Inf\"} 4\n"), "{text}");
        assert!(text.contains("wait_sum 60.004\n"), "{text}");
        assert!(text.contains("wait_count 4\n"), "{text}");
    }
}
