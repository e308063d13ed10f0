//! Who may know whom. An arrow that is not listed here is a design decision (docs/decisions).

use crate::{assert_none, root};
use std::collections::{BTreeMap, BTreeSet};

/// The crates of ours that each crate may name in `[dependencies]`.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cloudtrail", &[]),
    ("store", &[]),
    ("trino", &[]),
    ("testkit", &[]),
    ("tidy", &[]),
    ("ingest", &["cloudtrail", "store"]),
    ("query", &["store", "trino"]),
    ("server", &["query", "store"]),
    ("cli", &["cloudtrail", "ingest", "query", "server", "store", "trino"]),
    ("benches", &["cloudtrail", "testkit"]),
];

/// Third-party crates that only some of ours may name.
const CONFINED: &[(&str, &[&str])] = &[
    ("datafusion", &["trino", "query", "cli"]),
    ("deltalake-core", &["store", "cli"]),
    ("delta_kernel", &["store"]),
    ("clap", &["cli", "benches"]),
    ("anyhow", &["cli", "benches"]),
];

/// Returns the names under `section` of each member's manifest, by the member's folder.
fn dependencies(section: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut members: Vec<_> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").exists())
        .collect();
    members.push(root().join("benches"));
    members
        .iter()
        .map(|member| {
            let name = member.file_name().unwrap().to_string_lossy().into_owned();
            let manifest = std::fs::read_to_string(member.join("Cargo.toml")).unwrap();
            let manifest: toml::Table = manifest.parse().unwrap();
            let section = manifest.get(section).and_then(toml::Value::as_table);
            let names = section.map(|table| table.keys().cloned().collect()).unwrap_or_default();
            (name, names)
        })
        .filter(|(name, _)| name != "hub")
        .collect()
}

#[test]
fn crates_know_only_the_crates_they_may() {
    let mut broken = Vec::new();
    for (member, names) in dependencies("dependencies") {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member) else {
            broken.push(format!("{member}: not listed"));
            continue;
        };
        let ours = names.iter().filter_map(|name| name.strip_prefix("traillake-"));
        for other in ours.filter(|other| !allowed.contains(other)) {
            broken.push(format!("{member} -> {other}"));
        }
    }
    assert_none("a crate names only the crates listed for it", &broken);
}

#[test]
fn test_only_crates_stay_out_of_the_binary() {
    let mut broken = Vec::new();
    for (member, names) in dependencies("dependencies") {
        for other in ["traillake-testkit", "traillake-tidy"] {
            if member != "benches" && names.contains(other) {
                broken.push(format!("{member} -> {other}"));
            }
        }
    }
    assert_none("testkit and tidy are development dependencies only", &broken);
}

#[test]
fn heavy_dependencies_stay_where_they_belong() {
    let mut broken = Vec::new();
    for (member, names) in dependencies("dependencies") {
        for (name, allowed) in CONFINED {
            if names.contains(*name) && !allowed.contains(&member.as_str()) {
                broken.push(format!("{member} -> {name}"));
            }
        }
    }
    assert_none("the query engine, the log and the command line stay in their crates", &broken);
}
