//! The buffers that the kernel receives into: one group for all connections of a core.
//!
//! The kernel takes a buffer out of a ring of free ones when data is there, so an idle connection holds none.
//! A completion hands the buffer to us as a [`Lease`]; giving the lease back puts the buffer at the ring's
//! end, and [`Buffers::publish`] lets the kernel see all those given back at once.

#![expect(unsafe_code, reason = "shares memory with the kernel")]

use std::alloc::{self, Layout};
use std::io;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// The one group of buffers that a ring has.
pub(super) const GROUP: u16 = 0;

/// What the kernel asks of the ring's alignment.
const PAGE_BYTES: usize = 4096;

/// Receive buffers shared with the kernel.
pub(super) struct Buffers {
    /// The ring of free buffers: `count` entries, page-aligned. The kernel reads them up to the tail, which
    /// lies in the first entry; we alone write.
    entries: NonNull<BufRingEntry>,
    /// The buffers, `count` times `size` bytes. The kernel writes into those that the ring offers; the
    /// others are ours.
    memory: NonNull<u8>,
    count: u16,
    size: u32,
    /// Where the next free buffer goes; the tail that the kernel sees follows at `publish`.
    tail: u16,
    /// Whether a receive may be under way, so that the kernel may write into the memory, which then must not
    /// be freed.
    is_in_use: bool,
}

/// A buffer that is ours to read, and how much of it is filled.
#[derive(Debug)]
pub(super) struct Lease {
    id: u16,
    length: u32,
}

impl Buffers {
    /// Allocates `count` buffers of `size` bytes, a power of two of them, and registers them with `ring`.
    pub(super) fn new(ring: &IoUring, count: u16, size: u32) -> io::Result<Self> {
        assert!(count.is_power_of_two() && size > 0, "limits are checked");
        let entries_layout = Self::entries_layout(count);
        let memory_layout = Self::memory_layout(count, size);
        // SAFETY: both layouts have a size above zero.
        let entries = unsafe { alloc::alloc_zeroed(entries_layout) };
        let entries = NonNull::new(entries.cast())
            .unwrap_or_else(|| alloc::handle_alloc_error(entries_layout));
        // SAFETY: as above.
        let memory = unsafe { alloc::alloc_zeroed(memory_layout) };
        let memory =
            NonNull::new(memory).unwrap_or_else(|| alloc::handle_alloc_error(memory_layout));
        let mut buffers = Self { entries, memory, count, size, tail: 0, is_in_use: false };
        let address = entries.as_ptr() as u64;
        // SAFETY: `entries` has room for `count` entries and is aligned to a page. The kernel looks at them only
        // for a receive, and while there may be one they are not freed (`is_in_use`).
        unsafe { ring.submitter().register_buf_ring_with_flags(address, count, GROUP, 0) }?;
        for id in 0..count {
            buffers.give_back(Lease { id, length: 0 });
        }
        buffers.publish();
        Ok(buffers)
    }

    /// The buffer that a completion with `flags` filled with `length` bytes, if it did.
    ///
    /// Called once for each completion: the flags name a buffer that the kernel took out of the ring and that
    /// nobody else has been given.
    pub(super) fn lease(&self, flags: u32, length: u32) -> Option<Lease> {
        let id = io_uring::cqueue::buffer_select(flags)?;
        assert!(
            id < self.count && length <= self.size,
            "the kernel keeps to the buffers it was given"
        );
        Some(Lease { id, length })
    }

    /// What a lease holds.
    pub(super) fn bytes(&self, lease: &Lease) -> &[u8] {
        let offset = usize::from(lease.id) * self.size as usize;
        // SAFETY: `lease` checked that the buffer lies within the memory.
        let start = unsafe { self.memory.add(offset) };
        // SAFETY: the bytes are initialised (zeroed at first, then written by the kernel), and nobody writes
        // to them while the lease lives: the kernel took the buffer out of its ring, and only `give_back`,
        // which takes the lease, offers it again.
        unsafe { slice::from_raw_parts(start.as_ptr(), lease.length as usize) }
    }

    /// Offers a buffer to the kernel again, from the next [`publish`](Self::publish) on.
    pub(super) fn give_back(&mut self, lease: Lease) {
        let place = usize::from(self.tail & (self.count - 1));
        // SAFETY: within the `count` entries.
        let entry = unsafe { self.entries.add(place) };
        // SAFETY: the entry is initialised (zeroed at first). The kernel reads only entries before the tail
        // that it sees, and there are as many entries as buffers, so this one is not among them. The tail
        // itself lies in a field of the first entry that is not touched through this reference.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(self.memory.as_ptr() as u64 + u64::from(lease.id) * u64::from(self.size));
        entry.set_len(self.size);
        entry.set_bid(lease.id);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel see the buffers given back.
    pub(super) fn publish(&mut self) {
        // SAFETY: the pointer is that of the first entry of the ring, which is initialised.
        let tail = unsafe { BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail is two aligned bytes of our own allocation that live as long as it, that the
        // kernel only reads, and that we write only here.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// From now on receives may be under way.
    pub(super) fn lend(&mut self) {
        self.is_in_use = true;
    }

    /// No receive is under way any more, and none will be.
    pub(super) fn take_back(&mut self) {
        self.is_in_use = false;
    }

    fn entries_layout(count: u16) -> Layout {
        let bytes = usize::from(count) * size_of::<BufRingEntry>();
        Layout::from_size_align(bytes, PAGE_BYTES).expect("at most 512 KiB")
    }

    fn memory_layout(count: u16, size: u32) -> Layout {
        let bytes = usize::from(count) * size as usize;
        Layout::from_size_align(bytes, PAGE_BYTES).expect("at most 32 GiB")
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if self.is_in_use {
            // The kernel may still write: leaking is the only safe thing.
            return;
        }
        let entries_layout = Self::entries_layout(self.count);
        // SAFETY: allocated in `new` with this layout; no receive is under way that would make the kernel look.
        unsafe { alloc::dealloc(self.entries.as_ptr().cast(), entries_layout) };
        // SAFETY: as above; no receive is under way that could write here.
        unsafe { alloc::dealloc(self.memory.as_ptr(), Self::memory_layout(self.count, self.size)) };
    }
}
