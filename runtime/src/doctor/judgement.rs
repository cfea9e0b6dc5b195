//! What findings the facts amount to.

use super::checks::Check;
use super::facts::Facts;
use super::features::Feature;
use super::{Finding, Verdict, pauses};
use crate::affinity::format_list;
use crate::limits::LISTEN_BACKLOG;
use crate::probe::Unavailable;

/// Below this many descriptors hardly anybody can connect.
const DESCRIPTORS_MIN: u64 = 1024;

/// Descriptors that a server has beside those of its connections, for each core.
const DESCRIPTORS_OWN: u64 = 10;

/// Ports to connect from, below which a generator of load soon has none left.
const PORTS_MIN: u64 = 20_000;

/// Clocks that are read without a system call.
const QUICK_CLOCKS: [&str; 4] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];

/// Stolen time, in thousandths of all, above which it is worth a word.
const STOLEN_THOUSANDTHS_MAX: u64 = 10;

/// The findings, in the order of [`Check::ALL`] with the features after what decides about rings.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in Check::ALL {
        let (verdict, found) = look(check, facts);
        let can_mend = verdict != Verdict::Ok && !check.mend().is_empty();
        // The setting mends only what the setting has done; every other reason says itself what to do.
        let is_told =
            check == Check::IoUring && !matches!(facts.ring, Err(Unavailable::Disabled { .. }));
        let mend = (can_mend && !is_told).then(|| check.mend().to_owned());
        findings.push(Finding { name: check.name(), verdict, found, mend });
        if check == Check::LockedMemory
            && let Ok(found) = &facts.features
        {
            findings.extend(Feature::ALL.map(|feature| judge_feature(feature, found)));
        }
    }
    findings
}

/// What there is to say of one check.
fn look(check: Check, facts: &Facts) -> (Verdict, String) {
    match check {
        Check::Kernel => kernel(&facts.kernel),
        Check::IoUring => io_uring(facts),
        Check::Seccomp => seccomp(facts),
        Check::LockedMemory => locked_memory(facts),
        Check::Descriptors => descriptors(facts),
        Check::Cpus => cpus(facts),
        Check::Isolation => isolation(facts),
        Check::Smt => smt(facts),
        Check::Governor => governor(facts),
        Check::Clock => clock(facts.clock_source.as_deref()),
        Check::StolenTime => stolen_time(facts.stolen),
        Check::Pauses => pauses::judge(&facts.pauses),
        Check::CongestionControl => congestion_control(facts),
        Check::Backlog => at_least(facts.somaxconn, u64::from(LISTEN_BACKLOG.unsigned_abs())),
        Check::TimeWait => time_wait(facts.tw_reuse),
        Check::Ports => ports(facts.ports),
    }
}

fn judge_feature(feature: Feature, found: &[Feature]) -> Finding {
    let name = feature.name();
    if found.contains(&feature) {
        let found = format!("found: {}", feature.purpose().replace('`', ""));
        return Finding { name, verdict: Verdict::Ok, found, mend: None };
    }
    let verdict = if feature.is_needed() { Verdict::Fail } else { Verdict::Warn };
    let found = format!("missing: {}", feature.without().replace('`', ""));
    Finding { name, verdict, found, mend: Some(format!("Linux {} or later", feature.since())) }
}

/// Major and minor number of a release.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel(release: &str) -> (Verdict, String) {
    match version(release) {
        Some((6, 12..) | (7.., _)) => (Verdict::Ok, format!("Linux {release}")),
        Some((6, 1..)) => (Verdict::Warn, format!("Linux {release}; 6.12 has all that is of use")),
        _ => (Verdict::Fail, format!("Linux {release}; the engine ring needs 6.1")),
    }
}

fn io_uring(facts: &Facts) -> (Verdict, String) {
    match &facts.ring {
        Ok(()) => {
            let setting = facts.disabled;
            (Verdict::Ok, format!("a ring can be made (kernel.io_uring_disabled = {setting})"))
        }
        Err(reason) => (Verdict::Fail, reason.to_string()),
    }
}

fn seccomp(facts: &Facts) -> (Verdict, String) {
    match (facts.is_filtered, &facts.ring) {
        (_, Err(Unavailable::Forbidden { call })) => {
            (Verdict::Fail, format!("{call} is refused by a filter or a security module"))
        }
        (false, _) => (Verdict::Ok, String::from("no filter")),
        (true, _) => (Verdict::Ok, String::from("a filter, which does not refuse io_uring")),
    }
}

fn locked_memory(facts: &Facts) -> (Verdict, String) {
    let Facts { ring_kib, cpus, .. } = facts;
    let cores = cpus.len().max(1) as u64;
    let Some(limit) = facts.memlock_kib else {
        return (Verdict::Ok, format!("no limit binds this process; {ring_kib} KiB for each core"));
    };
    // Counted before Linux 5.12 and again since 6.14.
    if matches!(version(&facts.kernel), Some((5, 12..) | (6, ..14))) {
        return (
            Verdict::Ok,
            format!("{limit} KiB, which this kernel does not count rings against"),
        );
    }
    let fitting = limit / ring_kib.max(&1);
    let found = format!("{limit} KiB; {ring_kib} KiB for each core, so {fitting} fit");
    let verdict = match facts.ring {
        Err(Unavailable::LockedMemory { .. }) => Verdict::Fail,
        _ if fitting == 0 => Verdict::Fail,
        _ if fitting < cores => Verdict::Warn,
        _ => Verdict::Ok,
    };
    (verdict, found)
}

fn descriptors(facts: &Facts) -> (Verdict, String) {
    let cores = facts.cpus.len().max(1) as u64;
    let Some(limit) = facts.descriptors else {
        return (Verdict::Ok, String::from("no limit"));
    };
    let found =
        format!("{limit} at most, one for each connection; a core takes {}", facts.connections);
    let verdict = match limit {
        ..DESCRIPTORS_MIN => Verdict::Fail,
        _ if limit < facts.connections + DESCRIPTORS_OWN * cores => Verdict::Warn,
        _ => Verdict::Ok,
    };
    (verdict, found)
}

fn cpus(facts: &Facts) -> (Verdict, String) {
    let count = facts.cpus.len() as u64;
    let list = format_list(&facts.cpus);
    match facts.quota_thousandths {
        Some(quota) if quota < count * 1000 => {
            let (whole, part) = (quota / 1000, quota % 1000 / 100);
            (
                Verdict::Warn,
                format!("{list}, of whose time the quota allows that of {whole}.{part}"),
            )
        }
        _ => (Verdict::Ok, format!("{list}, no quota below them")),
    }
}

fn isolation(facts: &Facts) -> (Verdict, String) {
    let isolated = format_list(&facts.isolated);
    if facts.isolated.is_empty() {
        return (Verdict::Ok, String::from("none isolated (isolcpus=): other work may share them"));
    }
    if facts.cpus.iter().any(|cpu| facts.isolated.contains(cpu)) {
        return (Verdict::Ok, format!("isolated: {isolated}"));
    }
    (Verdict::Warn, format!("isolated: {isolated}; those to serve on are others"))
}

fn smt(facts: &Facts) -> (Verdict, String) {
    let shared: Vec<String> = facts
        .siblings
        .iter()
        .filter(|(cpu, siblings)| siblings.iter().any(|it| it > cpu && facts.cpus.contains(it)))
        .map(|(_, siblings)| format_list(siblings))
        .collect();
    if shared.is_empty() {
        return (Verdict::Ok, String::from("each CPU to serve on is a core of its own"));
    }
    (Verdict::Warn, format!("threads of one core: {}", shared.join(" and ")))
}

fn governor(facts: &Facts) -> (Verdict, String) {
    let others: Vec<_> = facts.governors.iter().filter(|(_, name)| name != "performance").collect();
    match others.first() {
        Some((cpu, name)) => (Verdict::Warn, format!("{name} on CPU {cpu}")),
        None if facts.governors.is_empty() => {
            (Verdict::Ok, String::from("not told, as in most virtual machines"))
        }
        None => (Verdict::Ok, String::from("performance")),
    }
}

fn clock(source: Option<&str>) -> (Verdict, String) {
    match source {
        None => (Verdict::Ok, String::from("not told")),
        Some(source) if QUICK_CLOCKS.contains(&source) => (Verdict::Ok, source.to_owned()),
        Some(source) => (Verdict::Warn, format!("{source}, which is slow to read")),
    }
}

fn stolen_time(stolen: Option<(u64, u64)>) -> (Verdict, String) {
    let Some((stolen, all)) = stolen else {
        return (Verdict::Ok, String::from("not told"));
    };
    let thousandths = stolen.saturating_mul(1000) / all.max(1);
    let found = format!("{}.{} % since the start", thousandths / 10, thousandths % 10);
    let verdict = if thousandths > STOLEN_THOUSANDTHS_MAX { Verdict::Warn } else { Verdict::Ok };
    (verdict, found)
}

fn congestion_control(facts: &Facts) -> (Verdict, String) {
    let (Some(name), Some(all)) = (&facts.congestion_control, &facts.congestion_controls) else {
        return (Verdict::Ok, String::from("not told"));
    };
    (Verdict::Ok, format!("{name}; there are: {all}"))
}

fn at_least(value: Option<u64>, least: u64) -> (Verdict, String) {
    match value {
        None => (Verdict::Ok, String::from("not told")),
        Some(value) if value < least => (Verdict::Warn, format!("{value}, below {least}")),
        Some(value) => (Verdict::Ok, value.to_string()),
    }
}

fn time_wait(reuse: Option<u64>) -> (Verdict, String) {
    match reuse {
        None => (Verdict::Ok, String::from("not told")),
        Some(0) => {
            (Verdict::Warn, String::from("0: a port rests for a minute after its connection"))
        }
        Some(2) => (Verdict::Ok, String::from("2: on the loopback only")),
        Some(value) => (Verdict::Ok, value.to_string()),
    }
}

fn ports(range: Option<(u64, u64)>) -> (Verdict, String) {
    let Some((first, last)) = range else {
        return (Verdict::Ok, String::from("not told"));
    };
    let count = (last + 1).saturating_sub(first);
    let verdict = if count < PORTS_MIN { Verdict::Warn } else { Verdict::Ok };
    (verdict, format!("{first} to {last}: {count} ports"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with nothing to complain of.
    fn sound() -> Facts {
        Facts {
            kernel: "6.18.44-generic".into(),
            ring: Ok(()),
            features: Ok(Feature::ALL.to_vec()),
            disabled: 0,
            is_filtered: false,
            memlock_kib: Some(8192),
            ring_kib: 132,
            descriptors: Some(1_048_576),
            connections: 65_536,
            cpus: vec![0, 1],
            quota_thousandths: None,
            isolated: Vec::new(),
            siblings: vec![(0, vec![0]), (1, vec![1])],
            governors: vec![(0, "performance".into()), (1, "performance".into())],
            clock_source: Some("tsc".into()),
            stolen: Some((1, 1000)),
            pauses: Vec::new(),
            congestion_control: Some("bbr".into()),
            congestion_controls: Some("reno bbr".into()),
            somaxconn: Some(4096),
            tw_reuse: Some(2),
            ports: Some((32_768, 60_999)),
        }
    }

    /// With one thing changed: what differs from the findings on a sound system.
    fn check(change: impl FnOnce(&mut Facts), expected: &[(&str, Verdict, &str)]) {
        let mut facts = sound();
        change(&mut facts);
        let troubles: Vec<Finding> =
            judge(&facts).into_iter().filter(|finding| finding.verdict != Verdict::Ok).collect();
        assert_eq!(troubles.len(), expected.len(), "{troubles:?}");
        for (finding, (name, verdict, words)) in troubles.iter().zip(expected) {
            assert_eq!((finding.name, finding.verdict), (*name, *verdict), "{finding:?}");
            assert!(finding.found.contains(words), "{words}: {finding:?}");
        }
    }

    #[test]
    fn a_sound_system_has_no_findings_but_good_ones() {
        check(|_| {}, &[]);
        assert_eq!(judge(&sound()).len(), Check::ALL.len() + Feature::ALL.len());
        assert!(judge(&sound()).iter().all(|finding| finding.mend.is_none()));
    }

    #[test]
    fn what_keeps_rings_from_being_made_fails() {
        use Verdict::{Fail, Warn};
        let lacks = |it: &mut Facts, reason: Unavailable| {
            it.ring = Err(reason.clone());
            it.features = Err(reason);
        };
        check(|it| it.kernel = "6.6.0".into(), &[("kernel", Warn, "6.12")]);
        check(|it| it.kernel = "5.15.0-1".into(), &[("kernel", Fail, "needs 6.1")]);
        let disabled = Unavailable::Disabled { setting: 2 };
        check(|it| lacks(it, disabled), &[("io_uring", Fail, "io_uring_disabled = 2")]);
        check(
            |it| lacks(it, Unavailable::Forbidden { call: "io_uring_setup" }),
            &[("io_uring", Fail, "seccomp"), ("seccomp", Fail, "io_uring_setup")],
        );
        check(|it| it.memlock_kib = Some(200), &[("locked memory", Warn, "1 fit")]);
        check(|it| it.memlock_kib = Some(64), &[("locked memory", Fail, "0 fit")]);
        check(|it| (it.memlock_kib, it.kernel) = (Some(64), "6.12.1".into()), &[]);
        check(
            |it| it.features = Ok(Feature::ALL[..12].to_vec()),
            &[
                (Feature::MinTimeout.name(), Warn, "missing: wakes for each"),
                (Feature::NoIowait.name(), Warn, "top may show"),
            ],
        );
        check(
            |it| it.features = Ok(Feature::ALL[1..].to_vec()),
            &[(Feature::Operations.name(), Fail, "missing: no ring")],
        );
    }

    #[test]
    fn only_the_setting_is_mended_by_the_setting() {
        let mend = |reason: Unavailable| {
            let facts = Facts { ring: Err(reason), ..sound() };
            judge(&facts).into_iter().find(|it| it.name == "io_uring").unwrap().mend
        };
        assert!(mend(Unavailable::Disabled { setting: 1 }).unwrap().contains("sysctl"));
        assert_eq!(mend(Unavailable::Descriptors), None);
    }

    #[test]
    fn limits_and_settings_that_cost_something_are_warned_of() {
        use Verdict::{Fail, Warn};
        check(|it| it.descriptors = Some(4096), &[("descriptors", Warn, "4096")]);
        check(|it| it.descriptors = Some(256), &[("descriptors", Fail, "256")]);
        check(|it| it.quota_thousandths = Some(1500), &[("CPUs", Warn, "that of 1.5")]);
        check(|it| it.quota_thousandths = Some(2000), &[]);
        check(|it| it.isolated = vec![2, 3], &[("isolation", Warn, "2-3")]);
        check(|it| it.isolated = vec![0, 1], &[]);
        let pair = vec![(0, vec![0, 1]), (1, vec![0, 1])];
        check(|it| it.siblings = pair, &[("SMT", Warn, "one core: 0-1")]);
        check(|it| it.siblings = vec![(0, vec![0, 2]), (1, vec![1, 3])], &[]);
        check(|it| it.governors[1].1 = "powersave".into(), &[("governor", Warn, "CPU 1")]);
        check(|it| it.governors.clear(), &[]);
        check(|it| it.clock_source = Some("hpet".into()), &[("clock", Warn, "hpet")]);
        check(|it| it.stolen = Some((25, 1000)), &[("stolen time", Warn, "2.5 %")]);
        check(|it| it.somaxconn = Some(128), &[("net.core.somaxconn", Warn, "below 4096")]);
        check(|it| it.tw_reuse = Some(0), &[("net.ipv4.tcp_tw_reuse", Warn, "minute")]);
        check(
            |it| it.ports = Some((40_000, 49_999)),
            &[("net.ipv4.ip_local_port_range", Warn, "10000 ports")],
        );
    }
}
