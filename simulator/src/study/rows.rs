//! Recorded completions as a table, in the 31 columns of the published study.

use std::fmt::Write as _;

use ringyard_scheduler::balance::Observed;

use super::tick::{Observer, Row};

/// The columns, in order.
pub const COLUMNS: [&str; 31] = [
    "test_stage",
    "client",
    "server",
    "is_probe",
    "started_on_tick",
    "completed_on_tick",
    "tick_at_send",
    "tick_at_server_queue",
    "tick_at_processing",
    "tick_at_receive",
    "tick_at_completion",
    "ticks_between_start_and_completion",
    "total_ticks",
    "picking_ticks",
    "send_ticks",
    "server_queue_ticks",
    "processing_ticks",
    "receive_ticks",
    "server_utilization_latest",
    "server_utilization_mean",
    "server_utilization_ewma",
    "server_queries_per_tick_latest",
    "server_queries_per_tick_mean",
    "server_queries_per_tick_ewma",
    "server_requests_in_flight_latest",
    "server_requests_in_flight_mean",
    "server_requests_in_flight_ewma",
    "server_queued_requests_latest",
    "server_queued_requests_mean",
    "server_queued_requests_ewma",
    "server_pid_weight",
];

/// Writes every recorded completion as a line of comma-separated values.
#[derive(Debug)]
pub struct RowWriter {
    text: String,
}

impl Default for RowWriter {
    fn default() -> Self {
        Self { text: format!("{}\n", COLUMNS.join(",")) }
    }
}

impl RowWriter {
    /// The table.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn observed(&mut self, observed: &Observed) {
        for value in [observed.latest, observed.mean, observed.ewma] {
            self.text.push(',');
            if !value.is_nan() {
                let _ = write!(self.text, "{value:?}");
            }
        }
    }
}

impl Observer for RowWriter {
    const READS_AVERAGES: bool = true;

    fn record(&mut self, row: &Row<'_>) {
        let _ = write!(
            self.text,
            "{},Client {},Server {},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            row.stage.name(),
            row.client,
            row.server,
            if row.is_probe { "True" } else { "False" },
            row.started,
            row.completed,
            row.sent,
            row.enqueued,
            row.dequeued,
            row.finished,
            row.completed,
            row.completed - row.started,
            row.total_ticks(),
            row.picking_ticks,
            row.send_ticks,
            row.queue_ticks,
            row.processing_ticks,
            row.receive_ticks,
        );
        let report = row.report;
        self.observed(&report.utilization);
        self.observed(&report.queries);
        self.observed(&report.in_flight);
        self.observed(&report.queued);
        let _ = writeln!(self.text, ",{:?}", report.pid_weight);
    }
}
