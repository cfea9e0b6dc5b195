//! What a comparison found, in the form in which it is written as JSON.
//!
//! The schema is these types. Durations carry their unit in their names, and [`SCHEMA`] changes when a field
//! changes its meaning.

use serde::{Deserialize, Serialize};

use super::aim::{Aim, Measure, Verdict};
use super::case::Case;
use super::facts::Machine;
use super::window::{Place, Window};
use crate::load::compare::{STRETCHES_MIN, median_with_interval};
use crate::statistics::{Tally, as_real, milliseconds, rounded};

/// The name of this form of report.
pub const SCHEMA: &str = "ringyard-compare/1";

/// Resampling is the same for the same windows.
const SEED: u64 = 1;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it began, in seconds since 1970 UTC.
    pub started_unix_seconds: u64,
    /// Where.
    pub machine: Machine,
    /// The CPU of the servers.
    pub server_cpu: usize,
    /// The CPU of the generator.
    pub generator_cpu: usize,
    /// What was measured, in order.
    pub cases: Vec<CaseFinding>,
}

/// What was found under one load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseFinding {
    /// Its name on the command line.
    pub name: String,
    /// In words.
    pub title: String,
    /// Who the others are set against.
    pub reference: String,
    /// How long each window was.
    pub window_s: f64,
    /// Windows of each entrant, used or not, those that were taken again counted once.
    pub rounds: usize,
    /// Windows of all entrants.
    pub windows_taken: usize,
    /// Those of them in which the hypervisor took too much.
    pub windows_dropped: usize,
    /// Entrants, in order.
    pub entrants: Vec<EntrantFinding>,
    /// What was aimed at.
    pub aims: Vec<AimFinding>,
    /// What else is to be known.
    pub remarks: Vec<String>,
}

/// What was found of one entrant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EntrantFinding {
    /// Its name.
    pub name: String,
    /// Windows that count.
    pub windows: usize,
    /// Processor time for each answer, the median of windows.
    pub cpu_ns_per_request: f64,
    /// The same as a part of the reference's in neighbouring windows.
    pub cpu_ratio: Option<Spread>,
    /// System calls for each answer, if somebody counts them.
    pub system_calls_per_request: Option<f64>,
    /// Answers per second, the median of windows.
    pub requests_per_second: f64,
    /// Half of all latencies are at or below.
    pub p50_ms: f64,
    /// 99 % are.
    pub p99_ms: f64,
    /// 99.9 % are.
    pub p999_ms: f64,
    /// Memory that it held at the end, in MiB.
    pub resident_mib: f64,
    /// Requests not answered well, in all windows.
    pub errors: u64,
    /// Windows in which the generator set the pace.
    pub generator_bound: usize,
}

/// A median and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// An aim and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AimFinding {
    /// What was to be at most so much.
    pub measure: String,
    /// So much.
    pub most: f64,
    /// What it is.
    pub found: Option<Spread>,
    /// Whether that is what was aimed at.
    pub verdict: Verdict,
}

/// What was seen of one entrant.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) name: String,
    /// One for each round.
    pub(super) windows: Vec<Window>,
    /// Those that were not quiet and were taken again at once.
    pub(super) retaken: Vec<Window>,
    pub(super) system_calls_per_request: Option<f64>,
    pub(super) resident_mib: f64,
}

impl Seen {
    /// All windows.
    fn taken(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().chain(&self.retaken)
    }

    /// Requests not answered well in any of them.
    pub(super) fn errors(&self) -> u64 {
        self.taken().map(|window| window.errors).sum()
    }
}

impl Comparison {
    /// Nothing yet, begun now.
    #[must_use]
    pub fn begin(place: Place, started_unix_seconds: u64) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            started_unix_seconds,
            machine: Machine::here(),
            server_cpu: place.server,
            generator_cpu: place.generator,
            cases: Vec::new(),
        }
    }
}

impl Spread {
    /// The median of `values`; `None` if there are too few to say how sure it is.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.len() < STRETCHES_MIN {
            return None;
        }
        let (median, (low, high)) = median_with_interval(values, SEED);
        Some(Self { median: rounded(median), low: rounded(low), high: rounded(high) })
    }

    /// A figure without an interval.
    fn exact(value: f64) -> Self {
        Self { median: rounded(value), low: rounded(value), high: rounded(value) }
    }
}

impl CaseFinding {
    /// Sums up what was seen under `case` in windows of `window_s` seconds.
    #[must_use]
    pub(super) fn of(case: &Case, window_s: f64, seen: &[Seen], remarks: Vec<String>) -> Self {
        let rounds = seen.iter().map(|seen| seen.windows.len()).max().unwrap_or(0);
        let all = || seen.iter().flat_map(Seen::taken);
        let aims = case.aims.iter().filter(|aim| applies(aim, seen)).map(|aim| {
            let found = found(&aim.measure, seen);
            AimFinding {
                measure: aim.measure.to_string(),
                most: aim.most,
                found,
                verdict: aim.judge(found.as_ref()),
            }
        });
        Self {
            name: case.name.clone(),
            title: case.title.clone(),
            reference: case.reference.clone(),
            window_s: rounded(window_s),
            rounds,
            windows_taken: all().count(),
            windows_dropped: all().filter(|window| !window.is_quiet()).count(),
            entrants: seen.iter().map(|entrant| summary(entrant, &case.reference, seen)).collect(),
            aims: aims.collect(),
            remarks,
        }
    }
}

fn summary(entrant: &Seen, reference: &str, seen: &[Seen]) -> EntrantFinding {
    let quiet: Vec<&Window> = entrant.windows.iter().filter(|window| window.is_quiet()).collect();
    let median = |figure: fn(&Window) -> f64| {
        let values: Vec<f64> = quiet.iter().map(|window| figure(window)).collect();
        if values.is_empty() { 0.0 } else { rounded(median_with_interval(&values, SEED).0) }
    };
    let mut latencies = Tally::new();
    quiet.iter().for_each(|window| latencies.merge(&window.latencies));
    let quantile = |share| rounded(milliseconds(latencies.quantile(share)));
    EntrantFinding {
        name: entrant.name.clone(),
        windows: quiet.len(),
        cpu_ns_per_request: median(Window::cpu_ns_per_request),
        cpu_ratio: (entrant.name != reference)
            .then(|| of_pairs(seen, &entrant.name, reference, cpu_ratio))
            .flatten(),
        system_calls_per_request: entrant.system_calls_per_request.map(rounded),
        requests_per_second: median(Window::requests_per_second),
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        p999_ms: quantile(0.999),
        resident_mib: rounded(entrant.resident_mib),
        errors: entrant.errors(),
        generator_bound: quiet.iter().filter(|window| window.is_generator_bound()).count(),
    }
}

fn cpu_ratio(of: &Window, to: &Window) -> f64 {
    of.cpu_ns_per_request() / to.cpu_ns_per_request()
}

/// Whether those of whom the aim speaks took part.
fn applies(aim: &Aim, seen: &[Seen]) -> bool {
    let took_part = |name: &String| seen.iter().any(|entrant| entrant.name == *name);
    match &aim.measure {
        Measure::CpuRatio { of, to }
        | Measure::CpuAbove { of, to }
        | Measure::MedianRatio { of, to } => took_part(of) && took_part(to),
        Measure::SystemCalls { of } | Measure::ResidentMib { of } => took_part(of),
    }
}

fn found(measure: &Measure, seen: &[Seen]) -> Option<Spread> {
    let entrant = |name: &String| seen.iter().find(|entrant| entrant.name == *name);
    match measure {
        Measure::CpuRatio { of, to } => of_pairs(seen, of, to, cpu_ratio),
        Measure::CpuAbove { of, to } => {
            of_pairs(seen, of, to, |of, to| of.cpu_ns_per_request() - to.cpu_ns_per_request())
        }
        Measure::MedianRatio { of, to } => {
            of_pairs(seen, of, to, |of, to| of.p50_ms() / to.p50_ms())
        }
        Measure::SystemCalls { of } => entrant(of)?.system_calls_per_request.map(Spread::exact),
        Measure::ResidentMib { of } => Some(Spread::exact(entrant(of)?.resident_mib)),
    }
}

/// What `figure` comes to over the rounds in which both had a quiet window.
fn of_pairs(
    seen: &[Seen],
    of: &str,
    to: &str,
    figure: impl Fn(&Window, &Window) -> f64,
) -> Option<Spread> {
    let windows = |name: &str| seen.iter().find(|seen| seen.name == name).map(|seen| &seen.windows);
    let pairs = windows(of)?.iter().zip(windows(to)?);
    let quiet = pairs.filter(|(of, to)| of.is_quiet() && to.is_quiet());
    Spread::of(&quiet.map(|(of, to)| figure(of, to)).collect::<Vec<_>>())
}

/// `kib` in MiB.
#[must_use]
pub(super) fn mib(kib: u64) -> f64 {
    as_real(kib) / 1024.0
}

/// A made-up comparison, for tests of what is written and drawn.
#[cfg(test)]
pub(super) mod example {
    use super::super::window::{Shape, example::window};
    use super::*;
    use crate::random::Random;

    pub(crate) fn seen(name: &str, cpu_us: f64, random: &mut Random) -> Seen {
        let windows = (0..8).map(|_| window(cpu_us * (1.0 + 0.02 * random.normal()))).collect();
        let system_calls_per_request = (name != "baseline").then_some(0.065);
        Seen {
            name: name.into(),
            windows,
            retaken: Vec::new(),
            system_calls_per_request,
            resident_mib: 12.5,
        }
    }

    pub(crate) fn case() -> Case {
        let cpu = |of: &str, to: &str| Measure::CpuRatio { of: of.into(), to: to.into() };
        Case {
            name: "64".into(),
            title: "64 connections".into(),
            path: "/classify".into(),
            shape: Shape { connections: 64, depth: 1, close: false, rate: None },
            entrants: Vec::new(),
            reference: "baseline".into(),
            aims: vec![
                Aim::at_most(0.70, cpu("ring", "baseline")),
                Aim::at_most(0.40, cpu("ring", "baseline")),
                Aim::no_worse(cpu("ring", "glommio")),
                Aim::at_most(0.08, Measure::SystemCalls { of: "ring".into() }),
            ],
            counts_system_calls: true,
        }
    }

    pub(crate) fn comparison() -> Comparison {
        let mut random = Random::new(3);
        let seen: Vec<Seen> =
            [("ring", 9.0), ("tokio", 11.0), ("baseline", 16.0), ("control", 16.1)]
                .map(|(name, cpu_us)| seen(name, cpu_us, &mut random))
                .into();
        let mut comparison = Comparison::begin(Place { server: 0, generator: 1 }, 1_700_000_000);
        let remark = vec!["haproxy is not installed: left out".to_owned()];
        comparison.cases.push(CaseFinding::of(&case(), 0.5, &seen, remark));
        comparison
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn ratios_are_of_the_rounds_in_which_both_were_quiet() {
        let mut random = Random::new(1);
        let mut ring = example::seen("ring", 8.0, &mut random);
        let mut baseline = example::seen("baseline", 16.0, &mut random);
        // What disturbs one side only is thrown away with its pair.
        ring.windows[1].cpu *= 10;
        ring.windows[1].stolen_share = 0.5;
        baseline.windows[2].cpu *= 10;
        baseline.windows[2].stolen_share = 0.5;
        // What was taken again is told and counts for nothing else.
        baseline.retaken.push(baseline.windows[2].clone());
        let finding =
            CaseFinding::of(&example::case(), 1.0, &[ring.clone(), baseline.clone()], Vec::new());
        let ratio = finding.entrants[0].cpu_ratio.unwrap();
        assert!((ratio.median - 0.5).abs() < 0.03, "{ratio:?}");
        assert!(ratio.low <= ratio.median && ratio.median <= ratio.high && ratio.high < 0.6);
        assert_eq!((finding.windows_dropped, finding.windows_taken, finding.rounds), (3, 17, 8));
        assert_eq!(finding.entrants[0].windows, 7);
        assert_eq!(finding.entrants[1].cpu_ratio, None);
        // Glommio did not take part, so nothing is said of it.
        let verdicts: Vec<Verdict> = finding.aims.iter().map(|aim| aim.verdict).collect();
        assert_eq!(verdicts, [Verdict::Met, Verdict::Missed, Verdict::Met]);
        for window in &mut ring.windows[..4] {
            window.stolen_share = 0.5;
        }
        let finding = CaseFinding::of(&example::case(), 1.0, &[ring, baseline], Vec::new());
        assert_eq!(finding.entrants[0].cpu_ratio, None);
        assert_eq!(finding.aims[0].verdict, Verdict::Unsure);
    }

    #[test]
    fn a_comparison_survives_json() {
        let comparison = example::comparison();
        let text = serde_json::to_string(&comparison).unwrap();
        assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
    }
}
