//! Byte buffers used again and again, so that a server in its steady state allocates nothing for them.

use crate::limits::{POOLED_BUFFER_BYTES_MAX, POOLED_BUFFERS_MAX};

/// A bounded pool of empty buffers.
#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    free: Vec<Vec<u8>>,
}

impl BufferPool {
    /// An empty buffer.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.free.pop().unwrap_or_default()
    }

    /// Takes a buffer back. One that has grown large, or one too many, goes back to the allocator.
    pub(crate) fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.free.len() < POOLED_BUFFERS_MAX
            && (1..=POOLED_BUFFER_BYTES_MAX).contains(&buffer.capacity())
        {
            buffer.clear();
            self.free.push(buffer);
        }
    }
}
