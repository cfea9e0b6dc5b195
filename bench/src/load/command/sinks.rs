//! What follows a run while it lasts: the display, the interval log, and the signals that end it early.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ringyard_runtime::launch::Stopper;
use ringyard_runtime::signals::Signals;

use super::CommandError;
use crate::load::figures::Figures;
use crate::load::options::LoadOptions;
use crate::load::output::files::{LogEntry, write_interval_log};
use crate::load::report::{Interval, LoadReport};
use crate::load::run::Observer;
use crate::progress::{Progress, ProgressDisplay};
use crate::report::units::duration;
use crate::wall_clock;

/// All that follows a run.
pub(super) struct Sinks {
    progress: Option<Progress>,
    log: Option<IntervalLog>,
    signals: Option<Signals>,
}

/// The interval log is written by a thread of its own, which ends when no more entries can come.
struct IntervalLog {
    entries: Sender<LogEntry>,
    writer: JoinHandle<io::Result<()>>,
    path: PathBuf,
}

impl Sinks {
    pub(super) fn new(
        options: &LoadOptions,
        display: ProgressDisplay,
        log: Option<(File, PathBuf)>,
    ) -> Self {
        let total = options.stop.duration.unwrap_or_default();
        Self {
            progress: Some(Progress::begin("load", total, display)),
            log: log.map(|(file, path)| IntervalLog::start(options.target.to_string(), file, path)),
            signals: None,
        }
    }

    /// The run is over.
    pub(super) fn finish(mut self, report: &LoadReport) -> Result<(), CommandError> {
        drop(self.signals.take());
        if let Some(progress) = self.progress.take() {
            let rate = report.throughput_per_second;
            progress.end(&format!("{} answers, {rate:.0}/s", report.answered));
        }
        match self.log.take() {
            Some(log) => log.finish(),
            None => Ok(()),
        }
    }
}

impl Observer for Sinks {
    fn launched(&mut self, stopper: Stopper) {
        // Where signals are handled already, or cannot be, the run ends with its time.
        self.signals = Signals::handle(vec![stopper]).ok();
    }

    fn interval(&mut self, interval: &Interval, figures: &Figures) -> io::Result<()> {
        if let Some(progress) = &mut self.progress {
            let rate = interval.throughput_per_second();
            let [p50, p99] = [interval.p50_ms, interval.p99_ms].map(duration);
            let message = format!("{rate:.0}/s, p50 {p50}, p99 {p99}, {} errors", interval.errors);
            progress.update(Duration::from_secs_f64(interval.end_s), &message);
        }
        if let Some(log) = &self.log {
            let length = Duration::from_secs_f64(interval.length_s);
            let end = Duration::from_secs_f64(interval.end_s);
            let histogram = figures.corrected().histogram().clone();
            let entry = LogEntry { start: end.saturating_sub(length), length, histogram };
            // A writer that is gone has failed; it says why when it is joined.
            let _ = log.entries.send(entry);
        }
        Ok(())
    }
}

impl IntervalLog {
    fn start(target: String, file: File, path: PathBuf) -> Self {
        let (entries, received) = mpsc::channel();
        let started = wall_clock::unix_seconds();
        let writer = thread::spawn(move || {
            let mut out = BufWriter::new(file);
            write_interval_log(&target, started, received, &mut out)?;
            out.flush()
        });
        Self { entries, writer, path }
    }

    fn finish(self) -> Result<(), CommandError> {
        let Self { entries, writer, path } = self;
        drop(entries);
        let result = writer.join().expect("the writer of the interval log does not panic");
        result.map_err(|error| CommandError::File { path, error })
    }
}
