//! `ringyard study shedding`: what a user may ask for, and where the findings go.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ringyard_runtime::affinity::{self, AffinityError};
use ringyard_runtime::launch::{EngineChoice, EngineKind};
use ringyard_scheduler::shedding::SheddingPolicy;

use super::experiment::{self, Contender, Cpus, Options, SheddingError, Stage};
use super::{picture, table, web};
use crate::limits::CONNECTIONS_PER_CORE_MAX;
use crate::load::command::parsers::parse_duration;
use crate::progress::ProgressDisplay;
use crate::report::page::COLOURS;
use crate::report::picture::PictureError;

/// What a request costs unless told otherwise: short, so that a study takes minutes.
const WORK: Duration = Duration::from_millis(50);

/// What it costs in the published experiment, and in virtual time, where long is as quick as short.
const WORK_PUBLISHED: Duration = Duration::from_millis(500);

/// A client waits for so many times the work, as in the published experiment.
const TIMEOUT_WORKS: u32 = 4;

/// How many times the work a `time` policy allows for an answer, unless told otherwise.
const LIMIT_WORKS: u32 = 3;

/// How often a refused client asks again in the time of one request's work.
const TRIES_PER_WORK: u32 = 5;

/// How long each point is played in real time.
const POINT: Duration = Duration::from_secs(2);

/// How long it is in virtual time.
const POINT_SIMULATED: Duration = Duration::from_secs(60);

/// How long it was in the published experiment.
const POINT_PUBLISHED: Duration = Duration::from_secs(30);

/// Clients that are tried.
const CLIENTS: [u32; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// Clients of the published experiment.
const CLIENTS_PUBLISHED: [u32; 5] = [1, 2, 3, 4, 5];

/// Loads that are tried.
const LOADS: [f64; 7] = [0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0];

/// Find out what refusing requests is worth: how much a server still answers in time that is asked for more than it can
/// do.
///
/// Each policy of `ringyard compute` stands before one worker and meets 1 to 8 clients who ask again once they are
/// answered, then random arrivals at 0.5 to 10 times what the worker can do. Clients give up after four times the work
/// of a request. Unless simulated it runs in real time on this machine, the worker on a CPU of its own if there are two:
/// about 3 minutes with the defaults. Prints tables, a verdict and what it comes to in words.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  ringyard study shedding --html shedding.html\n  \
ringyard study shedding --simulated          # virtual time: seconds, and the same figures every time\n  \
ringyard study shedding --published          # the original experiment: 0.5 s of work, 2 s of patience")]
pub struct SheddingArgs {
    /// The servers to compare: policies of `ringyard compute`, and `unheeding`, which refuses nobody and goes on computing
    /// for clients that have left. Without it: unheeding,none,queue:2,time:(three times the work),codel-lifo,adaptive
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    policies: Vec<Contender>,

    /// Numbers of clients to try; 0 for none. Without it: 1 to 8
    #[arg(long, value_name = "COUNTS", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(..=i64::from(CONNECTIONS_PER_CORE_MAX)))]
    clients: Vec<u32>,

    /// Loads to try, as multiples of what the worker can do; 0 for none. Without it: 0.5,1,1.5,2,3,5,10
    #[arg(long, value_name = "FACTORS", value_delimiter = ',', value_parser = parse_load)]
    loads: Vec<f64>,

    /// What a request costs the worker. Without it: 50ms, simulated 500ms
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    work: Option<Duration>,

    /// How long a client waits before it gives up. Without it: four times the work
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,

    /// How long a client of a closed loop pauses that is refused. Without it: a fifth of the work
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    backoff: Option<Duration>,

    /// How long each point is played. Without it: 2, simulated 60 of the world's
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,

    /// Repeat the published experiment: unheeding against queue:2, 1 to 5 clients, 0.5 s of work, 2 s of patience, 30 s
    /// a point; 5 minutes. Other flags change that
    #[arg(long)]
    published: bool,

    /// Play in the simulator's world: the same server and clients in virtual time
    #[arg(long)]
    simulated: bool,

    /// CPUs for the server's connections, its worker and the clients, in this order, such as 0,1,2. With two the clients
    /// share the first, with one all share it. Without it: the first there are
    #[arg(long, value_name = "LIST", conflicts_with = "simulated")]
    cores: Option<String>,

    /// What drives server and clients: ring or tokio. Without it: ring, or tokio where io_uring cannot be had
    #[arg(long, value_name = "ENGINE", env = "RINGYARD_ENGINE")]
    engine: Option<EngineKind>,

    /// What random arrivals follow from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Show nothing while the study lasts
    #[arg(long, short)]
    quiet: bool,

    /// Write all findings as JSON; `-` writes them to the standard output instead of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the charts as a picture
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,

    /// Write tables and charts as a page for a browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn parse_load(text: &str) -> Result<f64, String> {
    let load = text.parse().ok().filter(|load: &f64| (0.0..=1e3).contains(load));
    load.ok_or_else(|| "a load is a number from 0 to 1000".to_owned())
}

/// Why the study came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Nothing to play.
    #[error("there is nothing to play: give --clients or --loads above 0")]
    Nothing,
    /// More servers than can be told apart.
    #[error("at most {COLOURS} servers can be told apart in one study")]
    TooMany,
    /// A policy that could answer nobody.
    #[error("{0} allows for less time than the work takes: every request would be refused")]
    Limit(SheddingPolicy),
    /// Times that make no sense.
    #[error("--work and --timeout must be above zero")]
    Zero,
    /// The CPUs.
    #[error(transparent)]
    Cores(#[from] AffinityError),
    /// The study itself.
    #[error(transparent)]
    Study(#[from] SheddingError),
    /// Findings that cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A picture that cannot be drawn.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

impl SheddingArgs {
    fn options(&self) -> Result<Options, CommandError> {
        let is_long = self.published || self.simulated;
        let work = self.work.unwrap_or(if is_long { WORK_PUBLISHED } else { WORK });
        let timeout = self.timeout.unwrap_or(work * TIMEOUT_WORKS);
        if work.is_zero() || timeout.is_zero() {
            return Err(CommandError::Zero);
        }
        let contenders = self.contenders(work);
        if contenders.len() > COLOURS {
            return Err(CommandError::TooMany);
        }
        let hopeless = |contender: &Contender| match contender.policy {
            SheddingPolicy::Time(limit) if limit < work => Some(contender.policy),
            _ => None,
        };
        if let Some(policy) = contenders.iter().find_map(hopeless) {
            return Err(CommandError::Limit(policy));
        }
        let (clients, loads): (&[u32], &[f64]) =
            if self.published { (&CLIENTS_PUBLISHED, &[]) } else { (&CLIENTS, &LOADS) };
        let clients = if self.clients.is_empty() { clients } else { &self.clients };
        let loads = if self.loads.is_empty() { loads } else { &self.loads };
        let clients: Vec<u32> = clients.iter().copied().filter(|clients| *clients > 0).collect();
        let loads: Vec<f64> = loads.iter().copied().filter(|load| *load > 0.0).collect();
        if clients.is_empty() && loads.is_empty() {
            return Err(CommandError::Nothing);
        }
        let point = match (self.published, self.simulated) {
            (true, _) => POINT_PUBLISHED,
            (false, true) => POINT_SIMULATED,
            (false, false) => POINT,
        };
        Ok(Options {
            contenders,
            clients,
            loads,
            work,
            timeout,
            backoff: self.backoff.unwrap_or(work / TRIES_PER_WORK),
            duration: self.seconds.map_or(point, Duration::from_secs),
            seed: self.seed,
            stage: self.stage()?,
            progress: match self.quiet {
                true => ProgressDisplay::Quiet,
                false => ProgressDisplay::Auto,
            },
        })
    }

    fn contenders(&self, work: Duration) -> Vec<Contender> {
        if !self.policies.is_empty() {
            return self.policies.clone();
        }
        let two = SheddingPolicy::Queue(2).into();
        if self.published {
            return vec![Contender::UNHEEDING, two];
        }
        let policies = [
            SheddingPolicy::Time(work * LIMIT_WORKS),
            SheddingPolicy::CodelLifo,
            SheddingPolicy::Adaptive,
        ];
        let first = [Contender::UNHEEDING, SheddingPolicy::None.into(), two];
        first.into_iter().chain(policies.map(Into::into)).collect()
    }

    fn stage(&self) -> Result<Stage, CommandError> {
        if self.simulated {
            return Ok(Stage::Simulated);
        }
        // Where the system does not tell, threads run wherever it puts them.
        let cpus = match &self.cores {
            Some(list) => affinity::parse(list)?,
            None => affinity::allowed().unwrap_or_default(),
        };
        let engine = self.engine.map_or(EngineChoice::Auto, EngineChoice::Exactly);
        Ok(Stage::Live { cpus: Cpus::of(&cpus), engine })
    }
}

/// Runs the study and writes its tables to `out`.
///
/// # Errors
///
/// [`CommandError`] says which file or flag is at fault.
pub fn run(arguments: &SheddingArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let report = experiment::run(&arguments.options()?)?;
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| CommandError::Write { path, source }
    };
    let json = || serde_json::to_string_pretty(&report).expect("findings are plain data") + "\n";
    if let Some(path) = &arguments.png {
        picture::draw_png(path, &report)?;
    }
    if let Some(path) = &arguments.html {
        fs::write(path, web::render(&report)).map_err(fail(path))?;
    }
    let output = Path::new("-");
    match &arguments.json {
        Some(path) if path == output => {
            return out.write_all(json().as_bytes()).map_err(fail(output));
        }
        Some(path) => fs::write(path, json()).map_err(fail(path))?,
        None => {}
    }
    out.write_all(table::render(&report).as_bytes()).map_err(fail(output))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: SheddingArgs,
    }

    fn arguments(words: &[&str]) -> Result<SheddingArgs, String> {
        let command = Command::try_parse_from([&["study", "-q"], words].concat());
        Ok(command.map_err(|error| error.to_string())?.arguments)
    }

    fn output(words: &[&str]) -> Result<String, String> {
        let mut out = Vec::new();
        run(&arguments(words)?, &mut out).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_study_is_printed_and_written_in_every_form() {
        let folder = tempfile::tempdir().unwrap();
        let [json, png, html] = ["a.json", "a.png", "a.html"].map(|name| folder.path().join(name));
        let [json, png, html] = [&json, &png, &html].map(|path| path.to_str().unwrap());
        let few = ["--simulated", "--seconds", "5", "--clients", "2", "--loads", "0.5,10"];
        let files = ["--json", json, "--png", png, "--html", html];
        let text = output(&[&few[..], &files].concat()).unwrap();
        assert!(text.contains("time:1500ms") && text.contains("10 x"), "{text}");
        let report: super::super::findings::SheddingReport =
            serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
        assert_eq!(report.findings.len(), 6 * 3);
        assert!(fs::read(png).unwrap().starts_with(b"\x89PNG"));
        assert!(fs::read_to_string(html).unwrap().contains("<svg"));
    }

    #[test]
    fn a_live_study_is_played_on_real_sockets() {
        let few = ["--work", "5ms", "--seconds", "1", "--clients", "0", "--loads", "4"];
        let text = output(&[&few[..], &["--policies", "queue:2", "--timeout", "10s"]].concat());
        let text = text.unwrap();
        assert!(text.contains("queue:2") && text.contains("4 x"), "{text}");
        assert!(text.contains("real time"), "{text}");
    }

    #[test]
    fn the_published_experiment_is_one_flag() {
        let options = arguments(&["--published"]).unwrap().options().unwrap();
        let names: Vec<String> = options.contenders.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["unheeding", "queue:2"]);
        assert_eq!((options.work, options.timeout), (WORK_PUBLISHED, 4 * WORK_PUBLISHED));
        assert_eq!((options.clients.len(), options.loads.len()), (5, 0));
        let changed = arguments(&["--published", "--work", "5ms", "--loads", "2"]).unwrap();
        let changed = changed.options().unwrap();
        assert_eq!(changed.timeout, Duration::from_millis(20));
        assert_eq!(changed.loads, [2.0]);
    }

    #[test]
    fn wrong_arguments_are_told_what_is_wrong() {
        let check = |words: &[&str], message: &str| {
            let error = output(words).unwrap_err();
            assert!(error.contains(message), "{error}");
        };
        check(&["--policies", "lifo"], "codel-lifo, adaptive, or unheeding");
        check(&["--clients", "0", "--loads", "0"], "nothing to play");
        check(&["--loads", "-1"], "unexpected argument");
        check(&["--loads", "x"], "from 0 to 1000");
        check(&["--work", "0s"], "above zero");
        check(&["--work", "1s", "--policies", "time:500ms"], "less time than the work takes");
        check(&["--simulated", "--cores", "0"], "cannot be used with");
        check(&["--loads", "1000", "--timeout", "1h", "--simulated"], "connections are needed");
    }
}
