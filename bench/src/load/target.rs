//! Whom to load: `http://host[:port][/path]` or `tcp://host:port`.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// The port of a URL that names none.
const HTTP_PORT: u16 = 80;

/// What is spoken with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1.
    Http,
    /// Bytes as they are.
    Tcp,
}

/// Whom to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What to speak.
    pub scheme: Scheme,
    /// Host and port as the URL has them: what stands in `Host`.
    pub authority: String,
    /// The host's name or address, without brackets.
    host: String,
    port: u16,
    /// Path and query; empty for TCP.
    pub path: String,
}

/// Why a URL cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It begins with neither scheme.
    #[error("`{0}` is not a target; give http://host[:port][/path] or tcp://host:port")]
    Scheme(String),
    /// The host is missing or not one.
    #[error("`{0}` has no host, or one that is not a name or an address")]
    Host(String),
    /// The port is missing or not one.
    #[error("`{0}` needs a port between 1 and 65535")]
    Port(String),
    /// There is something after the port of a TCP target.
    #[error("`{0}` has a path, which tcp:// does not know")]
    Path(String),
    /// The path cannot stand in a request.
    #[error("`{0}` has characters that must be percent-encoded")]
    Encoding(String),
    /// The name cannot be looked up.
    #[error("cannot look up `{host}`: {reason}")]
    LookUp {
        /// The name.
        host: String,
        /// Why.
        reason: String,
    },
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let owned = || url.to_owned();
        let (scheme, rest) = if let Some(rest) = url.strip_prefix("http://") {
            (Scheme::Http, rest)
        } else if let Some(rest) = url.strip_prefix("tcp://") {
            (Scheme::Tcp, rest)
        } else {
            return Err(TargetError::Scheme(owned()));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = split_port(authority);
        let port = match (port, scheme) {
            (None, Scheme::Http) => Some(HTTP_PORT),
            (None, Scheme::Tcp) => None,
            (Some(port), _) => port.parse().ok(),
        };
        let port = port.filter(|port| *port > 0).ok_or_else(|| TargetError::Port(owned()))?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(TargetError::Host(owned()));
        }
        if scheme == Scheme::Tcp && !path.is_empty() {
            return Err(TargetError::Path(owned()));
        }
        let path = path.split('#').next().unwrap_or_default();
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TargetError::Encoding(owned()));
        }
        let path = match (scheme, path) {
            (Scheme::Tcp, _) => String::new(),
            (Scheme::Http, path) if path.starts_with('/') => path.to_owned(),
            (Scheme::Http, path) => format!("/{path}"),
        };
        Ok(Self { scheme, authority: authority.to_owned(), host: host.to_owned(), port, path })
    }
}

/// Host, without the brackets of an IPv6 address, and the port if one is named.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(rest) = authority.strip_prefix('[')
        && let Some((host, after)) = rest.split_once(']')
    {
        return (host, after.strip_prefix(':'));
    }
    match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Tcp => "tcp",
        };
        write!(formatter, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl Target {
    /// The address to connect to: the first that the name stands for.
    ///
    /// # Errors
    ///
    /// [`TargetError::LookUp`] if the name stands for none.
    pub fn address(&self) -> Result<SocketAddr, TargetError> {
        let fail = |reason: String| TargetError::LookUp { host: self.host.clone(), reason };
        let mut found = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| fail(error.to_string()))?;
        found.next().ok_or_else(|| fail("it has no address".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let check = |url: &str, authority: &str, port, path: &str| {
            let target: Target = url.parse().unwrap();
            assert_eq!(target.authority, authority, "{url}");
            assert_eq!((target.port, target.path.as_str()), (port, path), "{url}");
        };
        check("http://localhost", "localhost", 80, "/");
        check("http://127.0.0.1:8000/a/b?c=d#e", "127.0.0.1:8000", 8000, "/a/b?c=d");
        check("http://host?x", "host", 80, "/?x");
        check("http://[::1]:9/", "[::1]:9", 9, "/");
        check("tcp://localhost:7", "localhost:7", 7, "");
    }

    #[test]
    fn an_address_needs_no_looking_up() {
        let address = |url: &str| url.parse::<Target>().unwrap().address().unwrap();
        assert_eq!(address("http://[::1]:9/"), "[::1]:9".parse().unwrap());
        assert_eq!(address("tcp://127.0.0.1:7"), "127.0.0.1:7".parse().unwrap());
    }

    #[test]
    fn what_is_no_target_is_refused() {
        let check = |url: &str, expected: fn(String) -> TargetError| {
            assert_eq!(url.parse::<Target>(), Err(expected(url.to_owned())));
        };
        check("localhost:80", TargetError::Scheme);
        check("https://localhost", TargetError::Scheme);
        check("http://", TargetError::Host);
        check("http://a b/", TargetError::Host);
        check("http://a:0/", TargetError::Port);
        check("http://a:70000/", TargetError::Port);
        check("tcp://a", TargetError::Port);
        check("tcp://a:1/x", TargetError::Path);
        check("http://a/\u{e4}", TargetError::Encoding);
    }
}
