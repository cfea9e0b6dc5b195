//! Whether io_uring is to be had here, and if not, which of the known reasons it is and what to do about it.
//!
//! The kernel's answers are poor: one error number stands for a setting, a sandbox and a limit. So the number
//! is read together with what the system says of itself. What the kernel can be asked is asked, by making a
//! ring exactly as the engine needs it; version numbers only appear in messages.

use std::fs;
use std::io;
use std::sync::Arc;

use crate::app::CoreIndex;
use crate::counters::EngineCounters;
use crate::dispatcher::OwnCounters;
use crate::limits::EngineLimits;
use crate::ring;

/// Why io_uring is not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The administrator switched it off.
    #[error(
        "io_uring is switched off by the administrator (kernel.io_uring_disabled = {setting}{}); \
         `sysctl kernel.io_uring_disabled=0` allows it",
        if *.setting == 1 { ": only for privileged processes and the group kernel.io_uring_group" }
        else { ": for all processes" }
    )]
    Disabled {
        /// The value of the setting, 1 or 2.
        setting: u8,
    },
    /// The call was refused although the setting allows it.
    #[error(
        "{call} is not permitted although kernel.io_uring_disabled allows it: a seccomp filter or a security \
         module forbids it, as container runtimes do by default; allow io_uring_setup, io_uring_enter and \
         io_uring_register in the container's seccomp profile"
    )]
    Forbidden {
        /// The system call.
        call: &'static str,
    },
    /// There is no such system call.
    #[error(
        "this system has no {call} (kernel {kernel}): built without CONFIG_IO_URING, older than Linux 5.1, or \
         hidden by a sandbox's system call filter"
    )]
    Absent {
        /// The system call.
        call: &'static str,
        /// The kernel's release.
        kernel: String,
    },
    /// The user's limit of locked memory is used up.
    #[error(
        "a ring takes about {needed_kib} KiB of locked memory and the limit of {limit_kib} KiB, which all \
         processes of this user share, does not leave that; raise it (`ulimit -l`, LimitMEMLOCK= in systemd, \
         --ulimit memlock= for containers), use fewer cores or fewer ring entries"
    )]
    LockedMemory {
        /// What one ring of the plan takes.
        needed_kib: u64,
        /// The limit.
        limit_kib: u64,
    },
    /// The kernel has no memory for a ring, limits aside.
    #[error("the kernel has no memory for a ring of about {needed_kib} KiB")]
    Memory {
        /// What one ring of the plan takes.
        needed_kib: u64,
    },
    /// No descriptor is left for the ring.
    #[error("no file descriptor is left for a ring; raise the limit (`ulimit -n`)")]
    Descriptors,
    /// The kernel's io_uring lacks what the engine is built on.
    #[error("this kernel ({kernel}) lacks {missing} of io_uring, which came with Linux {since}")]
    Missing {
        /// What it lacks.
        missing: &'static str,
        /// The first release to have it.
        since: &'static str,
        /// The kernel's release.
        kernel: String,
    },
    /// Something nobody foresaw.
    #[error("{call} fails: {}", io::Error::from_raw_os_error(*.errno))]
    Other {
        /// The system call.
        call: &'static str,
        /// The error number.
        errno: i32,
    },
}

/// Makes a ring as `limits` ask for it, tries it, and gives it back.
pub fn io_uring(limits: &EngineLimits) -> Result<(), Unavailable> {
    let counters = Arc::new([EngineCounters::default()]);
    ring::Machine::new(limits, OwnCounters::new(counters, CoreIndex(0))).map(drop)
}

/// What the system says of itself.
#[derive(Clone, Debug)]
pub(crate) struct SystemFacts {
    /// `kernel.io_uring_disabled`; 0 where there is no such setting (before Linux 6.6).
    pub(crate) disabled: u8,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// The limit of locked memory in KiB, if one binds this process.
    pub(crate) memlock_kib: Option<u64>,
}

impl SystemFacts {
    /// Asks the system.
    pub(crate) fn read() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            disabled: read("/proc/sys/kernel/io_uring_disabled").trim().parse().unwrap_or(0),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memlock_kib: memlock_kib(&read("/proc/self/limits"), &read("/proc/self/status")),
        }
    }

    /// Which reason it is that `call` failed with `errno` on the way to a ring that takes about `ring_bytes`.
    pub(crate) fn reason(self, call: &'static str, errno: i32, ring_bytes: u64) -> Unavailable {
        let needed_kib = ring_bytes.div_ceil(1024);
        match (errno, self.disabled, self.memlock_kib) {
            (libc::EPERM, setting @ 1.., _) => Unavailable::Disabled { setting },
            (libc::EPERM | libc::EACCES, ..) => Unavailable::Forbidden { call },
            (libc::ENOSYS, ..) => Unavailable::Absent { call, kernel: self.kernel },
            (libc::ENOMEM, _, Some(limit_kib)) => {
                Unavailable::LockedMemory { needed_kib, limit_kib }
            }
            (libc::ENOMEM, ..) => Unavailable::Memory { needed_kib },
            (libc::EMFILE | libc::ENFILE, ..) => Unavailable::Descriptors,
            _ => Unavailable::Other { call, errno },
        }
    }

    /// That the kernel lacks something.
    pub(crate) fn missing(self, missing: &'static str, since: &'static str) -> Unavailable {
        Unavailable::Missing { missing, since, kernel: self.kernel }
    }
}

/// The soft limit of locked memory out of `/proc/self/limits`, unless `/proc/self/status` says that this
/// process has `CAP_IPC_LOCK`, which lifts it.
fn memlock_kib(limits: &str, status: &str) -> Option<u64> {
    const CAP_IPC_LOCK: u32 = 14;
    let capabilities = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    if capabilities.is_some_and(|set| set & (1 << CAP_IPC_LOCK) != 0) {
        return None;
    }
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
    let bytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(bytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units\n\
        Max locked memory         8388608              8388608              bytes\n";

    fn facts(disabled: u8, memlock_kib: Option<u64>) -> SystemFacts {
        SystemFacts { disabled, kernel: "6.1.0".into(), memlock_kib }
    }

    #[test]
    fn each_reason_is_told_apart_and_says_what_to_do() {
        let check = |facts: SystemFacts, errno, words: &[&str]| {
            let message = facts.reason("io_uring_setup", errno, 150_000).to_string();
            for word in words {
                assert!(message.contains(word), "{word}: {message}");
            }
        };
        check(facts(2, None), libc::EPERM, &["io_uring_disabled = 2", "all processes", "sysctl"]);
        check(facts(1, None), libc::EPERM, &["io_uring_disabled = 1", "io_uring_group"]);
        check(facts(0, None), libc::EPERM, &["seccomp", "container"]);
        check(facts(0, None), libc::ENOSYS, &["6.1.0", "CONFIG_IO_URING"]);
        check(
            facts(0, Some(8192)),
            libc::ENOMEM,
            &["147 KiB", "8192 KiB", "ulimit -l", "fewer cores"],
        );
        check(facts(0, None), libc::ENOMEM, &["no memory", "147 KiB"]);
        check(facts(0, None), libc::EMFILE, &["ulimit -n"]);
        check(facts(0, None), libc::EIO, &["io_uring_setup fails", "Input/output error"]);
    }

    #[test]
    fn the_memlock_limit_is_read_unless_it_does_not_bind() {
        assert_eq!(memlock_kib(LIMITS, "CapEff:\t0000000000000000\n"), Some(8192));
        assert_eq!(memlock_kib(LIMITS, "CapEff:\t0000000000004000\n"), None);
        let unlimited = LIMITS.replace("8388608  ", "unlimited");
        assert_eq!(memlock_kib(&unlimited, ""), None);
    }

    #[test]
    fn this_system_describes_itself() {
        let facts = SystemFacts::read();
        assert!(facts.kernel.contains('.'), "{facts:?}");
    }
}
