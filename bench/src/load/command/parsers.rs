//! How the words of a command line become values: one function for each kind of argument.
//!
//! An error says what would have been right; clap adds which argument it was.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ringyard_protocol::http1::Method;

use super::arguments::{Bytes, Sources};
use crate::limits::{LOAD_DURATION_MAX, SOURCES_MAX};
use crate::load::options::Precision;
use crate::load::slo::duration;

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    duration(text).filter(|duration| *duration <= LOAD_DURATION_MAX).ok_or_else(|| {
        format!("not a time up to {LOAD_DURATION_MAX:?} with its unit, such as 500ms, 30s or 2m")
    })
}

pub(super) fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "not a number of requests per second above zero".to_owned())
}

pub(super) fn parse_ramp(text: &str) -> Result<(f64, f64), String> {
    let fail = || "not two rates such as 0:1000, the second above zero".to_owned();
    let (from, to) = text.split_once(':').ok_or_else(fail)?;
    let from: f64 = from.parse().map_err(|_| fail())?;
    let to = parse_rate(to).map_err(|_| fail())?;
    if from >= 0.0 && from.is_finite() { Ok((from, to)) } else { Err(fail()) }
}

pub(super) fn parse_precision(text: &str) -> Result<Precision, String> {
    let fail = || "not a width such as 2% or p99:5%".to_owned();
    let (quantile, width) = match text.split_once(':') {
        Some((name, width)) => {
            let percent = name.strip_prefix('p').and_then(|number| number.parse::<f64>().ok());
            (percent.ok_or_else(fail)? / 100.0, width)
        }
        None => (0.5, text),
    };
    let percent = width.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let width = percent.ok_or_else(fail)? / 100.0;
    let sensible = (0.0..=1.0).contains(&quantile) && width > 0.0 && width.is_finite();
    if sensible { Ok(Precision { quantile, width }) } else { Err(fail()) }
}

pub(super) fn parse_sources(text: &str) -> Result<Sources, String> {
    let parts: Option<Vec<_>> = text.split(',').map(range_of).collect();
    let addresses = parts.map(|parts| parts.concat());
    addresses.filter(|addresses| addresses.len() <= SOURCES_MAX).map(Sources).ok_or_else(|| {
        format!(
            "not addresses and ranges of them such as 10.0.0.5,127.0.0.1-127.0.0.8, {SOURCES_MAX} at most"
        )
    })
}

/// One address, or all from a first to a last of its family; of more than may be named the first few.
fn range_of(text: &str) -> Option<Vec<IpAddr>> {
    const ENOUGH: usize = SOURCES_MAX + 1;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let addresses: Vec<IpAddr> = match (first.parse().ok()?, last.parse().ok()?) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let range = first.to_bits()..=last.to_bits();
            range.take(ENOUGH).map(|bits| Ipv4Addr::from_bits(bits).into()).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let range = first.to_bits()..=last.to_bits();
            range.take(ENOUGH).map(|bits| Ipv6Addr::from_bits(bits).into()).collect()
        }
        _ => return None,
    };
    (!addresses.is_empty()).then_some(addresses)
}

pub(super) fn parse_method(text: &str) -> Result<Method, String> {
    Method::from_bytes(text.to_ascii_uppercase().as_bytes())
        .ok_or_else(|| "not a method of HTTP that this generator knows".to_owned())
}

pub(super) fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("not of the form `name: value`")?;
    let value = value.trim();
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err("the name has characters that no header's name has".to_owned());
    }
    if !value.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic()) {
        return Err("the value has characters other than printable ASCII".to_owned());
    }
    match name.to_ascii_lowercase().as_str() {
        "content-length" | "transfer-encoding" | "host" | "connection" => {
            Err("this header follows from the URL, the body and --close".to_owned())
        }
        _ => Ok((name.to_owned(), value.to_owned())),
    }
}

pub(super) fn parse_hex(text: &str) -> Result<Bytes, String> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16).ok_or("not hexadecimal"))
        .collect::<Result<_, _>>()?;
    if !digits.len().is_multiple_of(2) {
        return Err("an odd number of digits".to_owned());
    }
    let byte = |pair: &[u32]| u8::try_from(pair[0] << 4 | pair[1]).expect("two digits are a byte");
    Ok(Bytes(digits.chunks_exact(2).map(byte).collect()))
}

pub(super) fn parse_escapes(text: &str) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '\\' => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('0') => '\0',
                Some('\\') => '\\',
                _ => return Err("after \\ only n, r, t, 0 and \\ may stand".to_owned()),
            },
            other => other,
        };
        bytes.extend_from_slice(literal.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(Bytes(bytes))
}
