//! Whether a text is code: the toy model of the contract.

use ringyard_protocol::json::{self, ItemSpan};

/// Words that make a text code, beside the single characters `;`, `{` and `}`.
const WORDS: [&[u8]; 2] = [b"def ", b"class "];

/// Whether the *decoded* text of `item` in `body` holds one of the marks. `scratch` is for decoding.
pub(super) fn is_code(body: &[u8], item: &ItemSpan, scratch: &mut Vec<u8>) -> bool {
    let raw = &body[item.start as usize..item.end as usize];
    if !item.escaped {
        return marked(raw);
    }
    scratch.clear();
    json::decode(raw, scratch);
    marked(scratch)
}

fn marked(text: &[u8]) -> bool {
    memchr::memchr3(b';', b'{', b'}', text).is_some()
        || WORDS.iter().any(|word| memchr::memmem::find(text, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ringyard_protocol::json::{ItemKind, scan_items};

    fn label(body: &str) -> bool {
        let mut items = Vec::new();
        scan_items(body.as_bytes(), "sequences", ItemKind::Strings, 1, &mut items).unwrap();
        is_code(body.as_bytes(), &items[0], &mut Vec::new())
    }

    #[track_caller]
    fn check(raw: &str, code: bool) {
        assert_eq!(label(&format!(r#"{{"sequences":["{raw}"]}}"#)), code, "{raw}");
    }

    #[test]
    fn marks_make_code() {
        for raw in ["a;", "{", "}", "def f", "class A", r"\u003b", r"de\u0066 ", r"\u007B", r"\\;"]
        {
            check(raw, true);
        }
        for raw in ["", "a", "def", "class", r"def\n", "defx", r"class\t", r"\ud800", "undefined"] {
            check(raw, false);
        }
    }

    proptest! {
        /// However a text is escaped, its label is that of the text itself.
        #[test]
        fn the_label_is_that_of_the_decoded_text(text in "[a-f ;{}\\\\\"\n\u{e9}\u{1f600}defclas]{0,24}") {
            let expected = [";", "{", "}", "def ", "class "].iter().any(|mark| text.contains(mark));
            let plain = serde_json::json!({ "sequences": [&text] }).to_string();
            prop_assert_eq!(label(&plain), expected);
            let escaped: String =
                text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let body = format!(r#"{{"sequences":["{escaped}"]}}"#);
            prop_assert_eq!(label(&body), expected);
        }
    }
}
