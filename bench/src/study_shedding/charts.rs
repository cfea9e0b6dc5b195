//! What is drawn, as data: five figures, each over the clients of a closed loop and over the load of an open one.

use super::findings::{Finding, SheddingReport};
use crate::report::chart::{Chart, Marks, Scale, Series, Size};

/// One figure of a finding.
struct Measure {
    heading: &'static str,
    unit: &'static str,
    figure: fn(&Finding) -> Option<f64>,
}

const MEASURES: [Measure; 5] = [
    Measure {
        heading: "Answers in time",
        unit: "% of capacity",
        figure: |finding| Some(finding.goodput_share * 100.0),
    },
    Measure {
        heading: "Median response time",
        unit: "ms",
        figure: |finding| (finding.answered.count > 0).then_some(finding.answered.median_ms),
    },
    Measure {
        heading: "Clients who gave up",
        unit: "% of requests",
        figure: |finding| Some(finding.timeout_ratio * 100.0),
    },
    Measure {
        heading: "Refused",
        unit: "% of requests",
        figure: |finding| Some(finding.shed_ratio * 100.0),
    },
    Measure {
        heading: "Work that nobody got an answer for",
        unit: "% of work",
        figure: |finding| Some(finding.wasted_ratio * 100.0),
    },
];

/// How requests came, as an axis.
type Axis = (&'static str, fn(&Finding) -> Option<f64>);

const AXES: [Axis; 2] = [
    ("clients, each asking again once answered", |finding| finding.clients().map(f64::from)),
    ("requests, in multiples of what the server can do", Finding::load),
];

/// All charts with their headings, those of one figure side by side. Each has a line for each server, in the report's
/// order, so that a server has one colour.
#[must_use]
pub(super) fn charts(report: &SheddingReport) -> Vec<(&'static str, Chart)> {
    let mut charts = Vec::new();
    for Measure { heading, unit, figure } in &MEASURES {
        for (x_title, pressure) in &AXES {
            let line = |(colour, name): (usize, &String)| {
                let point = |finding: &Finding| Some((pressure(finding)?, figure(finding)?));
                let points = report.of(name).filter_map(point).collect();
                Series { name: name.clone(), colour, marks: Marks::Line, points }
            };
            let chart = Chart {
                size: Size::Wide,
                x_title,
                x_scale: Scale::Linear,
                x_reach: [0.0; 2],
                y_title: unit,
                y_scale: Scale::Linear,
                y_reach: [0.0; 2],
                series: report.contenders.iter().enumerate().map(line).collect(),
            };
            charts.push((*heading, chart));
        }
    }
    charts
}
