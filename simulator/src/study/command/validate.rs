//! `validate`: the continuous-time world against queueing theory, printed side by side.

use std::fmt::Write as _;
use std::io::Write;
use std::num::NonZeroUsize;

use indicatif::{ProgressBar, ProgressStyle};

use super::clock::Stopwatch;
use super::{CommandError, print};
use crate::study::validate::{Check, Expected, validate};

#[derive(Debug, clap::Args)]
pub(super) struct ValidateArgs {
    /// The seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Do everything under this many seeds, beginning with that one.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..1_000))]
    seeds: u32,
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
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} systems, {eta} left") {
        bar.set_style(style);
    }
    let stopwatch = Stopwatch::start();
    let seeds = u64::from(args.seeds);
    let by_seed: Vec<Vec<Check>> = (0..seeds)
        .map(|number| {
            let seed = args.seed.wrapping_add(number);
            validate(seed, args.effort, threads, |done, total| {
                bar.set_length(total as u64 * seeds);
                bar.set_position(done as u64 + total as u64 * number);
            })
        })
        .collect();
    bar.finish_and_clear();
    print(out, &as_table(&by_seed))?;
    print(out, &format!("({:.1} s on {threads} threads)\n", stopwatch.seconds()))?;
    match by_seed.iter().flatten().filter(|check| !check.passes()).count() {
        0 => Ok(()),
        wrong => Err(CommandError::Disagrees(wrong)),
    }
}

/// One line a check, over all seeds, and what chance would do to so many comparisons.
fn as_table(by_seed: &[Vec<Check>]) -> String {
    let Some(first) = by_seed.first() else { return String::new() };
    let seeds = by_seed.len() as f64;
    let width = first.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = format!(
        "{:width$}  {:>11}  {:>10}  {:>12}  inside\n",
        "check", "measured", "+-99.9 %", "exact"
    );
    for (place, check) in first.iter().enumerate() {
        let under_seeds = || by_seed.iter().map(|checks| &checks[place]);
        let expected = match check.expected {
            Expected::Exactly(value) => format!("{value:.6}"),
            Expected::Below(bound) => format!("< {bound}"),
            Expected::Above(bound) => format!("> {bound}"),
        };
        let measured = under_seeds().map(|check| check.measured).sum::<f64>() / seeds;
        // The interval of one seed, which is what `inside` is counted by.
        let interval = under_seeds().map(Check::half_interval).sum::<f64>() / seeds;
        let inside = under_seeds().filter(|check| check.passes()).count();
        let verdict = if inside == by_seed.len() { "" } else { "  WRONG" };
        let _ = writeln!(
            text,
            "{:width$}  {measured:>11.6}  {interval:>10.6}  {expected:>12}  {inside} of {seeds}{verdict}",
            check.name,
        );
    }
    let all = || by_seed.iter().flatten();
    let (agree, total) = (all().filter(|check| check.passes()).count(), all().count());
    let close: Vec<bool> = all().filter_map(Check::is_close).collect();
    let close_count = close.iter().filter(|is_close| **is_close).count();
    let _ = writeln!(
        text,
        "\n{agree} of {total} comparisons agree. {} are with an exact value, at 99.9 % each: if all were exact, {:.1} \
         would miss by chance.\nAt 95 % each, {close_count} of these agree, {:.1} %.",
        close.len(),
        0.001 * close.len() as f64,
        100.0 * close_count as f64 / close.len().max(1) as f64,
    );
    text
}
