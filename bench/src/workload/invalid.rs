//! What is wrong with a workload, and in which line of its file.
//!
//! Checks work on the data and name the place by keys and numbers; a second look at the text finds the line. So a
//! workload that was made by a program is checked by the same rules as one that was written by hand.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::distribution::DistributionError;
use crate::limits::{CONNECTIONS_PER_CORE_MAX, CUSTOMERS_MAX};

/// Why a file is no workload.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// Not TOML, or not the fields of a workload. The message shows the line.
    #[error("not a workload: {0}")]
    Syntax(#[from] toml::de::Error),
    /// It can be read, but not played.
    #[error("line {line}: {invalid}")]
    Invalid {
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        invalid: Invalid,
    },
}

/// Why a workload cannot be played.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct Invalid {
    /// Where, from the outside in.
    pub place: Vec<Step>,
    /// What is wrong there.
    pub reason: Reason,
}

/// One step on the way to a place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The value of a key.
    Key(&'static str),
    /// An entry of a list, counted from 0.
    Entry(usize),
}

/// What is wrong with a workload.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Reason {
    /// Too few or too many customers.
    #[error("a workload has 1 to {CUSTOMERS_MAX} customers, not {0}")]
    CustomerCount(usize),
    /// The name cannot stand in a header, or stands twice.
    #[error(
        "customer name `{0}` is empty, repeated, or has characters other than letters, digits, `-`, `_` and `.`"
    )]
    CustomerName(String),
    /// A distribution of a customer cannot be drawn from.
    #[error("customer `{customer}`, `{field}`: {error}")]
    Distribution {
        /// Whose.
        customer: String,
        /// Which.
        field: &'static str,
        /// What is wrong.
        error: DistributionError,
    },
    /// A customer sends nothing.
    #[error("customer `{0}` needs at least one text of positive weight")]
    NoText(String),
    /// A rate or a number of clients is out of range.
    #[error(
        "customer `{0}` needs 1 to {CONNECTIONS_PER_CORE_MAX} clients, and in an open loop a rate above zero"
    )]
    Pace(String),
}

impl Invalid {
    /// Adds the steps that lead to where this was found.
    pub(super) fn within(mut self, outer: &[Step]) -> Self {
        self.place.splice(0..0, outer.iter().copied());
        self
    }

    /// The same with the line of `text` in which it stands.
    pub(super) fn in_text(self, text: &str) -> WorkloadError {
        let start = span_of(text, &self.place).map_or(0, |span| span.start);
        let line = 1 + text[..start.min(text.len())].matches('\n').count();
        WorkloadError::Invalid { line, invalid: self }
    }
}

/// Where in `text` a place is, as deep as the text goes: what is missing is reported where it would stand.
fn span_of(text: &str, place: &[Step]) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut span = document.span();
    let mut table = Some(document.get_ref());
    let mut list = None;
    for step in place {
        let found = match step {
            Step::Key(name) => table?.iter().find(|(key, _)| key.get_ref() == name).map(|(_, v)| v),
            Step::Entry(index) => list.and_then(|list: &toml::de::DeArray<'_>| list.get(*index)),
        };
        let Some(found) = found else { break };
        span = found.span();
        table = match found.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
        list = match found.get_ref() {
            DeValue::Array(list) => Some(list),
            _ => None,
        };
        if table.is_none() && list.is_none() {
            break;
        }
    }
    Some(span)
}
