//! The strategy study, as a person runs it: a workload played under every strategy, and what each did to whom.
//!
//! The proxy may be somebody's or one of our own ([`embedded`]); the [`conductor`] plays, this
//! module shows and writes what was found. `ringyard demo` is an analysis of three strategies.

pub mod embedded;
pub mod words;

use std::io::{self, Write};
use std::path::PathBuf;

use crate::conductor::{self, StudyError, StudyOptions, Target};
use crate::report::{self, ReportError, table};
use crate::wall_clock;

/// The seed of an analysis that is not given one.
pub const SEED: u64 = 1;

/// How long each strategy is played if nothing else is said.
pub const SECONDS_PER_STRATEGY: u64 = 10;

/// How long to wait for an answer, in seconds, if nothing else is said.
pub const TIMEOUT_SECONDS: u64 = 30;

/// How an analysis ended, if it came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnalyzeOutcome {
    /// Whether any request was not answered well.
    pub any_failed: bool,
    /// Whether it was cut short by a signal.
    pub is_cut_short: bool,
    /// Where the results are.
    pub results: PathBuf,
}

/// Why an analysis came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// The workload could not be played.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The results could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The table could not be printed.
    #[error("cannot print the table: {0}")]
    Print(#[from] io::Error),
}

/// Plays the study against the proxy, prints what was found to `out`, and writes it into a directory of its own under
/// `results`.
///
/// # Errors
///
/// [`AnalyzeError`] says what could not be done. Requests that fail are told in the outcome.
pub fn run(
    target: &Target,
    options: &StudyOptions,
    results: &std::path::Path,
    out: &mut dyn Write,
) -> Result<AnalyzeOutcome, AnalyzeError> {
    let started = wall_clock::unix_seconds();
    let study = conductor::play(target, options)?;
    let directory = results.join(report::stamp(started));
    report::write(&directory, &study)?;
    let summary = &study.summary;
    write!(out, "\n{}\n{}\n", table::comparison(summary), words::wrapped(summary))?;
    writeln!(out, "results in {}, with all figures in report.html", directory.display())?;
    if study.is_cut_short {
        writeln!(out, "cut short: the last strategy was not played to its end")?;
    }
    Ok(AnalyzeOutcome {
        any_failed: summary.any_failed(),
        is_cut_short: study.is_cut_short,
        results: directory,
    })
}
