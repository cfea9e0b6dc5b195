//! How soon a thread gets a processor that it shares with others of ours: how long a slice it asks the kernel for.
//!
//! Among threads of equal priority the kernel (its EEVDF scheduler, from Linux 6.12 on) lets one that wakes up and wants
//! little go before one that wants much. So cores that serve ask for short slices and threads that compute for long
//! ones: each gets the same share as before, but who serves is not kept waiting until a slice of computing is over.
//! Older kernels take the request and do nothing about it. It stands apart from pinning, which says where a thread
//! runs, not when.

#![expect(
    unsafe_code,
    reason = "calls sched_getattr and sched_setattr, for which libc has no wrapper"
)]

use std::time::Duration;

/// The shortest slice that the kernel grants.
const SLICE_SHORT: Duration = Duration::from_micros(100);

/// The longest.
const SLICE_LONG: Duration = Duration::from_millis(100);

/// How a thread shares its processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// As the system has it.
    Usual,
    /// Runs for short at a time, and soon after it wakes up.
    Prompt,
    /// Runs for long at a time, after those that are prompt.
    Patient,
}

/// `struct sched_attr` in its first form, which every kernel knows that has the calls.
#[derive(Debug, Default)]
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    /// Of a thread without a deadline, the slice in nanoseconds.
    runtime: u64,
    deadline: u64,
    period: u64,
}

const SIZE: u32 = 48;

const _: () = assert!(size_of::<Attributes>() == SIZE as usize);

/// Makes this thread as urgent. Where the system refuses, nothing changes and nothing is worse than before.
pub(crate) fn set(urgency: Urgency) {
    let slice = match urgency {
        Urgency::Usual => return,
        Urgency::Prompt => SLICE_SHORT,
        Urgency::Patient => SLICE_LONG,
    };
    if let Some(mut attributes) = attributes()
        && attributes.policy == libc::SCHED_OTHER.cast_unsigned()
    {
        attributes.runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: the kernel reads as many bytes as the structure says that it has.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    }
}

/// How the system schedules this thread.
fn attributes() -> Option<Attributes> {
    let mut attributes = Attributes::default();
    // SAFETY: the kernel writes at most the size given, which is that of the structure, and any bits are valid.
    let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) };
    (result == 0).then_some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_changes_its_slice_and_nothing_else() {
        std::thread::spawn(|| {
            let before = attributes().unwrap();
            for urgency in [Urgency::Usual, Urgency::Prompt, Urgency::Patient] {
                set(urgency);
                let after = attributes().unwrap();
                assert_eq!((after.policy, after.nice), (before.policy, before.nice));
                let slice = match urgency {
                    Urgency::Usual => before.runtime,
                    Urgency::Prompt => 100_000,
                    Urgency::Patient => 100_000_000,
                };
                // Kernels before 6.12 have no slices of a thread's own.
                assert!([slice, before.runtime].contains(&after.runtime), "{after:?}");
            }
        })
        .join()
        .unwrap();
    }
}
