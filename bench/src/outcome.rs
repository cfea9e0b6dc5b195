//! What can go wrong with one request, and how often it did.

use serde::{Deserialize, Serialize};

/// Why a request has no good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Nobody listened.
    ConnectRefused,
    /// There was no descriptor for the connection.
    OutOfDescriptors,
    /// There was no local port for the connection.
    OutOfPorts,
    /// The connection could not be made for another reason.
    ConnectFailed,
    /// The connection was lost, or ended in the middle of an answer.
    ConnectionLost,
    /// No answer within the time allowed.
    Timeout,
    /// What came back is not an answer in the protocol.
    Malformed,
    /// An answer that says no: status 400 or above.
    Refused,
    /// A well-formed answer that says the wrong thing.
    Wrong,
}

impl ErrorKind {
    /// All kinds, in the order in which reports list them.
    pub const ALL: [Self; 9] = [
        Self::ConnectRefused,
        Self::OutOfDescriptors,
        Self::OutOfPorts,
        Self::ConnectFailed,
        Self::ConnectionLost,
        Self::Timeout,
        Self::Malformed,
        Self::Refused,
        Self::Wrong,
    ];

    /// In words, for a report.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::ConnectRefused => "connection refused",
            Self::OutOfDescriptors => "out of descriptors",
            Self::OutOfPorts => "out of local ports",
            Self::ConnectFailed => "connection failed",
            Self::ConnectionLost => "connection lost",
            Self::Timeout => "timed out",
            Self::Malformed => "malformed answer",
            Self::Refused => "status 400 or above",
            Self::Wrong => "wrong answer",
        }
    }

    /// What helps against a kind that this host brings about and not the server.
    #[must_use]
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            Self::OutOfDescriptors => Some(
                "each connection takes a descriptor: raise the limit before the start, such as with `ulimit -n 1048576`, or \
                 ask for fewer with -c",
            ),
            Self::OutOfPorts => Some(
                "each connection to one target takes a port of its local address: come from several addresses, such as with \
                 --source 127.0.0.1-127.0.0.8, or widen net.ipv4.ip_local_port_range; ports of connections that have ended are \
                 free again within a minute",
            ),
            _ => None,
        }
    }
}

/// How often each kind of error came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCounts {
    /// Attempts to connect that were refused.
    pub connect_refused: u64,
    /// Attempts to connect for which there was no descriptor.
    #[serde(default)]
    pub out_of_descriptors: u64,
    /// Attempts to connect for which there was no local port.
    #[serde(default)]
    pub out_of_ports: u64,
    /// Attempts to connect that failed otherwise.
    pub connect_failed: u64,
    /// Requests whose connection was lost.
    pub connection_lost: u64,
    /// Requests without an answer in time.
    pub timeout: u64,
    /// Answers that are none in the protocol.
    pub malformed: u64,
    /// Answers with status 400 or above.
    pub refused: u64,
    /// Answers that say the wrong thing.
    pub wrong: u64,
}

impl ErrorCounts {
    /// Counts `times` more errors of `kind`.
    pub fn add(&mut self, kind: ErrorKind, times: u64) {
        *self.slot(kind) += times;
    }

    /// Takes all that `other` counted into account.
    pub fn merge(&mut self, other: &Self) {
        for kind in ErrorKind::ALL {
            *self.slot(kind) += other.of(kind);
        }
    }

    /// How often `kind` came.
    #[must_use]
    pub fn of(&self, kind: ErrorKind) -> u64 {
        let mut copy = *self;
        *copy.slot(kind)
    }

    /// What helps against the kinds that came.
    pub fn remedies(&self) -> impl Iterator<Item = (ErrorKind, &'static str)> {
        let seen = ErrorKind::ALL.into_iter().filter(|kind| self.of(*kind) > 0);
        seen.filter_map(|kind| Some((kind, kind.remedy()?)))
    }

    /// All errors.
    #[must_use]
    pub fn total(&self) -> u64 {
        ErrorKind::ALL.iter().map(|kind| self.of(*kind)).sum()
    }

    /// The kinds that came, in words; empty where there were none.
    #[must_use]
    pub fn describe(&self) -> String {
        let seen = ErrorKind::ALL.iter().filter(|kind| self.of(**kind) > 0);
        let words: Vec<String> =
            seen.map(|kind| format!("{} × {}", self.of(*kind), kind.describe())).collect();
        words.join(", ")
    }

    fn slot(&mut self, kind: ErrorKind) -> &mut u64 {
        match kind {
            ErrorKind::ConnectRefused => &mut self.connect_refused,
            ErrorKind::OutOfDescriptors => &mut self.out_of_descriptors,
            ErrorKind::OutOfPorts => &mut self.out_of_ports,
            ErrorKind::ConnectFailed => &mut self.connect_failed,
            ErrorKind::ConnectionLost => &mut self.connection_lost,
            ErrorKind::Timeout => &mut self.timeout,
            ErrorKind::Malformed => &mut self.malformed,
            ErrorKind::Refused => &mut self.refused,
            ErrorKind::Wrong => &mut self.wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_counter_of_its_own() {
        let mut counts = ErrorCounts::default();
        for (times, kind) in (1..).zip(ErrorKind::ALL) {
            counts.add(kind, times);
        }
        let seen: Vec<u64> = ErrorKind::ALL.iter().map(|kind| counts.of(*kind)).collect();
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        counts.merge(&counts.clone());
        assert_eq!(counts.total(), 90);
    }

    #[test]
    fn errors_are_told_in_words() {
        let mut counts = ErrorCounts::default();
        assert_eq!(counts.describe(), "");
        counts.add(ErrorKind::Timeout, 2);
        counts.add(ErrorKind::Wrong, 1);
        assert_eq!(counts.describe(), "2 × timed out, 1 × wrong answer");
        assert_eq!(counts.remedies().count(), 0, "the server is to blame");
        counts.add(ErrorKind::OutOfPorts, 1);
        let (kind, remedy) = counts.remedies().next().unwrap();
        assert!(kind == ErrorKind::OutOfPorts && remedy.contains("--source"), "{remedy}");
    }
}
