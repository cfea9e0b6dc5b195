//! The body that classifier and proxy share: `{"sequences": ["...", ...]}`, read without building a tree.

use ringyard_protocol::http1::Status;
use ringyard_protocol::json::{self, ItemKind, ItemSpan, ScanError};

use crate::response::Response;

/// The member that holds the sequences.
const MEMBER: &str = "sequences";

/// Finds the sequences of `body` and checks their number.
///
/// On success `items` holds one span a sequence. Otherwise `response` is the refusal: 422 for a body of the
/// wrong shape, 400 with `count_detail` for a wrong count; and the result is `false`.
pub(crate) fn scan_sequences(
    body: &[u8],
    sequences_max: u32,
    count_detail: &str,
    items: &mut Vec<ItemSpan>,
    response: &mut Response,
) -> bool {
    match json::scan_items(body, MEMBER, ItemKind::Strings, sequences_max as usize, items) {
        Ok(scan) if (1..=sequences_max as usize).contains(&scan.items) => true,
        Ok(_) => {
            response.detail(Status::BAD_REQUEST, count_detail);
            false
        }
        Err(error) => {
            refuse(&error, response);
            false
        }
    }
}

/// Fills `response` with a 422 in the form that pydantic gives its errors.
fn refuse(error: &ScanError, response: &mut Response) {
    let (kind, location, message) = match error {
        ScanError::Empty => ("missing", String::from(r#"["body"]"#), "Field required"),
        ScanError::Syntax { offset, message } => {
            ("json_invalid", format!(r#"["body",{offset}]"#), *message)
        }
        ScanError::TooDeep { offset } => {
            ("json_invalid", format!(r#"["body",{offset}]"#), "nested too deeply")
        }
        ScanError::NotAnObject => (
            "model_attributes_type",
            String::from(r#"["body"]"#),
            "Input should be a valid dictionary or object to extract fields from",
        ),
        ScanError::Missing => ("missing", format!(r#"["body","{MEMBER}"]"#), "Field required"),
        ScanError::NotAList => {
            ("list_type", format!(r#"["body","{MEMBER}"]"#), "Input should be a valid list")
        }
        ScanError::NotAString { index } => (
            "string_type",
            format!(r#"["body","{MEMBER}",{index}]"#),
            "Input should be a valid string",
        ),
    };
    write_validation_error(response, kind, &location, message);
}

/// Fills `response` with a 422 of one error; `location` is a JSON array.
pub(crate) fn write_validation_error(
    response: &mut Response,
    kind: &str,
    location: &str,
    message: &str,
) {
    let body = response.start(Status::UNPROCESSABLE_CONTENT);
    body.extend_from_slice(br#"{"detail":[{"type":"#);
    json::write_string(body, kind);
    body.extend_from_slice(br#","loc":"#);
    body.extend_from_slice(location.as_bytes());
    body.extend_from_slice(br#","msg":"#);
    json::write_string(body, message);
    body.extend_from_slice(b"}]}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, status: Status, answer: &str) {
        let mut response = Response::default();
        let mut items = Vec::new();
        let good = scan_sequences(body.as_bytes(), 2, "Need 1 - 2", &mut items, &mut response);
        assert!(!good);
        assert_eq!(response.status(), status);
        let text = std::str::from_utf8(response.body()).unwrap();
        assert!(text.contains(answer), "{text}");
        serde_json::from_str::<serde_json::Value>(text).unwrap();
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let wrong_shape = Status::UNPROCESSABLE_CONTENT;
        check("", wrong_shape, r#""loc":["body"],"msg":"Field required""#);
        check("{", wrong_shape, r#""type":"json_invalid","loc":["body",1]"#);
        check("[]", wrong_shape, r#""type":"model_attributes_type""#);
        check("{}", wrong_shape, r#""loc":["body","sequences"],"msg":"Field required""#);
        check(r#"{"sequences":"a"}"#, wrong_shape, r#""type":"list_type""#);
        check(r#"{"sequences":["a",1]}"#, wrong_shape, r#""loc":["body","sequences",1]"#);
        check(r#"{"sequences":["a","b","c",1]}"#, wrong_shape, r#""loc":["body","sequences",3]"#);
        check(r#"{"sequences":[]}"#, Status::BAD_REQUEST, r#"{"detail":"Need 1 - 2"}"#);
        check(r#"{"sequences":["a","b","c"]}"#, Status::BAD_REQUEST, "Need 1 - 2");
    }

    #[test]
    fn a_good_body_gives_its_spans() {
        let mut items = Vec::new();
        let body = br#"{"sequences": ["a", "\u0041b"]}"#;
        assert!(scan_sequences(body, 5, "", &mut items, &mut Response::default()));
        assert_eq!(items.iter().map(|item| item.characters).collect::<Vec<_>>(), [1, 2]);
    }
}
