//! JSON texts against `serde_json`: the same texts are valid, and the items are the same.
//!
//! `serde_json` reading into nothing is the oracle of validity, since it then knows no limits of numbers,
//! surrogates and depth. Reading into values is the oracle of what the items say.

use proptest::collection::vec;
use proptest::prelude::*;
use ringyard_protocol::json::{
    ItemKind, ItemSpan, Needles, ScanError, decode, scan_items, write_string,
};
use ringyard_protocol::limits::JSON_DEPTH_MAX;
use serde::de::IgnoredAny;
use serde_json::Value;

const KEY: &str = "sequences";

fn is_valid(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

fn scan(text: &[u8], kind: ItemKind) -> Result<Vec<ItemSpan>, ScanError> {
    let mut items = Vec::new();
    let scan = scan_items(text, KEY, kind, usize::MAX, &mut items)?;
    assert_eq!(scan.items, items.len());
    Ok(items)
}

/// What a scan for strings should say of a valid text, as far as it can be told from its value.
fn check_shape(value: &Value, seen: Result<Vec<ItemSpan>, ScanError>, text: &[u8]) {
    let Value::Object(members) = value else {
        return assert_eq!(seen, Err(ScanError::NotAnObject));
    };
    let Some(member) = members.get(KEY) else {
        return assert_eq!(seen, Err(ScanError::Missing));
    };
    let Value::Array(values) = member else {
        return assert_eq!(seen, Err(ScanError::NotAList));
    };
    if let Some(index) = values.iter().position(|value| !value.is_string()) {
        return assert_eq!(seen, Err(ScanError::NotAString { index }));
    }
    let spans = seen.expect("a list of strings is what was sought");
    assert_eq!(spans.len(), values.len());
    for (span, value) in spans.iter().zip(values) {
        let raw = span.of(text);
        let expected = value.as_str().expect("looked at above");
        let mut decoded = Vec::new();
        decode(raw, &mut decoded);
        assert_eq!(String::from_utf8_lossy(&decoded), expected);
        assert_eq!(span.characters as usize, expected.chars().count());
        assert_eq!(span.escaped, raw.contains(&b'\\'));
    }
}

/// Holds the scan of any bytes against the oracle.
fn check(text: &[u8]) {
    let strings = scan(text, ItemKind::Strings);
    let any = scan(text, ItemKind::Any);
    if !is_valid(text) {
        let offset = match strings {
            Err(ScanError::Syntax { offset, .. }) => offset,
            Err(ScanError::Empty) => 0,
            Err(ScanError::TooDeep { .. }) => return,
            _ => panic!("accepted {}: {strings:?}", text.escape_ascii()),
        };
        assert!(offset <= text.len());
        assert_eq!(any, strings);
        return;
    }
    if let Err(ScanError::Syntax { .. } | ScanError::Empty | ScanError::TooDeep { .. }) = strings {
        panic!("refused {}: {strings:?}", text.escape_ascii());
    }
    // Lone surrogates and huge numbers are valid texts without a value.
    let Ok(value) = serde_json::from_slice::<Value>(text) else {
        return;
    };
    check_shape(&value, strings, text);
    if let Ok(spans) = any {
        let values = value[KEY].as_array().expect("a list was found");
        assert_eq!(spans.len(), values.len());
        for (span, value) in spans.iter().zip(values) {
            let item: Value = serde_json::from_slice(span.of(text)).expect("an item is a text");
            assert_eq!(&item, value);
        }
    }
}

fn blanks() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

/// A string with its quotes, with all kinds of escapes and characters.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ !#-\\[\\]-~]{1,20}",
        2 => "[\u{80}-\u{7ff}\u{800}-\u{ffff}\u{10000}-\u{10ffff}]{1,4}",
        2 => proptest::sample::select(&["\\n", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r", "\\t"][..])
            .prop_map(str::to_owned),
        1 => "\\\\u[0-9a-cA-C][0-9a-fA-F]{3}",
        1 => "\\\\ud[89ab][0-9a-f]{2}\\\\ud[c-f][0-9a-f]{2}",
    ];
    vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A member's name: often the one sought, sometimes in disguise.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("\"sequences\"".to_owned()),
        1 => Just("\"\\u0073equence\\u0073\"".to_owned()),
        1 => Just("\"sequence\"".to_owned()),
        2 => string(),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => string(),
        1 => "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
        1 => proptest::sample::select(&["true", "false", "null"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 30, 6, |inner| {
        let item = (blanks(), inner, blanks())
            .prop_map(|(before, value, after)| format!("{before}{value}{after}"))
            .boxed();
        let member = (blanks(), name(), blanks(), item.clone())
            .prop_map(|(before, name, after, value)| format!("{before}{name}{after}:{value}"));
        let list = |items: Vec<String>| format!("[{}]", items.join(","));
        prop_oneof![
            vec(item, 0..5).prop_map(list),
            vec(string(), 0..7).prop_map(list),
            vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// A text that is mostly an object with the member sought.
fn text() -> impl Strategy<Value = String> {
    let member = (name(), value()).prop_map(|(name, value)| format!("{name}:{value}"));
    let object = vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
    (blanks(), prop_oneof![4 => object, 1 => value()], blanks())
        .prop_map(|(before, value, after)| format!("{before}{value}{after}"))
}

const TRIPWIRES: [&[u8]; 26] = [
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\\udc00",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xc3",
    b"\xed\xa0\x80",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-",
    b"0",
    b".",
    b"e",
    b"1e999",
    b"nul",
    b"NaN",
    b"\xef\xbb\xbf",
    b" ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn valid_texts_are_read_like_serde_json_reads_them(text in text()) {
        prop_assert!(is_valid(text.as_bytes()), "the generator makes valid texts");
        check(text.as_bytes());
    }

    #[test]
    fn damaged_texts_are_judged_like_serde_json_judges_them(
        text in text(),
        damage in vec((any::<usize>(), proptest::sample::select(&TRIPWIRES[..]), 0..3_usize), 1..3),
    ) {
        let mut text = text.into_bytes();
        for (at, wire, removed) in damage {
            let at = at % (text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, wire.iter().copied());
        }
        check(&text);
    }

    #[test]
    fn texts_cut_short_are_never_valid_objects(text in text(), cut in any::<prop::sample::Index>()) {
        check(&text.as_bytes()[..cut.index(text.len())]);
    }

    #[test]
    fn written_strings_are_read_back(text in any::<String>(), before in any::<Vec<u8>>()) {
        let mut written = before.clone();
        write_string(&mut written, &text);
        prop_assert!(written.starts_with(&before));
        let written = &written[before.len()..];
        prop_assert_eq!(serde_json::from_slice::<String>(written).ok(), Some(text.clone()));
        let mut decoded = Vec::new();
        decode(written, &mut decoded);
        prop_assert_eq!(String::from_utf8_lossy(&decoded), text);
    }

    #[test]
    fn needles_are_found_in_decoded_texts(
        raw in "\"([abc;]|\\\\n|\\\\u00(61|3b|62)|\\\\ud83d|é){0,12}\"",
    ) {
        let words = [";", "ab", "bc\n", "é"];
        let mut text = Vec::new();
        decode(raw.as_bytes(), &mut text);
        let text = String::from_utf8_lossy(&text);
        let expected = words.iter().any(|word| text.contains(word));
        let mut scratch = b"left over".to_vec();
        prop_assert_eq!(Needles::new(&words).found_in(raw.as_bytes(), &mut scratch), expected);
    }
}

#[test]
fn grammar_corners_are_those_of_the_oracle() {
    for value in [
        "0",
        "-0",
        "00",
        "01",
        "-",
        "-a",
        "+1",
        "1.",
        ".1",
        "1.e1",
        "1e",
        "1e+",
        "1E-9",
        "1e999",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "true",
        "tru",
        "truee",
        "True",
        "nul",
        "null",
        "[]",
        "[,]",
        "[1,]",
        "[1,,2]",
        "[1 2]",
        "{}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "[}",
        "{]",
        "[",
        "{",
        "\"",
        "\"\\",
        "\"\\u",
        "\"\\u12",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"\u{7f}\"",
        "'a'",
        "\"a\"\"b\"",
        "// x",
        "/**/1",
        "[]]",
        "\u{feff}1",
        "\u{a0}1",
        "\u{c}1",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800\\ud800\\udc00\"",
    ] {
        check(value.as_bytes());
        check(format!("{{\"sequences\":[{value}]}}").as_bytes());
        check(format!(" [{value}, {value}] ").as_bytes());
    }
    check(b"");
    check(b"{\"sequences\":[\"\xff\"]}");
    check(b"{\"sequences\":[]}\0");
}

#[test]
fn lone_surrogates_are_one_character_each() {
    #[track_caller]
    fn check(raw: &str, characters: u32, text: &str) {
        let document = format!("{{\"sequences\":[{raw}]}}");
        let spans = scan(document.as_bytes(), ItemKind::Strings).expect("it is valid");
        assert_eq!(spans[0].characters, characters, "{raw}");
        let mut decoded = Vec::new();
        decode(raw.as_bytes(), &mut decoded);
        assert_eq!(String::from_utf8_lossy(&decoded), text, "{raw}");
    }
    check(r#""\ud83d\ude00""#, 1, "\u{1f600}");
    check(r#""\uDBFF\uDFFF""#, 1, "\u{10ffff}");
    check(r#""\ud83d""#, 1, "\u{fffd}");
    check(r#""\ude00\ud83d""#, 2, "\u{fffd}\u{fffd}");
    check(r#""\ud83d\ud83d\ude00""#, 2, "\u{fffd}\u{1f600}");
    check(r#""\ud83d\u0041""#, 2, "\u{fffd}A");
    check(r#""\ud83d\n""#, 2, "\u{fffd}\n");
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: u32| {
        let depth = depth as usize;
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes()
    };
    assert_eq!(scan(&nested(JSON_DEPTH_MAX), ItemKind::Any), Err(ScanError::NotAnObject));
    let offset = JSON_DEPTH_MAX as usize;
    for text in [nested(JSON_DEPTH_MAX + 1), b"[".repeat(100_000)] {
        assert_eq!(scan(&text, ItemKind::Any), Err(ScanError::TooDeep { offset }));
    }
    let objects = b"{\"a\":".repeat(offset + 1);
    let offset = b"{\"a\":".len() * offset;
    assert_eq!(scan(&objects, ItemKind::Any), Err(ScanError::TooDeep { offset }));
}

#[test]
fn only_the_first_items_are_kept_and_the_buffer_is_reused() {
    let mut items = Vec::with_capacity(2);
    let text = br#"{"sequences":["a","b","c",1]}"#;
    let seen = scan_items(text, KEY, ItemKind::Any, 2, &mut items);
    assert_eq!((seen.map(|scan| scan.items), items.len(), items.capacity()), (Ok(4), 2, 2));
    let seen = scan_items(text, KEY, ItemKind::Strings, 2, &mut items);
    assert_eq!(seen, Err(ScanError::NotAString { index: 3 }));
    let seen = scan_items(br#"{"sequences":[]}"#, KEY, ItemKind::Strings, 2, &mut items);
    assert_eq!((seen.map(|scan| scan.items), items.len(), items.capacity()), (Ok(0), 0, 2));
}
