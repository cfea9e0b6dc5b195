//! `ringyard compare`, for a moment: who takes part, what is shown, what is written.

use std::process::{Command, Output};

fn compare(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringyard"));
    command.arg("compare").args(arguments).output().expect("the binary runs")
}

#[test]
fn engines_are_compared_and_the_findings_written() {
    let results = tempfile::tempdir().expect("a directory");
    let [json, png] = ["engines.json", "engines.png"].map(|name| results.path().join(name));
    let output = compare(&[
        "engines",
        "--seconds",
        "5",
        "--case",
        "64",
        "--case",
        "one",
        "--server",
        "ring",
        "--json",
        json.to_str().expect("text"),
        "--png",
        png.to_str().expect("text"),
    ]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for word in ["64 connections (64)", "ring ", "control", "p99.9 us", "aims met"] {
        assert!(text.contains(word), "{word:?} is not in\n{text}");
    }
    let json = std::fs::read(json).expect("findings");
    let found: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(found["schema"], "ringyard-compare/1");
    let cases = found["cases"].as_array().expect("a list");
    assert_eq!(cases.len(), 2);
    for entrant in cases[0]["entrants"].as_array().expect("a list") {
        assert_eq!(entrant["errors"], 0, "{text}");
        assert!(entrant["resident_mib"].as_f64() > Some(1.0), "{text}");
    }
    assert!(std::fs::read(png).expect("a picture").starts_with(b"\x89PNG"));
}

#[test]
fn who_is_missing_is_said() {
    let output =
        compare(&["proxies", "--seconds", "5", "--scripts", "/nowhere", "--server", "ring"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("--scripts"), "{said}");
    let output = compare(&["engines", "--case", "65"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there are 64, 256"));
}
