//! `ringyard simulate`: the study's command line.
//!
//! [`Args`] is a clap argument group, so the binary only has to hang it into its own; [`run`] does the work
//! and writes what a person reads to the writer it is given. Progress goes to standard error. The clock is
//! read in `clock` and nowhere else, and only to say how fast the simulation was.

mod clock;
mod contest;
mod experiment;
mod sample;
mod score;
mod validate;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::csv::CsvError;
use super::figure::FigureError;
use super::profile::Profile;
use super::scenario::ScenarioError;
use super::score::Grading;
use super::tape::TapeError;

/// Arguments of `ringyard simulate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the scenarios.
    List(Source),
    /// Run some scenarios and print their figures.
    Run(RunArgs),
    /// Run every scenario and print the score table.
    Study(StudyArgs),
    /// Print the score table of a file of runs.
    Score(ScoreArgs),
    /// Run the sample run, print its statistics and draw its twelve figures.
    Sample(sample::SampleArgs),
    /// Run once, write every draw to a tape and print the completions.
    Record(sample::RecordArgs),
    /// Compare the continuous-time world with queueing theory.
    Validate(validate::ValidateArgs),
    /// Let policies compete in hard worlds in continuous time.
    Contest(contest::ContestArgs),
    /// Run from a tape of recorded draws and print the completions.
    Replay(sample::ReplayArgs),
}

/// Where scenarios come from.
#[derive(Clone, Debug, clap::Args)]
struct Source {
    /// Which revision's scenarios and rules.
    #[arg(long, value_enum, default_value = "v1")]
    profile: Profile,
    /// A TOML file of scenarios instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    scenarios: Option<PathBuf>,
}

/// How scenarios are run, and where results go.
#[derive(Clone, Debug, clap::Args)]
struct Experiment {
    #[command(flatten)]
    source: Source,
    /// Runs of each scenario [default: what the scenario says].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..16_000_000))]
    runs: Option<u32>,
    /// Everything random follows from this and from names and numbers of runs.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Threads [default: all there are]. The results do not depend on it.
    #[arg(long, value_name = "T")]
    threads: Option<NonZeroUsize>,
    /// Write one row a run to this file.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write runs and configuration to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Names of scenarios, see `list`.
    #[arg(required = true, value_name = "SCENARIO")]
    names: Vec<String>,
    #[command(flatten)]
    experiment: Experiment,
}

#[derive(Debug, clap::Args)]
struct StudyArgs {
    #[command(flatten)]
    experiment: Experiment,
    /// Where `report.html` and the figures go.
    #[arg(long, value_name = "DIR", default_value = "results/study")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct ScoreArgs {
    /// A file with one row a run, as `--csv` of the other commands writes.
    #[arg(value_name = "RUNS.csv")]
    runs: PathBuf,
    /// Print comma-separated values instead of a table: algorithm, five grades, total_score.
    #[arg(long)]
    csv: bool,
    /// How finely to grade.
    #[arg(long, value_enum, default_value = "five")]
    grading: Grading,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or the output could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A scenario file was refused.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// No scenario has that name.
    #[error("there is no scenario `{0}`; `list` shows them")]
    UnknownScenario(String),
    /// A file of runs was refused.
    #[error("{path}: {source}")]
    Runs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: CsvError,
    },
    /// A tape was refused, or did not fit the scenario.
    #[error("{path}: {source}")]
    Tape {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: TapeError,
    },
    /// Revision 2 draws more than a recorder can write down.
    #[error("only scenarios of profiles v1 and fixed can be recorded")]
    CannotRecord,
    /// The simulation disagrees with theory.
    #[error("{0} checks disagree with theory")]
    Disagrees(usize),
    /// A figure could not be drawn.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// A result could not be put into JSON.
    #[error("cannot express the results as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Does what `args` say and writes the result to `out`.
///
/// # Errors
/// If an input is wrong or an output cannot be written.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<(), CommandError> {
    match &args.command {
        Command::List(source) => experiment::list(source, out),
        Command::Run(args) => experiment::run_named(&args.names, &args.experiment, out),
        Command::Study(args) => experiment::study(args, out),
        Command::Score(args) => score::score_file(args, out),
        Command::Sample(args) => sample::sample(args, out),
        Command::Record(args) => sample::record(args, out),
        Command::Validate(args) => validate::run_checks(args, out),
        Command::Contest(args) => contest::contest(args, out),
        Command::Replay(args) => sample::replay(args, out),
    }
}

/// Writes `text` to standard output's stand-in. A reader that has seen enough is no error.
fn print(out: &mut dyn Write, text: &str) -> Result<(), CommandError> {
    match out.write_all(text.as_bytes()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(CommandError::Write { path: PathBuf::from("the output"), source })
        }
        _ => Ok(()),
    }
}

/// Writes a whole file, creating its directory if needed.
fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let failed = |source| CommandError::Write { path: path.to_owned(), source };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)
}

/// Reads a whole text file.
fn read_file(path: &Path) -> Result<String, CommandError> {
    std::fs::read_to_string(path)
        .map_err(|source| CommandError::Read { path: path.to_owned(), source })
}
