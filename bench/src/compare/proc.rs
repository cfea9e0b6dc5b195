//! What `/proc` says of a process from outside, and of time that the hypervisor took.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// The kernel's ticks in a second, as `/proc/stat` counts them on every architecture of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// `pid` and all of its descendants.
#[must_use]
pub(super) fn family(pid: u32) -> Vec<u32> {
    let mut pids = Vec::new();
    let mut found = vec![pid];
    while let Some(pid) = found.pop() {
        pids.push(pid);
        for task in tasks(pid) {
            let children = fs::read_to_string(task.join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    pids
}

/// The processor time that all threads of the processes have had. A thread that has ended has taken its own with it.
#[must_use]
pub(super) fn cpu_time(pids: &[u32]) -> Duration {
    let threads = pids.iter().flat_map(|pid| tasks(*pid));
    let nanoseconds = threads.filter_map(|task| {
        let text = fs::read_to_string(task.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// Memory that the processes hold, in KiB; what they share counts for each.
#[must_use]
pub(super) fn resident_kib(pids: &[u32]) -> u64 {
    let resident = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    pids.iter().filter_map(resident).sum()
}

/// For how long the hypervisor has kept each of `cpus` to itself; zero where the kernel does not tell.
#[must_use]
pub(super) fn stolen(cpus: &[usize]) -> Vec<Duration> {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    cpus.iter().map(|cpu| stolen_of(&stat, *cpu).unwrap_or_default()).collect()
}

/// Finds `cpuN user nice system idle iowait irq softirq steal ...`.
fn stolen_of(stat: &str, cpu: usize) -> Option<Duration> {
    let name = format!("cpu{cpu}");
    let mut lines = stat.lines().map(str::split_ascii_whitespace);
    let mut words = lines.find_map(|mut words| (words.next()? == name).then_some(words))?;
    let ticks: f64 = words.nth(7)?.parse().ok()?;
    Some(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

fn tasks(pid: u32) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use std::process::{self, Command};

    use super::*;

    #[test]
    fn stolen_time_is_found_by_the_cpus_number() {
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 1 2 3 40 5 6 7 250 0 0\ncpu10 0 0 0 0 0 0 0 0\n";
        assert_eq!(stolen_of(stat, 1), Some(Duration::from_millis(2_500)));
        assert_eq!(stolen_of(stat, 10), Some(Duration::ZERO));
        assert_eq!(stolen_of(stat, 2), None);
    }

    #[test]
    fn a_process_and_its_children_are_counted() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let family = family(process::id());
        assert!(family.contains(&child.id()) && family.contains(&process::id()));
        assert!(cpu_time(&family) >= cpu_time(&[child.id()]));
        assert!(resident_kib(&family) > resident_kib(&[child.id()]));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(cpu_time(&[child.id()]), Duration::ZERO);
    }
}
