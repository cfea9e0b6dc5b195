//! What all cores told, added up interval by interval: the figures of a run while it grows.
//!
//! It hears news and keeps sums, whoever drives the cores: an engine, or a simulated world. It decides nothing but whether
//! enough is known.

use std::collections::VecDeque;
use std::time::Duration;

use super::figures::Figures;
use super::options::{LoadOptions, Precision};
use super::report::Interval;
use crate::estimate::{Batches, Estimate};
use crate::generator::plan::{News, Vitals};
use crate::limits::INTERVALS_MAX;
use crate::statistics::{milliseconds, rounded};

/// The median, as a quantile.
const MEDIAN: f64 = 0.5;

/// The figures of all cores.
#[derive(Debug)]
pub struct Gathering {
    precision: Option<Precision>,
    /// The quantile that the run is to know well.
    watched: f64,
    /// For each core what it has told and the others have not yet.
    queues: Vec<VecDeque<(Figures, Vitals)>>,
    finished: Vec<bool>,
    cores: Vec<Vitals>,
    total: Figures,
    batches: Batches,
    intervals: Vec<Interval>,
    end: Duration,
    bytes_received: u64,
}

impl Gathering {
    /// Nothing yet, of a run by `options`.
    #[must_use]
    pub fn new(options: &LoadOptions) -> Self {
        let cores = usize::from(options.cores());
        Self {
            precision: options.stop.precision,
            watched: options.watched_quantile(),
            queues: vec![VecDeque::new(); cores],
            finished: vec![false; cores],
            cores: vec![Vitals::default(); cores],
            total: Figures::default(),
            batches: Batches::default(),
            intervals: Vec::new(),
            end: Duration::ZERO,
            bytes_received: 0,
        }
    }

    /// Takes what one core tells. [`Gathering::next_interval`] is to be called until it gives none.
    ///
    /// # Panics
    ///
    /// If the figures are of a core that the run does not have.
    pub fn hear(&mut self, news: News<Figures>) {
        let is_last = matches!(news, News::Finished { .. });
        let (News::Interval { figures, vitals } | News::Finished { figures, vitals }) = news;
        let core = usize::from(figures.core);
        self.finished[core] |= is_last;
        self.queues[core].push_back((figures, vitals));
    }

    /// Adds up the next interval, once all cores that still run have told theirs.
    pub fn next_interval(&mut self) -> Option<(Interval, Figures)> {
        let mut cores = self.queues.iter().zip(&self.finished);
        if cores.any(|(queue, finished)| queue.is_empty() && !finished) {
            return None;
        }
        let mut merged: Option<Figures> = None;
        for (queue, latest) in self.queues.iter_mut().zip(&mut self.cores) {
            let Some((figures, vitals)) = queue.pop_front() else { continue };
            *latest = vitals;
            match &mut merged {
                Some(merged) => merged.merge(&figures),
                None => merged = Some(figures),
            }
        }
        let figures = merged?;
        Some((self.take(&figures), figures))
    }

    fn take(&mut self, figures: &Figures) -> Interval {
        let vitals = self.vitals();
        let length = vitals.elapsed.saturating_sub(self.end);
        self.end = vitals.elapsed;
        let (corrected, slip) = (figures.corrected(), figures.slip());
        let interval = Interval {
            answered: figures.answered(),
            errors: figures.errors.total(),
            bytes_received: vitals.bytes_received.saturating_sub(self.bytes_received),
            ..Interval::of((self.end, length), &corrected, slip, self.watched)
        };
        self.bytes_received = vitals.bytes_received;
        self.total.merge(figures);
        self.batches.push(&corrected);
        if self.intervals.len() < INTERVALS_MAX {
            self.intervals.push(interval);
        }
        interval
    }

    /// Whether all cores have told their last.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.finished.iter().all(|finished| *finished)
    }

    /// Whether the quantile that is watched is known as well as was asked for.
    #[must_use]
    pub fn is_known_well_enough(&self) -> bool {
        self.precision.is_some_and(|precision| {
            self.quantile_ms(self.watched, |interval| interval.watched_ms)
                .is_some_and(|estimate| estimate.relative_width() <= precision.width)
        })
    }

    /// Counts of all cores; the time is that of the one that took longest.
    #[must_use]
    pub fn vitals(&self) -> Vitals {
        let mut sum = Vitals::default();
        for core in &self.cores {
            sum.elapsed = sum.elapsed.max(core.elapsed);
            sum.asked += core.asked;
            sum.unsent += core.unsent;
            sum.in_flight += core.in_flight;
            sum.connections_opened += core.connections_opened;
            sum.connections += core.connections;
            sum.bytes_sent += core.bytes_sent;
            sum.bytes_received += core.bytes_received;
            sum.in_flight_nanoseconds += core.in_flight_nanoseconds;
        }
        sum
    }

    /// The figures of the whole run so far.
    #[must_use]
    pub fn total(&self) -> &Figures {
        &self.total
    }

    /// The mean of the corrected latency, with how sure it is.
    #[must_use]
    pub fn mean_ms(&self) -> Option<Estimate> {
        self.batches.mean_ms()
    }

    /// Its median, with how sure that is.
    #[must_use]
    pub fn median_ms(&self) -> Option<Estimate> {
        self.quantile_ms(MEDIAN, |interval| interval.p50_ms)
    }

    fn quantile_ms(&self, share: f64, of: fn(&Interval) -> f64) -> Option<Estimate> {
        let sections: Vec<f64> = self.whole().map(of).collect();
        let value = rounded(milliseconds(self.total.corrected().quantile(share)));
        Estimate::of_sections(value, &sections)
    }

    /// The intervals that can stand for a stretch of the run: those with answers that its end did not cut short.
    fn whole(&self) -> impl Iterator<Item = &Interval> {
        let usual_s = self.intervals.first().map_or(0.0, |first| first.length_s) * 0.9;
        let intervals = self.intervals.iter();
        intervals.filter(move |interval| interval.answered > 0 && interval.length_s >= usual_s)
    }

    /// All intervals, in order.
    #[must_use]
    pub fn into_intervals(self) -> Vec<Interval> {
        self.intervals
    }
}
