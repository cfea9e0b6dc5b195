//! `ringyard study strategies`: what a user may ask for, and where the findings go.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ringyard_scheduler::{CompositionKind, StrategyKind};

use super::experiment::{self, JOBS, Options, SEEDS};
use super::mix::{Mix, MixError};
use super::table;

/// Compare strategies and compositions in virtual time.
///
/// Drives the live scheduler through a queueing world with one backend: the same arrivals for every strategy, ten seeds,
/// confidence intervals. Without --mix: two kinds of lengths, heavy-tailed lengths, and two customers of whom one
/// floods the other. Same seeds, same figures.
#[derive(Args, Clone, Debug)]
pub struct StrategiesArgs {
    /// Study this mix of requests (TOML) instead of those built in; may be given more than once
    #[arg(long, value_name = "FILE")]
    mix: Vec<PathBuf>,

    /// The strategies to compare. Without it: those that each mix is meant for
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    strategies: Vec<StrategyKind>,

    /// The compositions to compare. Without it: all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    compositions: Vec<CompositionKind>,

    /// The loads to try, as multiples of a mix's rates. Without it: those of each mix
    #[arg(long, value_name = "FACTORS", value_delimiter = ',')]
    loads: Vec<f64>,

    /// Ageing rates of sjf-ageing to compare: cost that a request loses for each unit of time waited
    #[arg(long, value_name = "RATES", value_delimiter = ',')]
    ageing: Vec<f64>,

    /// How long an incomplete batch is held
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    linger_ms: u64,

    /// Requests of each run
    #[arg(long, value_name = "COUNT", default_value_t = JOBS, value_parser = parse_jobs)]
    jobs: usize,

    /// Seeds, one run each
    #[arg(long, value_name = "COUNT", default_value_t = SEEDS, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,

    /// Write all findings as JSON; `-` writes them to the standard output instead of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Requests of one run, at most: their latencies are all kept.
const JOBS_MAX: usize = 10_000_000;

fn parse_jobs(text: &str) -> Result<usize, String> {
    let count: usize = text.parse().map_err(|error| format!("{error}"))?;
    match count {
        100..=JOBS_MAX => Ok(count),
        _ => Err(format!("choose from 100 to {JOBS_MAX}")),
    }
}

/// Why the study came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum StrategiesError {
    /// A mix that cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A mix that makes no sense.
    #[error("{path}: {source}")]
    Mix {
        /// Which.
        path: PathBuf,
        /// Why.
        source: MixError,
    },
    /// A built-in mix together with flags that do not fit it.
    #[error(transparent)]
    Strategies(#[from] MixError),
    /// A load that cannot be tried.
    #[error("a load must be above 0 and at most 1000000")]
    Load,
    /// Findings that cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StrategiesArgs {
    fn options(&self) -> Result<Options, StrategiesError> {
        let mut mixes = match &self.mix[..] {
            [] => Mix::built_in(),
            files => files.iter().map(|path| read(path)).collect::<Result<_, _>>()?,
        };
        if !self.loads.iter().all(|load| *load > 0.0 && *load <= 1e6) {
            return Err(StrategiesError::Load);
        }
        if !self.loads.is_empty() {
            mixes.iter_mut().for_each(|mix| mix.loads.clone_from(&self.loads));
        }
        let compositions = match &self.compositions[..] {
            [] => CompositionKind::ALL.to_vec(),
            chosen => chosen.to_vec(),
        };
        Ok(Options {
            mixes,
            strategies: self.strategies.clone(),
            compositions,
            ageing: self.ageing.clone(),
            linger: Duration::from_millis(self.linger_ms),
            jobs: self.jobs,
            seeds: self.seeds,
        })
    }
}

fn read(path: &Path) -> Result<Mix, StrategiesError> {
    let text = fs::read_to_string(path)
        .map_err(|source| StrategiesError::Read { path: path.to_owned(), source })?;
    Mix::from_toml(&text).map_err(|source| StrategiesError::Mix { path: path.to_owned(), source })
}

/// Runs the study and writes its tables to `out`.
///
/// # Errors
///
/// [`StrategiesError`] says which file or flag is at fault.
pub fn run(arguments: &StrategiesArgs, out: &mut dyn Write) -> Result<(), StrategiesError> {
    let report = experiment::run(&arguments.options()?)?;
    let json = || serde_json::to_string_pretty(&report).expect("findings are plain data") + "\n";
    let to_output = |source| StrategiesError::Write { path: PathBuf::from("-"), source };
    match &arguments.json {
        Some(path) if path.as_os_str() == "-" => {
            return out.write_all(json().as_bytes()).map_err(to_output);
        }
        Some(path) => fs::write(path, json())
            .map_err(|source| StrategiesError::Write { path: path.clone(), source })?,
        None => {}
    }
    out.write_all(table::render(&report).as_bytes()).map_err(to_output)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: StrategiesArgs,
    }

    fn output(arguments: &[&str]) -> Result<String, String> {
        let command = Command::try_parse_from([&["study"], arguments].concat())
            .map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        run(&command.arguments, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_mix_of_ones_own_is_studied_and_written_as_json() {
        let folder = tempfile::tempdir().unwrap();
        let [mix, json] = ["mix.toml", "out.json"].map(|name| folder.path().join(name));
        fs::write(&mix, include_str!("mixes/crowding.toml").replace("crowding", "mine")).unwrap();
        let [mix, json] = [&mix, &json].map(|path| path.to_str().unwrap());
        let few = ["--mix", mix, "--jobs", "200", "--seeds", "2", "--loads", "3"];
        let text = output(&[&few[..], &["--json", json]].concat()).unwrap();
        assert!(text.starts_with("mine at 3 ×"), "{text}");
        assert_eq!(
            fs::read_to_string(json).unwrap(),
            output(&[&few[..], &["--json", "-"]].concat()).unwrap()
        );
    }

    #[test]
    fn wrong_arguments_are_told_what_is_wrong() {
        let check = |arguments: &[&str], message: &str| {
            let error = output(arguments).unwrap_err();
            assert!(error.contains(message), "{error}");
        };
        check(&["--mix", "none.toml"], "cannot read none.toml");
        check(&["--strategies", "lifo"], "unknown strategy, choose one of: fcfs");
        check(&["--compositions", "none"], "choose one of: fill, anchor, plan");
        check(&["--jobs", "1"], "choose from 100");
        check(&["--loads", "0"], "a load must be above 0");
    }
}
