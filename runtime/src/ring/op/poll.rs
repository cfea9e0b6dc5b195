//! Poll: hears the core's bell, each time it is rung.
//!
//! A poll of this kind completes at every ring, so the bell never has to be silenced.

#![expect(unsafe_code, reason = "submits an operation")]

use std::os::fd::{AsFd, AsRawFd};

use io_uring::opcode;
use io_uring::types::Fd;

use super::{Kind, Token};
use crate::app::ConnId;
use crate::bell::Bell;
use crate::ring::queue::Queue;

/// Listens to `bell`, which lives until the terminal completion.
pub(in crate::ring) fn submit(queue: &mut Queue, bell: &Bell) {
    let descriptor = Fd(bell.as_fd().as_raw_fd());
    let events = u32::try_from(libc::POLLIN).expect("a small constant");
    let entry = opcode::PollAdd::new(descriptor, events).multi(true).build();
    let token = Token { kind: Kind::Bell, id: ConnId { slot: 0, generation: 0 } };
    // SAFETY: the entry points to no memory.
    unsafe { queue.push(token, entry) };
}
