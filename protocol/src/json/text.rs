//! Single JSON strings: what their escapes stand for, what their text contains, how to write one.
//!
//! All functions but [`write_string`] take strings that a scan has proved valid. Lone surrogates, which
//! JSON can write and UTF-8 cannot, are tolerated and become U+FFFD.

use memchr::memmem::Finder;

/// Appends the text of a JSON string, given with its quotes, to `out`. The text is valid UTF-8.
///
/// What no scan has proved valid is decoded as far as it can be; nothing about it is promised.
pub fn decode(raw: &[u8], out: &mut Vec<u8>) {
    decode_inner(inner(raw), out);
}

/// Appends `text` as a JSON string, with its quotes.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut at = 0;
    loop {
        let (end, _) = plain_run(bytes, at);
        out.extend_from_slice(&bytes[at..end]);
        let Some(&byte) = bytes.get(end) else {
            break;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
        }
        at = end + 1;
    }
    out.push(b'"');
}

/// Words to look for in the texts of strings, made ready once.
#[derive(Clone, Debug)]
pub struct Needles {
    finders: Vec<Finder<'static>>,
}

impl Needles {
    /// Looks for any of `words`.
    #[must_use]
    pub fn new(words: &[&str]) -> Self {
        Self { finders: words.iter().map(|word| Finder::new(word).into_owned()).collect() }
    }

    /// Whether the text of a JSON string, given with its quotes, contains any of the words. A string with
    /// escapes is decoded into `scratch`.
    #[must_use]
    pub fn found_in(&self, raw: &[u8], scratch: &mut Vec<u8>) -> bool {
        let inner = inner(raw);
        let text = if memchr::memchr(b'\\', inner).is_some() {
            scratch.clear();
            decode_inner(inner, scratch);
            scratch
        } else {
            inner
        };
        self.finders.iter().any(|finder| finder.find(text).is_some())
    }
}

/// Whether the text of a string, given without its quotes, is `text`.
pub(super) fn text_equals(inner: &[u8], text: &[u8]) -> bool {
    let mut rest = text;
    pieces(inner, |piece| {
        let matches = rest.starts_with(piece);
        rest = if matches { &rest[piece.len()..] } else { b"" };
        matches
    }) && rest.is_empty()
}

/// What stands between the quotes.
fn inner(raw: &[u8]) -> &[u8] {
    match raw {
        [b'"', inner @ .., b'"'] => inner,
        _ => raw,
    }
}

fn decode_inner(inner: &[u8], out: &mut Vec<u8>) {
    out.reserve(inner.len());
    pieces(inner, |piece| {
        out.extend_from_slice(piece);
        true
    });
}

/// Hands the text of a string, given without its quotes, to `take`, piece by piece while that returns true.
/// Returns whether all was taken.
fn pieces(inner: &[u8], mut take: impl FnMut(&[u8]) -> bool) -> bool {
    let mut at = 0;
    while at < inner.len() {
        let end = memchr::memchr(b'\\', &inner[at..]).map_or(inner.len(), |index| at + index);
        if end > at && !take(&inner[at..end]) {
            return false;
        }
        if end == inner.len() {
            break;
        }
        let Ok((character, end)) = escape(inner, end) else {
            break;
        };
        if !take(character.encode_utf8(&mut [0; 4]).as_bytes()) {
            return false;
        }
        at = end;
    }
    true
}

/// Reads the escape whose backslash is at byte `at`: the character that it stands for, U+FFFD for a lone
/// surrogate, and where it ends. An error is the index of the byte that is wrong and what is wrong.
pub(super) fn escape(bytes: &[u8], at: usize) -> Result<(char, usize), (usize, &'static str)> {
    let character = match bytes.get(at + 1) {
        Some(b'u') => return unicode_escape(bytes, at),
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(_) => return Err((at + 1, "there is no such escape")),
        None => return Err((at + 1, "a string lacks its closing quote")),
    };
    Ok((character, at + 2))
}

fn unicode_escape(bytes: &[u8], at: usize) -> Result<(char, usize), (usize, &'static str)> {
    const ESCAPE_BYTES: usize = 6;
    let unit = code_unit(bytes, at + 2)?;
    let end = at + ESCAPE_BYTES;
    let is_high = (0xd800..0xdc00).contains(&unit);
    if is_high && bytes.get(end..end + 2) == Some(b"\\u") {
        let second = code_unit(bytes, end + 2)?;
        if (0xdc00..0xe000).contains(&second) {
            let scalar = 0x1_0000 + ((unit - 0xd800) << 10 | (second - 0xdc00));
            let character = char::from_u32(scalar).expect("a pair of surrogates is a character");
            return Ok((character, end + ESCAPE_BYTES));
        }
    }
    Ok((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), end))
}

/// The value of the four hexadecimal digits at byte `at`.
fn code_unit(bytes: &[u8], at: usize) -> Result<u32, (usize, &'static str)> {
    let mut unit = 0;
    for index in at..at + 4 {
        let digit = bytes.get(index).and_then(|byte| char::from(*byte).to_digit(16));
        unit = unit << 4 | digit.ok_or((index, "expected a hexadecimal digit"))?;
    }
    Ok(unit)
}

/// Index of the first byte at or after `from` that a string cannot hold as it is (a quote, a backslash or
/// a control character), and how many characters start before it, eight bytes at a time.
#[inline]
pub(super) fn plain_run(bytes: &[u8], from: usize) -> (usize, usize) {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let mut at = from;
    let mut continuations = 0;
    while let Some((word, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        // The lowest bit set is exact; a borrow can set only bits above it.
        let special = (word.wrapping_sub(ONES * 0x20) & !word
            | quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash)
            & HIGHS;
        let mut continuation = word & !(word << 1) & HIGHS;
        if special != 0 {
            let plain_bytes = special.trailing_zeros() as usize / 8;
            continuation &= special.wrapping_sub(1) & !special;
            continuations += continuation.count_ones() as usize;
            at += plain_bytes;
            return (at, at - from - continuations);
        }
        if continuation != 0 {
            continuations += continuation.count_ones() as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at)
        && !matches!(byte, b'"' | b'\\' | 0..0x20)
    {
        continuations += usize::from(byte & 0xc0 == 0x80);
        at += 1;
    }
    (at, at - from - continuations)
}
