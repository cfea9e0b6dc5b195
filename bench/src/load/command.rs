//! `ringyard load`: what a user may ask for, the run, and the exit status that says how it went.

mod arguments;
pub(crate) mod parsers;
mod sinks;
mod studies;
mod usage;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::compare::TooFew;
use super::headroom;
use super::options::LoadOptions;
use super::output::{files, html, table};
use super::report::LoadReport;
use super::run::{self, LoadError};
use super::slo::Slo;
use super::target::Target;
use crate::progress::ProgressDisplay;
use arguments::RunArgs;
use sinks::Sinks;
pub use usage::UsageError;

/// Load a server and say how it does.
///
/// Asks an HTTP/1.1 server (http://host:port/path) or any TCP server (tcp://host:port) over many connections
/// and tells how long answers took.
///
/// In a closed loop (-c) each connection asks again once it is answered: it shows how much a server can do. In an open loop
/// (--rate) requests are due at their own times, as those of users are, and latency counts from those times: it shows what
/// users wait. A server that stalls for a second hides that from a closed loop, because nobody asks it meanwhile.
///
/// At the end the generator judges itself. Pin it to CPUs that the server does not use (--cores) for figures that mean
/// anything.
///
/// Exit status: 0 fine, 1 more errors than --max-error-rate, 2 bad usage or no run, 3 the run may have measured
/// the generator itself (GENERATOR-BOUND), 4 an objective of --slo was missed.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
ringyard load http://127.0.0.1:8000/healthz                        closed loop, 64 connections, 10 s\n  \
ringyard load http://127.0.0.1:8000/healthz -r 2000 --arrivals poisson -d 30s --html report.html\n  \
ringyard load http://127.0.0.1:8001/classify -b '{\"sequences\": [\"text {counter}\"]}' --template\n  \
ringyard load http://127.0.0.1:8000/ -r 500 --slo 'p99<5ms,errors<0.1%'   exit status 4 if missed\n  \
ringyard load tcp://127.0.0.1:6379 --send-hex 50494e470d0a --expect-until '\\r\\n'\n  \
ringyard load http://127.0.0.1:8000/ -c 60000 --source 127.0.0.1-127.0.0.4   more connections than one address has ports\n  \
ringyard load ab http://127.0.0.1:8001/a http://127.0.0.1:8001/b   which is faster, and is it chance?\n  \
ringyard load find http://127.0.0.1:8000/ --slo 'p99<5ms'          the highest rate that keeps it")]
pub struct LoadArgs {
    #[command(subcommand)]
    action: Option<Action>,

    /// Whom to load: http://host[:port][/path] or tcp://host:port
    #[arg(value_name = "URL")]
    target: Option<Target>,

    #[command(flatten)]
    run: RunArgs,

    #[command(flatten, next_help_heading = "Verdict")]
    verdict: VerdictArgs,

    #[command(flatten, next_help_heading = "Output")]
    output: OutputArgs,
}

/// More than one run.
#[derive(Subcommand, Clone, Debug)]
enum Action {
    Compare(studies::CompareArgs),
    Ab(studies::AbArgs),
    Find(studies::FindArgs),
}

/// What makes a run a failure.
#[derive(Args, Clone, Debug)]
struct VerdictArgs {
    /// The part of requests that may fail before the exit status is 1, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    max_error_rate: f64,

    /// Objectives, such as 'p99<5ms,errors<0.1%': the exit status is 4 if one is missed
    #[arg(long, value_name = "OBJECTIVES")]
    slo: Option<Slo>,
}

/// Where figures go.
#[derive(Args, Clone, Debug)]
struct OutputArgs {
    /// Show nothing while the run lasts
    #[arg(long, short)]
    quiet: bool,

    /// Write the report as JSON; the project's bench/REPORTS.md explains each field
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the intervals as comma-separated values
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write the percentile distribution, for HdrHistogram's plotter
    #[arg(long, value_name = "FILE")]
    hgrm: Option<PathBuf>,

    /// Write the interval log, for HdrHistogram's log tools
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,

    /// Write the report as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// How a command ended. The number is the process's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// More requests failed than may.
    Errors = 1,
    /// Bad usage, or the run could not be carried out.
    Usage = 2,
    /// The run may have measured the generator.
    GeneratorBound = 3,
    /// An objective was missed.
    SloMissed = 4,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command came to nothing; its exit status is [`Exit::Usage`].
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The arguments do not make sense.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// There was no run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file cannot be written.
    #[error("cannot write {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is no report of a run.
    #[error("{path} is no report that --json wrote: {reason}")]
    NoReport {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two runs cannot be compared.
    #[error(transparent)]
    TooFew(#[from] TooFew),
    /// The report cannot be printed.
    #[error("cannot print the report: {0}")]
    Print(#[from] io::Error),
}

/// Runs the command; prints its report to `out`.
///
/// # Errors
///
/// [`CommandError`] says why there is no report, or not all of it.
pub fn run(arguments: &LoadArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    match &arguments.action {
        Some(Action::Compare(arguments)) => return studies::compare(arguments, out),
        Some(Action::Ab(arguments)) => return studies::ab(arguments, out),
        Some(Action::Find(arguments)) => return studies::find(arguments, out),
        None => {}
    }
    let target = arguments.target.as_ref().ok_or(UsageError::Target)?;
    let options = arguments.run.options(target)?;
    let report = run_one(&options, &arguments.output)?;
    write!(out, "{}", table::render(&report))?;
    let OutputArgs { json, csv, hgrm, html: page, .. } = &arguments.output;
    write_file(json.as_deref(), |file| files::write_json(&report, file))?;
    write_file(csv.as_deref(), |file| files::write_csv(&report.intervals, file))?;
    write_file(hgrm.as_deref(), |file| {
        file.write_all(files::percentile_distribution(&report).as_bytes())
    })?;
    write_file(page.as_deref(), |file| file.write_all(html::render(&report).as_bytes()))?;
    let (exit, words) = judge(&arguments.verdict, &report);
    for line in words {
        writeln!(out, "{line}")?;
    }
    Ok(exit)
}

fn run_one(options: &LoadOptions, output: &OutputArgs) -> Result<LoadReport, CommandError> {
    let display = if output.quiet { ProgressDisplay::Quiet } else { ProgressDisplay::Auto };
    let log = match &output.hlog {
        Some(path) => Some((create(path)?, path.clone())),
        None => None,
    };
    warn(options, display);
    let mut sinks = Sinks::new(options, display, log);
    let report = run::run(options, &mut sinks)?;
    sinks.finish(&report)?;
    Ok(report)
}

/// Says, before a run, of what there is too little for it.
fn warn(options: &LoadOptions, display: ProgressDisplay) {
    if display != ProgressDisplay::Quiet {
        headroom::shortages(options).iter().for_each(|shortage| eprintln!("warning: {shortage}"));
    }
}

/// The exit status that a report deserves, and why, in words.
fn judge(verdict: &VerdictArgs, report: &LoadReport) -> (Exit, Vec<String>) {
    let missed = verdict.slo.as_ref().map(|slo| slo.missed(report)).unwrap_or_default();
    if report.has_failed(verdict.max_error_rate / 100.0) {
        let words = if report.answered == 0 {
            "FAILED: nothing was answered".to_owned()
        } else {
            let (found, most) = (report.error_rate * 100.0, verdict.max_error_rate);
            format!("FAILED: {found:.3} % of requests failed, {most} % may")
        };
        return (Exit::Errors, vec![words]);
    }
    if report.generator.verdict.is_generator_bound() {
        return (Exit::GeneratorBound, Vec::new());
    }
    if missed.is_empty() {
        return (Exit::Fine, Vec::new());
    }
    (Exit::SloMissed, missed.into_iter().map(|miss| format!("MISSED {miss}")).collect())
}

fn create(path: &Path) -> Result<File, CommandError> {
    File::create(path).map_err(|error| CommandError::File { path: path.to_owned(), error })
}

/// Writes a file, if one is asked for.
fn write_file(
    path: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CommandError> {
    let Some(path) = path else { return Ok(()) };
    let mut file = io::BufWriter::new(create(path)?);
    write(&mut file)
        .and_then(|()| file.flush())
        .map_err(|error| CommandError::File { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::example;

    fn judged(change: fn(&mut LoadReport), max_error_rate: f64, slo: &str) -> Exit {
        let mut report = example::report();
        change(&mut report);
        let slo = (!slo.is_empty()).then(|| slo.parse().unwrap());
        judge(&VerdictArgs { max_error_rate, slo }, &report).0
    }

    #[test]
    fn the_gravest_finding_decides_the_exit_status() {
        let bound: fn(&mut LoadReport) =
            |report| report.generator.verdict.generator_bound.push("bound".into());
        let failing: fn(&mut LoadReport) = |report| report.error_rate = 0.02;
        assert_eq!(judged(|_| {}, 0.0, "p99<1h"), Exit::Fine);
        assert_eq!(judged(|_| {}, 0.0, "p99<1ns"), Exit::SloMissed);
        assert_eq!(judged(failing, 1.0, "p99<1ns"), Exit::Errors);
        assert_eq!(judged(failing, 2.0, ""), Exit::Fine);
        assert_eq!(judged(bound, 0.0, "p99<1ns"), Exit::GeneratorBound);
        let both: fn(&mut LoadReport) = |report| {
            report.error_rate = 0.02;
            report.generator.verdict.generator_bound.push("bound".into());
        };
        assert_eq!(judged(both, 0.0, ""), Exit::Errors);
        assert_eq!(judged(|report| report.answered = 0, 100.0, ""), Exit::Errors);
    }
}
