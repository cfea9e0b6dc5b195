//! A table whose places are used again but whose keys never are.
//!
//! Whoever names a value by its key may do so when the value is long gone: the generation in the key tells. The
//! last place freed is the first taken, so places stay few and the table warm. A place whose generations are used up is
//! never used again.

/// Names one value of one [`Slab`], and never another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Key {
    /// The place in the table: small, dense, used again.
    #[must_use]
    #[inline]
    pub fn index(self) -> u32 {
        self.index
    }

    /// The key as one word, for whoever carries it along without looking inside.
    #[must_use]
    #[inline]
    pub fn to_word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The key that [`Key::to_word`] made `word` of.
    #[must_use]
    #[inline]
    pub fn from_word(word: u64) -> Self {
        let low = u32::try_from(word & u64::from(u32::MAX)).expect("the mask leaves 32 bits");
        let high = u32::try_from(word >> 32).expect("the shift leaves 32 bits");
        Self { index: low, generation: high }
    }
}

#[derive(Debug)]
struct Place<T> {
    /// That of the present value, or of the next one.
    generation: u32,
    value: Option<T>,
}

/// Values by [`Key`]. Never shrinks; whoever fills it bounds it.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
    held: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new(), held: 0 }
    }
}

impl<T> Slab<T> {
    /// Takes a value in.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 values already.
    pub fn insert(&mut self, value: T) -> Key {
        let Ok(key) = self.insert_below(u32::MAX, value) else {
            panic!("a table has fewer than 2^32 values");
        };
        key
    }

    /// Takes a value in, at a place below `end`.
    ///
    /// # Errors
    ///
    /// Gives the value back where all of these places are taken.
    pub fn insert_below(&mut self, end: u32, value: T) -> Result<Key, T> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => match u32::try_from(self.places.len()) {
                Ok(index) if index < end => {
                    self.places.push(Place { generation: 0, value: None });
                    index
                }
                _ => return Err(value),
            },
        };
        let place = &mut self.places[index as usize];
        debug_assert!(place.value.is_none(), "a free place holds nothing");
        place.value = Some(value);
        self.held += 1;
        Ok(Key { index, generation: place.generation })
    }

    /// The value of `key`, if it is still there.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        if place.generation == key.generation { place.value.as_ref() } else { None }
    }

    /// The value of `key`, if it is still there.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// Takes the value of `key` out; the key is spent.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        self.held -= 1;
        if let Some(next) = place.generation.checked_add(1) {
            place.generation = next;
            self.free.push(key.index);
        }
        Some(value)
    }

    /// The key of whatever is at `index` now.
    #[must_use]
    pub fn key_at(&self, index: u32) -> Option<Key> {
        let place = self.places.get(index as usize)?;
        place.value.is_some().then_some(Key { index, generation: place.generation })
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// All keys and values, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        (0_u32..).zip(&self.places).filter_map(|(index, place)| {
            let key = Key { index, generation: place.generation };
            place.value.as_ref().map(|value| (key, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_names_a_later_value() {
        let mut slab = Slab::default();
        let first = slab.insert('a');
        let second = slab.insert('b');
        assert_eq!(slab.remove(first), Some('a'));
        assert_eq!((slab.get(first), slab.key_at(first.index())), (None, None));
        assert_eq!(slab.remove(first), None);
        let third = slab.insert('c');
        assert_eq!(third.index(), first.index(), "the place is used again");
        assert_ne!(third, first);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.get_mut(third), Some(&mut 'c'));
        assert_eq!((slab.get(second), slab.get(third)), (Some(&'b'), Some(&'c')));
        assert_eq!(slab.key_at(third.index()), Some(third));
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(third, &'c'), (second, &'b')]);
        assert_eq!((slab.len(), slab.is_empty()), (2, false));
    }

    #[test]
    fn a_key_can_be_carried_as_a_word() {
        let mut slab = Slab::default();
        let first = slab.insert(());
        slab.remove(first);
        let second = slab.insert(());
        assert_ne!(first.to_word(), second.to_word());
        assert_eq!([first, second].map(|key| Key::from_word(key.to_word())), [first, second]);
    }

    #[test]
    fn a_place_out_of_generations_is_retired() {
        let mut slab = Slab::default();
        let mut key = slab.insert(());
        slab.places[0].generation = u32::MAX;
        key.generation = u32::MAX;
        slab.remove(key).unwrap();
        assert_eq!(slab.insert(()), Key { index: 1, generation: 0 });
        assert_eq!((slab.get(key), slab.len()), (None, 1));
    }

    #[test]
    fn no_place_is_taken_beyond_the_end() {
        let mut slab = Slab::default();
        let first = slab.insert_below(1, 'a').unwrap();
        assert_eq!(slab.insert_below(1, 'b'), Err('b'));
        slab.remove(first);
        assert!(slab.insert_below(1, 'b').is_ok());
    }
}
