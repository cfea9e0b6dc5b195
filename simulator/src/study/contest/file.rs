//! Worlds and policies of a contest, read from TOML.
//!
//! A file holds defaults, worlds and policies; a world takes from the defaults what it leaves out. A wrong file is
//! refused with the line that is wrong.

use serde::Deserialize;
use toml::Spanned;

use super::{Arena, Contest, Entrant};
use crate::study::arrivals::modulation_problem;
use crate::study::event::{ArrivalLaw, Discipline, Law, StationSetup};
use crate::study::policy::PickerConfig;
use crate::study::profile::Profile;
use crate::study::scenario::ScenarioError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Settings,
    #[serde(default, rename = "world")]
    worlds: Vec<WorldEntry>,
    #[serde(default, rename = "policy")]
    policies: Vec<PolicyEntry>,
}

/// What a world may set, and the defaults for all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    clients: Option<usize>,
    /// Work that arrives per second, over what all threads can do at speed 1.
    load: Option<f64>,
    /// Or: requests per second.
    rate: Option<f64>,
    work: Option<Law>,
    arrivals: Option<ArrivalsText>,
    servers: Option<Vec<ServerText>>,
    warm_up_seconds: Option<f64>,
    measured_seconds: Option<f64>,
}

/// A name and [`Settings`]. Not flattened, as that would let unknown names pass and lose lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldEntry {
    name: Spanned<String>,
    clients: Option<usize>,
    load: Option<f64>,
    rate: Option<f64>,
    work: Option<Law>,
    arrivals: Option<ArrivalsText>,
    servers: Option<Vec<ServerText>>,
    warm_up_seconds: Option<f64>,
    measured_seconds: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyEntry {
    name: Spanned<String>,
    policy: PickerConfig,
}

/// How requests arrive; rates are multiples of the world's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ArrivalsText {
    Poisson,
    Modulated { rates: Vec<f64>, dwell: Vec<f64> },
    Trace(Vec<f64>),
}

/// Some servers that are alike.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ServerText {
    count: usize,
    threads: u32,
    speed: f64,
    delay_seconds: f64,
    discipline: Discipline,
    failing: Option<FailingText>,
}

impl Default for ServerText {
    fn default() -> Self {
        let StationSetup { threads, speed, discipline, delay, .. } = StationSetup::default();
        Self { count: 1, threads, speed, delay_seconds: delay, discipline, failing: None }
    }
}

/// When a server answers everything with an error, and how long that takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FailingText {
    from_seconds: f64,
    until_seconds: f64,
    after_seconds: f64,
}

impl Default for FailingText {
    fn default() -> Self {
        Self { from_seconds: 0.0, until_seconds: f64::INFINITY, after_seconds: 0.0005 }
    }
}

/// The most entities of one kind.
const COUNT_MAX: usize = 100_000;
/// The longest time.
const SECONDS_MAX: f64 = 1e6;

/// The contest of a file called `file` (for messages) that holds `text`.
///
/// # Errors
/// If the text is no such file, naming the line.
pub fn parse(file: &str, text: &str) -> Result<Contest, ScenarioError> {
    let parsed: File = toml::from_str(text).map_err(|error| ScenarioError::Syntax {
        file: file.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let refuse = |name: &Spanned<String>, problem: String| ScenarioError::Unusable {
        file: file.to_owned(),
        line: text[..name.span().start].lines().count().max(1),
        scenario: name.get_ref().clone(),
        problem,
    };
    let mut contest = Contest { arenas: Vec::new(), entrants: Vec::new() };
    for entry in parsed.worlds {
        let arena = arena_of(&parsed.defaults, &entry).map_err(|why| refuse(&entry.name, why))?;
        if contest.arenas.iter().any(|other| other.name == arena.name) {
            return Err(refuse(&entry.name, "the name is taken".to_owned()));
        }
        contest.arenas.push(arena);
    }
    let channels = contest.arenas.iter().map(|arena| arena.stations.len()).max().unwrap_or(1);
    for entry in parsed.policies {
        let problem = if entry.policy.races() {
            Some("races are run in tick worlds only".to_owned())
        } else if contest.entrants.iter().any(|other| other.name == *entry.name.get_ref()) {
            Some("the name is taken".to_owned())
        } else {
            entry.policy.problem(channels)
        };
        if let Some(problem) = problem {
            return Err(refuse(&entry.name, problem));
        }
        let (name, policy) = (entry.name.into_inner(), entry.policy);
        contest.entrants.push(Entrant { name, policy, rules: Profile::Fixed.rules() });
    }
    Ok(contest)
}

fn arena_of(defaults: &Settings, own: &WorldEntry) -> Result<Arena, String> {
    let work = own.work.clone().or_else(|| defaults.work.clone()).ok_or("it needs `work`")?;
    if let Some(problem) = work.problem() {
        return Err(problem);
    }
    let servers = own.servers.as_ref().or(defaults.servers.as_ref()).ok_or("it needs `servers`")?;
    let stations = stations_of(servers)?;
    let threads: f64 = stations.iter().map(|station| f64::from(station.threads)).sum();
    let (load, rate) = if own.load.is_some() || own.rate.is_some() {
        (own.load, own.rate)
    } else {
        (defaults.load, defaults.rate)
    };
    let rate = match (load, rate) {
        (Some(load), None) => load * threads / work.mean(),
        (None, Some(rate)) => rate,
        _ => return Err("give either `load` or `rate`".to_owned()),
    };
    if !(1e-6..=1e7).contains(&rate) {
        return Err(format!("{rate} requests a second is not between 1e-6 and 1e7"));
    }
    let clients = own.clients.or(defaults.clients).unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&clients) {
        return Err(format!("clients is {clients}, but must be 1 to {COUNT_MAX}"));
    }
    let seconds = |own: Option<f64>, default: Option<f64>, otherwise: f64, name: &str| {
        let value = own.or(default).unwrap_or(otherwise);
        let is_good = (0.0..=SECONDS_MAX).contains(&value);
        is_good.then_some(value).ok_or(format!("{name} must be 0 to {SECONDS_MAX}"))
    };
    let warm_up = seconds(own.warm_up_seconds, defaults.warm_up_seconds, 20.0, "warm_up_seconds")?;
    let measured =
        seconds(own.measured_seconds, defaults.measured_seconds, 60.0, "measured_seconds")?;
    if measured <= 0.0 {
        return Err("measured_seconds must be above 0".to_owned());
    }
    let arrivals = own.arrivals.as_ref().or(defaults.arrivals.as_ref());
    let arrivals = arrivals_of(arrivals.unwrap_or(&ArrivalsText::Poisson), rate)?;
    let name = own.name.get_ref().clone();
    Ok(Arena { name, clients, work, stations, arrivals, warm_up, horizon: warm_up + measured })
}

fn arrivals_of(text: &ArrivalsText, rate: f64) -> Result<ArrivalLaw, String> {
    match text {
        ArrivalsText::Poisson => Ok(ArrivalLaw::Poisson(rate)),
        ArrivalsText::Modulated { rates, dwell } => match modulation_problem(rates, dwell) {
            Some(problem) => Err(problem),
            None => {
                let rates = rates.iter().map(|times| times * rate).collect();
                Ok(ArrivalLaw::Modulated { rates, dwell: dwell.clone() })
            }
        },
        ArrivalsText::Trace(times) => {
            let in_order = times.windows(2).all(|pair| pair[0] <= pair[1]);
            let in_range = times.iter().all(|time| (0.0..=SECONDS_MAX).contains(time));
            let problem = "a trace is a list of times in seconds, in order";
            let law = ArrivalLaw::Trace(times.clone());
            (in_order && in_range).then_some(law).ok_or(problem.to_owned())
        }
    }
}

fn stations_of(servers: &[ServerText]) -> Result<Vec<StationSetup>, String> {
    let mut stations = Vec::new();
    for text in servers {
        let is_good = (1..=COUNT_MAX).contains(&text.count)
            && (1..=1_000_000).contains(&text.threads)
            && (1e-6..=1e6).contains(&text.speed)
            && (0.0..=SECONDS_MAX).contains(&text.delay_seconds);
        if !is_good {
            let text =
                "servers need count and threads from 1, speed above 0, and delay_seconds from 0";
            return Err(text.to_owned());
        }
        let failing = match text.failing {
            Some(of)
                if of.from_seconds >= 0.0 && (0.0..=SECONDS_MAX).contains(&of.after_seconds) =>
            {
                Some((of.from_seconds, of.until_seconds, of.after_seconds))
            }
            Some(_) => return Err("failing needs from_seconds and after_seconds from 0".to_owned()),
            None => None,
        };
        let station = StationSetup {
            threads: text.threads,
            speed: text.speed,
            discipline: text.discipline,
            failing,
            delay: text.delay_seconds,
        };
        stations.extend(std::iter::repeat_n(station, text.count));
    }
    if stations.is_empty() || stations.len() > COUNT_MAX {
        return Err(format!("there must be 1 to {COUNT_MAX} servers"));
    }
    Ok(stations)
}
