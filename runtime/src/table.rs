//! The table of a core's connections: a [`Slab`] whose keys are connections' ids, and which has no more places than
//! an id can name.

use crate::app::ConnId;
use crate::limits::SLOT_BITS;
use crate::slab::{Key, Slab};

/// Connections by [`ConnId`].
#[derive(Debug)]
pub(crate) struct Table<C>(Slab<C>);

fn key(id: ConnId) -> Key {
    Key { index: id.slot, generation: id.generation }
}

fn id(key: Key) -> ConnId {
    ConnId { slot: key.index, generation: key.generation }
}

impl<C> Table<C> {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self(Slab::default())
    }

    /// Puts `occupant` into a free slot, or returns it where all slots that an id can name are taken.
    pub(crate) fn insert(&mut self, occupant: C) -> Result<ConnId, C> {
        self.0.insert_below(1 << SLOT_BITS, occupant).map(id)
    }

    /// The connection `id`, if it is still there.
    pub(crate) fn get(&self, id: ConnId) -> Option<&C> {
        self.0.get(key(id))
    }

    /// The connection `id`, if it is still there.
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut C> {
        self.0.get_mut(key(id))
    }

    /// Takes the connection `id` out; its id is spent.
    pub(crate) fn remove(&mut self, id: ConnId) -> Option<C> {
        self.0.remove(key(id))
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The ids of all connections, as of now.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.iter().map(|(id, _)| id).collect()
    }

    /// All connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &C)> {
        self.0.iter().map(|(key, occupant)| (id(key), occupant))
    }
}
