//! Picks one list out of what the scanner meets.
//!
//! Apart from the grammar so that each can be read alone: here is only what the members, lists and items
//! of a valid text mean to us.

use super::scanner::{Container, StringFacts, Visit};
use super::text::text_equals;
use super::{ItemKind, ItemSpan, Scan, ScanError};

/// Depth of the members of the text's object, and of the items of a list among them.
const MEMBER_DEPTH: u32 = 1;
const ITEM_DEPTH: u32 = 2;

/// Collects the items of the last list of one name.
pub(super) struct Collector<'k> {
    key: &'k str,
    kind: ItemKind,
    keep_max: usize,
    items: &'k mut Vec<ItemSpan>,
    shape: Shape,
    /// Whether the member being read is of the name sought.
    is_sought: bool,
    /// Whether the list sought is open.
    in_list: bool,
    /// Where the item being read starts, if it is a container.
    item_start: usize,
}

/// What the text has turned out to be so far.
#[derive(Clone, Copy)]
enum Shape {
    NotAnObject,
    Missing,
    NotAList,
    List { items: usize, not_a_string: Option<usize> },
}

impl<'k> Collector<'k> {
    /// Collects into `items`, which is empty.
    pub(super) fn new(
        key: &'k str,
        kind: ItemKind,
        keep_max: usize,
        items: &'k mut Vec<ItemSpan>,
    ) -> Self {
        Self {
            key,
            kind,
            keep_max,
            items,
            shape: Shape::NotAnObject,
            is_sought: false,
            in_list: false,
            item_start: 0,
        }
    }

    /// What a text that proved valid holds.
    pub(super) fn finish(self) -> Result<Scan, ScanError> {
        match self.shape {
            Shape::NotAnObject => Err(ScanError::NotAnObject),
            Shape::Missing => Err(ScanError::Missing),
            Shape::NotAList => Err(ScanError::NotAList),
            Shape::List { not_a_string: Some(index), .. } if self.kind == ItemKind::Strings => {
                Err(ScanError::NotAString { index })
            }
            Shape::List { items, .. } => Ok(Scan { items }),
        }
    }

    /// The value of the member sought begins.
    fn begin_member(&mut self, shape: Shape) {
        self.items.clear();
        self.shape = shape;
    }

    fn take_item(&mut self, start: usize, end: usize, string: Option<StringFacts>) {
        let Shape::List { items, not_a_string } = &mut self.shape else {
            return;
        };
        if string.is_none() {
            not_a_string.get_or_insert(*items);
        }
        *items += 1;
        if self.items.len() < self.keep_max {
            let facts = string.unwrap_or(StringFacts { characters: 0, escaped: false });
            self.items.push(ItemSpan {
                start: narrow(start),
                end: narrow(end),
                characters: narrow(facts.characters),
                escaped: facts.escaped,
            });
        }
    }

    fn take_scalar(&mut self, depth: u32, start: usize, end: usize, string: Option<StringFacts>) {
        if depth == ITEM_DEPTH && self.in_list {
            self.take_item(start, end, string);
        } else if depth == MEMBER_DEPTH && self.is_sought {
            self.begin_member(Shape::NotAList);
        }
    }
}

impl Visit for Collector<'_> {
    #[inline]
    fn name(&mut self, depth: u32, name: &[u8], escaped: bool) {
        if depth == MEMBER_DEPTH {
            let key = self.key.as_bytes();
            self.is_sought = if escaped { text_equals(name, key) } else { name == key };
        }
    }

    #[inline]
    fn open(&mut self, depth: u32, container: Container, start: usize) {
        match depth {
            0 if container == Container::Object => self.shape = Shape::Missing,
            MEMBER_DEPTH if self.is_sought => match container {
                Container::List => {
                    self.begin_member(Shape::List { items: 0, not_a_string: None });
                    self.in_list = true;
                }
                Container::Object => self.begin_member(Shape::NotAList),
            },
            ITEM_DEPTH => self.item_start = start,
            _ => {}
        }
    }

    #[inline]
    fn close(&mut self, depth: u32, end: usize) {
        if depth == MEMBER_DEPTH {
            self.in_list = false;
        } else if depth == ITEM_DEPTH && self.in_list {
            self.take_item(self.item_start, end, None);
        }
    }

    #[inline]
    fn string(&mut self, depth: u32, start: usize, end: usize, facts: StringFacts) {
        self.take_scalar(depth, start, end, Some(facts));
    }

    #[inline]
    fn other(&mut self, depth: u32, start: usize, end: usize) {
        self.take_scalar(depth, start, end, None);
    }
}

/// A place or count within a text, whose length was checked to have 32 bits.
fn narrow(value: usize) -> u32 {
    u32::try_from(value).expect("texts are no longer than JSON_TEXT_BYTES_MAX")
}
