//! `ringyard compare`: what a user may ask for, and how it is shown.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::case::{self, Case, PEERS_MISSING, Peers};
use super::contest::{Contest, ContestError};
use super::entrant::Entrant;
use super::finding::Comparison;
use super::server::ServerError;
use super::table;
use super::window::Place;
use crate::report::picture::PictureError;
use crate::wall_clock::{self, Stopwatch};

/// Compare engines and the baseline by what a request costs
///
/// Starts the classifier as processes on one CPU, one for each engine, loads them in turn from another in short
/// windows, and prints processor time per request, its ratio to the baseline's with a 95 % interval, system calls,
/// requests per second and latencies, beside what is aimed at. Windows in which a hypervisor took more than 8 % of
/// either CPU are thrown away. `control` is the reference once more: what differs there is noise.
#[derive(Args, Clone, Debug)]
pub struct EnginesArgs {
    #[command(flatten)]
    run: RunArgs,
}

/// Compare proxies by what a request costs: ours, nginx and HAProxy
///
/// Each proxy stands on the same CPU as its backend, a classifier, and passes on one request at a time; only its own
/// processor time counts. Those that are not installed are left out.
#[derive(Args, Clone, Debug)]
pub struct ProxiesArgs {
    /// Where the scripts are that start nginx and HAProxy
    #[arg(long, value_name = "DIRECTORY", default_value = "bench/peers")]
    scripts: PathBuf,

    #[command(flatten)]
    run: RunArgs,
}

/// What both have.
#[derive(Args, Clone, Debug)]
struct RunArgs {
    /// How long to measure in all
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: u64,

    /// Only this load; may be repeated. A wrong name lists all
    #[arg(long = "case", value_name = "NAME")]
    cases: Vec<String>,

    /// Only this server beside the reference; may be repeated
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<String>,

    /// CPU of the servers
    #[arg(long, value_name = "CPU", default_value_t = 0)]
    server_cpu: usize,

    /// CPU of the generator of load
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    generator_cpu: usize,

    /// Write the findings as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Draw the findings
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
}

/// Why there is no comparison, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// There is no such load.
    #[error("there is no case {name:?}; there are {}", .known.join(", "))]
    UnknownCase {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// There is no such server.
    #[error("there is no server {name:?} here; there are {}", .known.join(", "))]
    UnknownServer {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Server and generator would disturb one another.
    #[error(
        "servers and generator need a CPU each; --server-cpu and --generator-cpu name the same"
    )]
    SameCpu,
    /// The scripts are elsewhere.
    #[error("{} is no directory; name that of the scripts with --scripts (bench/peers of the sources)", .path.display())]
    NoScripts {
        /// Where they are not.
        path: PathBuf,
    },
    /// A server or the generator does not run.
    #[error(transparent)]
    Contest(#[from] ContestError),
    /// The picture cannot be drawn.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A file cannot be written.
    #[error("cannot write {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The tables cannot be printed.
    #[error("cannot print the tables: {0}")]
    Print(#[from] io::Error),
}

impl From<ServerError> for CompareError {
    fn from(error: ServerError) -> Self {
        Self::Contest(error.into())
    }
}

/// Runs `ringyard compare engines`; prints tables to `out`.
///
/// # Errors
///
/// [`CompareError`] says what is missing.
pub fn engines(
    arguments: &EnginesArgs,
    peers: Peers,
    out: &mut dyn Write,
) -> Result<(), CompareError> {
    let place = arguments.run.place()?;
    let cases = arguments.run.chosen(case::engines(place, peers))?;
    arguments.run.compare(place, None, &cases, peers, out)
}

/// Runs `ringyard compare proxies`; prints tables to `out`.
///
/// # Errors
///
/// [`CompareError`] says what is missing.
pub fn proxies(
    arguments: &ProxiesArgs,
    peers: Peers,
    out: &mut dyn Write,
) -> Result<(), CompareError> {
    if !arguments.scripts.is_dir() {
        return Err(CompareError::NoScripts { path: arguments.scripts.clone() });
    }
    let place = arguments.run.place()?;
    let cases = arguments.run.chosen(case::proxies(place, peers, &arguments.scripts))?;
    arguments.run.compare(place, Some(&case::backend(place)), &cases, peers, out)
}

impl RunArgs {
    fn place(&self) -> Result<Place, CompareError> {
        if self.server_cpu == self.generator_cpu {
            return Err(CompareError::SameCpu);
        }
        Ok(Place { server: self.server_cpu, generator: self.generator_cpu })
    }

    /// Those of `cases` and their entrants that are asked for.
    fn chosen(&self, cases: Vec<Case>) -> Result<Vec<Case>, CompareError> {
        let known: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
        if let Some(name) = self.cases.iter().find(|name| !known.contains(name)) {
            return Err(CompareError::UnknownCase { name: name.clone(), known });
        }
        let is_asked_for = |case: &Case| self.cases.is_empty() || self.cases.contains(&case.name);
        let mut cases: Vec<Case> = cases.into_iter().filter(is_asked_for).collect();
        if self.servers.is_empty() {
            return Ok(cases);
        }
        let mut known: Vec<String> =
            cases.iter().flat_map(|case| &case.entrants).map(|one| one.name.clone()).collect();
        known.sort();
        known.dedup();
        if let Some(name) = self.servers.iter().find(|name| !known.contains(name)) {
            return Err(CompareError::UnknownServer { name: name.clone(), known });
        }
        for case in &mut cases {
            let reference = case.reference.clone();
            case.entrants.retain(|entrant| {
                entrant.name == reference
                    || entrant.name == case::CONTROL
                    || self.servers.contains(&entrant.name)
            });
        }
        Ok(cases)
    }

    fn compare(
        &self,
        place: Place,
        backend: Option<&Entrant>,
        cases: &[Case],
        peers: Peers,
        out: &mut dyn Write,
    ) -> Result<(), CompareError> {
        let began = Stopwatch::start();
        let mut comparison = Comparison::begin(place, wall_clock::unix_seconds());
        write!(out, "{}", table::heading(&comparison))?;
        if peers == Peers::Missing {
            writeln!(out, "NOTE: {PEERS_MISSING}")?;
        }
        let mut contest = Contest::new(place, backend)?;
        for (index, case) in cases.iter().enumerate() {
            let left = Duration::from_secs(self.seconds).saturating_sub(began.elapsed());
            let finding = contest.play(case, left.mul_f64(share(&cases[index..])))?;
            write!(out, "\n{}", table::case(&finding))?;
            out.flush()?;
            comparison.cases.push(finding);
        }
        write!(out, "\n{}", table::summary(&comparison))?;
        if let Some(path) = &self.json {
            let json = serde_json::to_vec_pretty(&comparison).map_err(io::Error::from);
            let written = json.and_then(|json| fs::write(path, json));
            written.map_err(|error| CompareError::File { path: path.clone(), error })?;
        }
        if let Some(path) = &self.png {
            super::picture::draw_png(path, &comparison)?;
        }
        Ok(())
    }
}

/// The part of the time left that is the first case's, by the number of entrants.
fn share(cases: &[Case]) -> f64 {
    let entrants = |cases: &[Case]| cases.iter().map(|case| case.entrants.len()).sum::<usize>();
    entrants(&cases[..1]) as f64 / entrants(cases).max(1) as f64
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArgs,
    }

    fn run(words: &str) -> RunArgs {
        Line::parse_from(std::iter::once("compare").chain(words.split_whitespace())).run
    }

    fn chosen(words: &str) -> Result<Vec<Case>, CompareError> {
        let run = run(words);
        run.chosen(case::engines(run.place()?, Peers::BuiltIn))
    }

    #[test]
    fn cases_and_servers_are_chosen_by_name() {
        let cases = chosen("--case 64 --case churn --server ring").unwrap();
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["64", "churn"]);
        let names: Vec<&str> =
            cases[0].entrants.iter().map(|entrant| entrant.name.as_str()).collect();
        assert_eq!(names, ["ring", "baseline", "control"]);
    }

    #[test]
    fn wrong_names_are_refused_with_the_right_ones() {
        let message = |words: &str| chosen(words).unwrap_err().to_string();
        assert!(message("--case 65").contains("there are 64, 256, "));
        assert!(message("--server rung").contains("baseline"));
        assert!(message("--server-cpu 1").contains("--generator-cpu"));
    }

    #[test]
    fn time_is_shared_by_the_number_of_entrants() {
        let cases = chosen("").unwrap();
        let shares: Vec<f64> = (0..cases.len()).map(|index| share(&cases[index..])).collect();
        assert_eq!(*shares.last().unwrap(), 1.0);
        let first = cases[0].entrants.len() as f64;
        let all: usize = cases.iter().map(|case| case.entrants.len()).sum();
        assert!((shares[0] - first / all as f64).abs() < 1e-9);
    }
}
