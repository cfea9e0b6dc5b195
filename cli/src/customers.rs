//! The file that says what customers are entitled to, and its way to the proxy while that serves.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use ringyard_scheduler::CustomerTerms;
use ringyard_scheduler::limits::TIERS;
use ringyard_servers::limits::CUSTOMER_NAME_BYTES_MAX;
use ringyard_servers::proxy::{Books, CustomerBook, Entitlement, Rate};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// Why a file of customers is not followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CustomersError {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    Wrong { path: PathBuf, error: Box<toml::de::Error> },
}

/// Reads a file of customers.
pub(crate) fn read(path: &Path) -> Result<CustomerBook, CustomersError> {
    let text = fs::read_to_string(path)
        .map_err(|error| CustomersError::Unreadable { path: path.to_owned(), error })?;
    parse(&text)
        .map_err(|error| CustomersError::Wrong { path: path.to_owned(), error: error.into() })
}

fn parse(text: &str) -> Result<CustomerBook, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    let mut deadlines = [None; TIERS];
    for (deadline, tier) in deadlines.iter_mut().zip(file.tier) {
        *deadline = tier.deadline;
    }
    let named = file.customers.into_iter().map(|(name, customer)| (name.0, customer.into()));
    Ok(CustomerBook { others: file.others.into(), named: named.collect(), deadlines })
}

/// The file: what each customer may have, what those not named may have, and what tiers promise.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    others: Others,
    customers: BTreeMap<Name, Customer>,
    #[serde(deserialize_with = "tiers")]
    tier: Vec<Tier>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Others {
    weight: Option<NonZeroU32>,
    #[serde(deserialize_with = "tier_number")]
    tier: u8,
    max_requests: Option<NonZeroU32>,
    max_bytes: Option<NonZeroUsize>,
    #[serde(deserialize_with = "duration")]
    max_work: Option<Duration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Customer {
    weight: Option<NonZeroU32>,
    #[serde(deserialize_with = "tier_number")]
    tier: u8,
    max_requests: Option<NonZeroU32>,
    max_bytes: Option<NonZeroUsize>,
    #[serde(deserialize_with = "duration")]
    max_work: Option<Duration>,
    #[serde(deserialize_with = "interval")]
    requests_per_second: Option<Duration>,
    burst: Option<NonZeroU32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tier {
    #[serde(deserialize_with = "duration")]
    deadline: Option<Duration>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Name(#[serde(deserialize_with = "name")] Box<str>);

impl From<Others> for Entitlement {
    fn from(others: Others) -> Self {
        Self {
            terms: terms(others.weight, others.tier),
            requests_max: others.max_requests.map(NonZeroU32::get),
            bytes_max: others.max_bytes.map(NonZeroUsize::get),
            work_max: others.max_work,
            rate: None,
        }
    }
}

impl From<Customer> for Entitlement {
    fn from(customer: Customer) -> Self {
        let burst = customer.burst.map_or(1, NonZeroU32::get);
        Self {
            terms: terms(customer.weight, customer.tier),
            requests_max: customer.max_requests.map(NonZeroU32::get),
            bytes_max: customer.max_bytes.map(NonZeroUsize::get),
            work_max: customer.max_work,
            rate: customer.requests_per_second.map(|interval| Rate { interval, burst }),
        }
    }
}

fn terms(weight: Option<NonZeroU32>, tier: u8) -> CustomerTerms {
    CustomerTerms::new(weight.map_or(1, NonZeroU32::get), tier)
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<str>, D::Error> {
    let name = Box::<str>::deserialize(deserializer)?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if (1..=CUSTOMER_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(token) {
        Ok(name)
    } else {
        let limit = CUSTOMER_NAME_BYTES_MAX;
        Err(D::Error::custom(format!("a customer's name is a token of at most {limit} characters")))
    }
}

fn tier_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let tier = u8::deserialize(deserializer)?;
    if usize::from(tier) < TIERS {
        Ok(tier)
    } else {
        Err(D::Error::custom(format!("a tier is a number from 0 to {}", TIERS - 1)))
    }
}

fn tiers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Tier>, D::Error> {
    let tiers = Vec::deserialize(deserializer)?;
    if tiers.len() <= TIERS {
        Ok(tiers)
    } else {
        Err(D::Error::custom(format!("there are {TIERS} tiers")))
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(D::Error::custom)
}

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let rate = f64::deserialize(deserializer)?;
    let interval = (rate > 0.0).then(|| Duration::try_from_secs_f64(1.0 / rate).ok()).flatten();
    match interval {
        Some(interval) if !interval.is_zero() => Ok(Some(interval)),
        _ => Err(D::Error::custom("a rate is a number above 0")),
    }
}

/// Books on their way from whoever reads the file to the core that owns the queue: the newest only.
#[derive(Clone, Debug)]
pub(crate) struct Handover(Arc<ArrayQueue<CustomerBook>>);

impl Handover {
    pub(crate) fn new() -> Self {
        Self(Arc::new(ArrayQueue::new(1)))
    }

    /// Hands over a book, in place of one not yet taken.
    pub(crate) fn give(&self, book: CustomerBook) {
        self.0.force_push(book);
    }
}

impl Books for Handover {
    fn take(&self) -> Option<CustomerBook> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_understood() {
        let book = parse(
            r#"
            [others]
            max_requests = 10
            tier = 1

            [customers.A]
            weight = 4
            max_bytes = 65_536
            max_work = "2s"
            requests_per_second = 20
            burst = 5

            [[tier]]
            deadline = "500ms"

            [[tier]]
            "#,
        );
        let book = book.unwrap();
        assert_eq!(book.of("A").terms, CustomerTerms::new(4, 0));
        assert_eq!(book.of("A").rate, Some(Rate { interval: Duration::from_millis(50), burst: 5 }));
        assert_eq!(book.of("A").bytes_max, Some(65_536));
        assert_eq!(book.of("A").work_max, Some(Duration::from_secs(2)));
        assert_eq!(book.of("B").requests_max, Some(10));
        assert_eq!(book.of("B").terms, CustomerTerms::new(1, 1));
        assert_eq!(book.deadline(0), Some(Duration::from_millis(500)));
        assert_eq!(book.deadline(1), None);
        assert_eq!(parse("").unwrap(), CustomerBook::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, line, what) in [
            ("[customers.A]\nweight = 0", 2, "nonzero"),
            ("\n[customers.A]\ntier = 8", 3, "from 0 to 7"),
            ("[customers.A]\nwait = 1", 2, "unknown field"),
            ("[customers.\"a b\"]\nweight = 1", 1, "token"),
            ("[customers.A]\nburst = 1\nrequests_per_second = 0", 3, "above 0"),
            ("[customers.A]\nmax_bytes = 0", 2, "nonzero"),
            ("[customers.A]\nmax_work = \"much\"", 2, "number"),
            ("[[tier]]\ndeadline = \"soon\"", 2, "number"),
            ("[others\n", 1, ""),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("line {line},")), "{error}");
            assert!(error.contains(what), "{error}");
        }
    }
}
