//! How many descriptors this process may have.
//!
//! The soft limit is 1,024 on most systems, for the sake of programs that use `select`, and the hard limit,
//! which is the administrator's word, far above. A server wants the latter.

#![expect(unsafe_code, reason = "calls getrlimit and setrlimit")]

/// Raises the soft limit of descriptors to the hard limit, and tells the limit now in force; `None` where there is none
/// or it cannot be known. Where raising fails the limit stays what it is, and a server that reaches it goes on without new
/// connections.
pub fn raise_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if result != 0 {
        return None;
    }
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        // SAFETY: as above.
        let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) };
        if result == 0 {
            limit = raised;
        }
    }
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}
