//! `ringyard compare`: what a request costs, for anybody to repeat.

use std::io;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use ringyard_bench::compare::case::Peers;
use ringyard_bench::compare::command::{self, EnginesArgs, ProxiesArgs};

use crate::serve::CommandError;

/// Whether there is anybody to compare with.
const PEERS: Peers = if cfg!(feature = "peers") { Peers::BuiltIn } else { Peers::Missing };

/// Compare what a request costs in processor time: engines, the baseline, proxies.
#[derive(Args, Debug)]
#[command(
    after_help = "Build it with everybody to compare with: cargo build --release --features peers"
)]
pub(crate) struct CompareArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Engines(EnginesArgs),
    Proxies(ProxiesArgs),
    /// Serve as a bare loop, which the comparison of engines starts
    #[cfg(feature = "peers")]
    #[command(hide = true)]
    BareLoop(BareLoopArgs),
}

/// A bare loop.
#[cfg(feature = "peers")]
#[derive(Args, Debug)]
struct BareLoopArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT")]
    listen: std::net::SocketAddr,

    /// Bytes that make a request
    #[arg(long, value_name = "BYTES")]
    request_bytes: std::num::NonZeroUsize,
}

pub(crate) fn run(arguments: &CompareArgs) -> Result<ExitCode, CommandError> {
    let out = &mut io::stdout().lock();
    match &arguments.what {
        What::Engines(arguments) => command::engines(arguments, PEERS, out)?,
        What::Proxies(arguments) => command::proxies(arguments, PEERS, out)?,
        #[cfg(feature = "peers")]
        What::BareLoop(arguments) => bare_loop(arguments, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "peers")]
fn bare_loop(arguments: &BareLoopArgs, out: &mut dyn io::Write) -> Result<(), CommandError> {
    /// As long as the classifier's, so that the kernel has as much to carry.
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\
        date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{\"results\":[\"not code\"]}";
    let BareLoopArgs { listen, request_bytes } = *arguments;
    let served = ringyard_runtime::bare::serve(listen, request_bytes.get(), ANSWER, |address| {
        // Whoever started it waits for this line; if that fails, nobody does.
        let line = format!("ringyard bare loop: serving http://{address}\n");
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    });
    match served {
        Ok(never) => match never {},
        Err(error) => Err(error.into()),
    }
}
