//! The grammar of JSON (RFC 8259), without recursion and without a tree.
//!
//! Goes over the text once and tells a [`Visit`] what it meets. The open containers are a stack of bits, so
//! no nesting can exhaust anything. What the values mean is none of its business.

use super::ScanError;
use super::text::{escape, plain_run};
use crate::limits::JSON_DEPTH_MAX;

/// Hears of everything in a text, in its order. `depth` is the number of containers around it.
pub(super) trait Visit {
    /// The name of an object's next member, between its quotes.
    fn name(&mut self, depth: u32, name: &[u8], escaped: bool);

    /// A container begins at byte `start`.
    fn open(&mut self, depth: u32, container: Container, start: usize);

    /// The container that began last and did not end ends before byte `end`.
    fn close(&mut self, depth: u32, end: usize);

    /// A string from byte `start` to before byte `end`, quotes included.
    fn string(&mut self, depth: u32, start: usize, end: usize, facts: StringFacts);

    /// A number, `true`, `false` or `null`.
    fn other(&mut self, depth: u32, start: usize, end: usize);
}

/// A kind of container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    List,
    Object,
}

/// What is known of a string once it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StringFacts {
    /// Unicode characters of the decoded text.
    pub(super) characters: usize,
    pub(super) escaped: bool,
}

/// Checks `text` and tells `visit` of all in it up to the first error.
pub(super) fn scan(text: &[u8], visit: &mut impl Visit) -> Result<(), ScanError> {
    if let Err(error) = std::str::from_utf8(text) {
        let message = "the text is not valid UTF-8";
        return Err(ScanError::Syntax { offset: error.valid_up_to(), message });
    }
    let mut scanner = Scanner { text, at: 0, objects: 0, depth: 0 };
    scanner.skip_blanks();
    if scanner.at == text.len() {
        return Err(ScanError::Empty);
    }
    while scanner.value(visit)? || scanner.after_value(visit)? {}
    Ok(())
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
    /// One bit per open container, the innermost lowest: whether it is an object.
    objects: u128,
    depth: u32,
}

impl Scanner<'_> {
    /// Reads a value, or the beginning of one that contains others. Returns whether the next thing in the
    /// text must be a value, too.
    fn value(&mut self, visit: &mut impl Visit) -> Result<bool, ScanError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                let facts = self.string()?;
                visit.string(self.depth, start, self.at, facts);
            }
            Some(b'[') => return self.open(Container::List, visit),
            Some(b'{') => return self.open(Container::Object, visit),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                visit.other(self.depth, start, self.at);
            }
            Some(b't') => self.literal(b"true", visit)?,
            Some(b'f') => self.literal(b"false", visit)?,
            Some(b'n') => self.literal(b"null", visit)?,
            _ => return Err(self.error("expected a value")),
        }
        Ok(false)
    }

    fn open(&mut self, container: Container, visit: &mut impl Visit) -> Result<bool, ScanError> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(ScanError::TooDeep { offset: self.at });
        }
        visit.open(self.depth, container, self.at);
        let is_object = container == Container::Object;
        self.objects = self.objects << 1 | u128::from(is_object);
        self.depth += 1;
        self.at += 1;
        self.skip_blanks();
        match (is_object, self.peek()) {
            (true, Some(b'}')) | (false, Some(b']')) => {
                self.close(visit);
                Ok(false)
            }
            (true, _) => self.name(visit).map(|()| true),
            (false, _) => Ok(true),
        }
    }

    fn close(&mut self, visit: &mut impl Visit) {
        self.at += 1;
        self.depth -= 1;
        self.objects >>= 1;
        visit.close(self.depth, self.at);
    }

    /// Reads what may stand after a value: ends of containers, then a comma or the end of the text.
    /// Returns whether another value follows.
    fn after_value(&mut self, visit: &mut impl Visit) -> Result<bool, ScanError> {
        loop {
            self.skip_blanks();
            let is_object = self.objects & 1 == 1;
            match self.peek() {
                None if self.depth == 0 => return Ok(false),
                _ if self.depth == 0 => return Err(self.error("expected the end of the text")),
                Some(b',') => {
                    self.at += 1;
                    self.skip_blanks();
                    if is_object {
                        self.name(visit)?;
                    }
                    return Ok(true);
                }
                Some(b'}') if is_object => self.close(visit),
                Some(b']') if !is_object => self.close(visit),
                _ if is_object => return Err(self.error("expected a comma or a closing brace")),
                _ => return Err(self.error("expected a comma or a closing bracket")),
            }
        }
    }

    /// Reads a member's name and the colon after it.
    fn name(&mut self, visit: &mut impl Visit) -> Result<(), ScanError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a member's name in quotes"));
        }
        let start = self.at;
        let facts = self.string()?;
        visit.name(self.depth, &self.text[start + 1..self.at - 1], facts.escaped);
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(self.error("expected a colon"));
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    fn string(&mut self) -> Result<StringFacts, ScanError> {
        let mut facts = StringFacts { characters: 0, escaped: false };
        self.at += 1;
        loop {
            let (end, characters) = plain_run(self.text, self.at);
            self.at = end;
            facts.characters += characters;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(facts);
                }
                Some(b'\\') => {
                    let (_, end) = escape(self.text, self.at)
                        .map_err(|(offset, message)| ScanError::Syntax { offset, message })?;
                    self.at = end;
                    facts.characters += 1;
                    facts.escaped = true;
                }
                Some(_) => return Err(self.error("a control character in a string is not escaped")),
                None => return Err(self.error("a string lacks its closing quote")),
            }
        }
    }

    fn number(&mut self) -> Result<(), ScanError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8], visit: &mut impl Visit) -> Result<(), ScanError> {
        let start = self.at;
        for byte in word {
            if self.peek() != Some(*byte) {
                return Err(self.error("expected true, false or null"));
            }
            self.at += 1;
        }
        visit.other(self.depth, start, self.at);
        Ok(())
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn error(&self, message: &'static str) -> ScanError {
        ScanError::Syntax { offset: self.at, message }
    }
}
