//! `score` and the score table that `study` prints.

use std::fmt::Write as _;
use std::io::Write;

use super::{CommandError, ScoreArgs, print, read_file};
use crate::study::csv::read_runs;
use crate::study::score::{Grading, SCORED, Scored, score};

pub(super) fn score_file(args: &ScoreArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let text = read_file(&args.runs)?;
    let runs = read_runs(&text)
        .map_err(|source| CommandError::Runs { path: args.runs.clone(), source })?;
    let table = score(&runs, args.grading);
    print(out, &if args.csv { as_csv(&table) } else { as_table(&table, args.grading) })
}

fn as_csv(table: &[Scored]) -> String {
    let mut text = format!("algorithm,{},total_score\n", SCORED.join(","));
    for row in table {
        let grades = row.grades.map(|grade| grade.to_string()).join(",");
        let _ = writeln!(text, "{},{grades},{}", row.algorithm, row.total);
    }
    text
}

/// The table as a person reads it.
pub(super) fn as_table(table: &[Scored], grading: Grading) -> String {
    let width = table.iter().map(|row| row.algorithm.len()).max().unwrap_or(0).max(9);
    let mut text = format!("{:width$}", "algorithm");
    for name in SCORED {
        let _ = write!(text, "  {name:>22}");
    }
    text.push_str("  total\n");
    for row in table {
        let _ = write!(text, "{:width$}", row.algorithm);
        for grade in row.grades {
            let _ = write!(text, "  {:>20} {grade}", grading.label(grade));
        }
        let _ = writeln!(text, "  {:>5}", row.total);
    }
    text
}
