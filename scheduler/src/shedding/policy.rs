//! The policies by name.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Whom to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SheddingPolicy {
    /// Nobody, for as long as memory lasts.
    #[default]
    None,
    /// Whoever comes while so many are admitted, those being worked on included.
    Queue(usize),
    /// Whoever would be answered later than this.
    Time(Duration),
    /// Whoever would wait too long; in a crowd that has lasted, sooner, and the newest goes first as far as nobody else
    /// waits too long for that (CoDel with adaptive LIFO, judged at the door).
    CodelLifo,
    /// Whoever comes while as many are admitted as make no long queue, which is learned.
    Adaptive,
}

impl fmt::Display for SheddingPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.pad("none"),
            Self::Queue(most) => formatter.pad(&format!("queue:{most}")),
            Self::Time(limit) => formatter.pad(&format!("time:{}ms", limit.as_millis())),
            Self::CodelLifo => formatter.pad("codel-lifo"),
            Self::Adaptive => formatter.pad("adaptive"),
        }
    }
}

/// A text that names no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown policy, choose one of: none, queue:N (N at least 1), time:LIMIT (such as 1500ms or 2s), codel-lifo, \
     adaptive"
)]
pub struct UnknownPolicy;

impl FromStr for SheddingPolicy {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        match (text, text.split_once(':')) {
            ("none", _) => Ok(Self::None),
            ("codel-lifo", _) => Ok(Self::CodelLifo),
            ("adaptive", _) => Ok(Self::Adaptive),
            (_, Some(("queue", most))) => {
                let most = most.parse().map_err(|_| UnknownPolicy)?;
                if most == 0 { Err(UnknownPolicy) } else { Ok(Self::Queue(most)) }
            }
            (_, Some(("time", limit))) => duration(limit).map(Self::Time).ok_or(UnknownPolicy),
            _ => Err(UnknownPolicy),
        }
    }
}

/// A whole number of milliseconds or seconds, above zero.
fn duration(text: &str) -> Option<Duration> {
    let duration = match text.strip_suffix("ms") {
        Some(number) => Duration::from_millis(number.parse().ok()?),
        None => Duration::from_secs(text.strip_suffix('s')?.parse().ok()?),
    };
    (!duration.is_zero()).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_known_by_its_name() {
        for name in ["none", "queue:2", "time:1500ms", "codel-lifo", "adaptive"] {
            assert_eq!(name.parse::<SheddingPolicy>().unwrap().to_string(), name);
        }
        assert_eq!("time:2s".parse(), Ok(SheddingPolicy::Time(Duration::from_secs(2))));
        for name in ["", "queue", "queue:0", "queue:-1", "time:", "time:0s", "time:2h", "lifo"] {
            assert_eq!(name.parse::<SheddingPolicy>(), Err(UnknownPolicy), "{name}");
        }
    }
}
