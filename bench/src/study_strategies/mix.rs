//! A mix of requests as data: whose they are, how long, how many, and at which loads to try them.
//!
//! A user writes one as TOML; the mixes that come with the study are such files themselves. Milliseconds are those of
//! the backend, where a request of 1,000 characters costs one second unless the mix says otherwise.

use std::time::Duration;

use ringyard_scheduler::StrategyKind;
use ringyard_scheduler::cost::{CostChoice, CostKind, CostModel};
use ringyard_scheduler::{CustomerId, JobSpec};
use ringyard_time::Time;
use serde::{Deserialize, Serialize};

use crate::limits::{CUSTOMERS_MAX, TEXT_CHARACTERS_MAX};
use crate::random::Random;
use crate::workload::distribution::{Distribution, DistributionError};

/// The mixes that come with the study.
const BUILT_IN: [&str; 4] = [
    include_str!("mixes/bimodal.toml"),
    include_str!("mixes/heavy_tailed.toml"),
    include_str!("mixes/flood.toml"),
    include_str!("mixes/crowding.toml"),
];

/// Requests of one burst, at most.
const BURST_MAX: u32 = 4_096;

/// Requests a second of one class at most, and times that a load may multiply them.
const RATE_MAX: f64 = 1e6;

/// What is asked of the backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Its name.
    pub name: String,
    /// What it is, in a line.
    #[serde(default)]
    pub about: String,
    /// Sequences that a batch may hold. Default 8.
    #[serde(default = "batch_sequences_default")]
    pub batch_sequences_max: u32,
    /// The loads to try, as multiples of the rates below. Default 1.
    #[serde(default = "loads_default")]
    pub loads: Vec<f64>,
    /// The strategies that the mix is meant for, by name. Default: all.
    #[serde(default)]
    pub strategies: Vec<String>,
    /// What a batch costs. Default: the square of its longest sequence, in microseconds.
    #[serde(default)]
    pub cost: CostTerms,
    /// Who asks.
    pub customers: Vec<Customer>,
}

/// The cost model of a mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CostTerms {
    /// `quadratic`, `linear`, `affine` or `constant`.
    pub kind: String,
    /// Nanoseconds per unit of what the cost grows with.
    pub slope_ns: f64,
    /// Nanoseconds per batch.
    pub intercept_ns: f64,
}

impl Default for CostTerms {
    fn default() -> Self {
        Self { kind: CostKind::Quadratic.name().to_owned(), slope_ns: 1_000.0, intercept_ns: 0.0 }
    }
}

/// One who asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Its name.
    pub name: String,
    /// Its share under the fair strategies. Default 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// Its tier under `tiers`, lower first. Default 0.
    #[serde(default)]
    pub tier: u8,
    /// What it asks.
    pub classes: Vec<Class>,
}

/// Requests of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// How many come in a second at load 1, bursts counted by their requests.
    pub requests_per_second: f64,
    /// Characters of a request's one sequence.
    pub length: Distribution,
    /// Requests that come at the same instant. Default 1, which makes arrivals Poisson.
    #[serde(default = "one")]
    pub burst: u32,
    /// What a request's waiting counts under `wspt`. Default 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// How soon it should be answered. Default: whenever.
    #[serde(default)]
    pub deadline_ms: Option<f64>,
}

fn batch_sequences_default() -> u32 {
    8
}

fn loads_default() -> Vec<f64> {
    vec![1.0]
}

fn one() -> u32 {
    1
}

/// What is wrong with a mix.
#[derive(Debug, thiserror::Error)]
pub enum MixError {
    /// Not the TOML of a mix; the message names the line.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// Nothing to choose from.
    #[error("a mix needs at least one of `{0}`")]
    None(&'static str),
    /// A number outside of what can be used.
    #[error("`{name}` must be {allowed}")]
    Number {
        /// Which.
        name: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
    /// A length that cannot be drawn.
    #[error("length of class {class:?}: {source}")]
    Length {
        /// Whose.
        class: String,
        /// Why not.
        source: DistributionError,
    },
    /// A name that no strategy or cost model has.
    #[error("{0}")]
    Unknown(String),
}

impl Mix {
    /// The mixes that come with the study.
    ///
    /// # Panics
    ///
    /// Never: a test reads them all.
    #[must_use]
    pub fn built_in() -> Vec<Self> {
        BUILT_IN.iter().map(|text| Self::from_toml(text).expect("the mix is ours")).collect()
    }

    /// Reads a mix and checks it.
    ///
    /// # Errors
    ///
    /// [`MixError`] names the first thing that is wrong.
    pub fn from_toml(text: &str) -> Result<Self, MixError> {
        let mix: Self = toml::from_str(text)?;
        mix.validate()?;
        Ok(mix)
    }

    fn validate(&self) -> Result<(), MixError> {
        let number = |holds: bool, name, allowed| {
            if holds { Ok(()) } else { Err(MixError::Number { name, allowed }) }
        };
        number(self.batch_sequences_max > 0, "batch_sequences_max", "at least 1")?;
        number((1..=CUSTOMERS_MAX).contains(&self.customers.len()), "customers", "1 to 64")?;
        self.strategies()?;
        self.cost_model()?;
        if self.loads.is_empty() {
            return Err(MixError::None("loads"));
        }
        for load in &self.loads {
            number(*load > 0.0 && *load <= RATE_MAX, "loads", "above 0 and at most 1000000")?;
        }
        if self.classes().next().is_none() {
            return Err(MixError::None("classes"));
        }
        for (_, class) in self.classes() {
            let rate = class.requests_per_second;
            let allowed = "above 0 and at most 1000000";
            number(rate > 0.0 && rate <= RATE_MAX, "requests_per_second", allowed)?;
            number((1..=BURST_MAX).contains(&class.burst), "burst", "1 to 4096")?;
            let deadline = class.deadline_ms.unwrap_or(1.0);
            number(deadline > 0.0 && deadline <= 1e9, "deadline_ms", "above 0, at most 10^9")?;
            class
                .length
                .validate()
                .map_err(|source| MixError::Length { class: class.name.clone(), source })?;
        }
        Ok(())
    }

    /// The strategies that the mix is meant for.
    ///
    /// # Errors
    ///
    /// [`MixError::Unknown`] if one of the names is none.
    pub fn strategies(&self) -> Result<Vec<StrategyKind>, MixError> {
        if self.strategies.is_empty() {
            return Ok(StrategyKind::ALL.to_vec());
        }
        let parse = |name: &String| {
            name.parse().map_err(|error| MixError::Unknown(format!("{name:?}: {error}")))
        };
        self.strategies.iter().map(parse).collect()
    }

    /// What a batch costs.
    ///
    /// # Errors
    ///
    /// [`MixError`] if the kind is none, or a coefficient is not finite.
    pub fn cost_model(&self) -> Result<CostModel, MixError> {
        let CostTerms { kind, slope_ns, intercept_ns } = &self.cost;
        let Ok(CostChoice::Fixed(kind)) = kind.parse() else {
            let names = CostKind::ALL.map(CostKind::name).join(", ");
            return Err(MixError::Unknown(format!("{kind:?}: choose a cost of {names}")));
        };
        if !slope_ns.is_finite() || !intercept_ns.is_finite() {
            return Err(MixError::Number { name: "cost", allowed: "finite" });
        }
        Ok(CostModel::new(kind, *slope_ns, *intercept_ns))
    }

    /// Every class, with the index of its customer.
    pub fn classes(&self) -> impl Iterator<Item = (usize, &Class)> {
        let customers = self.customers.iter().enumerate();
        customers.flat_map(|(index, customer)| customer.classes.iter().map(move |c| (index, c)))
    }

    /// Requests in a second at load 1.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        self.classes().map(|(_, class)| class.requests_per_second).sum()
    }

    /// What comes when, at `load`, without end. A class draws from a stream of its own, so one class comes the same way
    /// whatever the others do.
    #[must_use]
    pub fn arrivals(&self, load: f64, seed: u64) -> Arrivals<'_> {
        let stream = |(index, (customer, class)): (u64, (usize, _))| {
            let mut stream = Stream {
                class,
                customer: CustomerId(u32::try_from(customer).expect("customers are few")),
                load,
                random: Random::stream(seed, index),
                next: Time::ZERO,
                left: 0,
            };
            stream.advance();
            stream
        };
        Arrivals { streams: (0..).zip(self.classes()).map(stream).collect() }
    }
}

/// One request that comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// When.
    pub at: Time,
    /// Which class it is of, counted over all customers.
    pub class: usize,
    /// What the scheduler is told of it; the tag is left to the caller.
    pub spec: JobSpec,
}

/// The requests of a mix in the order in which they come.
#[derive(Clone, Debug)]
pub struct Arrivals<'a> {
    streams: Vec<Stream<'a>>,
}

/// The requests of one class.
#[derive(Clone, Debug)]
struct Stream<'a> {
    class: &'a Class,
    customer: CustomerId,
    load: f64,
    random: Random,
    next: Time,
    /// Requests of the burst at `next` that are still to come.
    left: u32,
}

impl Stream<'_> {
    /// Goes on to the next request.
    fn advance(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return;
        }
        self.left = self.class.burst;
        let bursts_per_second =
            self.class.requests_per_second * self.load / f64::from(self.class.burst);
        self.next += Duration::from_secs_f64(self.random.exponential() / bursts_per_second);
    }

    fn draw(&mut self) -> (Time, JobSpec) {
        let length = self.class.length.draw_count(&mut self.random, 1, TEXT_CHARACTERS_MAX);
        let spec = JobSpec::new(self.customer, 1, length, 0).with_weight(self.class.weight);
        let at = self.next;
        let spec = match self.class.deadline_ms {
            Some(deadline) => spec.with_deadline(at + Duration::from_secs_f64(deadline / 1e3)),
            None => spec,
        };
        self.advance();
        (at, spec)
    }
}

impl Iterator for Arrivals<'_> {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let streams = self.streams.iter_mut().enumerate();
        let (class, stream) = streams.min_by_key(|(index, stream)| (stream.next, *index))?;
        let (at, spec) = stream.draw();
        Some(Arrival { at, class, spec })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixes_that_come_with_the_study_are_sound() {
        assert_eq!(Mix::built_in().len(), BUILT_IN.len());
    }

    #[test]
    fn long_requests_alone_saturate_an_unbatched_backend_at_load_one() {
        let mix = &Mix::built_in()[0];
        let arrivals: Vec<Arrival> = mix.arrivals(1.0, 1).take(400_000).collect();
        let end = arrivals.last().unwrap().at.nanoseconds();
        let long = arrivals.iter().filter(|arrival| arrival.class == 1);
        let cost_us: u64 = long.map(|arrival| u64::from(arrival.spec.longest).pow(2)).sum();
        let load = cost_us as f64 * 1e3 / end as f64;
        assert!((load - 1.0).abs() < 0.02, "{load}");
    }

    #[test]
    fn arrivals_are_in_order_follow_the_seed_and_keep_the_rate() {
        for mix in Mix::built_in() {
            let draw = |seed| mix.arrivals(2.0, seed).take(100_000).collect::<Vec<_>>();
            let arrivals = draw(3);
            assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
            assert_eq!(arrivals, draw(3));
            assert_ne!(arrivals, draw(4));
            let seconds = arrivals.last().unwrap().at.nanoseconds() as f64 / 1e9;
            let rate = 100_000.0 / seconds / (2.0 * mix.requests_per_second());
            assert!((rate - 1.0).abs() < 0.1, "{}: {rate}", mix.name);
        }
    }

    #[test]
    fn a_burst_comes_at_one_instant() {
        let mix = Mix::from_toml(&format!("{CLASS}burst = 3\n")).unwrap();
        let arrivals: Vec<Arrival> = mix.arrivals(1.0, 1).take(9).collect();
        let bursts = arrivals.chunk_by(|a, b| a.at == b.at);
        assert_eq!(bursts.map(<[Arrival]>::len).collect::<Vec<_>>(), [3, 3, 3]);
    }

    const CLASS: &str = "name = \"m\"\n[[customers]]\nname = \"c\"\n[[customers.classes]]\nname = \"k\"\n\
                         requests_per_second = 1\nlength = { constant = 10 }\n";

    #[track_caller]
    fn check_refused(text: &str, message: &str) {
        let error = Mix::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn a_wrong_mix_is_refused_with_what_is_wrong() {
        check_refused("name = 1", "line 1");
        check_refused(&format!("{CLASS}bursts = 3\n"), "unknown field `bursts`");
        check_refused(&format!("{CLASS}burst = 0\n"), "`burst` must be 1 to 4096");
        check_refused(&format!("loads = [0.0]\n{CLASS}"), "`loads` must be above 0");
        check_refused(&format!("loads = []\n{CLASS}"), "at least one of `loads`");
        check_refused(&format!("strategies = [\"lifo\"]\n{CLASS}"), "unknown strategy");
        check_refused(&format!("cost = {{ kind = \"cubic\" }}\n{CLASS}"), "choose a cost of");
        check_refused(&CLASS.replace("constant = 10", "constant = -1"), "length of class \"k\"");
        check_refused("name = \"m\"\ncustomers = []\n", "`customers` must be");
    }
}
