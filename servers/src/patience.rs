//! The header `X-Deadline-Ms`: how long the client of a request says that it will wait.

use std::time::Duration;

use ringyard_protocol::http1::{Head, Status};

use crate::limits::PATIENCE_MS_MAX;
use crate::response::Response;

/// How long the client waits, if it says so. Where it does not say a number of milliseconds this is `None`, and
/// `response` is the refusal.
pub(crate) fn read_patience(head: &Head<'_>, response: &mut Response) -> Option<Option<Duration>> {
    let Some(value) = head.headers.get("x-deadline-ms") else { return Some(None) };
    let patience = parse(value);
    if patience.is_none() {
        let detail =
            format!("X-Deadline-Ms must be a number of milliseconds, at most {PATIENCE_MS_MAX}");
        response.detail(Status::BAD_REQUEST, &detail);
    }
    patience.map(Some)
}

/// Digits and nothing else: no sign, no blank.
fn parse(value: &[u8]) -> Option<Duration> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let milliseconds: u64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (milliseconds <= PATIENCE_MS_MAX).then(|| Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_a_number_of_milliseconds() {
        let check = |value: &str, milliseconds: Option<u64>| {
            assert_eq!(parse(value.as_bytes()), milliseconds.map(Duration::from_millis), "{value}");
        };
        check("0", Some(0));
        check("1500", Some(1_500));
        check("00000000000000000000000000000007", Some(7));
        check("86400000", Some(PATIENCE_MS_MAX));
        for wrong in
            ["", "86400001", "99999999999999999999999", "+5", "-5", " 5", "5 ", "5.0", "1e3"]
        {
            check(wrong, None);
        }
        check("soon", None);
        check("\u{665}", None);
    }
}
