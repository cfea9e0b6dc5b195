//! `contest`: policies against each other in hard worlds, as Markdown tables.

use std::fmt::Write as _;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::{CommandError, print, read_file};
use crate::study::contest::{Contest, FIGURES, Standing, built_in, leaders, parse, play};

#[derive(Debug, clap::Args)]
pub(super) struct ContestArgs {
    /// A TOML file of worlds and policies instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Runs of each policy in each world.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..1_000))]
    runs: u32,
    /// Threads [default: all there are]. The results do not depend on it.
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// Only worlds whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    world: String,
    /// Only policies whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    policy: String,
}

pub(super) fn contest(args: &ContestArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let Contest { mut arenas, mut entrants } = match &args.file {
        Some(path) => parse(&path.display().to_string(), &read_file(path)?)?,
        None => built_in()?,
    };
    arenas.retain(|arena| arena.name.contains(&args.world));
    entrants.retain(|entrant| entrant.name.contains(&args.policy));
    let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = args.threads.map_or_else(available, NonZeroUsize::get);
    let mut won = vec![[0_usize; 4]; entrants.len()];
    for arena in &arenas {
        let standings = play(arena, &entrants, args.seed, args.runs, threads);
        let leaders = leaders(&standings);
        for (entrant, won) in won.iter_mut().enumerate() {
            let leads = leaders.each_ref().map(|leaders| leaders.contains(&entrant));
            for (count, leads) in won.iter_mut().zip(leads) {
                *count += usize::from(leads);
            }
            won[3] += usize::from(leads.iter().all(|leads| *leads));
        }
        let mut text = format!("### {}\n\n| policy |", arena.name);
        for figure in FIGURES {
            let _ = write!(text, " {figure} |");
        }
        text.push_str("\n|--|--:|--:|--:|--:|--:|\n");
        for (place, (entrant, standing)) in entrants.iter().zip(&standings).enumerate() {
            let leads = leaders.each_ref().map(|leaders| leaders.contains(&place));
            write_row(&mut text, &entrant.name, standing, leads);
        }
        text.push('\n');
        print(out, &text)?;
    }
    let mut text = format!(
        "### Worlds led, of {}\n\n| policy | mean | p99 | spread | all three at once |\n|--|--:|--:|--:|--:|\n",
        arenas.len()
    );
    for (entrant, [mean, p99, spread, all]) in entrants.iter().zip(won) {
        let _ = writeln!(text, "| {} | {mean} | {p99} | {spread} | {all} |", entrant.name);
    }
    print(out, &text)
}

fn write_row(text: &mut String, name: &str, standing: &Standing, leads: [bool; 3]) {
    let [mean, p99, spread, probes, errors] = standing.figures();
    // Without a single good answer there is no latency.
    let number = |value: f64, digits: usize| {
        if value.is_finite() { format!("{value:.digits$}") } else { "-".to_owned() }
    };
    let shown = [number(mean, 1), number(p99, 0), number(spread, 1)];
    let _ = write!(text, "| {name} |");
    for (value, leads) in shown.iter().zip(leads) {
        let mark = if leads { "**" } else { "" };
        let _ = write!(text, " {mark}{value}{mark} |");
    }
    let _ = writeln!(text, " {probes:.1} | {errors:.1} |");
}
