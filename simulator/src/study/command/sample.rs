//! `sample`, `record` and `replay`: one run, looked at closely.

use std::io::Write;
use std::path::PathBuf;

use super::{CommandError, Source, experiment, print, read_file, write_file};
use crate::study::catalogue::samples;
use crate::study::draws::{Keyed, RunKey};
use crate::study::law::Laws;
use crate::study::profile::Profile;
use crate::study::recorder::Recorder;
use crate::study::rows::RowWriter;
use crate::study::sample::Sample;
use crate::study::scenario::Scenario;
use crate::study::tape::Tape;
use crate::study::tick::run;

#[derive(Debug, clap::Args)]
pub(super) struct SampleArgs {
    /// Which revision's sample run.
    #[arg(long, value_enum, default_value = "v1")]
    profile: Profile,
    /// The seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Where the twelve figures go.
    #[arg(long, value_name = "DIR", default_value = "results/sample")]
    out: PathBuf,
    /// Write every completion to this file.
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
}

/// Which single run is meant.
#[derive(Debug, clap::Args)]
struct OneRun {
    #[command(flatten)]
    source: Source,
    /// The scenario.
    #[arg(long, value_name = "NAME")]
    scenario: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    one: OneRun,
    /// The tape to write.
    #[arg(value_name = "TAPE")]
    tape: PathBuf,
    /// The seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The number of the run.
    #[arg(long, value_name = "N", default_value_t = 0)]
    run: u32,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    one: OneRun,
    /// The tape to play.
    #[arg(value_name = "TAPE")]
    tape: PathBuf,
    /// Write the rows to this file instead of printing them.
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
}

pub(super) fn sample(args: &SampleArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let scenario = samples(args.profile)?;
    let key = RunKey { seed: args.seed, scenario: &scenario.name, run: 0 };
    let round_means = scenario.world.rules.round_means;
    let mut laws = Laws::default();
    let mut sample = Sample::default();
    run(&scenario, &mut Keyed::new(&mut laws, &key, round_means), &mut sample);
    print(out, &sample.statistics())?;
    for (index, chart) in sample.figures().iter().enumerate() {
        let path = args.out.join(format!("{:02}.png", index + 1));
        write_file(&path, &[])?;
        chart.write_png(&path)?;
        print(out, &format!("{}  {}\n", path.display(), chart.title))?;
    }
    if let Some(path) = &args.rows {
        let mut rows = RowWriter::default();
        run(&scenario, &mut Keyed::new(&mut laws, &key, round_means), &mut rows);
        write_file(path, rows.into_text().as_bytes())?;
    }
    Ok(())
}

fn find(one: &OneRun) -> Result<Scenario, CommandError> {
    let mut known = experiment::scenarios_of(&one.source)?;
    let at = known.iter().position(|scenario| scenario.name == one.scenario);
    at.map(|at| known.swap_remove(at))
        .ok_or_else(|| CommandError::UnknownScenario(one.scenario.clone()))
}

pub(super) fn record(args: &RecordArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let scenario = find(&args.one)?;
    if scenario.world.rules.round_means {
        return Err(CommandError::CannotRecord);
    }
    let key = RunKey { seed: args.seed, scenario: &scenario.name, run: args.run };
    let mut laws = Laws::default();
    let mut recorder = Recorder::new(Keyed::new(&mut laws, &key, false));
    let mut rows = RowWriter::default();
    run(&scenario, &mut recorder, &mut rows);
    write_file(&args.tape, recorder.into_tape().as_bytes())?;
    print(out, &rows.into_text())
}

pub(super) fn replay(args: &ReplayArgs, out: &mut dyn Write) -> Result<(), CommandError> {
    let scenario = find(&args.one)?;
    let text = read_file(&args.tape)?;
    let refused = |source| CommandError::Tape { path: args.tape.clone(), source };
    let mut tape = Tape::parse(&text, scenario.world.rules.round_means).map_err(refused)?;
    let mut rows = RowWriter::default();
    run(&scenario, &mut tape, &mut rows);
    match &args.rows {
        Some(path) => write_file(path, rows.into_text().as_bytes())?,
        None => print(out, &rows.into_text())?,
    }
    tape.finish().map_err(refused)
}
