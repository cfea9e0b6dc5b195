//! What a request is about: path and query, in each of the four forms a target can take.
//!
//! RFC 9112 section 3.2: origin-form (`/path?query`), absolute-form (`http://host/path`), which every server
//! must take, authority-form (`host:port`, only for `CONNECT`) and asterisk-form (only for `OPTIONS`).
//! The host of an absolute target is checked and dropped: nothing here is chosen by host.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::classes::HOST;
use super::fault::Fault;
use super::method::Method;

/// The target of a request, as it stood on the wire, percent-encoding included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path; starts with `/` but for `OPTIONS *` and for `CONNECT`, whose authority it is.
    pub path: &'a str,
    /// What follows the first question mark, if there is one.
    pub query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// The path with its percent-encoding undone; what is not UTF-8 then becomes U+FFFD.
    #[must_use]
    pub fn decoded_path(&self) -> Cow<'a, str> {
        decoded(self.path, Plus::IsPlus)
    }

    /// The decoded value of the first query parameter of that name: `name=value`, joined by `&`, with `+`
    /// for a space. A parameter without `=` has the empty value.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key, Plus::IsSpace) == name).then(|| decoded(value, Plus::IsSpace))
        })
    }
}

/// What a plus sign means: itself in a path, a space in a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    IsPlus,
    IsSpace,
}

fn decoded(text: &str, plus: Plus) -> Cow<'_, str> {
    let space = plus == Plus::IsSpace;
    if !text.bytes().any(|byte| byte == b'%' || (space && byte == b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => match hex_pair(after) {
                Some(value) => {
                    rest = &after[2..];
                    value
                }
                None => byte,
            },
            b'+' if space => b' ',
            _ => byte,
        });
    }
    Cow::Owned(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// The value of the two hexadecimal digits that `bytes` starts with.
fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let high = hex_value(*bytes.first()?)?;
    let low = hex_value(*bytes.get(1)?)?;
    Some(high << 4 | low)
}

/// The value of one hexadecimal digit of either case.
pub(super) const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Where path and query of a checked target lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TargetSpans {
    path: Range<usize>,
    query: Option<Range<usize>>,
    /// The path where the target has none: that of `http://host`.
    implied_path: Option<&'static str>,
}

impl TargetSpans {
    /// Checks `raw`, whose bytes are all allowed in targets and which starts at byte `start` of its message.
    pub(super) fn check(method: Method, raw: &[u8], start: usize) -> Result<Self, Fault> {
        // Most targets hold neither, and one look shows it.
        if memchr::memchr2(b'?', b'%', raw).is_none() && is_path(method, raw) {
            let path = start..start + raw.len();
            return Ok(Self { path, query: None, implied_path: None });
        }
        check_percent_encoding(raw)?;
        let path_start = match raw {
            _ if is_path(method, raw) => 0,
            b"*" if method == Method::Options => 0,
            b"*" => return Err(Fault::Malformed("only OPTIONS may have the target *")),
            [] => return Err(Fault::Malformed("the request target is empty")),
            _ if method == Method::Connect => {
                check_authority(raw, Port::Required)?;
                0
            }
            _ => check_origin(raw)?,
        };
        let question_mark =
            if method == Method::Connect { None } else { memchr::memchr(b'?', raw) };
        let path_end = question_mark.unwrap_or(raw.len());
        let implied_path = (path_start == path_end).then_some(match method {
            Method::Options if question_mark.is_none() => "*",
            _ => "/",
        });
        Ok(Self {
            path: start + path_start..start + path_end,
            query: question_mark.map(|at| start + at + 1..start + raw.len()),
            implied_path,
        })
    }

    /// The target within the message it was checked in.
    pub(super) fn view<'a>(&self, message: &'a [u8]) -> Target<'a> {
        let text = |range: &Range<usize>| {
            std::str::from_utf8(&message[range.clone()]).expect("checked targets are ASCII")
        };
        Target {
            path: self.implied_path.unwrap_or_else(|| text(&self.path)),
            query: self.query.as_ref().map(text),
        }
    }
}

fn check_percent_encoding(raw: &[u8]) -> Result<(), Fault> {
    for at in memchr::memchr_iter(b'%', raw) {
        if hex_pair(&raw[at + 1..]).is_none() {
            return Err(Fault::Malformed(
                "a percent sign in the target lacks two hexadecimal digits",
            ));
        }
    }
    Ok(())
}

/// Whether the target is of the usual form.
fn is_path(method: Method, raw: &[u8]) -> bool {
    raw.first() == Some(&b'/') && method != Method::Connect
}

/// Checks scheme and authority of an absolute target and returns where its path starts.
fn check_origin(raw: &[u8]) -> Result<usize, Fault> {
    const SCHEMES: [&[u8]; 2] = [b"http://", b"https://"];
    let scheme = SCHEMES
        .into_iter()
        .find(|scheme| {
            raw.len() >= scheme.len() && raw[..scheme.len()].eq_ignore_ascii_case(scheme)
        })
        .ok_or(Fault::Malformed("the request target is neither a path nor an http URI"))?;
    let rest = &raw[scheme.len()..];
    let authority = &rest[..memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len())];
    if authority.is_empty() {
        return Err(Fault::Malformed("the request target has no host"));
    }
    check_authority(authority, Port::Optional)?;
    Ok(scheme.len() + authority.len())
}

/// Whether an authority must name a port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    /// It may, and the port may be empty.
    Optional,
    /// It must, as the target of `CONNECT` must.
    Required,
}

/// Checks `host[:port]`, the value of `Host` and part of some targets. User information is refused, as
/// RFC 9110 section 4.2.4 advises.
pub(super) fn check_authority(authority: &[u8], port: Port) -> Result<(), Fault> {
    let (host, rest) = authority.split_at(host_length(authority)?);
    match (rest, port) {
        ([] | [b':'], Port::Optional) => Ok(()),
        ([b':', digits @ ..], _) if !host.is_empty() => check_port(digits),
        ([] | [b':', ..], _) => Err(Fault::Malformed("the host is not of the form host:port")),
        _ => Err(Fault::Malformed("the host holds a byte that no host name may hold")),
    }
}

/// Length of the host that `authority` starts with: a name, or an IPv6 address in brackets.
fn host_length(authority: &[u8]) -> Result<usize, Fault> {
    if let Some((b'[', rest)) = authority.split_first() {
        let length = memchr::memchr(b']', rest)
            .ok_or(Fault::Malformed("the host's address lacks its closing bracket"))?;
        let text = std::str::from_utf8(&rest[..length]).unwrap_or_default();
        return match text.parse::<Ipv6Addr>() {
            Ok(_) => Ok(length + 2),
            Err(_) => Err(Fault::Malformed("the host's address is not an IPv6 address")),
        };
    }
    let mut length = HOST.run(authority, 0);
    while let Some((b'%', rest)) = authority[length..].split_first()
        && hex_pair(rest).is_some()
    {
        length = HOST.run(authority, length + 3);
    }
    Ok(length)
}

fn check_port(digits: &[u8]) -> Result<(), Fault> {
    const FAULT: Fault = Fault::Malformed("the host's port is not a number from 0 to 65535");
    let port = digits.iter().try_fold(0_u16, |port, digit| {
        let digit = digit.is_ascii_digit().then_some(u16::from(digit.wrapping_sub(b'0')))?;
        port.checked_mul(10)?.checked_add(digit)
    });
    if digits.is_empty() || port.is_none() { Err(FAULT) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_value(query: Option<&str>, name: &str, expected: Option<&str>) {
        let target = Target { path: "/", query };
        assert_eq!(target.query_value(name).as_deref(), expected, "{query:?}");
    }

    #[test]
    fn query_values_are_decoded() {
        check_value(Some("new_strategy=fair"), "new_strategy", Some("fair"));
        check_value(Some("a=1&b=2&b=3"), "b", Some("2"));
        check_value(Some("%61+b=%C3%A9+%2b+x=y"), "a b", Some("\u{e9} + x=y"));
        check_value(Some("a&b="), "a", Some(""));
        check_value(Some("a&b="), "b", Some(""));
        check_value(Some("a=%ff%zz%"), "a", Some("\u{fffd}%zz%"));
        check_value(Some("ab=1"), "a", None);
        check_value(Some(""), "a", None);
        check_value(None, "a", None);
    }

    #[test]
    fn paths_are_decoded_and_keep_their_plus_signs() {
        let path = |path| Target { path, query: None }.decoded_path();
        assert_eq!(path("/a%20b+c%2F"), "/a b+c/");
        assert!(matches!(path("/a+b"), Cow::Borrowed("/a+b")));
    }
}
