//! Whether this process can hold as many connections as it is asked for, told before the run begins.
//!
//! The run takes place all the same: what cannot be connected is counted, and the report says why.

use ringyard_runtime::{descriptors, source};

use super::options::LoadOptions;
use crate::outcome::ErrorKind;

/// Descriptors that the generator takes for itself, at most.
const DESCRIPTORS_OWN: u64 = 32;

/// Descriptors that each of its threads takes besides.
const DESCRIPTORS_PER_CORE: u64 = 8;

/// What this process may use.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Descriptors; `None` where they are not limited.
    descriptors: Option<u64>,
    /// Local ports of one address; `None` where that is not known.
    ports: Option<u64>,
}

/// What there is too little of for a run, in words; empty if there is enough of everything. Raises the soft limit of
/// descriptors to the hard limit.
#[must_use]
pub(super) fn shortages(options: &LoadOptions) -> Vec<String> {
    let room = Room {
        descriptors: descriptors::raise_limit(),
        ports: source::local_ports().map(|(first, last)| (last + 1).saturating_sub(first)),
    };
    room.shortages(options.connections, options.cores(), options.sources.len())
}

impl Room {
    fn shortages(self, connections: u32, cores: u16, sources: usize) -> Vec<String> {
        let connections = u64::from(connections);
        let own = DESCRIPTORS_OWN + DESCRIPTORS_PER_CORE * u64::from(cores);
        let addresses = sources.max(1) as u64;
        let descriptors = self.descriptors.map(|limit| limit.saturating_sub(own));
        let ports = self.ports.map(|ports| ports * addresses);
        [(ErrorKind::OutOfDescriptors, descriptors), (ErrorKind::OutOfPorts, ports)]
            .into_iter()
            .filter_map(|(kind, room)| Some((kind, room?, kind.remedy()?)))
            .filter(|(_, room, _)| *room < connections)
            .map(|(kind, room, remedy)| {
                let what = kind.describe();
                format!("{connections} connections will run {what} at about {room}: {remedy}")
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_little_is_told_with_what_helps() {
        let check = |connections, sources, descriptors, ports, parts: &[&str]| {
            let told = Room { descriptors, ports }.shortages(connections, 1, sources);
            assert_eq!(told.len(), parts.len(), "{told:?}");
            for (told, part) in told.iter().zip(parts) {
                assert!(told.contains(part), "{told}");
            }
        };
        check(1_000, 0, Some(1_040), Some(1_000), &[]);
        check(1_000, 0, None, None, &[]);
        check(1_000, 0, Some(1_024), None, &["out of descriptors at about 984: "]);
        check(30_000, 0, None, Some(28_232), &["out of local ports at about 28232: "]);
        check(30_000, 2, None, Some(28_232), &[]);
        check(60_000, 2, Some(100), Some(28_232), &["ulimit -n", "--source"]);
    }
}
