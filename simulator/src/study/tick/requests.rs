//! The requests under way: a slab of one cache line each, linked into lists and calendars.
//!
//! Every list a request can wait in (a server's queue, what a server finishes on a tick, what arrives on a tick)
//! is threaded through its `next`, as a request is in exactly one of them. So moving a request costs two
//! writes, nothing is allocated once the slab has grown to the peak, and nothing is visited on a tick on which
//! nothing happens to it.

/// "No request", "no list entry".
pub(super) const NONE: u32 = u32::MAX;

/// A request or a probe under way. All times are ticks.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Request {
    /// The next request of the list this one is in.
    pub(super) next: u32,
    /// The channel it was sent on.
    pub(super) channel: u32,
    /// When it arrived at its client.
    pub(super) started: u32,
    /// When it was sent.
    pub(super) sent: u32,
    /// When it first entered the server's queue.
    pub(super) enqueued: u32,
    /// The tick before the first one it counts as queued for, since it was last put in the queue.
    pub(super) queued_since: u32,
    /// When it was first taken from the queue.
    pub(super) first_dequeued: u32,
    /// When it was last taken from the queue.
    pub(super) dequeued: u32,
    /// Counts what its server took from the queue, so that order survives a reset.
    pub(super) dequeue_number: u32,
    /// Ticks of processing it was last given.
    pub(super) work: u32,
    /// Ticks spent queued.
    pub(super) queue_ticks: u32,
    /// Ticks spent processing.
    pub(super) processing_ticks: u32,
    /// When it finished at the server.
    pub(super) finished: u32,
    /// The published state that its answer carries.
    pub(super) report: u32,
    /// The race it is a probe of, and its place in it.
    pub(super) plan: u32,
    pub(super) place: u16,
    pub(super) is_probe: bool,
    /// Whether it has progress left from before a reset.
    pub(super) resumes: bool,
}

const _: () = assert!(size_of::<Request>() == 64, "a request is one cache line");

impl Request {
    const fn new(started: u32) -> Self {
        Self {
            next: NONE,
            channel: NONE,
            started,
            sent: 0,
            enqueued: 0,
            queued_since: 0,
            first_dequeued: NONE,
            dequeued: 0,
            dequeue_number: 0,
            work: 0,
            queue_ticks: 0,
            processing_ticks: 0,
            finished: 0,
            report: NONE,
            plan: NONE,
            place: 0,
            is_probe: false,
            resumes: false,
        }
    }
}

/// All requests under way, by index.
#[derive(Debug, Default)]
pub(super) struct Requests {
    slots: Vec<Request>,
    free: u32,
    live: usize,
    started: u64,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: NONE, live: 0, started: 0 }
    }

    /// A new user request.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the slab stays far below 2^32 entries")]
    pub(super) fn add(&mut self, now: u32) -> u32 {
        self.live += 1;
        self.started += 1;
        if self.free == NONE {
            self.slots.push(Request::new(now));
            return self.slots.len() as u32 - 1;
        }
        let index = self.free;
        let slot = &mut self.slots[index as usize];
        self.free = slot.next;
        *slot = Request::new(now);
        index
    }

    /// Forgets a completed request.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) {
        self.slots[index as usize].next = self.free;
        self.free = index;
        self.live -= 1;
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> &Request {
        &self.slots[index as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> &mut Request {
        &mut self.slots[index as usize]
    }

    /// Requests under way.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    /// Requests ever added.
    pub(super) const fn started(&self) -> u64 {
        self.started
    }
}

/// A first-in-first-out list of requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NONE, tail: NONE };

    #[inline]
    pub(super) fn push_back(&mut self, requests: &mut Requests, index: u32) {
        requests.get_mut(index).next = NONE;
        if self.tail == NONE {
            self.head = index;
        } else {
            requests.get_mut(self.tail).next = index;
        }
        self.tail = index;
    }

    pub(super) fn push_front(&mut self, requests: &mut Requests, index: u32) {
        requests.get_mut(index).next = self.head;
        self.head = index;
        if self.tail == NONE {
            self.tail = index;
        }
    }

    #[inline]
    pub(super) fn pop_front(&mut self, requests: &Requests) -> Option<u32> {
        let index = self.head;
        if index == NONE {
            return None;
        }
        self.head = requests.get(index).next;
        if self.head == NONE {
            self.tail = NONE;
        }
        Some(index)
    }

    /// Appends the list's members to `into`, in order, and empties it.
    #[inline]
    pub(super) fn drain_into(&mut self, requests: &Requests, into: &mut Vec<u32>) {
        let mut index = self.head;
        while index != NONE {
            into.push(index);
            index = requests.get(index).next;
        }
        *self = Self::EMPTY;
    }
}

/// Per owner, a ring of lists: what is due on each of the coming ticks.
#[derive(Debug)]
pub(super) struct Calendar {
    slots: Vec<List>,
    mask: u32,
    bits: u32,
}

impl Calendar {
    /// A calendar for `owners` that reaches `reach` ticks ahead.
    pub(super) fn new(owners: usize, reach: u32) -> Self {
        let ring = (reach + 1).next_power_of_two();
        Self {
            slots: vec![List::EMPTY; owners * ring as usize],
            mask: ring - 1,
            bits: ring.trailing_zeros(),
        }
    }

    /// The furthest tick ahead that can be entered.
    pub(super) const fn reach(&self) -> u32 {
        self.mask
    }

    /// What is due for `owner` on `tick`.
    #[inline]
    pub(super) fn due(&mut self, owner: usize, tick: u32) -> &mut List {
        &mut self.slots[(owner << self.bits) + (tick & self.mask) as usize]
    }
}
