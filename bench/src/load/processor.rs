//! What the operating system says about the threads of an engine: time on a processor, and time spent waiting
//! for one.
//!
//! The kernel accounts both to the nanosecond in `/proc`. Where that cannot be read, nothing is said.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// The names of engines' threads begin with this.
const THREAD_NAME_PREFIX: &str = "ringyard-";

/// Threads of this process, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(BTreeSet<u32>);

/// What threads have used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessorUse {
    /// Time on a processor.
    pub running: Duration,
    /// Time ready to run, without a processor.
    pub waiting: Duration,
}

impl Threads {
    /// The engines' threads that there are now.
    #[must_use]
    pub(super) fn of_engines() -> Self {
        let numbers = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let is_engine = |number: &u32| {
            fs::read_to_string(format!("/proc/self/task/{number}/comm"))
                .is_ok_and(|name| name.starts_with(THREAD_NAME_PREFIX))
        };
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        Self(numbers.filter_map(number).filter(is_engine).collect())
    }

    /// Those that were not there `before`.
    #[must_use]
    pub(super) fn since(&self, before: &Self) -> Self {
        Self(self.0.difference(&before.0).copied().collect())
    }

    /// What each has used up so far, in the order in which they were started.
    #[must_use]
    pub(super) fn used(&self) -> Vec<ProcessorUse> {
        self.0.iter().filter_map(|number| read(*number)).collect()
    }
}

impl ProcessorUse {
    /// What was used up since `earlier`.
    #[must_use]
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            running: self.running.saturating_sub(earlier.running),
            waiting: self.waiting.saturating_sub(earlier.waiting),
        }
    }

    /// The same without time in which the thread only looked for work.
    #[must_use]
    pub(super) fn without(&self, looking: Duration) -> Self {
        Self { running: self.running.saturating_sub(looking), ..*self }
    }

    /// The part of `elapsed` in which a thread had nothing to do.
    #[must_use]
    pub(super) fn idle_share(&self, elapsed: Duration) -> f64 {
        let busy = (self.running + self.waiting).as_secs_f64();
        if elapsed.is_zero() { 1.0 } else { (1.0 - busy / elapsed.as_secs_f64()).clamp(0.0, 1.0) }
    }
}

/// How long one CPU was idle and busy since the system started, in the kernel's ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuTicks {
    idle: u64,
    busy: u64,
}

impl CpuTicks {
    /// Those of CPU number `cpu`, where the system tells.
    pub(super) fn read(cpu: usize) -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?, cpu)
    }

    /// Finds `cpuN user nice system idle iowait irq softirq steal ...`.
    fn parse(stat: &str, cpu: usize) -> Option<Self> {
        let name = format!("cpu{cpu}");
        let mut words = stat
            .lines()
            .map(str::split_ascii_whitespace)
            .find_map(|mut words| (words.next()? == name).then_some(words))?;
        let mut next = || words.next()?.parse::<u64>().ok();
        let [user, nice, system, idle, waiting] = [next()?, next()?, next()?, next()?, next()?];
        let [interrupts, soft_interrupts, stolen] = [next()?, next()?, next()?];
        let busy = user + nice + system + interrupts + soft_interrupts + stolen;
        Some(Self { idle: idle + waiting, busy })
    }

    /// The part of the time since `earlier` in which the CPU was idle; `None` if no tick has passed.
    pub(super) fn idle_share_since(&self, earlier: &Self) -> Option<f64> {
        let idle = self.idle.saturating_sub(earlier.idle) as f64;
        let all = idle + self.busy.saturating_sub(earlier.busy) as f64;
        (all > 0.0).then(|| idle / all)
    }
}

fn read(number: u32) -> Option<ProcessorUse> {
    parse(&fs::read_to_string(format!("/proc/self/task/{number}/schedstat")).ok()?)
}

/// `running waiting slices`, the first two in nanoseconds.
fn parse(schedstat: &str) -> Option<ProcessorUse> {
    let mut numbers = schedstat.split_ascii_whitespace().map(|word| word.parse().ok());
    let mut next = || numbers.next().flatten().map(Duration::from_nanos);
    Some(ProcessorUse { running: next()?, waiting: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        let expected =
            ProcessorUse { running: Duration::from_nanos(12), waiting: Duration::from_nanos(34) };
        assert_eq!(parse("12 34 5\n"), Some(expected));
        assert_eq!(parse("12"), None);
        assert_eq!(parse("x y z"), None);
    }

    #[test]
    fn a_cpu_is_found_by_its_number() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 1 2 3 40 5 6 7 8 0 0\ncpu10 0 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(CpuTicks::parse(stat, 1), Some(CpuTicks { idle: 45, busy: 27 }));
        assert_eq!(CpuTicks::parse(stat, 2), None);
        let [before, after] = [(10, 10), (13, 11)].map(|(idle, busy)| CpuTicks { idle, busy });
        assert_eq!(after.idle_share_since(&before), Some(0.75));
        assert_eq!(after.idle_share_since(&after), None);
    }

    #[test]
    fn a_thread_that_waits_for_a_processor_is_not_idle() {
        let used = ProcessorUse {
            running: Duration::from_millis(300),
            waiting: Duration::from_millis(600),
        };
        assert!((used.idle_share(Duration::from_secs(1)) - 0.1).abs() < 1e-9);
        assert_eq!(used.idle_share(Duration::from_millis(100)), 0.0);
        let looking = used.without(Duration::from_millis(200));
        assert!((looking.idle_share(Duration::from_secs(1)) - 0.3).abs() < 1e-9);
    }

    #[test]
    fn an_engines_thread_is_found_by_its_name() {
        let before = Threads::of_engines();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("{THREAD_NAME_PREFIX}test"))
            .spawn(move || {
                ready.send(()).unwrap();
                let _ = stopped.recv();
            })
            .unwrap();
        is_ready.recv().unwrap();
        let found = Threads::of_engines().since(&before);
        assert!(!found.used().is_empty());
        drop(stop);
        thread.join().unwrap();
    }
}
