//! JSON read where it lies: one list of one object, and the proof that the rest is valid.
//!
//! [`scan_items`] goes over a text once, builds nothing, and finds the spans of the items of one list, to
//! be spliced into another text as they are. [`decode`], [`Needles`] and [`write_string`] deal with single
//! strings. There is deliberately no document tree and no mapping to types.

use crate::limits::JSON_TEXT_BYTES_MAX;

pub use text::{Needles, decode, write_string};

mod items;
mod scanner;

mod text;

/// One item of a list, by where it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemSpan {
    /// Index of the item's first byte.
    pub start: u32,
    /// Index of the byte after its last; a string's quotes are part of it.
    pub end: u32,
    /// Unicode characters of the decoded string, an escaped lone surrogate being one; 0 for what is not a
    /// string.
    pub characters: u32,
    /// Whether the string holds escapes, so that its raw bytes are not its text.
    pub escaped: bool,
}

impl ItemSpan {
    /// The item within the text that it was found in.
    ///
    /// # Panics
    ///
    /// If `text` is not that text and is too short.
    #[must_use]
    pub fn of<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        &text[self.start as usize..self.end as usize]
    }
}

/// What the items of the list may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// Strings; anything else is [`ScanError::NotAString`].
    Strings,
    /// Any values.
    Any,
}

/// What a scan found besides the spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Items of the list, those beyond the kept ones included.
    pub items: usize,
}

/// Why a text holds no such list. The first three say that it is no JSON text that can be read here and
/// win over the others, which say that it is a valid one of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// There is nothing but blanks.
    #[error("the text is empty")]
    Empty,
    /// The text is not valid.
    #[error("{message} at byte {offset}")]
    Syntax {
        /// Index of the byte that is wrong, or the text's length where it ends too early.
        offset: usize,
        /// What is wrong, as a clause.
        message: &'static str,
    },
    /// More containers are nested than [`JSON_DEPTH_MAX`](crate::limits::JSON_DEPTH_MAX).
    #[error("nested too deeply at byte {offset}")]
    TooDeep {
        /// Index of the bracket that is one too many.
        offset: usize,
    },
    /// The text is not an object.
    #[error("not an object")]
    NotAnObject,
    /// The object has no member of that name.
    #[error("the member is missing")]
    Missing,
    /// The member is not a list.
    #[error("the member is not a list")]
    NotAList,
    /// An item of the list is not a string.
    #[error("item {index} is not a string")]
    NotAString {
        /// Index of the first such item.
        index: usize,
    },
}

/// Proves that the whole of `text` is one JSON value (RFC 8259) in UTF-8, and finds the list that is the
/// member `key` of that object. Of several members of that name the last counts, and names may be
/// written with escapes.
///
/// Puts the spans of the list's first `keep_max` items into `items`, which is emptied before. Nothing else
/// is allocated.
///
/// # Errors
///
/// Syntax errors win over errors of shape; the latter are about the last member of that name.
pub fn scan_items(
    text: &[u8],
    key: &str,
    kind: ItemKind,
    keep_max: usize,
    items: &mut Vec<ItemSpan>,
) -> Result<Scan, ScanError> {
    items.clear();
    if text.len() > JSON_TEXT_BYTES_MAX {
        let message = "the text is too long";
        return Err(ScanError::Syntax { offset: JSON_TEXT_BYTES_MAX, message });
    }
    let mut collector = items::Collector::new(key, kind, keep_max, items);
    scanner::scan(text, &mut collector)?;
    collector.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_KEPT: usize = 5;

    /// Scans for the strings of `sequences` and returns each kept one's raw text and character count.
    fn scan(text: &str) -> Result<(usize, Vec<(String, u32)>), ScanError> {
        let mut items = Vec::new();
        let scan =
            scan_items(text.as_bytes(), "sequences", ItemKind::Strings, NOT_KEPT, &mut items)?;
        let kept = items.iter().map(|item| {
            (String::from_utf8_lossy(item.of(text.as_bytes())).into_owned(), item.characters)
        });
        Ok((scan.items, kept.collect()))
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&[(&str, u32)], ScanError>) {
        let expected = expected.map(|items| {
            let kept = items.iter().take(NOT_KEPT).map(|(raw, count)| ((*raw).to_owned(), *count));
            (items.len(), kept.collect())
        });
        assert_eq!(scan(text), expected, "{text}");
    }

    #[test]
    fn items_are_found_where_they_stand() {
        check(r#"{"sequences":["a","bc"]}"#, Ok(&[(r#""a""#, 1), (r#""bc""#, 2)]));
        check(r#" { "x" : [["y"],{"sequences":["n"]}] , "sequences" : [ ] } "#, Ok(&[]));
        check(
            r#"{"sequences":["\u0041","\ud83d\ude00","é","\ud800","😀 \\"]}"#,
            Ok(&[
                (r#""\u0041""#, 1),
                (r#""\ud83d\ude00""#, 1),
                (r#""é""#, 1),
                (r#""\ud800""#, 1),
                (r#""😀 \\""#, 3),
            ]),
        );
    }

    #[test]
    fn shapes_are_told_apart() {
        check("", Err(ScanError::Empty));
        check(" \r\n\t", Err(ScanError::Empty));
        check("[]", Err(ScanError::NotAnObject));
        check("{}", Err(ScanError::Missing));
        check(r#"{"sequences":1}"#, Err(ScanError::NotAList));
        check(r#"{"sequences":["a",["b"],3]}"#, Err(ScanError::NotAString { index: 1 }));
    }
}
