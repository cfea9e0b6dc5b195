//! The generator's connections: who holds which, what is under way on it, and which is free.
//!
//! A seat is a client's place and outlives its connections. The table knows nothing of time but what it is
//! told, and decides nothing: when to connect, to ask and to give up is the generator's business.

use std::collections::VecDeque;

use ringyard_runtime::app::ConnId;
use ringyard_time::Time;

/// One client's place.
#[derive(Debug)]
pub(super) struct Seat<C, T> {
    /// The group it belongs to.
    pub(super) lane: u16,
    /// How it stands with its connection.
    pub(super) link: Link<C>,
    /// Requests under way, the oldest first.
    pub(super) under_way: VecDeque<UnderWay<T>>,
    /// Places of a closed loop that pause.
    pub(super) pausing: u32,
    /// Whether its first attempt to connect has come to its end.
    pub(super) has_tried: bool,
    /// Attempts that failed since the last answer.
    pub(super) failures: u32,
    /// Whether it stands in its lane's list of free seats.
    pub(super) listed: bool,
}

/// How a seat stands with its connection.
#[derive(Debug)]
pub(super) enum Link<C> {
    /// It has none and waits for its time to connect.
    None,
    /// It has asked for one.
    Connecting {
        /// When.
        since: Time,
    },
    /// It has one.
    Open {
        /// Which.
        conn: ConnId,
        /// The reader of its answers.
        codec: C,
    },
}

/// A request that was sent and not settled.
#[derive(Debug)]
pub(super) struct UnderWay<T> {
    /// When it was meant to be sent.
    pub(super) intended: Time,
    /// When it was.
    pub(super) sent: Time,
    /// What the script remembers of it.
    pub(super) ticket: T,
}

impl<C, T> Seat<C, T> {
    /// A seat of `lane` without a connection.
    pub(super) fn new(lane: u16) -> Self {
        Self {
            lane,
            link: Link::None,
            under_way: VecDeque::new(),
            pausing: 0,
            has_tried: false,
            failures: 0,
            listed: false,
        }
    }

    /// How many more requests may be sent on it, if `depth` may be under way.
    pub(super) fn places_free(&self, depth: u32) -> u32 {
        match self.link {
            Link::Open { .. } => {
                let taken = u32::try_from(self.under_way.len()).unwrap_or(u32::MAX);
                depth.saturating_sub(taken.saturating_add(self.pausing))
            }
            Link::None | Link::Connecting { .. } => 0,
        }
    }
}

/// Finds the seat of a connection by the driver's slot.
#[derive(Debug, Default)]
pub(super) struct SeatIndex {
    by_slot: Vec<Option<(ConnId, u32)>>,
}

impl SeatIndex {
    /// `conn` belongs to `seat` from now on.
    pub(super) fn insert(&mut self, conn: ConnId, seat: u32) {
        let slot = conn.slot as usize;
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, None);
        }
        self.by_slot[slot] = Some((conn, seat));
    }

    /// The seat of `conn`, if it still has one.
    pub(super) fn get(&self, conn: ConnId) -> Option<u32> {
        let (holder, seat) = (*self.by_slot.get(conn.slot as usize)?)?;
        (holder == conn).then_some(seat)
    }

    /// `conn` belongs to nobody from now on.
    pub(super) fn remove(&mut self, conn: ConnId) {
        if self.get(conn).is_some() {
            self.by_slot[conn.slot as usize] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_event_does_not_reach_the_next_holder_of_a_slot() {
        let mut index = SeatIndex::default();
        let [first, second] = [1, 2].map(|generation| ConnId { slot: 3, generation });
        index.insert(first, 7);
        assert_eq!(index.get(first), Some(7));
        index.insert(second, 8);
        assert_eq!(index.get(first), None);
        index.remove(first);
        assert_eq!(index.get(second), Some(8));
        index.remove(second);
        assert_eq!(index.get(second), None);
    }
}
