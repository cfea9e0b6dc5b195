//! Reads one request the way one would explain it: split the text at its line ends and look at each part.
//!
//! Needs the whole head at once, makes no attempt at speed and knows no limits. It shares nothing with the
//! codec, whose verdicts it checks.

use std::net::Ipv6Addr;

/// What a head says, as far as both readers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NaiveHead {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version_minor: u8,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Length of the head in the stream.
    pub(crate) bytes: usize,
    pub(crate) length: NaiveLength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NaiveLength {
    Counted(u64),
    Chunked,
}

/// Reads the request that `stream` starts with. `None` where it is to be refused. The stream must hold an
/// empty line.
pub(crate) fn read_head(stream: &[u8]) -> Option<NaiveHead> {
    let bytes = find(stream, b"\r\n\r\n")? + 4;
    // As Latin-1, one character per byte.
    let head: String = stream[..bytes - 4].iter().map(|byte| char::from(*byte)).collect();
    let mut lines = head.split("\r\n");
    let first: Vec<&str> = lines.next()?.split(' ').collect();
    let [method, target, version] = first[..] else { return None };
    const METHODS: &str = "GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT";
    if method.is_empty() || !METHODS.split(' ').any(|known| known == method) {
        return None;
    }
    let minor = version.strip_prefix("HTTP/1.")?;
    if minor.len() != 1 || !minor.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let version_minor = u8::from(minor != "0");
    if !target_is_valid(method, target) {
        return None;
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.is_empty() || !name.chars().all(is_token) || !value.chars().all(is_value) {
            return None;
        }
        let value = value.trim_matches([' ', '\t']).chars().map(|byte| byte as u8).collect();
        headers.push((name.to_owned(), value));
    }
    let length = body_length(method, version_minor, &headers)?;
    Some(NaiveHead {
        method: method.to_owned(),
        target: target.to_owned(),
        version_minor,
        headers,
        bytes,
        length,
    })
}

fn body_length(
    method: &str,
    version_minor: u8,
    headers: &[(String, Vec<u8>)],
) -> Option<NaiveLength> {
    let values = |name: &str| -> Vec<String> {
        let lines = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| String::from_utf8_lossy(value).to_lowercase()).collect()
    };
    let hosts = values("host");
    if hosts.len() > 1 || (hosts.is_empty() && version_minor == 1) {
        return None;
    }
    if hosts.iter().any(|host| !host.is_empty() && !authority_is_valid(host)) {
        return None;
    }
    if values("expect").iter().any(|value| value != "100-continue") {
        return None;
    }
    let length = match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([], []) => NaiveLength::Counted(0),
        ([], [coding]) if coding == "chunked" && version_minor == 1 => NaiveLength::Chunked,
        ([length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            NaiveLength::Counted(length.parse().ok()?)
        }
        _ => return None,
    };
    (method != "CONNECT" || length == NaiveLength::Counted(0)).then_some(length)
}

fn target_is_valid(method: &str, target: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@/?[]%".contains(c);
    if !target.chars().all(plain) || !percent_signs_are_valid(target) {
        return false;
    }
    if method == "CONNECT" {
        return target.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !port.is_empty() && authority_is_valid(target)
        });
    }
    let lower = target.to_lowercase();
    let rest = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://"));
    match rest {
        Some(rest) => {
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            !authority.is_empty() && authority_is_valid(authority)
        }
        None => target.starts_with('/') || (target == "*" && method == "OPTIONS"),
    }
}

/// `host`, `host:` or `host:port`; the host may be empty where there is no port.
fn authority_is_valid(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    let host_is_valid = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=%".contains(c);
            host.chars().all(plain) && percent_signs_are_valid(host)
        }
    };
    let port_is_valid = port.is_empty()
        || (!host.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok());
    host_is_valid && port_is_valid
}

fn percent_signs_are_valid(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit()))
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn is_value(c: char) -> bool {
    c == '\t' || (c >= ' ' && c != '\u{7f}')
}

pub(crate) fn find(stream: &[u8], word: &[u8]) -> Option<usize> {
    stream.windows(word.len()).position(|window| window == word)
}
