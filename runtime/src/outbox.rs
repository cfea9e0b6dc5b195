//! What one connection still has to send, and the spare buffers that connections share.
//!
//! The bytes under way stand still in the *front* buffer, because the kernel may be reading them; whatever
//! the app sends meanwhile gathers in the *back* buffer and goes out as one send when the front is done. A
//! connection with nothing to send holds no buffer at all.

use std::mem;

use crate::limits::{
    SEND_BUFFER_BYTES_MIN, SEND_BYTES_MAX, SPARE_SEND_BUFFER_BYTES_MAX, SPARE_SEND_BYTES_MAX,
};

/// The send queue of one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    front: Vec<u8>,
    /// How much of the front has been sent.
    sent: usize,
    back: Vec<u8>,
}

impl Outbox {
    /// Queues `bytes`.
    pub(crate) fn push(&mut self, bytes: &[u8], spares: &mut Spares) {
        if self.back.capacity() == 0 {
            self.back = spares.take(bytes.len());
        }
        self.back.extend_from_slice(bytes);
    }

    /// The bytes to send next: what is left of the front, else the back, which becomes the front. They stay
    /// where they are until [`advance`](Self::advance) has used them up. Empty if nothing is queued.
    pub(crate) fn next(&mut self) -> &[u8] {
        if self.front.is_empty() {
            mem::swap(&mut self.front, &mut self.back);
        }
        let rest = &self.front[self.sent..];
        &rest[..rest.len().min(SEND_BYTES_MAX)]
    }

    /// Notes that `count` bytes of those that [`next`](Self::next) named have gone out.
    pub(crate) fn advance(&mut self, count: usize, spares: &mut Spares) {
        self.sent += count;
        assert!(self.sent <= self.front.len(), "no more is sent than was queued");
        if self.sent == self.front.len() {
            self.sent = 0;
            spares.put(mem::take(&mut self.front));
        }
    }

    /// Bytes queued and not yet sent.
    pub(crate) fn len(&self) -> usize {
        self.front.len() - self.sent + self.back.len()
    }

    /// Whether everything has gone out.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives the buffers back; what was queued is lost. Only once the kernel reads from neither.
    pub(crate) fn clear(&mut self, spares: &mut Spares) {
        self.sent = 0;
        spares.put(mem::take(&mut self.front));
        spares.put(mem::take(&mut self.back));
    }
}

/// Buffers that no connection needs at present, the last used first.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Spares {
    fn take(&mut self, capacity_min: usize) -> Vec<u8> {
        match self.buffers.pop() {
            Some(buffer) => {
                self.bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(capacity_min.max(SEND_BUFFER_BYTES_MIN)),
        }
    }

    fn put(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity == 0
            || capacity > SPARE_SEND_BUFFER_BYTES_MAX
            || self.bytes + capacity > SPARE_SEND_BYTES_MAX
        {
            return;
        }
        buffer.clear();
        self.bytes += capacity;
        self.buffers.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_however_sends_and_progress_interleave() {
        let mut spares = Spares::default();
        let mut outbox = Outbox::default();
        let (mut pushed, mut sent) = (Vec::new(), Vec::new());
        for round in 0..1000usize {
            let chunk: Vec<u8> =
                (0..round % 97).map(|byte| (byte ^ round).to_le_bytes()[0]).collect();
            outbox.push(&chunk, &mut spares);
            pushed.extend_from_slice(&chunk);
            let next = outbox.next();
            let step = next.len().min(round * 7 % 113);
            sent.extend_from_slice(&next[..step]);
            outbox.advance(step, &mut spares);
            assert_eq!(outbox.len(), pushed.len() - sent.len());
        }
        while !outbox.is_empty() {
            let next = outbox.next();
            let step = next.len();
            sent.extend_from_slice(next);
            outbox.advance(step, &mut spares);
        }
        assert_eq!(sent, pushed);
    }

    #[test]
    fn the_front_stands_still_while_more_is_queued() {
        let mut spares = Spares::default();
        let mut outbox = Outbox::default();
        outbox.push(b"abc", &mut spares);
        let front = outbox.next().as_ptr();
        for _ in 0..100 {
            outbox.push(&[0; 1000], &mut spares);
        }
        assert_eq!(outbox.next().as_ptr(), front);
        assert_eq!(outbox.next(), b"abc");
    }

    #[test]
    fn an_empty_outbox_holds_no_buffer_and_spares_are_bounded() {
        let mut spares = Spares::default();
        let mut outbox = Outbox::default();
        outbox.push(b"abc", &mut spares);
        outbox.next();
        outbox.advance(3, &mut spares);
        assert_eq!((outbox.front.capacity(), outbox.back.capacity()), (0, 0));
        assert_eq!(spares.buffers.len(), 1);
        spares.put(Vec::with_capacity(SPARE_SEND_BUFFER_BYTES_MAX + 1));
        assert_eq!(spares.buffers.len(), 1, "too large to keep");
        for _ in 0..1000 {
            spares.put(Vec::with_capacity(SPARE_SEND_BUFFER_BYTES_MAX));
        }
        assert!(spares.bytes <= SPARE_SEND_BYTES_MAX);
    }
}
