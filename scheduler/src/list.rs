//! Doubly linked lists threaded through a table, so that an element leaves the middle of its list in O(1)
//! and nothing is allocated per element.
//!
//! [`Links`] holds one pair of neighbours per element; any number of [`List`]s share it as long as each
//! element is in one of them at most. Neither checks that: the owner knows where an element is.

/// No element.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
}

/// The neighbours of every element, by its index.
#[derive(Debug, Default)]
pub(crate) struct Links {
    table: Vec<Link>,
}

/// One list: where it begins and ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    head: u32,
    tail: u32,
}

impl Links {
    /// Makes sure that `element` has a place in the table.
    pub(crate) fn reserve(&mut self, element: u32) {
        let places = element as usize + 1;
        if places > self.table.len() {
            self.table.resize(places, Link { previous: NONE, next: NONE });
        }
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.table.capacity()
    }
}

impl Default for List {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

impl List {
    /// The first element.
    pub(crate) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// The last element.
    pub(crate) fn last(&self) -> Option<u32> {
        (self.tail != NONE).then_some(self.tail)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// Appends an element that is in no list of `links`.
    pub(crate) fn push_back(&mut self, links: &mut Links, element: u32) {
        links.table[element as usize] = Link { previous: self.tail, next: NONE };
        match self.tail {
            NONE => self.head = element,
            tail => links.table[tail as usize].next = element,
        }
        self.tail = element;
    }

    /// Takes out an element of this list.
    pub(crate) fn remove(&mut self, links: &mut Links, element: u32) {
        let Link { previous, next } = links.table[element as usize];
        match previous {
            NONE => self.head = next,
            previous => links.table[previous as usize].next = next,
        }
        match next {
            NONE => self.tail = previous,
            next => links.table[next as usize].previous = previous,
        }
    }

    /// The elements, first to last.
    pub(crate) fn iter<'a>(&self, links: &'a Links) -> impl Iterator<Item = u32> + use<'a> {
        let mut next = self.head;
        std::iter::from_fn(move || {
            let element = (next != NONE).then_some(next)?;
            next = links.table[element as usize].next;
            Some(element)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(removed: &[u32], left: &[u32]) {
        let mut links = Links::default();
        links.reserve(3);
        let mut list = List::default();
        for element in 0..4 {
            list.push_back(&mut links, element);
        }
        for element in removed {
            list.remove(&mut links, *element);
        }
        assert_eq!(list.iter(&links).collect::<Vec<_>>(), left);
        assert_eq!(list.first(), left.first().copied());
        assert_eq!(list.last(), left.last().copied());
        assert_eq!(list.is_empty(), left.is_empty());
        list.push_back(&mut links, removed[0]);
        assert_eq!(list.iter(&links).last(), Some(removed[0]));
    }

    #[test]
    fn elements_leave_from_anywhere() {
        check(&[0], &[1, 2, 3]);
        check(&[3], &[0, 1, 2]);
        check(&[1, 2], &[0, 3]);
        check(&[3, 0, 2], &[1]);
        check(&[0, 1, 2, 3], &[]);
    }
}
