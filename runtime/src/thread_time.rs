//! How long the calling thread has been on a processor: what work costs, whoever else is about.
//!
//! It stands apart from the clock of the engines, which tells when things happen; this tells only what they took.

#![expect(
    unsafe_code,
    reason = "calls clock_gettime, whose thread clock the standard library does not offer"
)]

use std::mem::MaybeUninit;
use std::time::Duration;

/// The processor time of the calling thread since it began.
///
/// Under a hypervisor it includes what the hypervisor took away while the thread ran.
#[must_use]
pub fn thread_time() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a place for one timespec, and the call only writes there.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()) };
    assert_eq!(result, 0, "every Linux has the thread's clock");
    // SAFETY: the call has succeeded, so it has written all of it.
    let time = unsafe { time.assume_init() };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What `work` takes the calling thread on a processor.
pub fn measure(work: &mut dyn FnMut()) -> Duration {
    let before = thread_time();
    work();
    thread_time().saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_work_and_is_each_threads_own() {
        let spent = measure(&mut || {
            let until = thread_time() + Duration::from_millis(20);
            while thread_time() < until {
                std::hint::spin_loop();
            }
        });
        assert!(spent >= Duration::from_millis(20));
        let others = std::thread::spawn(thread_time).join().expect("the thread ends");
        assert!(others < thread_time());
    }
}
