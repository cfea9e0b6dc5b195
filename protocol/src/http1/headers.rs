//! A look at the header lines of a message, where they lie.
//!
//! Nothing is indexed: a server asks for one or two of a handful of lines, and walking them is cheaper
//! than a table of them. Validity was established before a [`Headers`] exists; nothing is checked here.

use super::classes::trim_blanks;

/// The header lines of one message, in their order, borrowed from its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    lines: &'a [u8],
}

impl<'a> Headers<'a> {
    /// Over checked lines, each with its line end, without the empty line after them.
    pub(super) const fn new(lines: &'a [u8]) -> Self {
        Self { lines }
    }

    /// The value of the first line of that name, in whatever case; blanks around it are gone. Values may
    /// hold bytes beyond ASCII, whose meaning HTTP leaves open.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        let name = name.as_bytes();
        let mut rest = self.lines;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let line = &rest[..end];
            if line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name)
            {
                return Some(value(line, name.len()));
            }
            rest = &rest[end + 1..];
        }
        None
    }

    /// Every line's name and value.
    #[must_use]
    pub const fn iter(&self) -> Iter<'a> {
        Iter { rest: self.lines }
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Walks the lines of [`Headers`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = memchr::memchr(b'\n', self.rest)?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        let colon = memchr::memchr(b':', line).expect("checked header lines have a colon");
        let name = std::str::from_utf8(&line[..colon]).expect("checked names are ASCII tokens");
        Some((name, value(line, colon)))
    }
}

/// The value of a line that ends in a carriage return and has its colon at `colon`.
fn value(line: &[u8], colon: usize) -> &[u8] {
    trim_blanks(&line[colon + 1..line.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: Headers<'_> =
        Headers::new(b"Host: a\r\nX-Empty:\r\nx-customer-id:\t B \r\nX-Customer-Id: C\r\n");

    #[test]
    fn the_first_value_of_a_name_is_found_in_any_case() {
        assert_eq!(HEADERS.get("X-CUSTOMER-ID"), Some(&b"B"[..]));
        assert_eq!(HEADERS.get("x-empty"), Some(&b""[..]));
        assert_eq!(HEADERS.get("Hos"), None);
        assert_eq!(HEADERS.get(""), None);
        assert_eq!(Headers::default().get("host"), None);
    }

    #[test]
    fn lines_come_in_their_order() {
        let lines: Vec<_> = HEADERS.iter().collect();
        let expected: [(&str, &[u8]); 4] =
            [("Host", b"a"), ("X-Empty", b""), ("x-customer-id", b"B"), ("X-Customer-Id", b"C")];
        assert_eq!(lines, expected);
    }
}
