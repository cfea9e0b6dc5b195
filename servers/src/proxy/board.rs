//! What the cores of a proxy show one another: figures for the metrics page, and whether a backend is there.

use std::sync::OnceLock;
use std::time::Duration;

use ringyard_runtime::app::CoreIndex;
use ringyard_runtime::counters::Counter;
use ringyard_scheduler::cost::CostKind;

use super::config::BackendTarget;
use super::costs::CostBook;
use super::refusal::{Reason, Refusal};
use crate::metrics::{LatencyHistogram, format_label, write_header, write_sample};

/// What the core that owns the queue shows. Only that core writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct OwnerFigures {
    pub(super) queue_requests: Counter,
    pub(super) queue_sequences: Counter,
    pub(super) queue_bytes: Counter,
    pub(super) customers: Counter,
    pub(super) batches_in_flight: Counter,
    pub(super) backend_lanes_up: Counter,
    pub(super) batches: Counter,
    pub(super) batch_requests: Counter,
    pub(super) batch_sequences: Counter,
    pub(super) batches_failed: Counter,
    pub(super) batches_returned: Counter,
    /// Why all requests are refused at present, as a place in [`Reason::ALL`] counted from 1; 0 where they are not.
    pub(super) closed_for: Counter,
    /// Nanoseconds until that is likely to be over.
    pub(super) closed_for_ns: Counter,
    pub(super) expired: Counter,
    pub(super) abandoned: Counter,
}

/// What each core shows of its own clients. Only that core writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct CoreFigures {
    pub(super) latency: LatencyHistogram,
    /// By [`Reason`].
    pub(super) refused: [Counter; Reason::ALL.len()],
}

/// What the core that owns the queue shows of one backend. Numbers with a fraction are shown as their bits.
#[derive(Debug, Default)]
pub(super) struct BackendFigures {
    /// As a label of a metric.
    label: String,
    pub(super) predicted_over_actual: Counter,
    pub(super) cost_slope: Counter,
    pub(super) cost_intercept: Counter,
    pub(super) cost_kind: Counter,
}

/// The figures of a whole proxy.
#[derive(Debug)]
pub struct ProxyBoard {
    pub(super) owner: OwnerFigures,
    pub(super) cores: Vec<CoreFigures>,
    /// Put up by the owner when it begins.
    backends: OnceLock<Vec<BackendFigures>>,
}

impl ProxyBoard {
    /// A board for a proxy of so many cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self {
            owner: OwnerFigures::default(),
            cores: (0..cores).map(|_| CoreFigures::default()).collect(),
            backends: OnceLock::new(),
        }
    }

    /// Puts up a place for each backend, unless there are places already.
    pub(super) fn put_up_backends(&self, targets: &[BackendTarget]) {
        self.backends.get_or_init(|| {
            targets
                .iter()
                .map(|target| {
                    let address = format!("{}{}", target.host, target.path);
                    // What stands in quotes must not hold any, nor escape them.
                    let address = address.replace(['\\', '"', '\n'], "_");
                    BackendFigures {
                        label: format_label("backend", &address),
                        ..BackendFigures::default()
                    }
                })
                .collect()
        });
    }

    /// Shows what is known of a backend's costs.
    pub(super) fn show_costs(&self, backend: usize, book: &CostBook) {
        let Some(figures) = self.backends.get().and_then(|all| all.get(backend)) else { return };
        let model = book.model();
        figures.predicted_over_actual.set(book.predicted_over_actual().to_bits());
        figures.cost_slope.set(model.slope().to_bits());
        figures.cost_intercept.set(model.intercept().to_bits());
        let kind = CostKind::ALL.iter().position(|kind| *kind == model.kind());
        figures.cost_kind.set(kind.unwrap_or(0) as u64);
    }

    /// Counts a refusal by `core`.
    pub(super) fn count_refusal(&self, core: CoreIndex, reason: Reason) {
        self.cores[usize::from(core.0)].refused[reason.index()].add(1);
    }

    /// Shows to all cores why every request is refused at present, if it is.
    pub(super) fn show_closed(&self, refusal: Option<Refusal>) {
        let place = refusal.map_or(0, |refusal| 1 + refusal.reason.index() as u64);
        self.owner.closed_for.set(place);
        if let Some(Refusal { retry_after, .. }) = refusal {
            let nanoseconds = u64::try_from(retry_after.as_nanos()).unwrap_or(u64::MAX);
            self.owner.closed_for_ns.set(nanoseconds);
        }
    }

    /// Why every request is refused at present, if it is.
    pub(super) fn closed(&self) -> Option<Refusal> {
        let place = usize::try_from(self.owner.closed_for.get()).ok()?.checked_sub(1)?;
        let reason = *Reason::ALL.get(place)?;
        let retry_after = Duration::from_nanos(self.owner.closed_for_ns.get());
        Some(Refusal { reason, retry_after })
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
        self.write_refusals(out);
        self.write_backends(out);
    }

    fn write_refusals(&self, out: &mut Vec<u8>) {
        let name = "ringyard_requests_refused_total";
        write_header(out, name, "counter", "Requests refused, by reason.");
        for reason in Reason::ALL {
            let refused = self.cores.iter().map(|core| core.refused[reason.index()].get());
            let count: u64 = refused.sum();
            write_sample(out, name, &format_label("reason", &reason.name()), count);
        }
    }

    fn write_backends(&self, out: &mut Vec<u8>) {
        let Some(backends) = self.backends.get() else { return };
        for (name, help, get) in BACKEND_METRICS {
            write_header(out, name, "gauge", help);
            for backend in backends {
                write_sample(out, name, &backend.label, f64::from_bits(get(backend).get()));
            }
        }
        let name = "ringyard_backend_cost_model";
        write_header(out, name, "gauge", "1 for the kind of cost model in force, else 0.");
        for backend in backends {
            let in_force = backend.cost_kind.get();
            for (position, kind) in (0u64..).zip(CostKind::ALL) {
                let labels = backend.label.trim_end_matches('}');
                let labels = format!("{labels},kind=\"{kind}\"}}");
                write_sample(out, name, &labels, u64::from(position == in_force));
            }
        }
    }
}

type BackendMetric = (&'static str, &'static str, fn(&BackendFigures) -> &Counter);

const BACKEND_METRICS: &[BackendMetric] = &[
    (
        "ringyard_backend_cost_predicted_over_actual",
        "Predicted over actual time of the last batches.",
        |backend| &backend.predicted_over_actual,
    ),
    (
        "ringyard_backend_cost_slope_nanoseconds",
        "What a unit of the cost model's feature costs.",
        |backend| &backend.cost_slope,
    ),
    (
        "ringyard_backend_cost_intercept_nanoseconds",
        "What a batch costs whatever is in it.",
        |backend| &backend.cost_intercept,
    ),
];

type Metric = (&'static str, &'static str, &'static str, fn(&OwnerFigures) -> &Counter);

const METRICS: &[Metric] = &[
    ("ringyard_queue_requests", "gauge", "Requests queued.", |owner| &owner.queue_requests),
    ("ringyard_queue_sequences", "gauge", "Sequences queued.", |owner| &owner.queue_sequences),
    ("ringyard_queue_bytes", "gauge", "Bytes of the texts queued.", |owner| &owner.queue_bytes),
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
    (
        "ringyard_batches_returned_total",
        "counter",
        "Batches sent again, never begun before.",
        |owner| &owner.batches_returned,
    ),
    ("ringyard_requests_expired_total", "counter", "Requests whose deadline passed.", |owner| {
        &owner.expired
    }),
    ("ringyard_requests_abandoned_total", "counter", "Requests whose client left.", |owner| {
        &owner.abandoned
    }),
];
