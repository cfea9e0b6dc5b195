//! `list`, `run` and `study`: choosing scenarios, running them with a progress bar, and writing the results.

use std::fmt::Write as _;
use std::io::Write;
use std::num::NonZeroUsize;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::clock::Stopwatch;
use super::score::as_table;
use super::{CommandError, Experiment, Source, StudyArgs, print, read_file, write_file};
use crate::study::catalogue::built_in;
use crate::study::csv::{NamedRun, write_runs};
use crate::study::profile::Profile;
use crate::study::report::Report;
use crate::study::runner::{RunResult, run_all};
use crate::study::scenario::{Scenario, parse};
use crate::study::score::{Grading, OverRuns, by_algorithm, score};
use crate::study::summary::METRICS;

/// What was run and what came of it.
pub(super) struct Outcome {
    pub(super) scenarios: Vec<Scenario>,
    pub(super) results: Vec<RunResult>,
    pub(super) seed: u64,
    seconds: f64,
    threads: usize,
}

pub(super) fn scenarios_of(source: &Source) -> Result<Vec<Scenario>, CommandError> {
    match &source.scenarios {
        Some(path) => Ok(parse(&path.display().to_string(), &read_file(path)?)?),
        None => Ok(built_in(source.profile)?),
    }
}

pub(super) fn list(source: &Source, out: &mut dyn Write) -> Result<(), CommandError> {
    let scenarios = scenarios_of(source)?;
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for scenario in &scenarios {
        let picker = serde_json::to_string(&scenario.picker)?;
        let rate = scenario.world.rate;
        let _ = write!(text, "{:width$}  rate {rate:>9.5}  {picker}", scenario.name);
        if let Some(probes) = scenario.probes_per_request {
            let _ = write!(text, "  probes {probes}");
        }
        if let Some(count) = scenario.choose_from {
            let _ = write!(text, "  among {count}");
        }
        if !scenario.about.is_empty() {
            let _ = write!(text, "  {}", scenario.about);
        }
        text.push('\n');
    }
    print(out, &text)
}

pub(super) fn run_named(
    names: &[String],
    experiment: &Experiment,
    out: &mut dyn Write,
) -> Result<(), CommandError> {
    let mut known = scenarios_of(&experiment.source)?;
    if let Some(unknown) = names.iter().find(|name| known.iter().all(|known| known.name != **name))
    {
        return Err(CommandError::UnknownScenario(unknown.clone()));
    }
    known.retain(|scenario| names.contains(&scenario.name));
    let outcome = simulate(known, experiment);
    write_results(&outcome, experiment)?;
    print(out, &format!("{}\n{}", outcome.figures(), outcome.rate()))
}

pub(super) fn study(args: &StudyArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let experiment = &args.experiment;
    let outcome = simulate(scenarios_of(&experiment.source)?, experiment);
    write_results(&outcome, experiment)?;
    print(out, &outcome.figures())?;
    let grading = match experiment.source.profile {
        Profile::V2 => Grading::Seven,
        Profile::V1 | Profile::Fixed => Grading::Five,
    };
    let runs = outcome.named();
    let speed = outcome.rate();
    print(out, &format!("\n{}\n{speed}", as_table(&score(&runs, grading), grading)))?;
    let scenarios = &outcome.scenarios;
    let report = Report { scenarios, runs: &runs, grading, seed: outcome.seed, speed: &speed };
    let page = args.out.join("report.html");
    write_file(&page, report.to_html()?.as_bytes())?;
    for (name, chart) in report.charts() {
        chart.write_png(&args.out.join(name))?;
    }
    print(out, &format!("{}\n", page.display()))
}

/// Runs `scenarios` as `experiment` says, with a progress bar on standard error.
fn simulate(scenarios: Vec<Scenario>, experiment: &Experiment) -> Outcome {
    let available = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = experiment.threads.map_or_else(available, NonZeroUsize::get);
    let runs = |scenario: &Scenario| experiment.runs.unwrap_or(scenario.runs);
    let planned = |scenario: &Scenario| scenario.world.requests() as u64;
    let total = scenarios.iter().map(|each| u64::from(runs(each)) * planned(each)).sum();
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template(
        "{wide_bar} {human_pos}/{human_len} requests, {per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    let stopwatch = Stopwatch::start();
    let results = run_all(&scenarios, runs, experiment.seed, threads, |result| {
        bar.inc(planned(&scenarios[result.scenario]));
    });
    let seconds = stopwatch.seconds();
    bar.finish_and_clear();
    Outcome { scenarios, results, seed: experiment.seed, seconds, threads }
}

fn write_results(outcome: &Outcome, experiment: &Experiment) -> Result<(), CommandError> {
    if let Some(path) = &experiment.csv {
        write_file(path, outcome.csv().as_bytes())?;
    }
    if let Some(path) = &experiment.json {
        write_file(path, &serde_json::to_vec_pretty(&outcome.json()?)?)?;
    }
    Ok(())
}

impl Outcome {
    fn csv(&self) -> String {
        let name = |result: &RunResult| self.scenarios[result.scenario].name.as_str();
        write_runs(self.results.iter().map(|result| (name(result), &result.summary)))
    }

    /// The runs with their names.
    pub(super) fn named(&self) -> Vec<NamedRun> {
        let named = |result: &RunResult| NamedRun {
            algorithm: self.scenarios[result.scenario].name.clone(),
            summary: result.summary,
        };
        self.results.iter().map(named).collect()
    }

    fn json(&self) -> Result<Value, CommandError> {
        let mut scenarios = Vec::with_capacity(self.scenarios.len());
        for (index, scenario) in self.scenarios.iter().enumerate() {
            let results = self.results.iter().filter(|result| result.scenario == index);
            let runs: Vec<Value> = results
                .map(|result| {
                    let figures = METRICS.iter().zip(result.summary.values);
                    let figures: serde_json::Map<String, Value> =
                        figures.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
                    json!({
                        "run": result.run,
                        "figures": figures,
                        "more": result.more,
                        "counts": result.tally,
                    })
                })
                .collect();
            let configuration = serde_json::to_value(scenario)?;
            scenarios.push(json!({ "configuration": configuration, "runs": runs }));
        }
        Ok(json!({ "seed": self.seed, "scenarios": scenarios }))
    }

    /// Mean and confidence interval of the figures that people look at first.
    fn figures(&self) -> String {
        const SHOWN: [(&str, usize); 7] = [
            ("mean latency", 0),
            ("sd latency", 1),
            ("p50", 2),
            ("p99", 4),
            ("mean util", 6),
            ("sd util", 7),
            ("per-server sd", 8),
        ];
        let named = self.named();
        let groups = by_algorithm(&named);
        let width = groups.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(9);
        let mut text = format!("{:width$}  runs", "algorithm");
        // The last two are not the study's: they count time once and servers evenly.
        for title in SHOWN.iter().map(|(title, _)| *title).chain(["elapsed", "busy spread"]) {
            let _ = write!(text, "  {title:>15}");
        }
        text.push('\n');
        for (name, runs) in &groups {
            let _ = write!(text, "{name:width$}  {:>4}", runs.len());
            for (_, metric) in SHOWN {
                let values: Vec<f64> = runs.iter().map(|run| run.summary.values[metric]).collect();
                let over = OverRuns::of(&values);
                write_interval(&mut text, &over);
            }
            let mine =
                || self.results.iter().filter(|run| self.scenarios[run.scenario].name == *name);
            let elapsed: Vec<f64> = mine().map(|run| run.more.mean_elapsed).collect();
            let spread: Vec<f64> = mine().map(|run| run.more.stdev_busy).collect();
            write_interval(&mut text, &OverRuns::of(&elapsed));
            write_interval(&mut text, &OverRuns::of(&spread));
            text.push('\n');
        }
        text
    }

    fn rate(&self) -> String {
        let requests: u64 = self.results.iter().map(|result| result.tally.requests).sum();
        let probes: u64 = self.results.iter().map(|result| result.tally.probes).sum();
        let rate = requests as f64 / self.seconds;
        format!(
            "{} runs, {requests} requests and {probes} probes in {:.2} s on {} threads: {:.0} requests/s\n",
            self.results.len(),
            self.seconds,
            self.threads,
            rate,
        )
    }
}

/// Appends a mean and its confidence interval, if there is one.
fn write_interval(text: &mut String, over: &OverRuns) {
    let interval = over.half_interval();
    let interval = if interval.is_nan() { String::new() } else { format!("±{interval:.2}") };
    let _ = write!(text, "  {:>8.2} {interval:<6}", over.mean);
}
