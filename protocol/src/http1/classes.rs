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

/// What a host name may hold: unreserved, sub-delims and percent-encoding of RFC 3986.
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
        if alphanumeric || is_in(byte, b"-._~!$&'()*+,;=%") {
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
        let mut at = from;
        while at < bytes.len() && self.holds(bytes[at]) {
            at += 1;
        }
        at
    }

    /// Whether all of `bytes` are in the set.
    pub(super) fn holds_all(self, bytes: &[u8]) -> bool {
        self.run(bytes, 0) == bytes.len()
    }
}

/// The same as `VALUE.run(bytes, from)`, eight bytes at a time.
#[inline]
pub(super) fn value_run(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut at = from;
    while let Some((word, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let word = u64::from_ne_bytes(*word);
        let below_space = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let delete_is_zero = word ^ (ONES * 0x7f);
        let delete = delete_is_zero.wrapping_sub(ONES) & !delete_is_zero & HIGHS;
        if below_space | delete != 0 {
            // A tab is allowed and looks like a control here: step over one word byte by byte.
            let end = VALUE.run(&bytes[..at + 8], at);
            if end < at + 8 {
                return end;
            }
        }
        at += 8;
    }
    VALUE.run(bytes, at)
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

    #[test]
    fn value_run_agrees_with_the_table_for_every_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            for length in 0..20 {
                for place in 0..length {
                    let mut bytes = vec![b'v'; length];
                    bytes[place] = byte;
                    for from in 0..=length {
                        let expected = VALUE.run(&bytes, from);
                        assert_eq!(value_run(&bytes, from), expected, "{bytes:?} from {from}");
                    }
                }
            }
        }
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
