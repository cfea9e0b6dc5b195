//! The URL of a backend, as a user writes it.

use std::fmt;
use std::io;
use std::net::ToSocketAddrs;
use std::str::FromStr;

use ringyard_servers::proxy::BackendTarget;

/// The path of a backend's URL that has none: the contract's.
const PATH_DEFAULT: &str = "/classify";

const PORT_DEFAULT: u16 = 80;

/// `http://HOST[:PORT][/PATH]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BackendUrl {
    /// Host and port as they are sent in `Host`.
    authority: String,
    path: String,
}

/// Why a text is no backend's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackendUrlError {
    #[error("a backend's URL begins with http://; TLS to backends is not supported")]
    Scheme,
    #[error("a backend's URL has a host: http://HOST[:PORT][/PATH]")]
    Host,
    #[error("the port of a backend's URL is a number up to 65535")]
    Port,
    #[error("a backend's URL has only printable ASCII characters, and no user name or fragment")]
    Character,
}

/// A backend's name that could not be looked up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("cannot look up the backend {url}; check its name")]
    LookUp { url: BackendUrl, source: io::Error },
    #[error("the backend {url} has no address")]
    NoAddress { url: BackendUrl },
}

impl FromStr for BackendUrl {
    type Err = BackendUrlError;

    fn from_str(text: &str) -> Result<Self, BackendUrlError> {
        let rest = text.strip_prefix("http://").ok_or(BackendUrlError::Scheme)?;
        if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"@#\"<>\\^`{|}".contains(&byte)) {
            return Err(BackendUrlError::Character);
        }
        let (authority, path) = match rest.find(['/', '?']) {
            Some(start) if rest[start..].starts_with('/') => rest.split_at(start),
            Some(_) => return Err(BackendUrlError::Host),
            None => (rest, PATH_DEFAULT),
        };
        let path = if path == "/" { PATH_DEFAULT } else { path };
        let url = Self { authority: authority.to_owned(), path: path.to_owned() };
        let (host, _port) = url.host_and_port()?;
        if host.is_empty() { Err(BackendUrlError::Host) } else { Ok(url) }
    }
}

impl BackendUrl {
    /// The host without brackets, and the port.
    fn host_and_port(&self) -> Result<(&str, u16), BackendUrlError> {
        let (host, port) = match self.authority.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(BackendUrlError::Host)?,
            None => match self.authority.find(':') {
                Some(colon) => self.authority.split_at(colon),
                None => (self.authority.as_str(), ""),
            },
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => digits.parse().map_err(|_error| BackendUrlError::Port)?,
            None if port.is_empty() => PORT_DEFAULT,
            None => return Err(BackendUrlError::Port),
        };
        Ok((host, port))
    }

    /// Looks the host up. Blocks; meant for the start of the program.
    pub(crate) fn resolve(&self) -> Result<BackendTarget, ResolveError> {
        let (host, port) = self.host_and_port().expect("the URL was checked when it was parsed");
        let mut addresses = (host, port)
            .to_socket_addrs()
            .map_err(|source| ResolveError::LookUp { url: self.clone(), source })?;
        let address =
            addresses.next().ok_or_else(|| ResolveError::NoAddress { url: self.clone() })?;
        Ok(BackendTarget { address, host: self.authority.clone(), path: self.path.clone() })
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, u16, &str), BackendUrlError>) {
        let url: Result<BackendUrl, _> = text.parse();
        let parts = url.as_ref().map_err(|error| *error).map(|url| {
            let (host, port) = url.host_and_port().unwrap();
            (host, port, url.path.as_str())
        });
        assert_eq!(parts, expected, "{text}");
    }

    #[test]
    fn urls_are_taken_apart() {
        check("http://127.0.0.1:8001", Ok(("127.0.0.1", 8001, "/classify")));
        check("http://model/", Ok(("model", 80, "/classify")));
        check("http://model:9/v1/infer?a=b", Ok(("model", 9, "/v1/infer?a=b")));
        check("http://[::1]:8001/x", Ok(("::1", 8001, "/x")));
        check("https://model", Err(BackendUrlError::Scheme));
        check("model:80", Err(BackendUrlError::Scheme));
        check("http://", Err(BackendUrlError::Host));
        check("http://:80", Err(BackendUrlError::Host));
        check("http://[::1", Err(BackendUrlError::Host));
        check("http://model?a", Err(BackendUrlError::Host));
        check("http://model:x", Err(BackendUrlError::Port));
        check("http://model:65536", Err(BackendUrlError::Port));
        check("http://[::1]x", Err(BackendUrlError::Port));
        check("http://user@model", Err(BackendUrlError::Character));
        check("http://mo del", Err(BackendUrlError::Character));
    }

    #[test]
    fn a_loopback_address_resolves_to_itself() {
        let target = "http://[::1]:7".parse::<BackendUrl>().unwrap().resolve().unwrap();
        assert_eq!(target.address, "[::1]:7".parse().unwrap());
        assert_eq!(target.host, "[::1]:7");
    }
}
