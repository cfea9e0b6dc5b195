//! `contest`: policies against each other in hard worlds, as Markdown tables.

use std::fmt::Write as _;
use std::io::Write;

use super::{CommandError, print};
use crate::study::contest::{arenas, entrants, stand};

#[derive(Debug, clap::Args)]
pub(super) struct ContestArgs {
    /// The seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Runs of each policy in each world.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..1_000))]
    runs: u32,
    /// Only worlds whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    world: String,
}

pub(super) fn contest(args: &ContestArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    for arena in arenas().iter().filter(|arena| arena.name.contains(&args.world)) {
        let mut text = format!(
            "### {}\n\n| policy | mean ms | p99 ms | spread of utilisation | probes per request | errors % |\n\
             |--|--:|--:|--:|--:|--:|\n",
            arena.name
        );
        for entrant in entrants() {
            let standing = stand(arena, &entrant, args.seed, args.runs);
            let _ = writeln!(
                text,
                "| {} | {:.1} | {:.0} | {:.1} | {:.1} | {:.1} |",
                entrant.name,
                standing.mean_ms,
                standing.p99_ms,
                standing.spread,
                standing.probes,
                standing.errors,
            );
        }
        text.push('\n');
        print(out, &text)?;
    }
    Ok(())
}
