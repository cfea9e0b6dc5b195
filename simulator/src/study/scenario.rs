//! What is simulated: worlds, pickers and how many runs, read from TOML.
//!
//! A file holds defaults and a list of scenarios; every setting that a scenario leaves out comes from the file's
//! defaults, then from the profile's. A wrong file is refused with the line that is wrong. The built-in
//! scenarios are such files too (`catalogue`).

use ringyard_scheduler::balance::{Aggregate, Cost, RACERS_MAX, ServerCost, Unknown};
use serde::Deserialize;
use toml::Spanned;

use super::arrivals::Arrivals;
use super::policy::PickerConfig;
use super::profile::{Profile, Rules};

/// A parameter of a gamma law: its mean and its "variance" argument.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The variance argument.
    pub variance: f64,
}

/// Which servers a client connects to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subsetting {
    /// Drawn at random, with or without replacement as the profile has it.
    #[default]
    Random,
    /// The best ranked by rendezvous hashing: the same in every run, without repeats.
    Rendezvous,
}

/// What a channel without data is worth to least-cost pickers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UnknownText {
    Best,
    Average,
    Worst,
}

/// One world and everything that happens in it, all settings resolved.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct World {
    /// Which revision's rules hold.
    pub profile: Profile,
    /// The rules in detail.
    #[serde(skip)]
    pub rules: Rules,
    /// Servers.
    pub servers: usize,
    /// Clients.
    pub clients: usize,
    /// Channels per client; `None` for one to every server.
    pub subset_size: Option<usize>,
    /// Requests per server and tick.
    pub rate: f64,
    /// Which servers a client connects to.
    pub subsetting: Subsetting,
    /// How requests arrive.
    pub arrivals: Arrivals,
    /// How long a tick is to policies that reckon in seconds.
    pub tick_seconds: f64,
    /// Ticks during which requests arrive.
    pub total_ticks: u32,
    /// Mean of the servers' mean processing times, ticks.
    pub mean_processing_time: f64,
    /// Processing time of a probe, ticks.
    pub probe_processing_time: u32,
    /// A channel's own part of the delay.
    pub channel_rtt: Spread,
    /// A server's part of the delay.
    pub server_rtt: Spread,
    /// Mean size of a server's thread pool.
    pub mean_threads: f64,
    /// Chance that a channel resets, per tick.
    pub network_reset_probability: f64,
    /// Chance that a server resets, per tick.
    pub server_reset_probability: f64,
    /// Ticks added to the first request of a channel on a server.
    pub cold_channel_penalty: u32,
    /// Ticks remembered by a server's windows.
    pub server_state_buffer: usize,
    /// Requests remembered by a channel, and healths by a hot/cold policy.
    pub client_requests_buffer: usize,
    /// Weight of the moving averages in recorded rows.
    pub ewma_weight: f64,
    /// Ticks that the world may go on after the last arrival.
    pub max_cooldown: u32,
    /// Completions are recorded on every tick that this divides.
    pub data_frequency: u32,
}

impl World {
    /// Channels of each client.
    #[must_use]
    pub fn channels_per_client(&self) -> usize {
        match self.subset_size {
            Some(size) if self.draws_distinct() => size.min(self.servers),
            Some(size) => size,
            None => self.servers,
        }
    }

    /// Whether a client's servers are all different.
    fn draws_distinct(&self) -> bool {
        self.rules.distinct_subset || self.subsetting == Subsetting::Rendezvous
    }

    /// The last tick of warming up.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the number of ticks")]
    pub fn warm_period(&self) -> u32 {
        let means = self.channel_rtt.mean + self.server_rtt.mean + self.mean_processing_time;
        (3.0 * means).min(f64::from(self.total_ticks) / 2.0) as u32
    }

    /// The number of requests of the fixed plan: half-way cases round to even.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a count far below 2^52")]
    pub fn requests(&self) -> usize {
        (self.rate * self.servers as f64 * f64::from(self.total_ticks)).round_ties_even() as usize
    }

    /// `target * threads / (processing + probes * probe_processing)`: the rate for a target utilisation.
    #[must_use]
    pub fn rate_for(&self, target: f64, probes_per_request: f64) -> f64 {
        let work = probes_per_request
            .mul_add(f64::from(self.probe_processing_time), self.mean_processing_time);
        target * self.mean_threads / work
    }
}

/// A named experiment: a world, a picker, and how often to run it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Scenario {
    /// Its unique name.
    pub name: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// The picker.
    pub picker: PickerConfig,
    /// Probes sent along with each request, at most as many as there are idle channels.
    pub probes_per_request: Option<f64>,
    /// Channels drawn with replacement at arrival for the picker to choose from.
    pub choose_from: Option<usize>,
    /// Runs in a study.
    pub runs: u32,
    /// The world.
    pub world: World,
}

/// A scenario file that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is not TOML, or has an unknown or ill-typed setting.
    #[error("{file}: {message}")]
    Syntax {
        /// The file's name.
        file: String,
        /// What is wrong and where, with the line itself.
        message: String,
    },
    /// A scenario cannot be simulated.
    #[error("{file}: line {line}: scenario `{scenario}`: {problem}")]
    Unusable {
        /// The file's name.
        file: String,
        /// The line of the scenario's name.
        line: usize,
        /// The scenario.
        scenario: String,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Defaults,
    #[serde(default, rename = "scenario")]
    scenarios: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    profile: Option<Profile>,
    runs: Option<u32>,
    #[serde(default)]
    world: WorldConfig,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    #[serde(default)]
    about: String,
    picker: PickerConfig,
    probes_per_request: Option<f64>,
    choose_from: Option<usize>,
    runs: Option<u32>,
    /// Requests per server and tick.
    rate: Option<f64>,
    /// Or: the utilisation to aim for.
    target_utilization: Option<f64>,
    /// Probes per request that the target allows for.
    #[serde(default)]
    planned_probes_per_request: f64,
    #[serde(default)]
    world: WorldConfig,
}

/// The settings of a world that a file may give.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldConfig {
    servers: Option<usize>,
    clients: Option<usize>,
    /// Zero for a channel to every server.
    subset_size: Option<usize>,
    subsetting: Option<Subsetting>,
    arrivals: Option<Arrivals>,
    tick_seconds: Option<f64>,
    /// Instead of what the profile has.
    unknown: Option<UnknownText>,
    /// Instead of what the profile has.
    probes_warm: Option<bool>,
    total_ticks: Option<u32>,
    mean_processing_time: Option<f64>,
    probe_processing_time: Option<u32>,
    mean_channel_rtt: Option<f64>,
    channel_rtt_variance: Option<f64>,
    mean_server_rtt: Option<f64>,
    server_rtt_variance: Option<f64>,
    mean_threads: Option<f64>,
    network_reset_probability: Option<f64>,
    server_reset_probability: Option<f64>,
    cold_channel_penalty: Option<u32>,
    server_state_buffer: Option<usize>,
    client_requests_buffer: Option<usize>,
    ewma_weight: Option<f64>,
    max_cooldown: Option<u32>,
    data_frequency: Option<u32>,
}

/// The default rate, requests per server and tick.
const RATE: f64 = 2.2;
/// The default number of runs in a study.
const RUNS: u32 = 6;
/// The most entities of one kind, ticks, or runs that a file may ask for.
const COUNT_MAX: usize = 1_000_000;

impl World {
    /// The notebook's defaults under `profile`.
    #[must_use]
    pub fn defaults(profile: Profile) -> Self {
        let rtt = Spread { mean: 2.0, variance: 3.0 };
        Self {
            profile,
            rules: profile.rules(),
            servers: 40,
            clients: 40,
            subset_size: Some(12),
            rate: RATE,
            subsetting: Subsetting::Random,
            arrivals: Arrivals::Fixed,
            tick_seconds: 0.01,
            total_ticks: 500,
            mean_processing_time: 6.0,
            probe_processing_time: 1,
            channel_rtt: rtt,
            server_rtt: rtt,
            mean_threads: 100.0,
            network_reset_probability: 0.002,
            server_reset_probability: 0.002,
            cold_channel_penalty: 10,
            server_state_buffer: 100,
            client_requests_buffer: 100,
            ewma_weight: 0.2,
            max_cooldown: 300,
            data_frequency: 30,
        }
    }

    fn apply(&mut self, config: &WorldConfig) {
        fn set<T: Copy>(field: &mut T, value: Option<T>) {
            *field = value.unwrap_or(*field);
        }
        set(&mut self.servers, config.servers);
        set(&mut self.clients, config.clients);
        let subset_size = config.subset_size.map(|size| Some(size).filter(|size| *size > 0));
        set(&mut self.subset_size, subset_size);
        set(&mut self.subsetting, config.subsetting);
        if let Some(arrivals) = &config.arrivals {
            self.arrivals.clone_from(arrivals);
        }
        set(&mut self.tick_seconds, config.tick_seconds);
        let unknown = config.unknown.map(|unknown| match unknown {
            UnknownText::Best => Unknown::Best,
            UnknownText::Average => Unknown::Average,
            UnknownText::Worst => Unknown::Worst,
        });
        set(&mut self.rules.unknown, unknown);
        set(&mut self.rules.probes_warm, config.probes_warm);
        set(&mut self.total_ticks, config.total_ticks);
        set(&mut self.mean_processing_time, config.mean_processing_time);
        set(&mut self.probe_processing_time, config.probe_processing_time);
        set(&mut self.channel_rtt.mean, config.mean_channel_rtt);
        set(&mut self.channel_rtt.variance, config.channel_rtt_variance);
        set(&mut self.server_rtt.mean, config.mean_server_rtt);
        set(&mut self.server_rtt.variance, config.server_rtt_variance);
        set(&mut self.mean_threads, config.mean_threads);
        set(&mut self.network_reset_probability, config.network_reset_probability);
        set(&mut self.server_reset_probability, config.server_reset_probability);
        set(&mut self.cold_channel_penalty, config.cold_channel_penalty);
        set(&mut self.server_state_buffer, config.server_state_buffer);
        set(&mut self.client_requests_buffer, config.client_requests_buffer);
        set(&mut self.ewma_weight, config.ewma_weight);
        set(&mut self.max_cooldown, config.max_cooldown);
        set(&mut self.data_frequency, config.data_frequency);
    }

    /// The first thing that makes this world impossible to simulate.
    fn problem(&self) -> Option<String> {
        let counts = [
            ("servers", self.servers),
            ("clients", self.clients),
            ("channels per client", self.channels_per_client()),
            ("total_ticks", self.total_ticks as usize),
            ("probe_processing_time", self.probe_processing_time as usize),
            ("server_state_buffer", self.server_state_buffer),
            ("client_requests_buffer", self.client_requests_buffer),
            ("data_frequency", self.data_frequency as usize),
        ];
        let count = counts.iter().find(|(_, count)| !(1..=COUNT_MAX).contains(count));
        if let Some((name, count)) = count {
            return Some(format!("{name} is {count}, but must be 1 to {COUNT_MAX}"));
        }
        let chances = [self.network_reset_probability, self.server_reset_probability];
        if chances.iter().any(|chance| !(0.0..=1.0).contains(chance)) {
            return Some("a probability must be between 0 and 1".to_owned());
        }
        if !(1e-6..=1e3).contains(&self.tick_seconds) {
            return Some("tick_seconds must be between 1e-6 and 1000".to_owned());
        }
        if let Some(problem) = self.arrivals.problem() {
            return Some(problem);
        }
        if !(0.0..=1e6).contains(&self.rate) {
            return Some(format!("the rate {} is not between 0 and 1e6", self.rate));
        }
        let plain = |mean| Spread { mean, variance: super::law::VARIANCE };
        let means = [
            self.channel_rtt,
            self.server_rtt,
            plain(self.mean_threads),
            plain(self.mean_processing_time),
        ];
        let least = |law: &Spread| if self.rules.round_means { 0.0 } else { 1.0 / law.variance };
        let usable = |law: &Spread| law.variance > 0.0 && law.mean > least(law) && law.mean < 1e5;
        let bad = means.iter().find(|law| !usable(law))?;
        Some(format!("a mean of {} with variance {} has no gamma law", bad.mean, bad.variance))
    }
}

/// The scenarios of a file called `file` (for messages) that holds `text`.
///
/// # Errors
/// If the text is not a scenario file, naming the line.
pub fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, ScenarioError> {
    let parsed: File = toml::from_str(text).map_err(|error| ScenarioError::Syntax {
        file: file.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let mut scenarios: Vec<Scenario> = Vec::with_capacity(parsed.scenarios.len());
    for entry in parsed.scenarios {
        let span_start = entry.name.span().start;
        let line = text[..span_start].lines().count().max(1);
        let scenario = resolve(&parsed.defaults, entry);
        let twin = scenarios.iter().any(|other| other.name == scenario.name);
        let twin = twin.then(|| "the name is taken".to_owned());
        if let Some(problem) = twin.or_else(|| scenario.problem()) {
            let (file, scenario) = (file.to_owned(), scenario.name);
            return Err(ScenarioError::Unusable { file, line, scenario, problem });
        }
        scenarios.push(scenario);
    }
    Ok(scenarios)
}

fn resolve(defaults: &Defaults, entry: Entry) -> Scenario {
    let mut world = World::defaults(defaults.profile.unwrap_or_default());
    world.apply(&defaults.world);
    world.apply(&entry.world);
    world.rate = match (entry.rate, entry.target_utilization) {
        (Some(rate), None) => rate,
        (None, Some(target)) => world.rate_for(target, entry.planned_probes_per_request),
        (None, None) => RATE,
        // Both were given; `problem` refuses what is not a number.
        (Some(_), Some(_)) => f64::NAN,
    };
    Scenario {
        name: entry.name.into_inner(),
        about: entry.about,
        picker: entry.picker,
        probes_per_request: entry.probes_per_request,
        choose_from: entry.choose_from,
        runs: entry.runs.or(defaults.runs).unwrap_or(RUNS),
        world,
    }
}

impl Scenario {
    /// Channels that the picker sees.
    #[must_use]
    pub fn channels_seen(&self) -> usize {
        self.choose_from.unwrap_or_else(|| self.world.channels_per_client())
    }

    /// The same scenario under another profile's rules.
    #[must_use]
    pub fn under(mut self, profile: Profile) -> Self {
        self.world.profile = profile;
        self.world.rules = profile.rules();
        self
    }

    fn problem(&self) -> Option<String> {
        if self.world.rate.is_nan() {
            return Some("give either `rate` or `target_utilization`, not both".to_owned());
        }
        if self.runs == 0 || self.runs as usize > COUNT_MAX {
            return Some(format!("runs must be 1 to {COUNT_MAX}"));
        }
        if self.choose_from == Some(0) {
            return Some("choose_from must be at least 1".to_owned());
        }
        if self.choose_from.is_some() && self.picker.learns() {
            return Some("choose_from is for pickers that do not learn from answers".to_owned());
        }
        if self.picker.races() && self.channels_seen() > RACERS_MAX {
            return Some(format!("fastest_probe can race at most {RACERS_MAX} channels"));
        }
        if self.picker == PickerConfig::FastestIdleProbe && !self.world.rules.race_falls_back {
            let text = "under this profile a race without a valid answer ends the run (the original returns \
                        where it means to yield, and takes no server for empty); use profile `fixed`";
            return Some(text.to_owned());
        }
        if !self.world.rules.one_ewma_weight
            && self.world.ewma_weight != Aggregate::WEIGHT
            && self.picker.costs().into_iter().any(reads_ewma)
        {
            let weight = Aggregate::WEIGHT;
            return Some(format!(
                "under this profile costs average with weight {weight} whatever ewma_weight is; use profile `fixed`"
            ));
        }
        if let Some(problem) = self.picker.problem(self.channels_seen()) {
            return Some(problem);
        }
        if self.probes_per_request.is_some_and(|probes| !(0.0..=1e3).contains(&probes)) {
            return Some("probes_per_request must be between 0 and 1000".to_owned());
        }
        self.world.problem()
    }
}

/// Whether a cost reads a moving average.
#[must_use]
pub(super) fn reads_ewma(cost: Cost) -> bool {
    let of_server = |cost| match cost {
        ServerCost::Latency(by) | ServerCost::Queries(by) | ServerCost::Utilization(by) => {
            by == Aggregate::Ewma
        }
        ServerCost::Capacity { queries, utilization }
        | ServerCost::AvailableCapacity { queries, utilization } => {
            queries == Aggregate::Ewma || utilization == Aggregate::Ewma
        }
        ServerCost::InFlight | ServerCost::ExpectedLatency | ServerCost::PidWeight => false,
    };
    match cost {
        Cost::Reported(cost) | Cost::Oracle(cost) => of_server(cost),
        Cost::ClientLatency(by) => by == Aggregate::Ewma,
        Cost::ClientInFlight | Cost::Random => false,
    }
}
