//! Which bytes may stand where, and how far a run of them reaches.
//!
//! Apart from the parsers because all of them share it and because it is where their speed comes from:
//! one table look-up per byte for short words, eight bytes at a time for field values.

/// A set of bytes; one bit of [`CLASSES`].
#[derive(Clone, Copy)]
pub(super) struct Class(u8);

/// `tchar` of RFC 9110: what methods and field names are made of.
pub(super) const TOKEN: Class = Class(1);

/// What a request target may hold: RFC 3986's characters but `#`, so neither controls, space, `"<>\^{|}`
/// and the grave accent, nor anything beyond ASCII.
pub(super) const TARGET: Class = Class(2);

/// What a field value may hold: visible ASCII, space, tab, and opaque bytes beyond ASCII.
pub(super) const VALUE: Class = Class(4);

/// What a chunk extension may hold: visible ASCII, space and tab.
pub(super) const EXTENSION: Class = Class(8);

/// What a host name may hold besides percent-encoding: unreserved and sub-delims of RFC 3986.
pub(super) const HOST: Class = Class(16);

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let visible = byte.is_ascii_graphic();
        let blank = byte == b' ' || byte == b'\t';
        let mut bits = 0;
        if alphanumeric || is_in(byte, b"!#$%&'*+-.^_`|~") {
            bits |= TOKEN.0;
        }
        if visible && !is_in(byte, b"\"#<>\\^`{|}") {
            bits |= TARGET.0;
        }
        if visible || blank || byte >= 0x80 {
            bits |= VALUE.0;
        }
        if visible || blank {
            bits |= EXTENSION.0;
        }
        if alphanumeric || is_in(byte, b"-._~!$&'()*+,;=") {
            bits |= HOST.0;
        }
        table[byte as usize] = bits;
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn is_in(byte: u8, set: &[u8]) -> bool {
    let mut index = 0;
    while index < set.len() {
        if set[index] == byte {
            return true;
        }
        index += 1;
    }
    false
}

impl Class {
    /// Whether the set holds `byte`.
    #[inline]
    pub(super) const fn holds(self, byte: u8) -> bool {
        CLASSES[byte as usize] & self.0 != 0
    }

    /// Index of the first byte at or after `from` that is not in the set, or the length of `bytes`.
    #[inline]
    pub(super) fn run(self, bytes: &[u8], from: usize) -> usize {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().position(|byte| !self.holds(*byte)).map_or(bytes.len(), |index| from + index)
    }

    /// Whether all of `bytes` are in the set.
    pub(super) fn holds_all(self, bytes: &[u8]) -> bool {
        self.run(bytes, 0) == bytes.len()
    }
}

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// The same as `TOKEN.run(bytes, from)`, eight bytes at a time where they are letters, digits and hyphens.
#[inline]
pub(super) fn token_run(bytes: &[u8], from: usize) -> usize {
    word_run(bytes, from, TOKEN, b'0', b'-')
}

/// The same as `TARGET.run(bytes, from)`, eight bytes at a time where they are letters, digits and `-./_`.
#[inline]
pub(super) fn target_run(bytes: &[u8], from: usize) -> usize {
    word_run(bytes, from, TARGET, b'-', b'_')
}

/// The same as `class.run(bytes, from)` for a class that holds letters, the bytes from `low` to `9`, and
/// `other`; fast as long as it meets only those.
#[inline(always)]
fn word_run(bytes: &[u8], from: usize, class: Class, low: u8, other: u8) -> usize {
    let mut at = from;
    while let Some(word) = word_at(bytes, at) {
        let lower = word | (ONES * 0x20);
        let letters = at_least(lower, b'a') & !at_least(lower, b'z' + 1);
        let digits = at_least(word, low) & !at_least(word, b'9' + 1);
        let others = !at_least(word ^ (ONES * u64::from(other)), 1);
        let strangers = (!(letters | digits | others) | word) & HIGHS;
        if strangers == 0 {
            at += 8;
            continue;
        }
        at += strangers.trailing_zeros() as usize / 8;
        if !class.holds(bytes[at]) {
            return at;
        }
        at += 1;
    }
    class.run(bytes, at)
}

/// The same as `VALUE.run(bytes, from)`, eight bytes at a time.
#[inline]
pub(super) fn value_run(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = word_at(bytes, at) {
        let controls = !at_least(word, b' ') | !at_least(word ^ (ONES * 0x7f), 1);
        let strangers = controls & !word & HIGHS;
        if strangers == 0 {
            at += 8;
            continue;
        }
        at += strangers.trailing_zeros() as usize / 8;
        if bytes[at] != b'\t' {
            return at;
        }
        at += 1;
    }
    VALUE.run(bytes, at)
}

/// The eight bytes at `at`, the first of them lowest.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    let (word, _) = bytes.get(at..)?.split_first_chunk::<8>()?;
    Some(u64::from_le_bytes(*word))
}

/// Sets the high bit of every byte whose lower seven bits are at least `least`; other bits mean nothing.
#[inline]
const fn at_least(word: u64, least: u8) -> u64 {
    (word & !HIGHS).wrapping_add(ONES * (0x80 - least as u64))
}

/// `value` without the spaces and tabs around it.
#[inline]
pub(super) fn trim_blanks(value: &[u8]) -> &[u8] {
    let mut value = value;
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte at every place of short runs.
    #[track_caller]
    fn check_run(fast: fn(&[u8], usize) -> usize, class: Class, filler: u8) {
        for byte in 0..=u8::MAX {
            for length in 0..20 {
                for place in 0..length {
                    let mut bytes = vec![filler; length];
                    bytes[place] = byte;
                    for from in 0..=length {
                        assert_eq!(
                            fast(&bytes, from),
                            class.run(&bytes, from),
                            "{bytes:?}, {from}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn fast_runs_agree_with_the_table() {
        check_run(value_run, VALUE, b'v');
        check_run(value_run, VALUE, b'\t');
        check_run(value_run, VALUE, 0xff);
        check_run(token_run, TOKEN, b'n');
        check_run(token_run, TOKEN, b'!');
        check_run(target_run, TARGET, b'/');
        check_run(target_run, TARGET, b'%');
    }

    #[test]
    fn classes_hold_what_their_grammar_says() {
        assert!(TOKEN.holds_all(b"X-Customer_Id!#$%&'*+.^`|~09"));
        assert!(b" \t:;,/()<>@[]{}\"\\?=\x7f\x80".iter().all(|byte| !TOKEN.holds(*byte)));
        assert!(TARGET.holds_all(b"/a-b._~!$&'()*+,;=:@%20?[x]"));
        assert!(b" \t\r\n\0#\"<>\\^`{|}\x7f\x80\xff".iter().all(|byte| !TARGET.holds(*byte)));
        assert!(VALUE.holds_all(b"\t a\x80\xff~"));
        assert!(b"\0\r\n\x1f\x7f".iter().all(|byte| !VALUE.holds(*byte)));
    }

    #[test]
    fn blanks_are_trimmed_on_both_sides() {
        assert_eq!(trim_blanks(b" \ta b\t "), b"a b");
        assert_eq!(trim_blanks(b" \t "), b"");
    }
}
