//! How long CPUs do something else than run a thread that never sleeps: other work, interrupts, the hypervisor.
//!
//! Unlike what the kernel accounts as stolen, this holds whatever the host keeps to itself, and it is what requests
//! that are due in such a pause have to wait. All CPUs are tried at once, as they are under load.

use std::thread;
use std::time::Duration;

use super::Verdict;
use crate::affinity;
use crate::clock::{Clock, Origin};

/// How long CPUs are tried.
const TRIAL: Duration = Duration::from_millis(300);

/// What takes longer than this between two looks at the clock is a pause.
const PAUSE_MIN: Duration = Duration::from_micros(20);

/// Pauses, in thousandths of all time, above which they are worth a word: of requests as many are late.
const THOUSANDTHS_MAX: u128 = 10;

/// CPUs tried at most.
const CPUS_MAX: usize = 64;

/// The pauses of one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pauses {
    pub(super) cpu: usize,
    /// How long was looked.
    pub(super) tried: Duration,
    /// All pauses together.
    pub(super) sum: Duration,
    pub(super) longest: Duration,
}

/// Keeps `cpus` busy for a moment and takes note of their pauses. Those that cannot be had are left out.
pub(super) fn find(cpus: &[usize]) -> Vec<Pauses> {
    thread::scope(|scope| {
        let trials: Vec<_> = cpus
            .iter()
            .take(CPUS_MAX)
            .filter_map(|&cpu| {
                thread::Builder::new()
                    .spawn_scoped(scope, move || affinity::pin(cpu).is_ok().then(|| look(cpu)))
                    .ok()
            })
            .collect();
        trials.into_iter().filter_map(|trial| trial.join().ok().flatten()).collect()
    })
}

/// Looks at the clock again and again.
fn look(cpu: usize) -> Pauses {
    let mut clock = Clock::new(Origin::now());
    let began = clock.read().time;
    let mut pauses = Pauses { cpu, tried: TRIAL, sum: Duration::ZERO, longest: Duration::ZERO };
    let mut last = began;
    while last.since(began) < TRIAL {
        let now = clock.read().time;
        let pause = now.since(last);
        if pause >= PAUSE_MIN {
            pauses.sum += pause;
            pauses.longest = pauses.longest.max(pause);
        }
        last = now;
    }
    pauses.tried = last.since(began);
    pauses
}

/// Judges by the CPU that pauses most.
pub(super) fn judge(pauses: &[Pauses]) -> (Verdict, String) {
    let thousandths = |it: &Pauses| it.sum.as_nanos() * 1000 / it.tried.as_nanos().max(1);
    let Some(worst) = pauses.iter().max_by_key(|it| thousandths(it)) else {
        return (Verdict::Ok, String::from("not tried"));
    };
    let share = thousandths(worst);
    let found = format!(
        "CPU {} did something else for {}.{} % of {:.0?}, {:.1?} at once",
        worst.cpu,
        share / 10,
        share % 10,
        worst.tried,
        worst.longest
    );
    (if share > THOUSANDTHS_MAX { Verdict::Warn } else { Verdict::Ok }, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_within_the_time_that_was_looked() {
        let cpus = affinity::allowed().unwrap();
        let found = find(&cpus);
        assert_eq!(found.len(), cpus.len().min(CPUS_MAX));
        for pauses in found {
            assert!(pauses.tried >= TRIAL);
            assert!(pauses.longest <= pauses.sum && pauses.sum <= pauses.tried, "{pauses:?}");
        }
        assert_eq!(find(&[usize::MAX]), []);
    }

    #[test]
    fn the_worst_cpu_is_judged() {
        let pauses = |cpu, sum_us, longest_us| Pauses {
            cpu,
            tried: TRIAL,
            sum: Duration::from_micros(sum_us),
            longest: Duration::from_micros(longest_us),
        };
        assert_eq!(judge(&[]).0, Verdict::Ok);
        assert_eq!(judge(&[pauses(0, 3_000, 900)]).0, Verdict::Ok);
        let (verdict, found) = judge(&[pauses(0, 0, 0), pauses(3, 7_500, 2_000)]);
        assert_eq!(verdict, Verdict::Warn);
        assert_eq!(found, "CPU 3 did something else for 2.5 % of 300ms, 2.0ms at once");
    }
}
