//! The table of a core's connections: dense slots, and a generation that makes every id unique.
//!
//! A slot is used again as soon as it is free, the last freed first, so ids stay small and the table stays
//! warm. A slot whose generations are used up is never used again.

use crate::app::ConnId;
use crate::limits::SLOT_BITS;

/// Connections by [`ConnId`].
#[derive(Debug)]
pub(crate) struct Table<C> {
    slots: Vec<Slot<C>>,
    free: Vec<u32>,
    held: usize,
}

#[derive(Debug)]
struct Slot<C> {
    /// That of the present occupant, or of the next one.
    generation: u32,
    occupant: Option<C>,
}

impl<C> Table<C> {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), held: 0 }
    }

    /// Puts `occupant` into a free slot, or returns it where all slots that an id can name are taken.
    pub(crate) fn insert(&mut self, occupant: C) -> Result<ConnId, C> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => match u32::try_from(self.slots.len()) {
                Ok(slot) if slot < 1 << SLOT_BITS => {
                    self.slots.push(Slot { generation: 0, occupant: None });
                    slot
                }
                _ => return Err(occupant),
            },
        };
        let place = &mut self.slots[slot as usize];
        debug_assert!(place.occupant.is_none(), "a free slot is empty");
        place.occupant = Some(occupant);
        self.held += 1;
        Ok(ConnId { slot, generation: place.generation })
    }

    /// The connection `id`, if it is still there.
    pub(crate) fn get(&self, id: ConnId) -> Option<&C> {
        let slot = self.slots.get(id.slot as usize)?;
        if slot.generation == id.generation { slot.occupant.as_ref() } else { None }
    }

    /// The connection `id`, if it is still there.
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut C> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.occupant.as_mut() } else { None }
    }

    /// Takes the connection `id` out; its id is spent.
    pub(crate) fn remove(&mut self, id: ConnId) -> Option<C> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let occupant = slot.occupant.take()?;
        self.held -= 1;
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(id.slot);
        }
        Some(occupant)
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.held
    }

    /// The ids of all connections, as of now.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        self.iter().map(|(id, _)| id).collect()
    }

    /// All connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &C)> {
        (0u32..).zip(&self.slots).filter_map(|(slot, place)| {
            let id = ConnId { slot, generation: place.generation };
            place.occupant.as_ref().map(|occupant| (id, occupant))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_spent_once_its_connection_is_gone() {
        let mut table = Table::new();
        let first = table.insert('a').unwrap();
        let second = table.insert('b').unwrap();
        assert_eq!(table.remove(first), Some('a'));
        assert_eq!(table.get(first), None);
        assert_eq!(table.remove(first), None);
        let third = table.insert('c').unwrap();
        assert_eq!(third.slot, first.slot, "the slot is used again");
        assert_ne!(third, first);
        assert_eq!(table.get_mut(first), None);
        assert_eq!((table.get(second), table.get(third)), (Some(&'b'), Some(&'c')));
        assert_eq!((table.len(), table.ids()), (2, vec![third, second]));
    }

    #[test]
    fn a_slot_out_of_generations_is_retired() {
        let mut table = Table::new();
        let mut id = table.insert(()).unwrap();
        table.slots[0].generation = u32::MAX;
        id.generation = u32::MAX;
        table.remove(id).unwrap();
        assert_eq!(table.insert(()).unwrap(), ConnId { slot: 1, generation: 0 });
        assert_eq!(table.get(id), None);
    }
}
