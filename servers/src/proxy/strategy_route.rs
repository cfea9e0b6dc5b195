//! `GET` and `POST /strategy`: which strategy is in force, and which is to be.

use ringyard_protocol::http1::Status;
use ringyard_protocol::http1::Target;
use ringyard_protocol::json::{self, ItemKind, ItemSpan};
use ringyard_scheduler::StrategyKind;

use crate::request::write_validation_error;
use crate::response::Response;

/// The query parameter that names the new strategy.
const PARAMETER: &str = "new_strategy";

/// How much an answer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The active strategy: the answer to a change.
    Active,
    /// Also the list of those there are: the answer to a question.
    ActiveAndAll,
}

/// Reads the strategy that a `POST` names, in its query or as a JSON string in its body; or fills `response`
/// with what is wrong.
pub(super) fn read_change(
    target: &Target<'_>,
    body: &[u8],
    response: &mut Response,
) -> Option<StrategyKind> {
    let (name, location) = match target.query_value(PARAMETER) {
        Some(name) => (name.into_owned(), r#"["query","new_strategy"]"#),
        None if body.trim_ascii().is_empty() => {
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
    let kind = name.parse().ok();
    if kind.is_none() {
        let names: Vec<_> =
            StrategyKind::ALL.iter().map(|kind| format!("'{}'", kind.name())).collect();
        let message = format!("Input should be one of {}", names.join(", "));
        write_validation_error(response, "enum", location, &message);
    }
    kind
}

/// Fills `response` for a question or a change.
pub(super) fn write_strategy(active: StrategyKind, scope: Scope, response: &mut Response) {
    let body = response.start(Status::OK);
    body.extend_from_slice(br#"{"active_strategy":"#);
    json::write_string(body, active.name());
    if scope == Scope::ActiveAndAll {
        body.extend_from_slice(br#","strategies":["#);
        for (index, kind) in StrategyKind::ALL.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            json::write_string(body, kind.name());
        }
        body.push(b']');
    }
    body.push(b'}');
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
