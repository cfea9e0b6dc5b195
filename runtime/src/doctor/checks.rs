//! What is looked at beside the features of io_uring: how it is called, what is taken for trouble, and what mends it.
//!
//! One table, shown by [`examine`](super::examine) and printed in `linux-only.md`, which a test compares with it.

/// Something looked at beside the features of io_uring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Its release.
    Kernel,
    /// Whether a ring can be had.
    IoUring,
    /// Whether system calls are filtered.
    Seccomp,
    /// How many rings fit.
    LockedMemory,
    /// How many connections fit.
    Descriptors,
    /// How many there are and how much of their time.
    Cpus,
    /// Whether they are kept free of other work.
    Isolation,
    /// Whether they are cores or halves of cores.
    Smt,
    /// Whether they run at full speed.
    Governor,
    /// What reading the time costs.
    Clock,
    /// Whether the hypervisor lets them run.
    StolenTime,
    /// How long a thread is kept from running.
    Pauses,
    /// The system's default.
    CongestionControl,
    /// How many may wait to be accepted.
    Backlog,
    /// Whether ports of ended connections are used again.
    TimeWait,
    /// How many connections there can be to one address.
    Ports,
}

/// Name, what is taken for trouble, and what mends it.
type Row = (Check, &'static str, &'static str, &'static str);

const TABLE: [Row; Check::ALL.len()] = [
    (
        Check::Kernel,
        "kernel",
        "below 6.1 the engine `ring` does not start; below 6.12 it lacks something",
        "a newer kernel; --engine tokio needs none",
    ),
    (
        Check::IoUring,
        "io_uring",
        "no ring can be made as the engine `ring` needs it; the reason is told",
        "sysctl -w kernel.io_uring_disabled=0",
    ),
    (
        Check::Seccomp,
        "seccomp",
        "a filter forbids io_uring",
        "allow io_uring_setup, io_uring_enter and io_uring_register: --security-opt seccomp=profile.json",
    ),
    (
        Check::LockedMemory,
        "locked memory",
        "the rings of all CPUs to serve on do not fit, where the kernel counts them",
        "ulimit -l unlimited; LimitMEMLOCK=infinity; --ulimit memlock=-1",
    ),
    (
        Check::Descriptors,
        "descriptors",
        "the hard limit is below what connections one core takes by default; it fails below 1,024",
        "ulimit -Hn 1048576; LimitNOFILE=1048576; --ulimit nofile=1048576",
    ),
    (
        Check::Cpus,
        "CPUs",
        "the control group's quota is less than the CPUs to serve on: threads are stopped when it is used up",
        "raise cpu.max, or name fewer with --cores",
    ),
    (
        Check::Isolation,
        "isolation",
        "there are isolated CPUs, and those to serve on are others",
        "name them with --cores",
    ),
    (
        Check::Smt,
        "SMT",
        "two CPUs to serve on are threads of one core, and slow one another down",
        "name one of each pair with --cores",
    ),
    (
        Check::Governor,
        "governor",
        "a CPU to serve on is not kept at full speed",
        "cpupower frequency-set -g performance",
    ),
    (
        Check::Clock,
        "clock",
        "the kernel's clock is read by a system call or slower, once in each turn of a core",
        "clocksource=tsc on the kernel's command line",
    ),
    (
        Check::StolenTime,
        "stolen time",
        "the hypervisor took more than 1 % of the time since the start: latencies are not this machine's own",
        "CPUs of one's own from the host; judge by CPU time per request",
    ),
    (
        Check::Pauses,
        "pauses",
        "a thread that never sleeps was kept from a CPU to serve on for more than 1 % of the time: so many requests \
         are late, whatever the server",
        "stop what else runs there; isolcpus= and nohz_full= on the kernel's command line; CPUs of one's own from \
         the host",
    ),
    (
        Check::CongestionControl,
        "net.ipv4.tcp_congestion_control",
        "none; another can be named with `--congestion-control`",
        "",
    ),
    (
        Check::Backlog,
        "net.core.somaxconn",
        "below 4,096, which each listener asks for: a rush of connections is turned away sooner",
        "sysctl -w net.core.somaxconn=4096",
    ),
    (
        Check::TimeWait,
        "net.ipv4.tcp_tw_reuse",
        "0: whoever opens a connection for each request runs out of ports",
        "sysctl -w net.ipv4.tcp_tw_reuse=1",
    ),
    (
        Check::Ports,
        "net.ipv4.ip_local_port_range",
        "fewer than 20,000: a generator of load, or a proxy, has so many connections to one address at most",
        "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"",
    ),
];

impl Check {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 16] = [
        Self::Kernel,
        Self::IoUring,
        Self::Seccomp,
        Self::LockedMemory,
        Self::Descriptors,
        Self::Cpus,
        Self::Isolation,
        Self::Smt,
        Self::Governor,
        Self::Clock,
        Self::StolenTime,
        Self::Pauses,
        Self::CongestionControl,
        Self::Backlog,
        Self::TimeWait,
        Self::Ports,
    ];

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.0 == self).expect("each check has its row")
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What is taken for trouble.
    #[must_use]
    pub fn trouble(self) -> &'static str {
        self.row().2
    }

    /// The command or setting that mends it; empty where there is nothing to mend.
    #[must_use]
    pub fn mend(self) -> &'static str {
        self.row().3
    }
}
