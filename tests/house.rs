//! The rules of the house, executable: which crate may depend on which, what every file begins with, where
//! `unsafe` may stand, and that the map of the house names only what is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a product file, its tests not counted.
const FILE_LINES_MAX: usize = 600;

/// Which packages of the workspace each may depend on, other than for its own tests.
const EDGES: &[(&str, &[&str])] = &[
    ("ringyard-time", &[]),
    ("ringyard-protocol", &[]),
    ("ringyard-scheduler", &["ringyard-time"]),
    ("ringyard-runtime", &["ringyard-time"]),
    (
        "ringyard-servers",
        &["ringyard-protocol", "ringyard-runtime", "ringyard-scheduler", "ringyard-time"],
    ),
    (
        "ringyard-baseline",
        &["ringyard-runtime", "ringyard-scheduler", "ringyard-servers", "ringyard-time"],
    ),
    (
        "ringyard-simulator",
        &[
            "ringyard-protocol",
            "ringyard-runtime",
            "ringyard-scheduler",
            "ringyard-servers",
            "ringyard-time",
        ],
    ),
    (
        "ringyard-bench",
        &[
            "ringyard-baseline",
            "ringyard-protocol",
            "ringyard-runtime",
            "ringyard-scheduler",
            "ringyard-servers",
            "ringyard-simulator",
            "ringyard-time",
        ],
    ),
    (
        "ringyard-tests",
        &[
            "ringyard-baseline",
            "ringyard-bench",
            "ringyard-protocol",
            "ringyard-runtime",
            "ringyard-scheduler",
            "ringyard-servers",
            "ringyard-simulator",
            "ringyard-time",
        ],
    ),
    (
        "ringyard",
        &[
            "ringyard-baseline",
            "ringyard-bench",
            "ringyard-protocol",
            "ringyard-runtime",
            "ringyard-scheduler",
            "ringyard-servers",
            "ringyard-simulator",
        ],
    ),
];

/// Packages in which nothing may do IO, read a clock or start a thread: what they may depend on at all.
const PURE: &[(&str, &[&str])] = &[
    ("ringyard-time", &[]),
    ("ringyard-protocol", &["httparse", "memchr", "thiserror"]),
    ("ringyard-scheduler", &["ringyard-time", "thiserror"]),
    (
        "ringyard-servers",
        &[
            "memchr",
            "ringyard-protocol",
            "ringyard-runtime",
            "ringyard-scheduler",
            "ringyard-time",
            "sha2",
            "thiserror",
        ],
    ),
];

/// The packages that may hold `unsafe` code, in files that say why.
const UNSAFE: &[&str] = &["runtime"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the root").to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folders of the workspace's members.
fn members() -> Vec<PathBuf> {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().expect("a manifest");
    let members = manifest["workspace"]["members"].as_array().expect("a list of members");
    members.iter().map(|name| root().join(name.as_str().expect("a name"))).collect()
}

/// Every Rust file of the workspace.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = members();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder that can be read") {
            let path = entry.expect("an entry that can be read").path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 50, "the search for sources is broken");
    found
}

/// The names in the tables of that name, those for one target or `cfg` only included.
fn dependencies(manifest: &toml::Table, table: &str) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let places = targets.into_iter().flat_map(|targets| targets.values());
    places
        .filter_map(toml::Value::as_table)
        .chain([manifest])
        .filter_map(|place| place.get(table)?.as_table())
        .flat_map(|names| names.keys().cloned())
        .collect()
}

#[test]
fn no_crate_depends_on_one_that_it_must_not_know() {
    for member in members() {
        let manifest: toml::Table = read(&member.join("Cargo.toml")).parse().expect("a manifest");
        let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
        let used = dependencies(&manifest, "dependencies");
        let (_, allowed) = EDGES
            .iter()
            .find(|(package, _)| *package == name)
            .unwrap_or_else(|| panic!("say in {} what {name} may depend on", file!()));
        for dependency in used.iter().filter(|name| name.starts_with("ringyard")) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
        }
        if let Some((_, allowed)) = PURE.iter().find(|(package, _)| *package == name) {
            for dependency in &used {
                assert!(allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
            }
        }
        let build = dependencies(&manifest, "build-dependencies");
        assert!(build.is_empty(), "{name} has build dependencies: {build:?}");
    }
}

#[test]
fn pure_crates_see_the_runtime_without_its_engines() {
    let root: toml::Table = read(&root().join("Cargo.toml")).parse().expect("a manifest");
    let runtime = &root["workspace"]["dependencies"]["ringyard-runtime"];
    assert_eq!(runtime["default-features"].as_bool(), Some(false));
    for (member, engines) in [("servers", false), ("simulator", false), ("cli", true)] {
        let path = self::root().join(member).join("Cargo.toml");
        let manifest: toml::Table = read(&path).parse().expect("a manifest");
        let features = manifest["dependencies"]["ringyard-runtime"].get("features");
        assert_eq!(features.is_some(), engines, "{member}");
    }
}

#[test]
fn every_file_says_what_it_is() {
    for path in sources() {
        let text = read(&path);
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        assert!(first.starts_with("//! "), "{} has no //! header", path.display());
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    for path in sources() {
        let text = read(&path);
        let product = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let tests = path.components().any(|part| part.as_os_str() == "tests");
        assert!(
            tests || product <= FILE_LINES_MAX,
            "{} has {product} lines; split it by what it is about",
            path.display()
        );
    }
}

#[test]
fn unsafe_stands_only_where_it_is_expected() {
    for member in members() {
        let name = member.file_name().expect("a name").to_string_lossy().into_owned();
        if UNSAFE.contains(&name.as_str()) {
            continue;
        }
        let top = ["src/lib.rs", "src/main.rs", "harness/lib.rs"]
            .into_iter()
            .map(|file| member.join(file))
            .find(|file| file.exists())
            .unwrap_or_else(|| panic!("{name} has no library or program"));
        assert!(read(&top).contains("#![forbid(unsafe_code)]"), "{}", top.display());
    }
    for path in sources() {
        let text = read(&path);
        let has_unsafe = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {") || code.contains("unsafe impl") || code.contains("unsafe fn")
        });
        let folded: String = text.split_whitespace().collect();
        let expected = folded.contains("[expect(unsafe_code,") || path.ends_with("tests/house.rs");
        assert!(!has_unsafe || expected, "{} does not say why it is unsafe", path.display());
    }
}

#[test]
fn the_map_of_the_house_names_only_what_is_there() {
    let root = root();
    for document in ["ARCHITECTURE.md", "README.md"] {
        let text = read(&root.join(document));
        let mut named = 0;
        // Every second part between back quotes is code.
        for code in text.split('`').skip(1).step_by(2) {
            let is_path = !code.contains([' ', '<', '*', '{', ':', '\n'])
                && !code.starts_with(['/', '-', '.'])
                && (code.ends_with(".rs")
                    || code.ends_with(".md")
                    || code.ends_with(".toml")
                    || code.ends_with(".sh")
                    || code.ends_with('/'));
            if is_path && !code.starts_with("results/") && !code.starts_with("target/") {
                named += 1;
                assert!(root.join(code).exists(), "{document} names {code}, which is not there");
            }
        }
        assert!(named > 0, "{document} names no path; the search is broken");
    }
}
