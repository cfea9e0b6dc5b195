//! Commands of more than one run: two reports compared, two targets in turn, the highest rate that is kept.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::arguments::RunArgs;
use super::parsers::{parse_duration, parse_rate};
use super::{CommandError, Exit, warn, write_file};
use crate::generator::schedule::Rate;
use crate::load::compare::{self, Pairing, Ratio};
use crate::load::find::{self, Found, Trial};
use crate::load::options::{LoadOptions, LoadPace, Stop};
use crate::load::output::curve;
use crate::load::report::{Interval, LoadReport, SCHEMA};
use crate::load::run::{self, NoObserver};
use crate::load::slo::Slo;
use crate::load::target::Target;
use crate::progress::{Progress, ProgressDisplay};
use crate::report::table::Table;
use crate::report::units::duration;
use crate::statistics::rounded;

/// Compare two reports that --json wrote, interval by interval.
///
/// Shows the ratio of throughput and of each quantile with its 95 % interval, by bootstrap over the intervals, and says "no
/// difference seen" where chance explains as much. Runs that were made one after the other differ by whatever the machine
/// did meanwhile as well; `ab` does not have that fault.
#[derive(Args, Clone, Debug)]
pub(super) struct CompareArgs {
    /// The report that is measured against
    #[arg(value_name = "A.json")]
    a: PathBuf,

    /// The report that is measured
    #[arg(value_name = "B.json")]
    b: PathBuf,
}

/// Load two targets in turn, A B A B, and say by how much they differ.
///
/// What disturbs the machine disturbs both, so the ratio is worth more than two runs apart. Takes the flags of a single
/// run, but for those that say when to stop.
#[derive(Args, Clone, Debug)]
pub(super) struct AbArgs {
    /// The target that is measured against
    #[arg(value_name = "URL_A")]
    a: Target,

    /// The target that is measured
    #[arg(value_name = "URL_B")]
    b: Target,

    /// How often each is loaded
    #[arg(long, value_name = "COUNT", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(i64::try_from(compare::STRETCHES_MIN).unwrap_or(i64::MAX)..=1_000))]
    windows: u32,

    /// How long each time
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    window: Duration,

    /// Show nothing while windows follow one another
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    run: RunArgs,
}

/// Search for the highest rate that keeps an objective.
///
/// Tries rates in an open loop, doubling until the objective is missed, then halving the gap; a trial that measured the generator
/// counts as missed. Draws the curve. Takes the flags of a single run, but for those that say how often to ask and when to
/// stop.
#[derive(Args, Clone, Debug)]
pub(super) struct FindArgs {
    /// Whom to load
    #[arg(value_name = "URL")]
    target: Target,

    /// The objectives, such as 'p99<5ms,errors<0.1%'
    #[arg(long, value_name = "OBJECTIVES")]
    slo: Slo,

    /// The rate to begin with, in requests per second
    #[arg(long, value_name = "RATE", default_value_t = 100.0, value_parser = parse_rate)]
    start: f64,

    /// How long each rate is tried
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_duration)]
    trial: Duration,

    /// How near the highest rate kept and the lowest missed must come, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = parse_rate)]
    precision: f64,

    /// Write what was tried as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the curve as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Show nothing while rates are tried
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    run: RunArgs,
}

pub(super) fn compare(arguments: &CompareArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let [a, b] = [&arguments.a, &arguments.b].map(|path| read(path));
    let (a, b) = (a?, b?);
    let ratios = compare::compare(&a.intervals, &b.intervals, Pairing::Apart, a.setup.seed)?;
    writeln!(out, "A: {}\nB: {}", a.target, b.target)?;
    show(&ratios, out)?;
    Ok(Exit::Fine)
}

fn read(path: &Path) -> Result<LoadReport, CommandError> {
    let fail = |reason: String| CommandError::NoReport { path: path.to_owned(), reason };
    let text = fs::read(path).map_err(|error| fail(error.to_string()))?;
    let report: LoadReport =
        serde_json::from_slice(&text).map_err(|error| fail(error.to_string()))?;
    if report.schema == SCHEMA {
        Ok(report)
    } else {
        Err(fail(format!("its schema is {}, not {SCHEMA}", report.schema)))
    }
}

pub(super) fn ab(arguments: &AbArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let AbArgs { windows, window, run, .. } = arguments;
    run.refuse_stop("give --windows and --window")?;
    let stop = Stop { duration: Some(*window), requests: None, precision: None };
    let options = |target: &Target| -> Result<LoadOptions, CommandError> {
        Ok(LoadOptions { stop, calibration: Duration::ZERO, ..run.options(target)? })
    };
    let options = [options(&arguments.a)?, options(&arguments.b)?];
    let mut stretches = [Vec::new(), Vec::new()];
    let mut is_bound = false;
    let display = if arguments.quiet { ProgressDisplay::Quiet } else { ProgressDisplay::Auto };
    warn(&options[0], display);
    let mut progress = Progress::begin("a/b", *window * 2 * *windows, display);
    for done in 0..*windows {
        progress.update(*window * 2 * done, &format!("{done} of {windows} pairs of windows"));
        for (options, stretches) in options.iter().zip(&mut stretches) {
            let report = run::run(options, &mut NoObserver)?;
            is_bound |= report.generator.verdict.is_generator_bound();
            stretches.push(whole_run(&report));
        }
    }
    progress.end(&format!("{windows} pairs of windows"));
    let [a, b] = &stretches;
    let ratios = compare::compare(a, b, Pairing::Interleaved, options[0].seed)?;
    writeln!(out, "A: {}\nB: {}", arguments.a, arguments.b)?;
    show(&ratios, out)?;
    if is_bound {
        writeln!(
            out,
            "GENERATOR-BOUND: in at least one window the generator had nothing to spare"
        )?;
        return Ok(Exit::GeneratorBound);
    }
    Ok(Exit::Fine)
}

/// A run as one stretch of time.
fn whole_run(report: &LoadReport) -> Interval {
    let latency = &report.latency.corrected;
    Interval {
        end_s: report.elapsed_s,
        length_s: report.elapsed_s,
        answered: report.answered,
        errors: report.errors.total(),
        mean_ms: latency.mean_ms,
        p50_ms: latency.median_ms,
        p90_ms: latency.p90_ms,
        p99_ms: latency.p99_ms,
        p999_ms: latency.p999_ms,
        max_ms: latency.max_ms,
        watched_ms: latency.median_ms,
        bytes_received: report.bytes_received,
        ..Interval::default()
    }
}

fn show(ratios: &[Ratio], out: &mut dyn Write) -> Result<(), CommandError> {
    let mut table = Table::new(["figure", "A", "B", "B/A", "95 % within", ""]);
    for ratio in ratios {
        let Ratio { figure, a, b, ratio: quotient, low, high } = ratio;
        let unit = if figure == "throughput" { "/s" } else { " ms" };
        table.row(vec![
            figure.clone(),
            format!("{a:.3}{unit}"),
            format!("{b:.3}{unit}"),
            format!("{quotient:.3}"),
            format!("{low:.3} to {high:.3}"),
            if ratio.no_difference_seen() { "no difference seen" } else { "" }.to_owned(),
        ]);
    }
    write!(out, "{}", table.render())?;
    Ok(())
}

pub(super) fn find(arguments: &FindArgs, out: &mut dyn Write) -> Result<Exit, CommandError> {
    let FindArgs { target, slo, trial, run, .. } = arguments;
    run.refuse_stop("give --trial and --precision")?;
    run.refuse_rate("give --start")?;
    let stop = Stop { duration: Some(*trial), requests: None, precision: None };
    let options = LoadOptions { stop, calibration: Duration::ZERO, ..run.options(target)? };
    let display = if arguments.quiet { ProgressDisplay::Quiet } else { ProgressDisplay::Auto };
    warn(&options, display);
    let arrivals = run.arrivals();
    let measure = |rate: f64| -> Result<Trial, CommandError> {
        let pace = LoadPace::Open { rate: Rate::steady(rate), arrivals };
        let report = run::run(&LoadOptions { pace, ..options.clone() }, &mut NoObserver)?;
        let is_bound = report.generator.verdict.is_generator_bound();
        let trial = Trial {
            rate: rounded(rate),
            throughput: report.throughput_per_second,
            p50_ms: report.latency.corrected.median_ms,
            p99_ms: report.latency.corrected.p99_ms,
            error_rate: report.error_rate,
            kept: slo.missed(&report).is_empty() && !is_bound && report.answered > 0,
        };
        if !arguments.quiet {
            let p99 = duration(trial.p99_ms);
            eprintln!("{rate:.1} requests/s: p99 {p99}, {}", verdict(&trial));
        }
        Ok(trial)
    };
    let found = find::search(arguments.start, arguments.precision / 100.0, measure)?;
    show_curve(&found, out)?;
    write_file(arguments.json.as_deref(), |file| {
        serde_json::to_writer_pretty(file, &found).map_err(Into::into)
    })?;
    write_file(arguments.html.as_deref(), |file| {
        let page = curve::render(&target.to_string(), &slo.to_string(), &found);
        file.write_all(page.as_bytes())
    })?;
    match found.rate {
        Some(rate) => {
            writeln!(out, "{target} keeps its objectives up to {rate:.1} requests/s")?;
            Ok(Exit::Fine)
        }
        None => {
            writeln!(out, "{target} keeps its objectives at no rate that was tried")?;
            Ok(Exit::SloMissed)
        }
    }
}

fn verdict(trial: &Trial) -> &'static str {
    if trial.kept { "kept" } else { "missed" }
}

/// What was tried as a table, with the tail drawn as bars.
fn show_curve(found: &Found, out: &mut dyn Write) -> Result<(), CommandError> {
    const BAR_CHARACTERS: f64 = 30.0;
    let highest = found.trials.iter().map(|trial| trial.p99_ms).fold(0.0, f64::max);
    let mut table =
        Table::new(["rate", "answers/s", "p50 ms", "p99 ms", "errors", "", "p99, logarithmic"]);
    for trial in &found.trials {
        let part = (1.0 + trial.p99_ms * 1e3).ln() / (1.0 + highest * 1e3).ln();
        let bar = (1..=30_u8).filter(|step| f64::from(*step) <= part * BAR_CHARACTERS).count();
        table.row(vec![
            format!("{:.1}", trial.rate),
            format!("{:.1}", trial.throughput),
            format!("{:.3}", trial.p50_ms),
            format!("{:.3}", trial.p99_ms),
            format!("{:.3} %", trial.error_rate * 100.0),
            verdict(trial).to_owned(),
            format!("{:<30}", "█".repeat(bar)),
        ]);
    }
    write!(out, "{}", table.render())?;
    Ok(())
}
