//! One direction of a connection: a stream of bytes on its way.
//!
//! Bytes are kept once, from the sending app to the receiving one. Where each byte is (still queued by the
//! driver, on the wire, arrived, read) is told by positions in the stream that only grow. A pipe knows no
//! time; [`super::network`] moves its positions when the time has come.

use super::limits::COMPACT_BYTES;

/// How far the end of the stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fin {
    /// The sender may send more.
    Open,
    /// The end follows what is queued.
    Wanted,
    /// The end is on its way.
    Sent,
    /// The end has arrived.
    Arrived,
}

/// A stream of bytes between a sending driver and a receiving one.
#[derive(Debug)]
pub(super) struct Pipe {
    /// The bytes from `read` to `written`, from index `head` on.
    buffer: Vec<u8>,
    head: usize,
    /// Up to here the receiving app has the bytes.
    read: u64,
    /// Up to here the receiver's kernel has them.
    arrived: u64,
    /// Up to here they are on the wire.
    sent: u64,
    /// Up to here the sending app has written.
    written: u64,
    /// Up to here the sender knows them read.
    acknowledged: u64,
    /// The most bytes on the wire, arrived but not read, or not known to be read.
    window: u64,
    pub(super) fin: Fin,
}

impl Pipe {
    /// An empty stream. `buffer` may bring capacity, but no bytes.
    pub(super) fn new(window: u64, buffer: Vec<u8>) -> Self {
        assert!(buffer.is_empty() && window > 0);
        Self {
            buffer,
            head: 0,
            read: 0,
            arrived: 0,
            sent: 0,
            written: 0,
            acknowledged: 0,
            window,
            fin: Fin::Open,
        }
    }

    /// The buffer, for the next pipe.
    pub(super) fn into_buffer(mut self) -> Vec<u8> {
        self.buffer.clear();
        self.buffer
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        assert!(self.fin == Fin::Open, "nothing is written after the end");
        self.buffer.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
    }

    /// Bytes that the sender's driver still has.
    pub(super) fn queued(&self) -> u64 {
        self.written - self.sent
    }

    /// Bytes that the receiver could read now.
    pub(super) fn readable(&self) -> u64 {
        self.arrived - self.read
    }

    /// Whether all that was ever written has been read.
    pub(super) fn is_read_out(&self) -> bool {
        self.read == self.written
    }

    /// Up to where the stream is on the wire.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether what was sent up to `position` has arrived.
    pub(super) fn has_arrived(&self, position: u64) -> bool {
        self.arrived >= position
    }

    /// Puts on the wire what the window allows. The count of bytes.
    pub(super) fn transmit(&mut self) -> u64 {
        let room = self.window - (self.sent - self.acknowledged);
        let count = room.min(self.queued());
        self.sent += count;
        count
    }

    /// What was sent up to `position` arrives.
    pub(super) fn arrive(&mut self, position: u64) {
        self.arrived = self.arrived.max(position.min(self.sent));
    }

    /// The end of the stream arrives, and with it all before it.
    pub(super) fn arrive_fin(&mut self) {
        assert!(self.fin == Fin::Sent && self.queued() == 0, "an end follows all its bytes");
        self.arrived = self.sent;
        self.fin = Fin::Arrived;
    }

    /// The next `count` bytes that the receiver reads.
    pub(super) fn front(&self, count: u64) -> &[u8] {
        assert!(count <= self.readable());
        &self.buffer[self.head..self.head + index(count)]
    }

    /// `count` bytes were read. The position to acknowledge, where the sender should hear of it.
    pub(super) fn consume(&mut self, count: u64) -> Option<u64> {
        assert!(count <= self.readable());
        self.read += count;
        self.head += index(count);
        if self.head == self.buffer.len() {
            self.buffer.clear();
            self.head = 0;
        } else if self.head >= COMPACT_BYTES {
            self.buffer.drain(..self.head);
            self.head = 0;
        }
        // Half a window is the point up to which a sender cannot be short of room.
        (self.sent - self.acknowledged >= self.window.div_ceil(2)).then_some(self.read)
    }

    /// The sender hears that the receiver has read up to `position`.
    pub(super) fn acknowledge(&mut self, position: u64) {
        self.acknowledged = self.acknowledged.max(position);
    }

    /// The sender's process has died: what it had not given to its kernel is lost.
    pub(super) fn drop_queued(&mut self) {
        let lost = index(self.queued());
        self.buffer.truncate(self.buffer.len() - lost);
        self.written = self.sent;
    }
}

/// A count of buffered bytes as an index.
fn index(count: u64) -> usize {
    usize::try_from(count).expect("what is buffered fits the memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_holds_the_rest_back_until_enough_is_read() {
        let mut pipe = Pipe::new(10, Vec::new());
        pipe.write(b"abcdefghijklmno");
        assert_eq!(pipe.transmit(), 10);
        assert_eq!((pipe.queued(), pipe.transmit()), (5, 0));
        pipe.arrive(10);
        assert_eq!(pipe.front(4), b"abcd");
        let position = pipe.consume(4).expect("more than half the window is unacknowledged");
        pipe.acknowledge(position);
        assert_eq!(pipe.transmit(), 4);
        pipe.arrive(14);
        assert_eq!(pipe.front(10), b"efghijklmn");
    }

    #[test]
    fn a_reader_that_reads_everything_never_leaves_its_writer_stuck() {
        let mut pipe = Pipe::new(7, Vec::new());
        let mut read = 0;
        for _ in 0..100 {
            pipe.write(b"xyz");
            pipe.transmit();
            pipe.arrive(pipe.sent());
            let count = pipe.readable();
            read += count;
            if let Some(position) = pipe.consume(count) {
                pipe.acknowledge(position);
            }
        }
        assert!(read > 290, "{read}");
    }

    #[test]
    fn a_dead_sender_loses_only_what_was_queued() {
        let mut pipe = Pipe::new(3, Vec::new());
        pipe.write(b"abcdef");
        pipe.transmit();
        pipe.drop_queued();
        pipe.fin = Fin::Sent;
        pipe.arrive_fin();
        assert_eq!(pipe.front(pipe.readable()), b"abc");
        pipe.consume(3);
        assert!(pipe.is_read_out());
    }
}
