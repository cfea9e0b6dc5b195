//! What the system says of itself, read out of `/proc` and `/sys`. Nothing is judged here.

use std::fs;
use std::str::FromStr;

use super::features::Feature;
use super::pauses::{self, Pauses};
use crate::affinity;
use crate::limits::EngineLimits;
use crate::probe::{self, SystemFacts, Unavailable};
use crate::ring;
use crate::source;

/// Everything that findings rest on. `None` stands for what this system does not say.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) kernel: String,
    /// Whether a ring can be had as the engine needs it.
    pub(super) ring: Result<(), Unavailable>,
    /// What of io_uring there is, where any ring can be had.
    pub(super) features: Result<Vec<Feature>, Unavailable>,
    /// `kernel.io_uring_disabled`; 0 where there is no such setting.
    pub(super) disabled: u8,
    /// Whether system calls go through a filter.
    pub(super) is_filtered: bool,
    /// The limit of locked memory, if one binds this process.
    pub(super) memlock_kib: Option<u64>,
    /// What the ring of one core takes of it.
    pub(super) ring_kib: u64,
    /// The hard limit of descriptors; a start raises the soft one to it.
    pub(super) descriptors: Option<u64>,
    /// Connections that one core takes by default.
    pub(super) connections: u64,
    /// The CPUs to serve on.
    pub(super) cpus: Vec<usize>,
    /// CPUs that the control group allows time for, in thousandths.
    pub(super) quota_thousandths: Option<u64>,
    pub(super) isolated: Vec<usize>,
    /// For each CPU to serve on: those that are threads of the same core.
    pub(super) siblings: Vec<(usize, Vec<usize>)>,
    /// For each CPU to serve on that has one.
    pub(super) governors: Vec<(usize, String)>,
    pub(super) clock_source: Option<String>,
    /// Time that the hypervisor took from the CPUs to serve on since they were started, and all their time.
    pub(super) stolen: Option<(u64, u64)>,
    pub(super) pauses: Vec<Pauses>,
    pub(super) congestion_control: Option<String>,
    pub(super) congestion_controls: Option<String>,
    pub(super) somaxconn: Option<u64>,
    pub(super) tw_reuse: Option<u64>,
    /// The first and the last port to connect from.
    pub(super) ports: Option<(u64, u64)>,
}

impl Facts {
    /// Asks the system, for a server on `cpus` or on all that this process may use.
    pub(super) fn read(cpus: &[usize]) -> Self {
        let limits = EngineLimits::default();
        let SystemFacts { disabled, kernel, memlock_kib } = SystemFacts::read();
        let cpus = match cpus {
            [] => affinity::allowed().unwrap_or_default(),
            cpus => cpus.to_vec(),
        };
        let of_each = |path: &str| -> Vec<(usize, String)> {
            let of_one = |&cpu: &usize| {
                Some((cpu, text(&format!("/sys/devices/system/cpu/cpu{cpu}/{path}"))?))
            };
            cpus.iter().filter_map(of_one).collect()
        };
        let siblings = of_each("topology/thread_siblings_list");
        let siblings = siblings
            .into_iter()
            .filter_map(|(cpu, list)| Some((cpu, affinity::parse(&list).ok()?)));
        Self {
            kernel,
            ring: probe::io_uring(&limits),
            features: ring::survey(&limits),
            disabled,
            is_filtered: text("/proc/self/status").is_some_and(|status| is_filtered(&status)),
            memlock_kib,
            ring_kib: ring::locked_bytes(&limits).div_ceil(1024),
            descriptors: text("/proc/self/limits").and_then(|limits| descriptors(&limits)),
            connections: u64::from(limits.connections),
            quota_thousandths: quota_thousandths(),
            isolated: text("/sys/devices/system/cpu/isolated")
                .and_then(|list| affinity::parse(&list).ok())
                .unwrap_or_default(),
            siblings: siblings.collect(),
            governors: of_each("cpufreq/scaling_governor"),
            clock_source: text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            stolen: text("/proc/stat").and_then(|stat| stolen(&stat, &cpus)),
            pauses: pauses::find(&cpus),
            congestion_control: text("/proc/sys/net/ipv4/tcp_congestion_control"),
            congestion_controls: text("/proc/sys/net/ipv4/tcp_available_congestion_control"),
            somaxconn: number("/proc/sys/net/core/somaxconn"),
            tw_reuse: number("/proc/sys/net/ipv4/tcp_tw_reuse"),
            ports: source::local_ports(),
            cpus,
        }
    }
}

/// What a file says, if it is there and says something.
fn text(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn number<T: FromStr>(path: &str) -> Option<T> {
    text(path)?.parse().ok()
}

/// Whether `/proc/self/status` tells of a seccomp filter.
fn is_filtered(status: &str) -> bool {
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

/// The hard limit of descriptors out of `/proc/self/limits`; none where it is unlimited.
fn descriptors(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The tightest quota of this process's control group (version 2) and those above it.
fn quota_thousandths() -> Option<u64> {
    let groups = text("/proc/self/cgroup")?;
    let mut path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut tightest: Option<u64> = None;
    loop {
        let group = path.trim_end_matches('/');
        let quota = text(&format!("/sys/fs/cgroup{group}/cpu.max")).and_then(|max| quota(&max));
        tightest = [tightest, quota].into_iter().flatten().min();
        match group.rsplit_once('/') {
            Some((above, _)) => path = above,
            None => return tightest,
        }
    }
}

/// Thousandths of a CPU out of `cpu.max`: a quota and a period in microseconds.
fn quota(max: &str) -> Option<u64> {
    let (quota, period) = max.split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.trim().parse().ok()?);
    quota.saturating_mul(1000).checked_div(period)
}

/// Time stolen from `cpus` and all their time, in ticks, out of `/proc/stat`. What guests used is in `user`
/// already.
fn stolen(stat: &str, cpus: &[usize]) -> Option<(u64, u64)> {
    const STEAL: usize = 7;
    let mut sum = (0, 0);
    for cpu in cpus {
        let name = format!("cpu{cpu} ");
        let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
        let ticks: Vec<u64> =
            line.split_whitespace().take(STEAL + 1).filter_map(|tick| tick.parse().ok()).collect();
        sum.0 += ticks.get(STEAL)?;
        sum.1 += ticks.iter().sum::<u64>();
    }
    (sum.1 > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert!(is_filtered("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"));
        assert!(!is_filtered("Seccomp:\t0\n"));
        let limits = "Max open files            1024                 524288               files\n";
        assert_eq!(descriptors(limits), Some(524_288));
        assert_eq!(descriptors("Max open files  1024  unlimited  files\n"), None);
        assert_eq!(quota("150000 100000"), Some(1500));
        assert_eq!(quota("max 100000"), None);
        let stat =
            "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 10 0 20 60 0 0 0 10 5 0\ncpu1 0 0 0 100 0 0 0 0 0 0\n";
        assert_eq!(stolen(stat, &[0]), Some((10, 100)));
        assert_eq!(stolen(stat, &[0, 1]), Some((10, 200)));
        assert_eq!(stolen(stat, &[2]), None);
    }
}
