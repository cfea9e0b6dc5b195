//! The machine, as far as figures depend on it.

use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};

/// Where something was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name; empty where the system does not tell.
    pub processor: String,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// The kernel's release.
    pub kernel: String,
    /// TCP congestion control that connections have unless they choose.
    pub congestion_control: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let processors = read("/proc/cpuinfo");
        let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
        Self {
            processor: model
                .map(|rest| rest.trim_matches([' ', '\t', ':']).to_owned())
                .unwrap_or_default(),
            cpus: thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease"),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control"),
        }
    }

    /// In one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { processor, cpus, kernel, congestion_control } = self;
        format!("{processor}, {cpus} CPUs, Linux {kernel}, {congestion_control}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_it_is() {
        let machine = Machine::here();
        assert!(machine.cpus >= 1 && !machine.kernel.is_empty());
        assert!(machine.describe().contains(&machine.kernel));
    }
}
