//! `ringyard study`: what the project claims about scheduling, for anybody to repeat.

use std::io;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ringyard_bench::study_shedding::command::{self as shedding, SheddingArgs};
use ringyard_bench::study_strategies::command::{self as strategies, StrategiesArgs};

use crate::serve::CommandError;

/// Repeat the experiments behind the defaults, or try them on requests of your own.
#[derive(Args, Debug)]
pub(crate) struct StudyArgs {
    #[command(subcommand)]
    study: Study,
}

#[derive(Debug, Subcommand)]
enum Study {
    Shedding(Box<SheddingArgs>),
    Strategies(StrategiesArgs),
}

pub(crate) fn run(arguments: &StudyArgs) -> Result<ExitCode, CommandError> {
    match &arguments.study {
        Study::Shedding(arguments) => shedding::run(arguments, &mut io::stdout().lock())?,
        Study::Strategies(arguments) => strategies::run(arguments, &mut io::stdout().lock())?,
    }
    Ok(ExitCode::SUCCESS)
}
