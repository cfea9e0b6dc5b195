//! What can be wrong with the arguments of a run, one by one or together.

use std::io;
use std::path::PathBuf;

use ringyard_runtime::affinity::AffinityError;

use crate::limits::TRACE_INSTANTS_MAX;
use crate::load::template::TemplateError;

/// Why arguments do not make sense together.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The CPUs.
    #[error(transparent)]
    Cores(#[from] AffinityError),
    /// The body.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// There is nothing to send, or no end to wait for.
    #[error("tcp:// needs --send-hex or --send-file, and --expect-bytes or --expect-until")]
    Raw,
    /// Fewer connections than cores.
    #[error(
        "{connections} connections cannot be spread over {cores} cores; give at least one to each"
    )]
    Connections {
        /// Connections.
        connections: u32,
        /// Cores.
        cores: usize,
    },
    /// A ramp needs a time to take.
    #[error("--ramp changes over the run, so it needs -d")]
    Ramp,
    /// A trace cannot be used.
    #[error("{path}, line {line}: not a number of seconds at or after the one before")]
    Trace {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A trace is empty or too long.
    #[error("{path} has {instants} instants; a trace has 1 to {TRACE_INSTANTS_MAX}")]
    TraceLength {
        /// The file.
        path: PathBuf,
        /// How many it has.
        instants: usize,
    },
    /// A flag that says what the command itself decides.
    #[error("{flags} say what this command decides itself: {instead}")]
    Decided {
        /// The flags.
        flags: &'static str,
        /// What to give instead.
        instead: &'static str,
    },
    /// A time is zero that must not be.
    #[error("--interval and --timeout must be above zero")]
    Zero,
    /// Nobody to load.
    #[error("give a URL to load, such as http://127.0.0.1:8000/, or a subcommand")]
    Target,
}
