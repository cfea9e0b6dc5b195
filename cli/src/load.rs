//! `ringyard load`.

use std::io;
use std::process::ExitCode;

use ringyard_bench::load::command::{self, LoadArgs};

/// The exit status of a run that could not begin, as for a wrong flag.
const USAGE: u8 = 2;

pub(crate) fn run(arguments: &LoadArgs) -> ExitCode {
    match command::run(arguments, &mut io::stdout().lock()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            crate::complain(&error);
            ExitCode::from(USAGE)
        }
    }
}
