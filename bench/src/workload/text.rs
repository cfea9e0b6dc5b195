//! The texts that customers send: what they are made of, their length, and the label they deserve.
//!
//! The label is computed here once more, plainly, from the contract and not from the classifier's own code,
//! so that a wrong answer is seen as wrong.

use serde::{Deserialize, Serialize};

use super::distribution::Distribution;
use crate::limits::TEXT_CHARACTERS_MAX;
use crate::random::Random;

/// How one kind of text is made: `head`, then `body` as often as `times` says, then cut to `cut`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextProfile {
    /// How often this kind is chosen, relative to the others.
    #[serde(default = "one")]
    pub weight: f64,
    /// What the text begins with.
    #[serde(default)]
    pub head: String,
    /// What is repeated after it.
    #[serde(default)]
    pub body: String,
    /// How often it is repeated.
    #[serde(default = "once")]
    pub times: Distribution,
    /// At how many characters the text is cut; not at all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Distribution>,
}

fn one() -> f64 {
    1.0
}

fn once() -> Distribution {
    Distribution::Constant(1.0)
}

/// What the classifier is to say of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// It contains a mark of code.
    Code,
    /// It does not.
    NotCode,
}

impl Label {
    /// The label that `text` deserves by the contract.
    #[must_use]
    pub fn of(text: &str) -> Self {
        const MARKS: [&str; 5] = [";", "{", "}", "def ", "class "];
        if MARKS.iter().any(|mark| text.contains(mark)) { Self::Code } else { Self::NotCode }
    }

    /// As it stands in an answer.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::NotCode => "not code",
        }
    }
}

impl TextProfile {
    /// Appends one text of this kind to `text` and returns its length in characters.
    pub fn write(&self, random: &mut Random, text: &mut String) -> u32 {
        let start = text.len();
        let cut = self
            .cut
            .as_ref()
            .map_or(TEXT_CHARACTERS_MAX, |cut| cut.draw_count(random, 0, TEXT_CHARACTERS_MAX));
        let repeats_max = if self.body.is_empty() { 0 } else { TEXT_CHARACTERS_MAX };
        let mut characters = 0;
        let repeats = self.times.draw_count(random, 0, repeats_max.max(1)).min(repeats_max);
        let parts = std::iter::once(&self.head)
            .chain(std::iter::repeat_n(&self.body, usize::try_from(repeats).unwrap_or(usize::MAX)));
        for character in parts.flat_map(|part| part.chars()) {
            if characters == cut {
                break;
            }
            text.push(character);
            characters += 1;
        }
        debug_assert_eq!(text[start..].chars().count(), usize::try_from(characters).unwrap_or(0));
        characters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(profile: &TextProfile, seed: u64) -> (String, u32) {
        let mut text = String::new();
        let characters = profile.write(&mut Random::new(seed), &mut text);
        (text, characters)
    }

    #[test]
    fn head_and_body_are_joined() {
        let profile = TextProfile {
            weight: 1.0,
            head: "ä:".into(),
            body: "xy".into(),
            times: Distribution::Constant(3.0),
            cut: None,
        };
        assert_eq!(made(&profile, 0), ("ä:xyxyxy".to_owned(), 8));
        let cut = TextProfile { cut: Some(Distribution::Constant(5.0)), ..profile };
        assert_eq!(made(&cut, 0), ("ä:xyx".to_owned(), 5));
    }

    #[test]
    fn a_text_without_body_is_its_head() {
        let profile: TextProfile = toml::from_str("head = 'hello'").unwrap();
        assert_eq!(made(&profile, 0), ("hello".to_owned(), 5));
    }

    #[test]
    fn length_is_limited() {
        let profile: TextProfile =
            toml::from_str("body = 'x'\ntimes = { constant = 1e18 }").unwrap();
        assert_eq!(made(&profile, 0).1, TEXT_CHARACTERS_MAX);
    }

    #[test]
    fn labels_are_those_of_the_contract() {
        let check = |text, label| assert_eq!(Label::of(text), label, "{text}");
        check("def f", Label::Code);
        check("class A", Label::Code);
        check("a;b", Label::Code);
        check("{", Label::Code);
        check("}", Label::Code);
        check("define", Label::NotCode);
        check("subclass", Label::NotCode);
        check("", Label::NotCode);
    }
}
