//! `ringyard classifier`.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use ringyard_servers::classifier::{self, ClassifierConfig};
use ringyard_servers::limits::{SEQUENCES_PER_REQUEST_CEILING, SEQUENCES_PER_REQUEST_MAX};

use crate::serve::{self, CommandError, ServeArgs};

/// Serve the classifier: a stand-in for a model server, with a transformer's cost.
///
/// POST /classify with {"sequences": ["...", ...]} answers {"results": ["code" | "not code", ...]} after
/// (characters of the longest sequence)² microseconds. GET /docs explains the rest.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ringyard classifier --cores 1 &\n  \
curl -d '{\"sequences\": [\"def f(): pass\", \"hello\"]}' http://127.0.0.1:8001/classify")]
pub(crate) struct ClassifierArgs {
    /// Where to listen; may be repeated. Port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", env = "RINGYARD_CLASSIFIER_LISTEN")]
    #[arg(default_value = "127.0.0.1:8001", value_delimiter = ',')]
    listen: Vec<SocketAddr>,

    /// Factor on the model's time; 0 answers at once
    #[arg(long, value_name = "FACTOR", env = "RINGYARD_COST_SCALE", default_value_t = 1.0)]
    #[arg(value_parser = parse_cost_scale)]
    cost_scale: f64,

    /// Requests that compute at the same time on each core; the rest wait. Without it: any number
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    replicas: Option<u32>,

    /// Sequences that one request may have
    #[arg(long, value_name = "COUNT", default_value_t = SEQUENCES_PER_REQUEST_MAX)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(SEQUENCES_PER_REQUEST_CEILING)))]
    max_items: u32,

    #[command(flatten)]
    serve: ServeArgs,

    #[cfg(feature = "peers")]
    #[command(flatten)]
    baseline: serve::BaselineArgs,
}

pub(crate) fn parse_cost_scale(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|scale: &f64| scale.is_finite() && *scale >= 0.0)
        .ok_or_else(|| String::from("the factor is a number from 0 upwards"))
}

pub(crate) fn run(arguments: &ClassifierArgs) -> Result<ExitCode, CommandError> {
    let config = ClassifierConfig {
        cost_scale: arguments.cost_scale,
        replicas: arguments.replicas,
        items_max: arguments.max_items,
    };
    let plan = arguments.serve.plan(&arguments.listen);
    let front = arguments.serve.front(classifier::front_default());
    let replicas =
        config.replicas.map_or(String::from("any number of replicas"), |count| match count {
            1 => String::from("1 replica a core"),
            _ => format!("{count} replicas a core"),
        });
    let details = format!("cost scale {}, {replicas}", config.cost_scale);
    #[cfg(feature = "peers")]
    if let Some(workers) = arguments.serve.baseline(&arguments.baseline) {
        let running = ringyard_baseline::launch_classifier(&plan, workers, front, config);
        return serve::run_baseline("classifier", &details, running);
    }
    let make = classifier::factory(front, config, serve::core_count(&plan));
    serve::run("classifier", &details, plan, make)
}
