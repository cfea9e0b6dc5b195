//! The comparison as one picture of four panels, drawn at twice the resolution that it is shown at.
//!
//! A strategy has the same colour in every panel; the colours are told apart by the colour-blind too (Okabe
//! and Ito's). The font travels with the program, so the picture is the same on a machine that has none.

mod panels;
pub(crate) mod theme;

use std::path::Path;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea};

use crate::study::{RunRecord, StudySummary};

/// Width of the picture in pixels.
const WIDTH: u32 = 2_560;

/// Height of the picture in pixels.
const HEIGHT: u32 = 1_760;

/// Height of the band that holds title and legend.
pub(crate) const HEADER_HEIGHT: i32 = 210;

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The font that is built in cannot be used.
    #[error("the built-in font is not readable")]
    Font,
    /// The drawing itself failed, mostly because the file cannot be written.
    #[error("cannot draw the picture: {0}")]
    Draw(String),
}

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for PictureError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self::Draw(error.to_string())
    }
}

/// Draws the comparison into a PNG file.
///
/// # Errors
///
/// [`PictureError`] if the file cannot be written.
pub fn draw_png(
    path: &Path,
    summary: &StudySummary,
    runs: &[RunRecord],
) -> Result<(), PictureError> {
    theme::register_font()?;
    let root = BitMapBackend::new(path, (WIDTH, HEIGHT)).into_drawing_area();
    draw(&root, summary, runs)?;
    root.present()?;
    Ok(())
}

fn draw<B: DrawingBackend>(
    root: &DrawingArea<B, Shift>,
    summary: &StudySummary,
    runs: &[RunRecord],
) -> Result<(), PictureError> {
    root.fill(&theme::PAPER)?;
    let (header, body) = root.split_vertically(HEADER_HEIGHT);
    panels::header(&header, summary)?;
    let areas = body.margin(0, 24, 24, 24).split_evenly((2, 2));
    let [histogram, bars, timeline, boxes] = areas.as_slice() else {
        unreachable!("two rows of two make four");
    };
    panels::histogram(histogram, runs)?;
    panels::customer_bars(bars, summary)?;
    panels::timeline(timeline, summary, runs)?;
    panels::boxes(boxes, runs)?;
    Ok(())
}

/// A made-up study with the shape of a real one, for tests of what is written and drawn.
#[cfg(test)]
pub(crate) mod example {
    use std::time::Duration;

    use crate::random::Random;
    use crate::study::{
        CustomerRecord, RunRecord, SCHEMA, StrategySummary, StudySummary, service_time,
    };
    use crate::workload::{Content, Pace, Workload};

    /// Plays the original workload with made-up waiting times.
    pub(crate) fn study() -> (StudySummary, Vec<RunRecord>) {
        let workload = Workload::original();
        let names: Vec<String> =
            workload.customers.iter().map(|customer| customer.name.clone()).collect();
        let mut random = Random::new(1);
        let runs: Vec<RunRecord> = [("fcfs", 150.0), ("sjf", 20.0), ("fair", 90.0)]
            .map(|(strategy, wait_ms)| run(&workload, strategy, wait_ms, &mut random))
            .into();
        let summary = StudySummary {
            schema: SCHEMA.into(),
            title: "A made-up comparison of three strategies".into(),
            workload: workload.name,
            description: workload.description,
            seed: 1,
            seconds_per_strategy: 30.0,
            strategies: runs.iter().map(|run| StrategySummary::of(run, &names)).collect(),
        };
        (summary, runs)
    }

    /// How long the run is, and how many stretches it comes in.
    const SECONDS: u64 = 30;

    fn run(workload: &Workload, strategy: &str, wait_ms: f64, random: &mut Random) -> RunRecord {
        let mut content = Content::default();
        let mut customers = Vec::new();
        for customer in &workload.customers {
            let mut record = CustomerRecord::default();
            let Pace::Closed { think_ms, .. } = &customer.pace else { panic!("a closed loop") };
            let mut at = Duration::ZERO;
            let mut stretch = CustomerRecord::default();
            let mut stretches = 0;
            while at < Duration::from_secs(SECONDS) {
                while at.as_secs() > stretches {
                    record.merge(&std::mem::take(&mut stretch));
                    stretches += 1;
                }
                customer.draw(random, &mut content);
                let service = service_time(content.characters_max(), 1.0);
                let wait = Duration::from_secs_f64(wait_ms * random.exponential() / 1e3);
                let latency = service + wait + Duration::from_micros(500);
                at += latency;
                stretch.answered(at, latency, service);
                at += Duration::from_secs_f64(think_ms.draw(random) / 1e3);
            }
            for _ in stretches..SECONDS {
                record.merge(&std::mem::take(&mut stretch));
            }
            customers.push(record);
        }
        RunRecord {
            strategy: strategy.into(),
            elapsed: Duration::from_secs(SECONDS),
            customers,
            batch_fill: Some(2.5),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::study::{CustomerRecord, SCHEMA, StrategySummary};

    #[test]
    fn the_example_is_drawn_at_full_size() {
        let directory = tempfile::tempdir().unwrap();
        let path = match std::env::var_os("RINGYARD_EXAMPLE_PICTURE") {
            Some(path) => path.into(),
            None => directory.path().join("comparison.png"),
        };
        let (summary, runs) = example::study();
        draw_png(&path, &summary, &runs).unwrap();
        let png = std::fs::read(&path).unwrap();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        assert_eq!((number(16), number(20)), (WIDTH, HEIGHT));
    }

    #[test]
    fn a_study_without_a_single_answer_is_drawn_too() {
        let run = RunRecord {
            strategy: "fcfs".into(),
            elapsed: Duration::ZERO,
            customers: vec![CustomerRecord::default()],
            batch_fill: None,
        };
        let summary = StudySummary {
            schema: SCHEMA.into(),
            title: "nothing".into(),
            workload: "none".into(),
            description: String::new(),
            seed: 0,
            seconds_per_strategy: 0.0,
            strategies: vec![StrategySummary::of(&run, &["A".to_owned()])],
        };
        let directory = tempfile::tempdir().unwrap();
        draw_png(&directory.path().join("nothing.png"), &summary, &[run]).unwrap();
    }
}
