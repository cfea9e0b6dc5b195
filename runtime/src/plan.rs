//! What is to be launched: which engine, on which CPUs, listening where, within which limits.
//!
//! A plan is plain data. It is checked and carried out by [`launch`](crate::launch::launch).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::limits::EngineLimits;

/// An engine that this crate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Our own loop over one io_uring per core.
    Ring,
    /// A tokio `current_thread` runtime per core, over epoll.
    Tokio,
    /// A monoio runtime per core, over io_uring; to compare with.
    #[cfg(feature = "peers")]
    Monoio,
    /// A glommio executor per core, over io_uring; to compare with.
    #[cfg(feature = "peers")]
    Glommio,
}

impl EngineKind {
    /// All engines.
    pub const ALL: &[Self] = &[
        Self::Ring,
        Self::Tokio,
        #[cfg(feature = "peers")]
        Self::Monoio,
        #[cfg(feature = "peers")]
        Self::Glommio,
    ];

    /// The name that [`FromStr`] takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Tokio => "tokio",
            #[cfg(feature = "peers")]
            Self::Monoio => "monoio",
            #[cfg(feature = "peers")]
            Self::Glommio => "glommio",
        }
    }
}

impl EngineKind {
    /// Whether it can be told from which address to connect.
    pub(crate) const fn knows_sources(self) -> bool {
        match self {
            Self::Ring | Self::Tokio => true,
            #[cfg(feature = "peers")]
            Self::Monoio | Self::Glommio => false,
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        let found = Self::ALL.iter().find(|engine| engine.name() == name);
        found.copied().ok_or_else(|| UnknownEngine { name: name.to_owned() })
    }
}

/// There is no engine of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine {name:?}; there are {}", engine_names())]
pub struct UnknownEngine {
    /// The name.
    pub name: String,
}

fn engine_names() -> String {
    let names: Vec<_> = EngineKind::ALL.iter().map(|engine| engine.name()).collect();
    names.join(" and ")
}

/// Which engine a plan asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// `ring`, or `tokio` where io_uring is not to be had, with the reason in
    /// [`Running::fallback_reason`](crate::running::Running::fallback_reason).
    #[default]
    Auto,
    /// This one or none.
    Exactly(EngineKind),
}

/// What to launch.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which engine. Default: [`EngineChoice::Auto`].
    pub engine: EngineChoice,
    /// CPU numbers: one pinned thread for each, a CPU named twice getting two. Default: empty, which means
    /// one thread that is not pinned.
    pub cores: Vec<usize>,
    /// Where to listen, on every core. Port 0 lets the kernel choose one port for all cores; an IPv6 address
    /// does not include IPv4. Default: empty.
    pub listen: Vec<SocketAddr>,
    /// TCP congestion control for all connections. Default: the system's.
    pub congestion_control: Option<String>,
    /// Addresses of this host from which to make the connections that apps ask for, each in its turn and to peers of its own
    /// family; one has as many connections to one peer as there are local ports, 28,232 unless set otherwise. For the engines
    /// `ring` and `tokio`. Default: empty, which leaves it to the kernel.
    pub sources: Vec<IpAddr>,
    /// How long a drain may take. Default 10 s.
    pub drain_limit: Duration,
    /// What bounds each core.
    pub limits: EngineLimits,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            engine: EngineChoice::Auto,
            cores: Vec::new(),
            listen: Vec::new(),
            congestion_control: None,
            sources: Vec::new(),
            drain_limit: Duration::from_secs(10),
            limits: EngineLimits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_known_by_their_names() {
        for engine in EngineKind::ALL {
            assert_eq!(engine.to_string().parse(), Ok(*engine));
        }
        let error = "uring".parse::<EngineKind>().unwrap_err().to_string();
        let expected = "unknown engine \"uring\"; there are ring and tokio";
        assert!(error.starts_with(expected), "{error}");
    }
}
