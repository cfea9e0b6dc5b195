//! `GET` and `POST /strategy`: which strategy and composition are in force, and which are to be.

use ringyard_protocol::http1::Status;
use ringyard_protocol::http1::Target;
use ringyard_protocol::json::{self, ItemKind, ItemSpan};
use ringyard_scheduler::{AutoReason, CompositionKind, StrategyKind};

use super::config::CompositionChoice;
use crate::request::write_validation_error;
use crate::response::Response;

/// The query parameter that names the new strategy.
const STRATEGY: &str = "new_strategy";

/// The query parameter that names the new composition.
const COMPOSITION: &str = "composition";

/// What is to be changed; a question changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The strategy to change to.
    pub(super) strategy: Option<StrategyKind>,
    /// The composition to change to.
    pub(super) composition: Option<CompositionChoice>,
}

/// How much an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// What was changed: the answer to a change.
    Changed(Change),
    /// Everything: the answer to a question.
    Everything,
}

impl Change {
    /// What the answer to it tells.
    pub(super) fn scope(self) -> Scope {
        if self == Self::default() { Scope::Everything } else { Scope::Changed(self) }
    }
}

/// How the queue is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The strategy and the composition asked for.
    pub(super) strategy: StrategyKind,
    pub(super) composition: CompositionChoice,
    /// What is in force: the same unless `auto` was asked for.
    pub(super) strategy_in_force: StrategyKind,
    pub(super) composition_in_force: CompositionKind,
    /// Why `auto` chose the strategy in force.
    pub(super) reason: Option<AutoReason>,
}

/// Reads what a `POST` is to change: the strategy, in the query or as a JSON string in the body, or the
/// composition, in the query, or both; or fills `response` with what is wrong.
pub(super) fn read_change(
    target: &Target<'_>,
    body: &[u8],
    response: &mut Response,
) -> Option<Change> {
    let composition = match target.query_value(COMPOSITION) {
        None => None,
        Some(name) => match name.parse() {
            Ok(choice) => Some(choice),
            Err(_) => {
                let names = CompositionChoice::ALL.map(CompositionChoice::name);
                write_unknown(response, r#"["query","composition"]"#, &names);
                return None;
            }
        },
    };
    let (name, location) = match target.query_value(STRATEGY) {
        Some(name) => (name.into_owned(), r#"["query","new_strategy"]"#),
        None if body.trim_ascii().is_empty() => {
            if composition.is_some() {
                return Some(Change { strategy: None, composition });
            }
            write_validation_error(
                response,
                "missing",
                r#"["query","new_strategy"]"#,
                "Field required",
            );
            return None;
        }
        None => match json_string(body) {
            Some(name) => (name, r#"["body"]"#),
            None => {
                let message = "Input should be a valid string";
                write_validation_error(response, "string_type", r#"["body"]"#, message);
                return None;
            }
        },
    };
    let strategy = name.parse().ok();
    if strategy.is_none() {
        let names: Vec<_> = StrategyKind::ALL.iter().map(|kind| kind.name()).collect();
        write_unknown(response, location, &names);
        return None;
    }
    Some(Change { strategy, composition })
}

/// Fills `response` with the names there are.
fn write_unknown(response: &mut Response, location: &str, names: &[&str]) {
    let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    let message = format!("Input should be one of {}", names.join(", "));
    write_validation_error(response, "enum", location, &message);
}

/// Fills `response` for a question or a change.
pub(super) fn write_state(state: &State, scope: Scope, response: &mut Response) {
    let body = response.start(Status::OK);
    body.push(b'{');
    write_member(body, "active_strategy", state.strategy.name());
    match scope {
        Scope::Changed(change) => {
            if change.composition.is_some() {
                body.push(b',');
                write_member(body, "composition", state.composition.name());
            }
        }
        Scope::Everything => {
            write_names(body, "strategies", StrategyKind::ALL.iter().map(|kind| kind.name()));
            body.push(b',');
            write_member(body, "strategy_in_force", state.strategy_in_force.name());
            if let Some(reason) = state.reason {
                body.push(b',');
                write_member(body, "reason", &reason.to_string());
            }
            body.push(b',');
            write_member(body, "composition", state.composition.name());
            let names = CompositionChoice::ALL.map(CompositionChoice::name);
            write_names(body, "compositions", names.into_iter());
            body.push(b',');
            write_member(body, "composition_in_force", state.composition_in_force.name());
        }
    }
    body.push(b'}');
}

fn write_member(body: &mut Vec<u8>, name: &str, value: &str) {
    json::write_string(body, name);
    body.push(b':');
    json::write_string(body, value);
}

/// Appends a comma and a list.
fn write_names<'a>(body: &mut Vec<u8>, name: &str, names: impl Iterator<Item = &'a str>) {
    body.push(b',');
    json::write_string(body, name);
    body.extend_from_slice(b":[");
    for (index, name) in names.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        json::write_string(body, name);
    }
    body.push(b']');
}

/// The text of `body` if it is one JSON string and nothing else.
fn json_string(body: &[u8]) -> Option<String> {
    let body = body.trim_ascii();
    // The scanner reads arrays in objects, so the string is put into one; that it is the whole array, and
    // not a text that closes the array and opens another, shows in its span.
    let mut text = br#"{"v":["#.to_vec();
    let start = text.len();
    text.extend_from_slice(body);
    let end = text.len();
    text.extend_from_slice(b"]}");
    let mut items: Vec<ItemSpan> = Vec::new();
    json::scan_items(&text, "v", ItemKind::Strings, 1, &mut items).ok()?;
    let item = items.first()?;
    if (item.start as usize, item.end as usize) != (start, end) {
        return None;
    }
    let mut decoded = Vec::new();
    json::decode(&text[start..end], &mut decoded);
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_json_string_counts() {
        assert_eq!(json_string(br#" "fair" "#).as_deref(), Some("fair"));
        assert_eq!(json_string(br#""f\u0061ir""#).as_deref(), Some("fair"));
        for body in [r#""a","b""#, r#""a"],"v":["b""#, "fair", "1", r#"["fair"]"#, r#""a"#, ""] {
            assert_eq!(json_string(body.as_bytes()), None, "{body}");
        }
    }
}
