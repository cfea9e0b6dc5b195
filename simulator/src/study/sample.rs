//! The sample run: one run seen tick by tick, its statistics and its twelve figures.
//!
//! Every figure is the same operation, rows grouped by a name and an x value and averaged, so they are a table of
//! what to group by.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::figure::{Chart, Content, Series};
use super::numeric::{deviation, mean, quantile};
use super::tick::{Observer, Row, Stage};

/// The server whose inner life is drawn, if there is one of that number.
const WATCHED_SERVER: u32 = 15;
/// The same where there are fewer servers.
const WATCHED_SERVER_OF_FEW: u32 = 4;
/// The quantiles of the statistics.
const QUANTILES: [f64; 8] = [0.5, 0.8, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0];

/// What is kept of a completion.
#[derive(Clone, Copy, Debug)]
struct Kept {
    stage: Stage,
    server: u32,
    is_probe: bool,
    started: u32,
    sent: u32,
    enqueued: u32,
    dequeued: u32,
    finished: u32,
    /// Picking, sending, queued, processing, receiving.
    ticks: [u32; 5],
    utilization: f64,
    utilization_ewma: f64,
    queued: f64,
    pid_weight: f64,
}

impl Kept {
    fn total(&self) -> u32 {
        self.ticks.iter().sum()
    }
}

/// Collects a run for its figures.
#[derive(Debug, Default)]
pub struct Sample {
    rows: Vec<Kept>,
}

impl Observer for Sample {
    const READS_AVERAGES: bool = true;

    fn record(&mut self, row: &Row<'_>) {
        self.rows.push(Kept {
            stage: row.stage,
            server: row.server,
            is_probe: row.is_probe,
            started: row.started,
            sent: row.sent,
            enqueued: row.enqueued,
            dequeued: row.dequeued,
            finished: row.finished,
            ticks: [
                row.picking_ticks,
                row.send_ticks,
                row.queue_ticks,
                row.processing_ticks,
                row.receive_ticks,
            ],
            utilization: row.report.utilization.latest,
            utilization_ewma: row.report.utilization.ewma,
            queued: row.report.queued.latest,
            pid_weight: row.report.pid_weight,
        });
    }
}

/// The mean of `y` over rows grouped by name and `x`; rows without a value are left out.
fn grouped<'a>(
    rows: impl Iterator<Item = &'a Kept>,
    name: impl Fn(&Kept) -> String,
    x: impl Fn(&Kept) -> u32,
    y: impl Fn(&Kept) -> f64,
) -> Vec<Series> {
    let mut groups: BTreeMap<String, BTreeMap<u32, (f64, f64)>> = BTreeMap::new();
    for row in rows {
        let value = y(row);
        if !value.is_nan() {
            let cell = groups.entry(name(row)).or_default().entry(x(row)).or_default();
            cell.0 += value;
            cell.1 += 1.0;
        }
    }
    let series = |(name, cells): (String, BTreeMap<u32, (f64, f64)>)| Series {
        name,
        points: cells.into_iter().map(|(x, (sum, count))| (f64::from(x), sum / count)).collect(),
    };
    groups.into_iter().map(series).collect()
}

fn by_server(row: &Kept) -> String {
    format!("server {:02}", row.server)
}

fn lines(title: &str, x_label: &str, y_label: &str, series: Vec<Series>) -> Chart {
    Chart {
        title: title.to_owned(),
        x_label: x_label.to_owned(),
        y_label: y_label.to_owned(),
        content: Content::Lines(series, None),
    }
}

impl Sample {
    /// The twelve figures, in the published order.
    #[must_use]
    pub fn figures(&self) -> Vec<Chart> {
        let mut charts = self.per_server_figures();
        charts.extend(self.watched_figures());
        charts.extend(self.queueing_figures());
        charts.push(self.stages_figure());
        let total = |row: &Kept| f64::from(row.total());
        let latency = grouped(self.requests(), |_| String::new(), |row| row.sent, total);
        charts.push(lines("Mean latency by when it was sent", "tick sent", "ticks", latency));
        charts
    }

    fn requests(&self) -> impl Iterator<Item = &Kept> {
        self.rows.iter().filter(|row| !row.is_probe)
    }

    fn per_server_figures(&self) -> Vec<Chart> {
        let ewma =
            grouped(self.rows.iter(), by_server, |row| row.finished, |row| row.utilization_ewma);
        let mut utilization =
            lines("Utilisation of each server (moving average)", "tick finished", "percent", ewma);
        if let Content::Lines(_, y_max) = &mut utilization.content {
            *y_max = Some(100.0);
        }
        let stage = |row: &Kept| row.stage.name().to_owned();
        let by_stage = grouped(self.rows.iter(), stage, |row| row.finished, |row| row.utilization);
        let queued = grouped(self.rows.iter(), by_server, |row| row.finished, |row| row.queued);
        vec![
            utilization,
            lines("Mean utilisation by stage", "tick finished", "percent", by_stage),
            lines("Requests queued at each server", "tick finished", "requests", queued),
        ]
    }

    /// The server whose inner life is drawn.
    fn watched(&self) -> u32 {
        let exists = self.rows.iter().any(|row| row.server == WATCHED_SERVER);
        if exists { WATCHED_SERVER } else { WATCHED_SERVER_OF_FEW }
    }

    fn watched_figures(&self) -> Vec<Chart> {
        let server = self.watched();
        let rows = || self.rows.iter().filter(move |row| row.server == server);
        let course = |what: &str, unit: &str, y: fn(&Kept) -> f64| {
            let series = grouped(rows(), |_| String::new(), |row| row.finished, y);
            lines(&format!("{what} of server {server}"), "tick finished", unit, series)
        };
        let mut charts = vec![
            course("Controller weight", "weight", |row| row.pid_weight),
            course("Utilisation", "percent", |row| row.utilization),
            course("Queue", "requests", |row| row.queued),
        ];
        let mut counts = BTreeMap::<u32, [f64; 2]>::new();
        for row in rows() {
            counts.entry(row.sent).or_default()[usize::from(row.is_probe)] += 1.0;
        }
        let series = |name: &str, kind: usize| Series {
            name: name.to_owned(),
            points: counts.iter().map(|(x, count)| (f64::from(*x), count[kind])).collect(),
        };
        let content = Content::Stacked(vec![series("requests", 0), series("probes", 1)]);
        charts.push(Chart {
            content,
            ..lines(&format!("Sent to server {server}"), "tick sent", "count", Vec::new())
        });
        charts
    }

    fn queueing_figures(&self) -> Vec<Chart> {
        let chart = |label: &str, x: fn(&Kept) -> u32| {
            let queued = |row: &Kept| f64::from(row.ticks[2]);
            let series = grouped(self.rows.iter(), by_server, x, queued);
            lines(&format!("Mean time queued, by {label}"), label, "ticks", series)
        };
        vec![
            chart("tick enqueued", |row| row.enqueued),
            chart("tick dequeued", |row| row.dequeued),
            chart("tick finished", |row| row.finished),
        ]
    }

    fn stages_figure(&self) -> Chart {
        const STATES: [&str; 5] = ["picking", "sending", "queued", "processing", "receiving"];
        let series = (0..STATES.len()).flat_map(|state| {
            let name = |_: &Kept| STATES[state].to_owned();
            grouped(self.requests(), name, |row| row.started, |row| f64::from(row.ticks[state]))
        });
        Chart {
            content: Content::Stacked(series.collect()),
            ..lines("Where the time goes", "tick started", "ticks", Vec::new())
        }
    }

    /// The statistics as a person reads them.
    #[must_use]
    pub fn statistics(&self) -> String {
        let measured = || self.requests().filter(|row| row.stage != Stage::Warming);
        let mut latency: Vec<f64> = measured().map(|row| f64::from(row.total())).collect();
        latency.sort_unstable_by(f64::total_cmp);
        let mut distinct: Vec<f64> = self
            .rows
            .iter()
            .filter(|row| row.stage == Stage::Running && !row.utilization.is_nan())
            .map(|row| row.utilization)
            .collect();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        let mut text = format!("{} completions\n", self.rows.len());
        let _ = writeln!(
            text,
            "latency      mean {:.4}  sd {:.4}",
            mean(&latency),
            deviation(&latency)
        );
        text.push_str("  quantiles ");
        for fraction in QUANTILES {
            let _ = write!(text, "  p{} {:.4}", fraction * 100.0, quantile(&latency, fraction));
        }
        let level = mean(&distinct);
        let _ = writeln!(text, "\nutilisation  mean {level:.3}  sd {:.3}", deviation(&distinct));
        text.push_str("  ratios    ");
        for fraction in QUANTILES {
            let ratio = quantile(&distinct, fraction) / level;
            let _ = write!(text, "  p{} {ratio:.4}", fraction * 100.0);
        }
        text.push('\n');
        for (title, probes) in [("requests", false), ("probes", true)] {
            let rows: Vec<&Kept> = self.rows.iter().filter(|row| row.is_probe == probes).collect();
            let average = |of: &dyn Fn(&Kept) -> u32| {
                rows.iter().map(|row| f64::from(of(row))).sum::<f64>() / rows.len() as f64
            };
            if rows.is_empty() {
                continue;
            }
            let _ = write!(text, "{title:9}    total {:.4}", average(&Kept::total));
            for (state, name) in
                ["picking", "send", "queue", "processing", "receive"].iter().enumerate()
            {
                let _ = write!(text, "  {name} {:.4}", average(&|row: &Kept| row.ticks[state]));
            }
            text.push('\n');
        }
        text
    }
}
