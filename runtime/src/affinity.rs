//! Which CPUs the cores of a plan run on: reading a list of them, and making a thread one core's.
//!
//! Deliberately without a view of the machine's topology: whoever starts the server knows which CPUs are to
//! serve.

#![expect(unsafe_code, reason = "calls sched_getaffinity, sched_setaffinity and prctl")]

use std::io;

/// CPUs that a mask can name: far above what Linux can be built for today (8,192 on x86).
const CPUS_MAX: usize = 8192;

const WORD_BITS: usize = u64::BITS as usize;

/// A set of CPUs as the kernel takes it.
type Mask = [u64; CPUS_MAX / WORD_BITS];

/// Why a list of CPUs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AffinityError {
    /// Not a number and not a range.
    #[error("{part:?} is neither a CPU number nor a range like 2-3")]
    NotACpu {
        /// The part of the list.
        part: String,
    },
    /// A range from a higher to a lower number.
    #[error("the range {part:?} runs backwards")]
    Backwards {
        /// The part of the list.
        part: String,
    },
    /// Two threads on one CPU would take turns.
    #[error("CPU {cpu} is named twice")]
    Twice {
        /// The CPU.
        cpu: usize,
    },
    /// The CPU is not there, or not for this process.
    #[error("CPU {cpu} is not available to this process; available: {}", format_list(.available))]
    NotAvailable {
        /// The CPU.
        cpu: usize,
        /// Those that are.
        available: Vec<usize>,
    },
    /// The kernel refused.
    #[error("cannot pin a thread: {0}")]
    Os(io::Error),
}

/// Reads a list of CPUs as `taskset` and the kernel write it: `0,2-3`.
pub fn parse(list: &str) -> Result<Vec<usize>, AffinityError> {
    let mut cpus = Vec::new();
    for part in list.split(',').map(str::trim) {
        let number = |text: &str| {
            text.trim()
                .parse::<usize>()
                .ok()
                .filter(|cpu| *cpu < CPUS_MAX)
                .ok_or_else(|| AffinityError::NotACpu { part: part.to_owned() })
        };
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(AffinityError::Backwards { part: part.to_owned() });
        }
        for cpu in first..=last {
            if cpus.contains(&cpu) {
                return Err(AffinityError::Twice { cpu });
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

/// The inverse of [`parse`], for CPUs in ascending order: `[0, 2, 3]` is `0,2-3`.
#[must_use]
pub fn format_list(cpus: &[usize]) -> String {
    let run = |run: &[usize]| match *run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.iter().map(ToString::to_string).collect(),
    };
    cpus.chunk_by(|left, right| left + 1 == *right).map(run).collect::<Vec<_>>().join(",")
}

/// The CPUs that this thread may run on, in ascending order.
pub fn allowed() -> io::Result<Vec<usize>> {
    let mut mask: Mask = [0; _];
    // SAFETY: the kernel writes at most the size given, which is that of the array, and any bits are valid.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<Mask>(), (&raw mut mask).cast()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_set = |cpu: &usize| mask[cpu / WORD_BITS] & (1 << (cpu % WORD_BITS)) != 0;
    Ok((0..CPUS_MAX).filter(is_set).collect())
}

/// Pins this thread to `cpu`.
pub fn pin(cpu: usize) -> Result<(), AffinityError> {
    let available = allowed().map_err(AffinityError::Os)?;
    if !available.contains(&cpu) {
        return Err(AffinityError::NotAvailable { cpu, available });
    }
    let mut mask: Mask = [0; _];
    mask[cpu / WORD_BITS] |= 1 << (cpu % WORD_BITS);
    // SAFETY: the kernel reads at most the size given, which is that of the array.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<Mask>(), (&raw const mask).cast()) };
    if result < 0 { Err(AffinityError::Os(io::Error::last_os_error())) } else { Ok(()) }
}

/// Has the kernel wake this thread when it asked to be woken, and not up to 50 microseconds later, which is the
/// slack that a thread's timers have by default.
pub(crate) fn sharpen_timers() {
    const SLACK_NANOSECONDS: libc::c_ulong = 1;
    // SAFETY: takes integers only. It cannot fail with these; and if it did, timers would only be less sharp.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK_NANOSECONDS) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_taskset_writes_them() {
        assert_eq!(parse("0").unwrap(), [0]);
        assert_eq!(parse(" 4 , 0-2").unwrap(), [4, 0, 1, 2]);
        for (list, message) in [
            ("", "\"\" is neither"),
            ("1,", "\"\" is neither"),
            ("a", "\"a\" is neither"),
            ("-1", "\"-1\" is neither"),
            ("99999", "\"99999\" is neither"),
            ("3-1", "backwards"),
            ("0-2,1", "CPU 1 is named twice"),
        ] {
            let error = parse(list).unwrap_err().to_string();
            assert!(error.contains(message), "{list}: {error}");
        }
        assert_eq!(format_list(&[0, 2, 3, 4, 7]), "0,2-4,7");
    }

    #[test]
    fn a_thread_can_be_pinned_where_it_may_run_and_nowhere_else() {
        std::thread::spawn(|| {
            let cpu = *allowed().unwrap().last().unwrap();
            pin(cpu).unwrap();
            assert_eq!(allowed().unwrap(), [cpu]);
            let error = pin(CPUS_MAX - 1).unwrap_err().to_string();
            assert!(error.contains(&format!("available: {cpu}")), "{error}");
        })
        .join()
        .unwrap();
    }
}
