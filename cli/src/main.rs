//! The `ringyard` binary: reads flags, builds a plan, runs it. Whatever decides anything is in the libraries.

#![forbid(unsafe_code)]

mod analyze;
mod backend_url;
mod classifier;
mod compare;
mod compute;
mod customers;
mod demo;
mod doctor;
mod load;
mod proxy;
mod serve;
mod simulate;
mod study;

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Thread-per-core io_uring servers for people who serve models: a batching proxy, a stand-in for the model
/// behind it, and the tools to measure both.
#[derive(Debug, Parser)]
#[command(name = "ringyard", version, max_term_width = 100)]
#[command(
    after_help = "Try `ringyard demo` first: it starts both servers, plays a workload against them \
under each strategy, and shows what each did to whom."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Analyze(analyze::AnalyzeArgs),
    Classifier(classifier::ClassifierArgs),
    Compare(compare::CompareArgs),
    Compute(compute::ComputeArgs),
    Doctor(doctor::DoctorArgs),
    Proxy(proxy::ProxyArgs),
    Load(Box<ringyard_bench::load::command::LoadArgs>),
    /// Play the load-balancing study in a simulator: which policy spreads requests best over servers
    Simulate(ringyard_simulator::study::command::Args),
    Study(study::StudyArgs),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Analyze(arguments) => analyze::run(&arguments),
        Command::Classifier(arguments) => classifier::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Compute(arguments) => compute::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Proxy(arguments) => proxy::run(&arguments),
        Command::Load(arguments) => Ok(load::run(&arguments)),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Study(arguments) => study::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        complain(error.as_ref());
        ExitCode::FAILURE
    })
}

/// Says on standard error what went wrong.
fn complain(error: &(dyn Error + 'static)) {
    eprintln!("ringyard: {}", with_causes(error));
}

/// An error's message followed by those of its causes, where they say something that it does not.
fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
