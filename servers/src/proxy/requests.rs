//! The requests that are queued or in flight, and the parts that go to backends.
//!
//! A request has one part, or as many as it has sequences where requests may be split. Each part is a job of
//! the scheduler and then a member of a batch. The parts of a request hang together as a chain, so that no
//! request needs a list of its own. What becomes of requests is the dispatcher's to decide.

use std::collections::HashMap;
use std::time::Duration;

use ringyard_runtime::app::{CoreIndex, Time};
use ringyard_runtime::slab::{Key, Slab};
use ringyard_scheduler::cost::BatchShape;
use ringyard_scheduler::{CustomerId, JobId};

use crate::front::Ticket;
use crate::id_hash::BuildIdHasher;

/// Who asked: the ticket of a request, and the core that has its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    pub(super) core: CoreIndex,
    pub(super) ticket: Ticket,
}

/// Where a part stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Queued(JobId),
    InFlight {
        lane: usize,
    },
    /// Sent, and never begun: it will be sent again.
    Returned,
    Answered,
}

/// A request that is queued or in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) asker: Asker,
    pub(super) customer: CustomerId,
    pub(super) arrived: Time,
    /// From its arrival to its answer at the latest.
    pub(super) limit: Duration,
    /// The last of its parts, at which the chain begins.
    last: Option<Key>,
    /// Parts that have no results yet.
    pub(super) unanswered: u32,
}

impl Request {
    pub(super) fn new(asker: Asker, customer: CustomerId, arrived: Time, limit: Duration) -> Self {
        Self { asker, customer, arrived, limit, last: None, unanswered: 0 }
    }

    /// By when it has to be answered.
    pub(super) fn deadline(&self) -> Time {
        self.arrived + self.limit
    }
}

/// What of a request stays together.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) request: Key,
    /// The part before it in its request.
    before: Option<Key>,
    pub(super) stage: Stage,
    pub(super) shape: BatchShape,
    /// Its raw sequences with commas between, and afterwards its results in the same form.
    pub(super) text: Vec<u8>,
}

/// All requests and their parts.
#[derive(Debug, Default)]
pub(super) struct Requests {
    requests: Slab<Request>,
    parts: Slab<Part>,
    by_asker: HashMap<Asker, Key, BuildIdHasher>,
}

impl Requests {
    pub(super) fn insert(&mut self, request: Request) -> Key {
        let key = self.requests.insert(request);
        self.by_asker.insert(request.asker, key);
        key
    }

    /// Adds the next part of a request, which is about to be queued.
    pub(super) fn insert_part(&mut self, request: Key, shape: BatchShape, text: Vec<u8>) -> Key {
        let owner = self.requests.get_mut(request).expect("parts are added to a request");
        let part = Part { request, before: owner.last, stage: Stage::Answered, shape, text };
        let key = self.parts.insert(part);
        owner.last = Some(key);
        owner.unanswered += 1;
        key
    }

    pub(super) fn of_asker(&self, asker: Asker) -> Option<Key> {
        self.by_asker.get(&asker).copied()
    }

    /// The request at `index` of the table, as timers name it.
    pub(super) fn at(&self, index: u32) -> Option<Key> {
        self.requests.key_at(index)
    }

    pub(super) fn get(&self, key: Key) -> Option<&Request> {
        self.requests.get(key)
    }

    /// Whether no part of a request has left the queue yet.
    pub(super) fn is_waiting(&self, key: Key) -> bool {
        let mut next = match self.requests.get(key) {
            Some(request) => request.last,
            None => return false,
        };
        while let Some(part) = next.and_then(|key| self.parts.get(key)) {
            if !matches!(part.stage, Stage::Queued(_)) {
                return false;
            }
            next = part.before;
        }
        true
    }

    pub(super) fn part(&self, key: Key) -> Option<&Part> {
        self.parts.get(key)
    }

    pub(super) fn part_mut(&mut self, key: Key) -> Option<&mut Part> {
        self.parts.get_mut(key)
    }

    /// Takes note that a part has its results; whether its request now has them all.
    pub(super) fn answered(&mut self, part: Key) -> bool {
        let part = self.parts.get_mut(part).expect("a part is answered while it is there");
        debug_assert!(!matches!(part.stage, Stage::Answered), "a part is answered once");
        part.stage = Stage::Answered;
        let request = self.requests.get_mut(part.request).expect("a part has its request");
        request.unanswered -= 1;
        request.unanswered == 0
    }

    /// Takes a request out; its parts are to be taken out one by one, from the last, with
    /// [`Requests::remove_part`].
    pub(super) fn remove(&mut self, key: Key) -> Option<(Request, Option<Key>)> {
        let request = self.requests.remove(key)?;
        self.by_asker.remove(&request.asker);
        Some((request, request.last))
    }

    /// Takes out a part of a request that has gone; the key of the part before it.
    pub(super) fn remove_part(&mut self, key: Key) -> (Part, Option<Key>) {
        let part = self.parts.remove(key).expect("a part goes after its request, and once");
        let before = part.before;
        (part, before)
    }

    /// Appends the results of all parts in order.
    pub(super) fn write_results(&self, key: Key, out: &mut Vec<u8>) {
        if let Some(Request { last: Some(last), .. }) = self.requests.get(key) {
            self.write_chain(*last, out);
        }
    }

    /// A request has at most a few dozen parts, so the depth is bounded.
    fn write_chain(&self, key: Key, out: &mut Vec<u8>) {
        let part = self.parts.get(key).expect("a chain is whole while its request is there");
        if let Some(before) = part.before {
            self.write_chain(before, out);
            out.push(b',');
        }
        out.extend_from_slice(&part.text);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.parts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_parts_whatever_order_they_were_had_in() {
        let mut requests = Requests::default();
        let asker = Asker { core: CoreIndex(0), ticket: Ticket::for_test(1) };
        let key =
            requests.insert(Request::new(asker, CustomerId(0), Time::ZERO, Duration::from_secs(1)));
        let parts: Vec<Key> =
            (0..3).map(|_| requests.insert_part(key, BatchShape::default(), Vec::new())).collect();
        for (done, position) in [2, 0, 1].into_iter().enumerate() {
            let part = requests.part_mut(parts[position]).unwrap();
            part.stage = Stage::InFlight { lane: 0 };
            part.text = position.to_string().into_bytes();
            assert_eq!(requests.answered(parts[position]), done == 2);
        }
        let mut out = Vec::new();
        requests.write_results(key, &mut out);
        assert_eq!(out, b"0,1,2");
        let (_, mut next) = requests.remove(key).unwrap();
        assert_eq!(requests.of_asker(asker), None);
        while let Some(part) = next {
            next = requests.remove_part(part).1;
        }
        assert!(requests.is_empty());
    }
}
