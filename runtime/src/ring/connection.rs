//! One connection as the ring sees it: its descriptor, its buffers, and which operations use them now.
//!
//! The rule that keeps the kernel out of freed memory lives here: [`Connection::is_idle`] says that no
//! operation is under way, and only an idle connection is taken apart.

#![expect(unsafe_code, reason = "hands its outbox to the kernel")]

use std::os::fd::{AsFd, OwnedFd};

use super::op::{cancel, receive, send};
use super::queue::Queue;
use crate::app::ConnId;
use crate::lifecycle::Lifecycle;
use crate::outbox::{Outbox, Spares};

/// A connection and the operations on it.
pub(super) struct Connection {
    descriptor: OwnedFd,
    pub(super) lifecycle: Lifecycle,
    /// While `sending` is not `Idle` its front belongs to the kernel.
    outbox: Outbox,
    receiving: Receiving,
    sending: Sending,
    /// The last send found too little room, so the next one has to wait for it.
    is_blocked: bool,
    pub(super) is_dirty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Idle,
    /// Submitted and not ended.
    Armed,
    /// Submitted, and asked to end.
    Cancelling,
    /// Ended for want of a buffer; it has a place in the queue of those that wait for one.
    Starved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Idle,
    /// A quiet send: over by the next turn.
    Quiet,
    /// A loud send, which completes.
    Loud,
    /// A loud send that was asked to end.
    Cancelling,
}

impl Connection {
    /// A connection on which nothing is under way.
    pub(super) fn new(descriptor: OwnedFd) -> Self {
        Self {
            descriptor,
            lifecycle: Lifecycle::new(),
            outbox: Outbox::default(),
            receiving: Receiving::Idle,
            sending: Sending::Idle,
            is_blocked: false,
            is_dirty: false,
        }
    }

    /// The descriptor, for plain system calls.
    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.descriptor
    }

    /// Queues bytes; returns how many are queued now.
    pub(super) fn queue(&mut self, bytes: &[u8], spares: &mut Spares) -> usize {
        self.outbox.push(bytes, spares);
        self.outbox.len()
    }

    /// Bytes queued and not known to have gone out.
    pub(super) fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// Whether everything queued has gone out.
    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Whether no operation uses the descriptor or the buffers.
    pub(super) fn is_idle(&self) -> bool {
        self.sending == Sending::Idle
            && matches!(self.receiving, Receiving::Idle | Receiving::Starved)
    }

    /// Takes an idle connection apart.
    pub(super) fn release(mut self, spares: &mut Spares) -> OwnedFd {
        assert!(self.is_idle(), "only an idle connection is released");
        self.outbox.clear(spares);
        self.descriptor
    }

    /// Sends what is queued, unless a send is under way. Says whether silence will mean success.
    pub(super) fn send(&mut self, conn: ConnId, queue: &mut Queue) -> bool {
        if self.sending != Sending::Idle || !self.lifecycle.flushes() || self.outbox.is_empty() {
            return false;
        }
        // Quietly only where nobody waits for the end of it.
        let is_quiet =
            !self.is_blocked && self.lifecycle.may_send() && !self.lifecycle.is_congested();
        let (manner, sending) = if is_quiet {
            (send::Manner::Quiet, Sending::Quiet)
        } else {
            (send::Manner::Loud, Sending::Loud)
        };
        let Self { descriptor, outbox, .. } = self;
        // SAFETY: nothing but this type touches the descriptor and the outbox. It advances the outbox only when
        // it learns that the send is over (`sent`, `sent_quietly`) and gives both away only when idle. Who
        // owns the connection drops it only once the kernel is done with the ring (`RingLinks::drop`).
        unsafe { send::submit(queue, descriptor.as_fd(), conn, outbox, manner) };
        self.sending = sending;
        is_quiet
    }

    /// Takes the completion of a send: `count` bytes went out.
    pub(super) fn sent(&mut self, count: usize, spares: &mut Spares) {
        // A quiet send that completes found too little room, a loud one is asked to find it.
        self.is_blocked = self.sending == Sending::Quiet || self.outbox.len() > count;
        self.sending = Sending::Idle;
        self.outbox.advance(count, spares);
    }

    /// Takes the silence of a quiet send, if one is under way: all went out. Returns how many bytes.
    pub(super) fn sent_quietly(&mut self, spares: &mut Spares) -> Option<usize> {
        if self.sending != Sending::Quiet {
            return None;
        }
        self.sending = Sending::Idle;
        let count = self.outbox.next().len();
        self.outbox.advance(count, spares);
        Some(count)
    }

    /// Takes the failure of a send: nothing will be sent any more.
    pub(super) fn send_failed(&mut self) {
        self.sending = Sending::Idle;
    }

    /// Begins or ends receiving, as the lifecycle asks for.
    pub(super) fn adjust_receiving(&mut self, conn: ConnId, queue: &mut Queue) {
        match (self.lifecycle.receives(), self.receiving) {
            (true, Receiving::Idle) => {
                receive::submit(queue, self.descriptor.as_fd(), conn);
                self.receiving = Receiving::Armed;
            }
            // A closing connection goes on: it will have to drop what comes anyway.
            (false, Receiving::Armed) if !self.lifecycle.is_closing() => {
                cancel::submit(queue, receive::token(conn));
                self.receiving = Receiving::Cancelling;
            }
            _ => {}
        }
    }

    /// Takes the terminal completion of a receive.
    pub(super) fn receive_ended(&mut self) {
        self.receiving = Receiving::Idle;
    }

    /// Takes the terminal completion of a receive that found no buffer. The caller queues it for one.
    pub(super) fn receive_starved(&mut self) {
        self.receiving = Receiving::Starved;
    }

    /// Takes its place in the queue of the starved.
    pub(super) fn may_receive_again(&mut self) {
        if self.receiving == Receiving::Starved {
            self.receiving = Receiving::Idle;
        }
    }

    /// Asks whatever is under way to end, so that the connection becomes idle.
    pub(super) fn cancel_all(&mut self, conn: ConnId, queue: &mut Queue) {
        if self.receiving == Receiving::Armed {
            cancel::submit(queue, receive::token(conn));
            self.receiving = Receiving::Cancelling;
        }
        if self.sending == Sending::Loud {
            cancel::submit(queue, send::token(conn, send::Manner::Loud));
            self.sending = Sending::Cancelling;
        }
    }
}
