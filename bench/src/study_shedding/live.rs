//! One point in real time: a compute server, its worker on a CPU of its own where there are two, and the load generator.

use std::sync::Arc;
use std::time::Duration;

use ringyard_runtime::launch::{Plan, launch_with_workers};
use ringyard_runtime::thread_time;
use ringyard_servers::compute::{self, ComputeBoard, Effort};

use super::experiment::{Contender, Options, Pressure, SheddingError, Stage, Trial};
use crate::load::figures::Figures;
use crate::load::report::Interval;
use crate::load::run::{self, Observer};
use crate::load::target::Target;

/// Finds out how much work takes so long on this machine.
pub(super) fn calibrate(work: Duration) -> Effort {
    Effort::calibrate(work, thread_time::measure)
}

/// Plays one point; `show` hears how far it is.
///
/// # Errors
///
/// [`SheddingError`] if server or clients cannot be started.
pub(super) fn play(
    options: &Options,
    effort: Effort,
    contender: Contender,
    pressure: Pressure,
    show: &mut dyn FnMut(Duration),
) -> Result<Trial, SheddingError> {
    let Stage::Live { cpus, engine } = options.stage else {
        unreachable!("the caller plays live points here")
    };
    let plan = Plan {
        engine,
        cores: cpus.server.into_iter().collect(),
        listen: vec![([127, 0, 0, 1], 0).into()],
        ..Plan::default()
    };
    let board = Arc::new(ComputeBoard::new(1));
    let config = options.compute(contender, effort);
    let make = compute::factory(compute::front_default(), config, 1, Arc::clone(&board));
    let server = launch_with_workers(plan, &[cpus.worker], make)?;
    let url = format!("http://{}/calculate?input=study", server.addresses()[0]);
    let target: Target = url.parse().expect("it is the address of a server of ours");
    let mut sum = Sum { figures: Figures::default(), show };
    let report = run::run(&options.load(target, pressure), &mut sum)?;
    let elapsed = Duration::from_secs_f64(report.elapsed_s);
    Ok(Trial { figures: sum.figures, elapsed, totals: board.totals() })
}

/// Adds up the figures of all intervals.
struct Sum<'a> {
    figures: Figures,
    show: &'a mut dyn FnMut(Duration),
}

impl Observer for Sum<'_> {
    fn interval(&mut self, interval: &Interval, figures: &Figures) -> std::io::Result<()> {
        self.figures.merge(figures);
        (self.show)(Duration::from_secs_f64(interval.end_s));
        Ok(())
    }
}
