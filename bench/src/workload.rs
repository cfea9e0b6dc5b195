//! Who asks for what, and how often: a workload as data, and the requests that follow from it and a seed.
//!
//! A workload is a small TOML file; [`Workload::original`] is one that is built in and serves as the example.
//! The requests of one client depend on the seed, its customer and its number only, never on timing, so
//! that every strategy is asked the same things. Sending them is not this module's business.

pub mod distribution;
pub mod invalid;
pub mod text;

use serde::{Deserialize, Serialize};

use crate::limits::{CONNECTIONS_PER_CORE_MAX, CUSTOMERS_MAX, SEQUENCES_PER_REQUEST_MAX};
use crate::random::Random;
use distribution::Distribution;
use invalid::{Invalid, Reason, Step, WorkloadError};
use text::{Label, TextProfile};

/// The customers that are played together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// What reports call it.
    pub name: String,
    /// One or two sentences for the reader of a report.
    #[serde(default)]
    pub description: String,
    /// Who asks.
    #[serde(rename = "customer")]
    pub customers: Vec<Customer>,
}

/// One customer: a number of like clients that share a name, and so share a place in the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// Sent as `X-Customer-Id`.
    pub name: String,
    /// When its clients ask.
    pub pace: Pace,
    /// How many texts stand in one request.
    pub sequences: Distribution,
    /// What the texts are.
    #[serde(rename = "text")]
    pub texts: Vec<TextProfile>,
}

/// When a customer asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Pace {
    /// Each client waits for its answer, pauses, and asks again: a slow server is asked less.
    Closed {
        /// The pause, in milliseconds.
        think_ms: Distribution,
        /// How many clients do so side by side.
        #[serde(default = "one_client")]
        clients: u32,
    },
    /// Requests come when they come, however slow the server is.
    Open {
        /// Requests per second, on average.
        rate_per_second: f64,
        /// How they are spaced.
        #[serde(default)]
        arrivals: Arrivals,
        /// How many may be under way at once; the others wait, and their waiting counts.
        #[serde(default = "default_clients")]
        clients: u32,
    },
}

fn one_client() -> u32 {
    1
}

fn default_clients() -> u32 {
    64
}

/// How the requests of an open loop are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// As from very many independent clients: exponential gaps.
    #[default]
    Poisson,
    /// Gaps anywhere from none to twice the mean.
    Uniform,
}

impl Arrivals {
    /// The next gap, in units of the mean gap.
    pub fn gap(self, random: &mut Random) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Poisson => random.exponential(),
            Self::Uniform => 2.0 * random.unit(),
        }
    }
}

impl Workload {
    /// A file in which everything that a workload may say is explained.
    pub const EXAMPLE: &str = include_str!("../workloads/example.toml");

    /// The two customers of the system that Ringyard reimplements.
    #[must_use]
    pub fn original() -> Self {
        Self::from_toml(include_str!("../workloads/original.toml"))
            .expect("the built-in workload is valid; a test reads it")
    }

    /// Reads a workload file.
    ///
    /// # Errors
    ///
    /// [`WorkloadError`] says what in the file cannot be used, and in which line.
    pub fn from_toml(text: &str) -> Result<Self, WorkloadError> {
        let workload: Self = toml::from_str(text)?;
        workload.validate().map_err(|invalid| invalid.in_text(text))?;
        Ok(workload)
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    ///
    /// [`Invalid`] says what cannot be used.
    pub fn validate(&self) -> Result<(), Invalid> {
        let customers = Step::Key("customer");
        if self.customers.is_empty() || self.customers.len() > CUSTOMERS_MAX {
            let reason = Reason::CustomerCount(self.customers.len());
            return Err(Invalid { place: vec![customers], reason });
        }
        for (index, customer) in self.customers.iter().enumerate() {
            let place = [customers, Step::Entry(index)];
            let repeated = self.customers[..index].iter().any(|other| other.name == customer.name);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if repeated || customer.name.is_empty() || !customer.name.bytes().all(plain) {
                let reason = Reason::CustomerName(customer.name.clone());
                return Err(Invalid { place: vec![Step::Key("name")], reason }.within(&place));
            }
            customer.validate().map_err(|invalid| invalid.within(&place))?;
        }
        Ok(())
    }
}

impl Customer {
    fn validate(&self) -> Result<(), Invalid> {
        use Step::{Entry, Key};
        let check = |field, place: &[Step], distribution: &Distribution| {
            distribution.validate().map_err(|error| {
                let customer = self.name.clone();
                let reason = Reason::Distribution { customer, field, error };
                Invalid { place: place.to_vec(), reason }
            })
        };
        let (pace, clients) = match &self.pace {
            Pace::Closed { think_ms, clients } => {
                let pace = [Key("pace"), Key("closed")];
                check("think_ms", &[&pace[..], &[Key("think_ms")]].concat(), think_ms)?;
                (pace, *clients)
            }
            Pace::Open { rate_per_second, clients, .. } => {
                let pace = [Key("pace"), Key("open")];
                let rate = Distribution::Constant(*rate_per_second);
                let place = [&pace[..], &[Key("rate_per_second")]].concat();
                check("rate_per_second", &place, &rate)?;
                (pace, if *rate_per_second > 0.0 { *clients } else { 0 })
            }
        };
        if !(1..=CONNECTIONS_PER_CORE_MAX).contains(&clients) {
            let reason = Reason::Pace(self.name.clone());
            return Err(Invalid { place: pace.to_vec(), reason });
        }
        check("sequences", &[Key("sequences")], &self.sequences)?;
        for (index, text) in self.texts.iter().enumerate() {
            let place = |field| [Key("text"), Entry(index), Key(field)];
            check("text.weight", &place("weight"), &Distribution::Constant(text.weight))?;
            check("text.times", &place("times"), &text.times)?;
            if let Some(cut) = &text.cut {
                check("text.cut", &place("cut"), cut)?;
            }
        }
        if self.texts.iter().map(|text| text.weight).sum::<f64>() > 0.0 {
            Ok(())
        } else {
            let reason = Reason::NoText(self.name.clone());
            Err(Invalid { place: vec![Key("text")], reason })
        }
    }

    /// The clients that it has, each with one connection.
    #[must_use]
    pub fn clients(&self) -> u32 {
        match self.pace {
            Pace::Closed { clients, .. } | Pace::Open { clients, .. } => clients,
        }
    }

    /// The texts of one request, drawn anew into `content`.
    pub fn draw(&self, random: &mut Random, content: &mut Content) {
        content.clear();
        let count = self.sequences.draw_count(random, 1, SEQUENCES_PER_REQUEST_MAX);
        for _ in 0..count {
            let start = content.text.len();
            let characters = self.draw_kind(random).write(random, &mut content.text);
            content.ends.push(content.text.len());
            content.labels.push(Label::of(&content.text[start..]));
            content.characters_max = content.characters_max.max(characters);
        }
    }

    fn draw_kind(&self, random: &mut Random) -> &TextProfile {
        let total: f64 = self.texts.iter().map(|text| text.weight).sum();
        let mut left = random.unit() * total;
        for kind in &self.texts {
            left -= kind.weight;
            if left < 0.0 {
                return kind;
            }
        }
        let heavy = self.texts.iter().rfind(|kind| kind.weight > 0.0);
        heavy.expect("a validated customer has a text of positive weight")
    }
}

/// What one request says, and what its answer must say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    text: String,
    ends: Vec<usize>,
    labels: Vec<Label>,
    characters_max: u32,
}

impl Content {
    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.labels.clear();
        self.characters_max = 0;
    }

    /// The texts, in order.
    pub fn sequences(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end])
    }

    /// The labels that the texts deserve, in order.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Characters of the longest text: what the request costs.
    #[must_use]
    pub fn characters_max(&self) -> u32 {
        self.characters_max
    }

    /// Appends the JSON body of the request.
    pub fn write_json(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"sequences\": [");
        for (index, sequence) in self.sequences().enumerate() {
            if index > 0 {
                body.extend_from_slice(b", ");
            }
            serde_json::to_writer(&mut *body, sequence)
                .expect("a string is JSON, memory does not fail");
        }
        body.extend_from_slice(b"]}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(customer: &Customer, seed: u64, count: usize) -> Vec<Content> {
        let mut random = Random::new(seed);
        let mut draw = || {
            let mut content = Content::default();
            customer.draw(&mut random, &mut content);
            content
        };
        (0..count).map(|_| draw()).collect()
    }

    #[test]
    fn the_original_customers_are_those_of_the_contract() {
        let workload = Workload::original();
        let [a, b] = workload.customers.as_slice() else { panic!("two customers") };
        for content in drawn(a, 1, 500) {
            assert!((1..=3).contains(&content.sequences().count()));
            for sequence in content.sequences() {
                assert!((5..=15).contains(&sequence.chars().count()), "{sequence}");
                assert!(
                    "def foo(): pass".starts_with(sequence) || "hello world".starts_with(sequence)
                );
            }
        }
        let lengths: Vec<u32> = drawn(b, 1, 2_000).iter().map(Content::characters_max).collect();
        assert!(lengths.iter().all(|length| [116, 558].contains(length)));
        assert!(drawn(b, 1, 500).iter().all(|content| (2..=5).contains(&content.labels().len())));
        assert!(
            drawn(b, 1, 500)
                .iter()
                .all(|content| content.labels().iter().all(|label| *label == Label::Code))
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_requests() {
        let workload = Workload::original();
        assert_eq!(drawn(&workload.customers[0], 9, 50), drawn(&workload.customers[0], 9, 50));
        assert_ne!(drawn(&workload.customers[0], 9, 50), drawn(&workload.customers[0], 10, 50));
    }

    #[test]
    fn bodies_are_the_json_that_serde_reads() {
        let customer = Customer {
            texts: vec![toml::from_str("head = \"\\\"\\\\\\n\\u0001ä\\U0001f600\"").unwrap()],
            ..Workload::original().customers[0].clone()
        };
        for content in drawn(&customer, 1, 20) {
            let mut body = Vec::new();
            content.write_json(&mut body);
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let texts: Vec<&str> = json["sequences"]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap())
                .collect();
            assert_eq!(texts, content.sequences().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_workload_survives_toml() {
        let workload = Workload::original();
        let text = toml::to_string(&workload).unwrap();
        assert_eq!(Workload::from_toml(&text).unwrap(), workload);
    }

    #[test]
    fn open_loops_have_sensible_defaults() {
        let pace: Pace = toml::from_str("open = { rate_per_second = 5.0 }").unwrap();
        assert_eq!(
            pace,
            Pace::Open { rate_per_second: 5.0, arrivals: Arrivals::Poisson, clients: 64 }
        );
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_place() {
        let check = |change: fn(&mut Workload), part: &str| {
            let mut workload = Workload::original();
            change(&mut workload);
            let message = workload.validate().unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        };
        check(|workload| workload.customers.clear(), "1 to 64 customers, not 0");
        check(|workload| workload.customers[1].name = "A".into(), "`A` is empty, repeated");
        check(|workload| workload.customers[0].name = "a\r\nb".into(), "is empty, repeated");
        check(|workload| workload.customers[0].texts.clear(), "at least one text");
        check(
            |workload| workload.customers[0].sequences = Distribution::Uniform(3.0, 1.0),
            "customer `A`, `sequences`: uniform from 3 to 1",
        );
        check(
            |workload| {
                workload.customers[1].pace =
                    Pace::Closed { think_ms: Distribution::Constant(1.0), clients: 0 };
            },
            "customer `B` needs 1 to",
        );
    }

    #[test]
    fn a_wrong_file_is_refused_with_the_line() {
        let check = |from: &str, to: &str, line: usize, part: &str| {
            let text = include_str!("../workloads/original.toml");
            assert!(text.contains(from), "{from}");
            let message = Workload::from_toml(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(message.contains(&format!("line {line}")), "{from} {to}: {message}");
            assert!(message.contains(part), "{message}");
        };
        check("name = \"original\"", "name = ", 4, "string values must be quoted");
        check("description", "descripton", 5, "unknown field `descripton`");
        check("uniform = [1, 3]", "unifrom = [1, 3]", 10, "unknown variant `unifrom`");
        check("uniform = [1, 3]", "uniform = [3, 1]", 10, "uniform from 3 to 1 is empty");
        check("constant = 330", "constant = -1", 9, "customer `A`, `think_ms`: -1 is not");
        check("uniform = [5, 15]", "uniform = [5, 1]", 14, "`text.cut`: uniform from 5 to 1");
        check("name = \"B\"", "name = \"A\"", 21, "`A` is empty, repeated");
        check("{ constant = 670 } }", "{ constant = 670 }, clients = 0 }", 22, "needs 1 to");
        check(
            "times = { constant = 20 }",
            "times = { pareto = { min = 1, alpha = 0 } }",
            29,
            "alpha",
        );
    }

    #[test]
    fn the_workloads_that_come_with_the_project_can_be_played() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            names.push(Workload::from_toml(&text).unwrap().name);
        }
        names.sort();
        assert_eq!(names, ["example", "original"]);
    }
}
