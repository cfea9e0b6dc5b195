//! The arguments that describe a run, and the options that follow from them.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ringyard_protocol::http1::Method;
use ringyard_runtime::affinity;
use ringyard_runtime::launch::{EngineChoice, EngineKind};

use super::parsers::{
    parse_duration, parse_escapes, parse_header, parse_hex, parse_method, parse_precision,
    parse_ramp, parse_rate, parse_sources,
};
use super::usage::UsageError;
use crate::generator::schedule::Rate;
use crate::limits::{CONNECTIONS_PER_CORE_MAX, PIPELINE_DEPTH_MAX, TRACE_INSTANTS_MAX};
use crate::load::http::HttpRequest;
use crate::load::options::{LoadOptions, LoadPace, Precision, Stop, Work};
use crate::load::raw::{AnswerEnd, RawRequest};
use crate::load::target::{Scheme, Target};
use crate::load::template::BodyTemplate;
use crate::workload::Arrivals;

/// How long a run lasts that is not told when to stop.
const DURATION_DEFAULT: Duration = Duration::from_secs(10);

/// Runs shorter than this are not calibrated unless asked.
const CALIBRATION: Duration = Duration::from_millis(500);

/// What to run, whoever the target is.
#[derive(Args, Clone, Debug)]
pub(super) struct RunArgs {
    /// Connections over all cores: in a closed loop as many users, who ask again as soon as they are answered
    #[arg(long, short, value_name = "COUNT", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(CONNECTIONS_PER_CORE_MAX)))]
    connections: u32,

    /// Requests that may be under way on one connection, sent without waiting for the answers before
    #[arg(long, short = 'p', value_name = "COUNT", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(PIPELINE_DEPTH_MAX)))]
    pipeline: u32,

    /// CPUs to run on, one pinned thread each, such as 0,2-3. Without it: one thread, not pinned
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,

    /// What drives the connections: ring or tokio. Without it: ring, or tokio where io_uring cannot be had
    #[arg(long, value_name = "ENGINE", env = "RINGYARD_ENGINE")]
    engine: Option<EngineKind>,

    /// TCP congestion control for the connections, such as cubic or reno. Without it: the system's
    #[arg(long, value_name = "NAME")]
    congestion_control: Option<String>,

    /// Addresses of this host to connect from, in turn, such as 127.0.0.1-127.0.0.8 or 10.0.0.5,10.0.0.6: each has as many
    /// connections to one target as there are local ports, mostly 28,232. Without it: the kernel's choice, which is one
    #[arg(long = "source", value_name = "ADDRESSES", value_parser = parse_sources)]
    sources: Option<Sources>,

    #[command(flatten, next_help_heading = "When to ask and when to stop")]
    pace: PaceArgs,

    #[command(flatten, next_help_heading = "What to say over HTTP")]
    http: HttpArgs,

    #[command(flatten, next_help_heading = "What to say over TCP")]
    raw: RawArgs,
}

/// When to ask and when to stop.
#[derive(Args, Clone, Debug)]
struct PaceArgs {
    /// How long to ask, such as 30s. Without it, -n or --until-ci: 10s
    #[arg(long, short, value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,

    /// How many requests to send
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,

    /// Stop when the 95 % confidence interval of the median is narrower than this, such as 2%; another
    /// quantile is named like p99:2%
    #[arg(long, value_name = "PERCENT", value_parser = parse_precision)]
    until_ci: Option<Precision>,

    /// Ask in an open loop, so many requests per second, whether the server keeps up or not
    #[arg(long, short, value_name = "RATE", value_parser = parse_rate, conflicts_with_all = ["ramp", "trace"])]
    rate: Option<f64>,

    /// Ask in an open loop, at a rate that changes evenly from the first to the second over the run
    #[arg(long, value_name = "FROM:TO", value_parser = parse_ramp, conflicts_with = "trace")]
    ramp: Option<(f64, f64)>,

    /// Ask in an open loop at the instants in a file: seconds since the start, one a line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// How the requests of an open loop are spaced
    #[arg(long, value_enum, default_value_t = ArrivalsArg::Constant)]
    arrivals: ArrivalsArg,

    /// How long to wait for an answer or a connection
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    timeout: Duration,

    /// How long to wait for the last answers when the time is up
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    grace: Duration,

    /// Make the connections one after the other over this time, and not all at once before the run
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    connect_ramp: Duration,

    /// How often figures are taken
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    interval: Duration,

    /// What random arrivals and bodies follow from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,

    /// Do not try for half a second what this generator gets from a server that does nothing. Without that trial it
    /// cannot tell that a figure is its own limit
    #[arg(long)]
    no_calibration: bool,
}

/// What to say over HTTP.
#[derive(Args, Clone, Debug)]
struct HttpArgs {
    /// The method. Without it: GET, or POST where there is a body
    #[arg(long, short, value_name = "METHOD", value_parser = parse_method)]
    method: Option<Method>,

    /// A header, such as 'accept: text/plain'. May be given again
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = parse_header)]
    headers: Vec<(String, String)>,

    /// The body
    #[arg(long, short, value_name = "TEXT", conflicts_with = "body_file")]
    body: Option<String>,

    /// A file that holds the body
    #[arg(long, value_name = "FILE")]
    body_file: Option<PathBuf>,

    /// In the body, put the request's number for {counter} and so many letters for {random:MIN-MAX}
    #[arg(long)]
    template: bool,

    /// Close each connection after one answer
    #[arg(long)]
    close: bool,

    /// How long a client of a closed loop pauses that is refused with 429 or 503
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    backoff: Duration,
}

/// What to say over TCP.
#[derive(Args, Clone, Debug)]
struct RawArgs {
    /// The bytes of a request, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = parse_hex)]
    send_hex: Option<Bytes>,

    /// A file that holds the bytes of a request
    #[arg(long, value_name = "FILE", conflicts_with = "send_hex")]
    send_file: Option<PathBuf>,

    /// An answer ends after so many bytes
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "expect_until")]
    expect_bytes: Option<u64>,

    /// An answer ends with this text; \n, \r, \t, \0 and \\ stand for what they do in most languages
    #[arg(long, value_name = "TEXT", value_parser = parse_escapes)]
    expect_until: Option<Bytes>,
}

/// Bytes as one argument; a plain vector would be taken for a list of arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// Addresses as one argument, likewise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources(pub(super) Vec<IpAddr>);

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ArrivalsArg {
    /// Evenly
    Constant,
    /// As from very many users who know nothing of one another: exponential gaps
    Poisson,
    /// Gaps anywhere from none to twice the mean
    Uniform,
}

impl From<ArrivalsArg> for Arrivals {
    fn from(argument: ArrivalsArg) -> Self {
        match argument {
            ArrivalsArg::Constant => Self::Constant,
            ArrivalsArg::Poisson => Self::Poisson,
            ArrivalsArg::Uniform => Self::Uniform,
        }
    }
}

impl RunArgs {
    /// Refuses flags that say when to stop, for a command that decides that itself; `instead` says by which.
    pub(super) fn refuse_stop(&self, instead: &'static str) -> Result<(), UsageError> {
        let PaceArgs { duration, requests, until_ci, .. } = &self.pace;
        if duration.is_none() && requests.is_none() && until_ci.is_none() {
            return Ok(());
        }
        Err(UsageError::Decided { flags: "-d, -n and --until-ci", instead })
    }

    /// Refuses flags that say how often to ask, likewise.
    pub(super) fn refuse_rate(&self, instead: &'static str) -> Result<(), UsageError> {
        let PaceArgs { rate, ramp, trace, .. } = &self.pace;
        if rate.is_none() && ramp.is_none() && trace.is_none() {
            return Ok(());
        }
        Err(UsageError::Decided { flags: "--rate, --ramp and --trace", instead })
    }

    /// How the requests of an open loop are spaced.
    pub(super) fn arrivals(&self) -> Arrivals {
        self.pace.arrivals.into()
    }

    /// The options that follow.
    pub(super) fn options(&self, target: &Target) -> Result<LoadOptions, UsageError> {
        let cores = self.cores.as_deref().map(affinity::parse).transpose()?.unwrap_or_default();
        let threads = cores.len().max(1);
        if usize::try_from(self.connections).is_ok_and(|connections| connections < threads) {
            return Err(UsageError::Connections { connections: self.connections, cores: threads });
        }
        let pace = &self.pace;
        if pace.interval.is_zero() || pace.timeout.is_zero() {
            return Err(UsageError::Zero);
        }
        let stop = pace.stop();
        Ok(LoadOptions {
            target: target.clone(),
            work: self.work(target)?,
            connections: self.connections,
            depth: self.pipeline,
            pace: pace.load_pace(stop.duration)?,
            timeout: pace.timeout,
            grace: pace.grace,
            connect_ramp: pace.connect_ramp,
            interval: pace.interval,
            cores,
            engine: self.engine.map_or(EngineChoice::Auto, EngineChoice::Exactly),
            congestion_control: self.congestion_control.clone(),
            sources: self.sources.clone().map(|Sources(addresses)| addresses).unwrap_or_default(),
            seed: pace.seed,
            calibration: if pace.no_calibration { Duration::ZERO } else { CALIBRATION },
            stop,
        })
    }

    fn work(&self, target: &Target) -> Result<Work, UsageError> {
        match target.scheme {
            Scheme::Http => self.http.request(target).map(Work::Http),
            Scheme::Tcp => self.raw.request(self.http.close).map(Work::Raw),
        }
    }
}

impl PaceArgs {
    fn stop(&self) -> Stop {
        let Self { duration, requests, until_ci, .. } = *self;
        let told = duration.is_some() || requests.is_some() || until_ci.is_some();
        let duration = if told || self.trace.is_some() { duration } else { Some(DURATION_DEFAULT) };
        Stop { duration, requests, precision: until_ci }
    }

    fn load_pace(&self, duration: Option<Duration>) -> Result<LoadPace, UsageError> {
        let arrivals = self.arrivals.into();
        if let Some(path) = &self.trace {
            return read_trace(path).map(LoadPace::Trace);
        }
        if let Some((from, to)) = self.ramp {
            let ramp = duration.ok_or(UsageError::Ramp)?;
            return Ok(LoadPace::Open { rate: Rate { from, to, ramp }, arrivals });
        }
        Ok(match self.rate {
            Some(rate) => LoadPace::Open { rate: Rate::steady(rate), arrivals },
            None => LoadPace::Closed,
        })
    }
}

impl HttpArgs {
    fn request(&self, target: &Target) -> Result<HttpRequest, UsageError> {
        let body = match (&self.body, &self.body_file) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(path)) => Some(read(path)?),
            (None, None) => None,
        };
        let method = self.method.unwrap_or(match body {
            Some(_) => Method::Post,
            None => Method::Get,
        });
        let body = body.map(|bytes| match self.template {
            true => BodyTemplate::parse(&bytes),
            false => Ok(BodyTemplate::literal(bytes)),
        });
        Ok(HttpRequest {
            method,
            path: target.path.clone(),
            host: target.authority.clone(),
            headers: self.headers.clone(),
            body: body.transpose()?,
            close: self.close,
            backoff: self.backoff,
        })
    }
}

impl RawArgs {
    fn request(&self, close: bool) -> Result<RawRequest, UsageError> {
        let send = match (&self.send_hex, &self.send_file) {
            (Some(Bytes(bytes)), _) => bytes.clone(),
            (None, Some(path)) => read(path)?,
            (None, None) => Vec::new(),
        };
        let expect = match (&self.expect_bytes, &self.expect_until) {
            (Some(bytes), _) => AnswerEnd::Bytes(*bytes),
            (None, Some(Bytes(end))) if !end.is_empty() => AnswerEnd::Until(end.clone()),
            _ => return Err(UsageError::Raw),
        };
        if send.is_empty() { Err(UsageError::Raw) } else { Ok(RawRequest { send, expect, close }) }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, UsageError> {
    fs::read(path).map_err(|error| UsageError::File { path: path.to_owned(), error })
}

/// Reads instants in seconds, one a line; empty lines and those that begin with `#` are skipped.
fn read_trace(path: &Path) -> Result<Arc<[Duration]>, UsageError> {
    let text = read(path)?;
    let mut instants: Vec<Duration> = Vec::new();
    for (line, content) in (1..).zip(String::from_utf8_lossy(&text).lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let seconds = content.parse().ok();
        let instant = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match instant.filter(|instant| instants.last().is_none_or(|last| last <= instant)) {
            Some(instant) => instants.push(instant),
            None => return Err(UsageError::Trace { path: path.to_owned(), line }),
        }
    }
    if instants.is_empty() || instants.len() > TRACE_INSTANTS_MAX {
        return Err(UsageError::TraceLength { path: path.to_owned(), instants: instants.len() });
    }
    Ok(instants.into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        target: Target,
        #[command(flatten)]
        run: RunArgs,
    }

    fn options(line: &str) -> Result<LoadOptions, String> {
        let words = ["load"].into_iter().chain(line.split(' '));
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.run.options(&line.target).map_err(|error| error.to_string())
    }

    #[test]
    fn a_plain_url_is_a_closed_loop_of_ten_seconds() {
        let options = options("http://localhost/x").unwrap();
        assert_eq!(options.pace, LoadPace::Closed);
        assert_eq!(options.stop.duration, Some(DURATION_DEFAULT));
        let Work::Http(request) = options.work else { panic!("HTTP") };
        assert_eq!((request.method, request.path.as_str()), (Method::Get, "/x"));
    }

    #[test]
    fn arguments_reach_their_options() {
        let options =
            options("http://h -c 9 -p 4 -n 5 -r 100 --arrivals poisson -m put -b {counter} --template --until-ci p99:3%")
                .unwrap();
        assert_eq!((options.connections, options.depth), (9, 4));
        assert_eq!(options.stop.requests, Some(5));
        assert_eq!(options.stop.precision, Some(Precision { quantile: 0.99, width: 0.03 }));
        let rate = Rate::steady(100.0);
        assert_eq!(options.pace, LoadPace::Open { rate, arrivals: Arrivals::Poisson });
        let Work::Http(request) = options.work else { panic!("HTTP") };
        assert_eq!(request.method, Method::Put);
        assert!(!request.body.unwrap().is_literal());
    }

    #[test]
    fn sources_are_addresses_and_ranges_of_them() {
        let check = |text: &str, expected: &[&str]| {
            let expected: Vec<IpAddr> = expected.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(options(&format!("http://h --source {text}")).unwrap().sources, expected);
        };
        check("10.0.0.5", &["10.0.0.5"]);
        check("10.0.0.5,::1", &["10.0.0.5", "::1"]);
        check("127.0.0.255-127.0.1.1", &["127.0.0.255", "127.0.1.0", "127.0.1.1"]);
        check("fe80::1-fe80::2,10.0.0.5", &["fe80::1", "fe80::2", "10.0.0.5"]);
        for wrong in ["", "10.0.0", "10.0.0.1-::1", "10.0.0.0-10.255.0.0", "10.0.0.1,"] {
            let error = options(&format!("http://h --source {wrong}")).unwrap_err();
            assert!(error.contains("not addresses"), "{wrong}: {error}");
        }
    }

    #[test]
    fn raw_requests_have_bytes_and_an_end() {
        let options = options(r"tcp://h:1 --send-hex 0aFF --expect-until \r\n").unwrap();
        let expect = AnswerEnd::Until(b"\r\n".to_vec());
        let request = RawRequest { send: vec![0x0a, 0xff], expect, close: false };
        assert_eq!(options.work, Work::Raw(request));
    }

    #[test]
    fn a_trace_is_read_and_must_be_sorted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display();
        fs::write(file.path(), "# seconds\n0.5\n\n0.5\n2\n").unwrap();
        let pace = options(&format!("http://h --trace {path}")).unwrap().pace;
        let expected = [500, 500, 2_000].map(Duration::from_millis);
        assert_eq!(pace, LoadPace::Trace(expected.into()));
        fs::write(file.path(), "2\n1\n").unwrap();
        let error = options(&format!("http://h --trace {path}")).unwrap_err();
        assert!(error.contains("line 2"), "{error}");
        fs::write(file.path(), "").unwrap();
        assert!(options(&format!("http://h --trace {path}")).unwrap_err().contains("has 0"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        let check = |line: &str, part: &str| {
            let error = options(line).map(|_| ()).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        };
        check("https://h", "http://host");
        check("http://h -c 0", "0 is not in 1..");
        check("http://h -d 5", "with its unit");
        check("http://h -r 0", "above zero");
        check("http://h -r 5 --ramp 1:2", "cannot be used with");
        check("http://h -n 5 --ramp 1:2", "needs -d");
        check("http://h -c 1 --cores 0,1", "at least one to each");
        check("http://h -H host:x", "follows from the URL");
        check("http://h -H a\u{1}b:x", "no header's name");
        check("http://h --interval 0s", "above zero");
        check("http://h --source 127.0.0.9-127.0.0.1", "not addresses");
        check("http://h --until-ci 2", "not a width");
        check("http://h --body-file /does/not/exist", "cannot read");
        check("tcp://h:1 --send-hex 00", "--expect-bytes");
        check("tcp://h:1 --send-hex 0 --expect-bytes 1", "odd number");
        check("tcp://h:1 --expect-bytes 1", "--send-hex");
        check("http://h -b {random:9} --template --body-file x", "cannot be used with");
        check("http://h -b {random:x} --template", "needs two lengths");
    }
}
