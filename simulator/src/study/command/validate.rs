//! `validate`: the continuous-time world against queueing theory, printed side by side.

use std::fmt::Write as _;
use std::io::Write;
use std::num::NonZeroUsize;

use indicatif::ProgressBar;

use super::clock::Stopwatch;
use super::{CommandError, print};
use crate::study::validate::{Expected, validate};

#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// The seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Threads [default: all there are].
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// How long to measure, relative to the usual.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = positive)]
    effort: f64,
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.001..=1_000.0).contains(&value) {
        Ok(value)
    } else {
        Err("not in 0.001..=1000".to_owned())
    }
}

pub(super) fn run_checks(args: &ValidateArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = args.threads.map_or_else(available, NonZeroUsize::get);
    let bar = ProgressBar::new(0);
    let stopwatch = Stopwatch::start();
    let checks = validate(args.seed, args.effort, threads, |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text =
        format!("{:width$}  {:>11}  {:>10}  {:>12}\n", "check", "measured", "±99.9 %", "exact");
    for check in &checks {
        let expected = match check.expected {
            Expected::Exactly(value) => format!("{value:.6}"),
            Expected::Below(bound) => format!("< {bound}"),
            Expected::Above(bound) => format!("> {bound}"),
        };
        let verdict = if check.passes() { "" } else { "  WRONG" };
        let _ = writeln!(
            text,
            "{:width$}  {:>11.6}  {:>10.6}  {expected:>12}{verdict}",
            check.name, check.measured, check.half_interval,
        );
    }
    let wrong = checks.iter().filter(|check| !check.passes()).count();
    let seconds = stopwatch.seconds();
    let _ = writeln!(
        text,
        "\n{} of {} checks agree ({seconds:.1} s)",
        checks.len() - wrong,
        checks.len()
    );
    print(out, &text)?;
    if wrong > 0 { Err(CommandError::Disagrees(wrong)) } else { Ok(()) }
}
