//! The body that classifier and proxy share: `{"sequences": ["...", ...]}`.
//!
//! A derived deserializer takes what nearly every request is. Whatever it refuses is looked at again and with
//! care, to say exactly what is wrong, or to take what it is too strict for: a member that occurs twice, the
//! escape of a lone surrogate.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::answer::Invalid;

#[derive(Deserialize)]
struct Request {
    sequences: Vec<String>,
}

/// The sequences of `body`.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<String>, Invalid> {
    // A derived deserializer would take an array for the struct.
    if body.trim_ascii_start().first() == Some(&b'{')
        && let Ok(request) = serde_json::from_slice::<Request>(body)
    {
        return Ok(request.sequences);
    }
    parse_with_care(body)
}

/// The characters of the longest sequence.
pub(crate) fn longest(sequences: &[String]) -> u32 {
    let longest = sequences.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    u32::try_from(longest).unwrap_or(u32::MAX)
}

fn parse_with_care(body: &[u8]) -> Result<Vec<String>, Invalid> {
    let missing = |location: Value| Invalid::new("missing", location, "Field required");
    if body.trim_ascii().is_empty() {
        return Err(missing(json!(["body"])));
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        Invalid::new("json_invalid", json!(["body", error.valid_up_to()]), "not valid UTF-8")
    })?;
    let members: Members<'_> = serde_json::from_str(text).map_err(|error| refusal(text, &error))?;
    let members = members.0.ok_or_else(|| {
        Invalid::new(
            "model_attributes_type",
            json!(["body"]),
            "Input should be a valid dictionary or object to extract fields from",
        )
    })?;
    let sequences = members.ok_or_else(|| missing(json!(["body", "sequences"])))?;
    let items: Vec<&RawValue> = serde_json::from_str(sequences.get()).map_err(|_not_a_list| {
        Invalid::new("list_type", json!(["body", "sequences"]), "Input should be a valid list")
    })?;
    let decode = |(index, item): (usize, &RawValue)| {
        serde_json::from_str(item.get()).map(|Lenient(text)| text).map_err(|_not_a_string| {
            let location = json!(["body", "sequences", index]);
            Invalid::new("string_type", location, "Input should be a valid string")
        })
    };
    items.into_iter().enumerate().map(decode).collect()
}

/// Says where `text` stops being JSON.
fn refusal(text: &str, error: &serde_json::Error) -> Invalid {
    debug_assert!(matches!(error.classify(), Category::Syntax | Category::Eof), "{error}");
    let lines: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let offset = (lines + error.column().saturating_sub(1)).min(text.len());
    Invalid::new("json_invalid", json!(["body", offset]), &error.to_string())
}

/// Whether a text is an object, and the last of its members called `sequences`.
struct Members<'a>(Option<Option<&'a RawValue>>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::{Error, IgnoredAny, MapAccess};

        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Option<&'de RawValue>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                while let Some(Lenient(name)) = map.next_key()? {
                    if name == "sequences" {
                        found = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(found)
            }
        }

        let raw: &'de RawValue = Deserialize::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Ok(Self(None));
        }
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let found = deserializer.deserialize_map(Object).map_err(D::Error::custom)?;
        Ok(Self(Some(found)))
    }
}

/// A string in which the escape of a lone surrogate stands for one character: U+FFFD.
struct Lenient(String);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Lenient;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Lenient, E> {
                Ok(Lenient(from_wtf8(bytes)))
            }
        }

        deserializer.deserialize_bytes(Text)
    }
}

/// Asked for bytes, serde_json gives a lone surrogate as three bytes that UTF-8 does not allow: `ED`, `A0` to
/// `BF`, and a third. U+FFFD has three bytes as well.
fn from_wtf8(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    for start in 0..bytes.len().saturating_sub(2) {
        if bytes[start] == 0xed && bytes[start + 1] >= 0xa0 {
            bytes[start..start + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, kind: &str, location: &Value) {
        let error = parse(body.as_bytes()).unwrap_err();
        assert_eq!((error.kind, &error.location), (kind, location), "{body}");
    }

    #[track_caller]
    fn check_good(body: &str, sequences: &[&str]) {
        assert_eq!(parse(body.as_bytes()).unwrap(), sequences, "{body}");
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        check("", "missing", &json!(["body"]));
        check("{", "json_invalid", &json!(["body", 0]));
        check(r#"{"sequences":["a"],}"#, "json_invalid", &json!(["body", 19]));
        check(r#"{"sequences":["a"]}x"#, "json_invalid", &json!(["body", 19]));
        check("[]", "model_attributes_type", &json!(["body"]));
        check(r#"[["a"]]"#, "model_attributes_type", &json!(["body"]));
        check("{}", "missing", &json!(["body", "sequences"]));
        check(r#"{"sequences":"a"}"#, "list_type", &json!(["body", "sequences"]));
        check(r#"{"sequences":["a",1]}"#, "string_type", &json!(["body", "sequences", 1]));
        assert_eq!(parse(b"{\"a\":\"\xff\"}").unwrap_err().kind, "json_invalid");
    }

    #[test]
    fn what_the_contract_takes_is_taken() {
        check_good(r#"{"sequences":["a","\u0041b"]}"#, &["a", "Ab"]);
        check_good(r#"{"a":{"sequences":1},"sequences":[],"b":[[]]}"#, &[]);
        check_good(r#"{"sequences":[1],"sequences":["b"]}"#, &["b"]);
        check_good(r#"{"\u0073equences":["b"],"x":"\ud800"}"#, &["b"]);
        check_good(r#"{"sequences":["\ud800;\ud83d\ude00"]}"#, &["\u{fffd};\u{1f600}"]);
        let texts = parse(r#"{"sequences":["\ud800\udbff\u00ed","x"]}"#.as_bytes()).unwrap();
        assert_eq!((longest(&texts), texts[0].as_str()), (3, "\u{fffd}\u{fffd}\u{ed}"));
    }
}
