//! `ringyard simulate`.

use std::io;
use std::process::ExitCode;

use ringyard_simulator::study::command::{self, Args};

use crate::serve::CommandError;

pub(crate) fn run(arguments: &Args) -> Result<ExitCode, CommandError> {
    command::run(arguments, &mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
