//! The request that is repeated, with the few places where it may differ from time to time.
//!
//! A body is literal but for two marks: `{counter}` becomes the number of the request, `{random:MIN-MAX}`
//! so many letters, a number anew for each request. A request without marks is made once and copied.

use crate::random::Random;

/// Bytes that one random mark may stand for.
pub const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// A body with marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Counter,
    Random { min: u64, max: u64 },
}

/// Why a body's marks cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The bounds of a random mark.
    #[error(
        "`{{random:{0}}}` needs two lengths up to {RANDOM_BYTES_MAX}, the lesser first, as in {{random:10-20}}"
    )]
    Random(String),
}

impl BodyTemplate {
    /// A body without marks, whatever is in it.
    #[must_use]
    pub fn literal(bytes: Vec<u8>) -> Self {
        Self { parts: vec![Part::Literal(bytes)] }
    }

    /// Reads a body with marks. Braces that are no mark stand for themselves.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if a mark is not well-formed.
    pub fn parse(text: &[u8]) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            if let Some(after) = rest.strip_prefix(b"{counter}") {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
                parts.push(Part::Counter);
                rest = after;
            } else if let Some(inner) = rest.strip_prefix(b"{random:")
                && let Some(end) = inner.iter().position(|byte| *byte == b'}')
            {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
                parts.push(random(&String::from_utf8_lossy(&inner[..end]))?);
                rest = &inner[end + 1..];
            } else {
                literal.push(byte);
                rest = after;
            }
        }
        parts.push(Part::Literal(literal));
        parts.retain(|part| *part != Part::Literal(Vec::new()));
        Ok(Self { parts })
    }

    /// Whether every request has the same body.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Literal(_)))
    }

    /// Appends the body of request number `number`.
    pub fn write(&self, number: u64, random: &mut Random, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(bytes) => out.extend_from_slice(bytes),
                Part::Counter => out.extend_from_slice(number.to_string().as_bytes()),
                Part::Random { min, max } => {
                    for _ in 0..min + random.below(max - min + 1) {
                        let letter = u8::try_from(random.below(26)).expect("26 letters fit a byte");
                        out.push(b'a' + letter);
                    }
                }
            }
        }
    }
}

fn random(bounds: &str) -> Result<Part, TemplateError> {
    let fail = || TemplateError::Random(bounds.to_owned());
    let (min, max) = bounds.split_once('-').unwrap_or((bounds, bounds));
    let [min, max] = [min, max].map(|bound| bound.parse::<u64>().ok());
    match min.zip(max) {
        Some((min, max)) if min <= max && max <= RANDOM_BYTES_MAX => Ok(Part::Random { min, max }),
        _ => Err(fail()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, number: u64) -> String {
        let template = BodyTemplate::parse(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        template.write(number, &mut Random::new(1), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn marks_are_replaced_and_other_braces_stay() {
        assert_eq!(written(r#"{"id": {counter}, "x": {}}"#, 7), r#"{"id": 7, "x": {}}"#);
        assert_eq!(written("{counter}{counter}", 12), "1212");
        assert_eq!(written("{random:5}", 0).len(), 5);
        assert_eq!(written("{random", 0), "{random");
    }

    #[test]
    fn random_lengths_cover_their_range() {
        let template = BodyTemplate::parse(b"{random:2-4}").unwrap();
        let mut random = Random::new(1);
        let mut seen = [false; 6];
        for _ in 0..100 {
            let mut out = Vec::new();
            template.write(0, &mut random, &mut out);
            assert!(out.iter().all(u8::is_ascii_lowercase));
            seen[out.len()] = true;
        }
        assert_eq!(seen, [false, false, true, true, true, false]);
    }

    #[test]
    fn only_bodies_without_marks_are_literal() {
        let check = |text: &str, expected| {
            assert_eq!(BodyTemplate::parse(text.as_bytes()).unwrap().is_literal(), expected);
        };
        check("", true);
        check("{\"a\": 1}", true);
        check("{counter}", false);
        assert!(BodyTemplate::literal(b"{counter}".to_vec()).is_literal());
    }

    #[test]
    fn useless_bounds_are_refused() {
        for text in ["{random:}", "{random:3-2}", "{random:a-b}", "{random:1-99999999}"] {
            assert!(BodyTemplate::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
