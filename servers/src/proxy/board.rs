//! What the cores of a proxy show one another: figures for the metrics page, and whether a backend is there.

use ringyard_runtime::counters::Counter;

use crate::metrics::{LatencyHistogram, write_header, write_sample};

/// What the core that owns the queue shows. Only that core writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct OwnerFigures {
    pub(super) queue_requests: Counter,
    pub(super) queue_sequences: Counter,
    pub(super) customers: Counter,
    pub(super) batches_in_flight: Counter,
    pub(super) backend_lanes_up: Counter,
    pub(super) batches: Counter,
    pub(super) batch_requests: Counter,
    pub(super) batch_sequences: Counter,
    pub(super) batches_failed: Counter,
    pub(super) refused: Counter,
    pub(super) expired: Counter,
    pub(super) abandoned: Counter,
}

/// What each core shows of its own clients. Only that core writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct CoreFigures {
    pub(super) latency: LatencyHistogram,
}

/// The figures of a whole proxy.
#[derive(Debug)]
pub struct ProxyBoard {
    pub(super) owner: OwnerFigures,
    pub(super) cores: Vec<CoreFigures>,
}

impl ProxyBoard {
    /// A board for a proxy of so many cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self {
            owner: OwnerFigures::default(),
            cores: (0..cores).map(|_| CoreFigures::default()).collect(),
        }
    }

    /// Requests that wait for a batch.
    #[must_use]
    pub fn queued_requests(&self) -> u64 {
        self.owner.queue_requests.get()
    }

    /// Batches that backends are working on.
    #[must_use]
    pub fn batches_in_flight(&self) -> u64 {
        self.owner.batches_in_flight.get()
    }

    pub(super) fn write_metrics(&self, out: &mut Vec<u8>) {
        for (name, kind, help, get) in METRICS {
            write_header(out, name, kind, help);
            write_sample(out, name, "", get(&self.owner).get());
        }
        LatencyHistogram::write(
            out,
            "ringyard_proxy_latency_seconds",
            "From the arrival of a request to its results.",
            self.cores.iter().map(|core| &core.latency),
        );
    }
}

type Metric = (&'static str, &'static str, &'static str, fn(&OwnerFigures) -> &Counter);

const METRICS: &[Metric] = &[
    ("ringyard_queue_requests", "gauge", "Requests queued.", |owner| &owner.queue_requests),
    ("ringyard_queue_sequences", "gauge", "Sequences queued.", |owner| &owner.queue_sequences),
    ("ringyard_customers", "gauge", "Customers with requests queued or in flight.", |owner| {
        &owner.customers
    }),
    ("ringyard_batches_in_flight", "gauge", "Batches at the backends.", |owner| {
        &owner.batches_in_flight
    }),
    ("ringyard_backend_connections", "gauge", "Connections to backends.", |owner| {
        &owner.backend_lanes_up
    }),
    ("ringyard_batches_total", "counter", "Batches sent.", |owner| &owner.batches),
    ("ringyard_batch_requests_total", "counter", "Requests in the batches sent.", |owner| {
        &owner.batch_requests
    }),
    ("ringyard_batch_sequences_total", "counter", "Sequences in the batches sent.", |owner| {
        &owner.batch_sequences
    }),
    ("ringyard_batches_failed_total", "counter", "Batches without a usable reply.", |owner| {
        &owner.batches_failed
    }),
    ("ringyard_requests_refused_total", "counter", "Requests refused for overload.", |owner| {
        &owner.refused
    }),
    ("ringyard_requests_expired_total", "counter", "Requests whose deadline passed.", |owner| {
        &owner.expired
    }),
    ("ringyard_requests_abandoned_total", "counter", "Requests whose client left.", |owner| {
        &owner.abandoned
    }),
];
