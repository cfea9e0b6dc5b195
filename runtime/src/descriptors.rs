//! How many descriptors this process may have.
//!
//! The soft limit is 1,024 on most systems, for the sake of programs that use `select`, and the hard limit,
//! which is the administrator's word, far above. A server wants the latter.

#![expect(unsafe_code, reason = "calls getrlimit and setrlimit")]

/// Raises the soft limit of descriptors to the hard limit. Where that fails the limit stays what it is, and a
/// server that reaches it goes on without new connections.
pub fn raise_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result == 0 && limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}
