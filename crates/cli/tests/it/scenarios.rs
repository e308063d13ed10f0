//! `testdata/scenarios`, played on the built binary.

use std::path::Path;

use traillake_testkit::scenario::{Binary, run};

use crate::folder::BINARY;
use crate::kills::dies_at;

#[test]
fn every_scenario_goes_as_it_says() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/scenarios");
    let mut names: Vec<_> =
        std::fs::read_dir(scenarios).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() > 3);
    let mut failures = Vec::new();
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(&name).unwrap();
        let mut system =
            Binary::new(Path::new(BINARY), &folder.path().join("lake")).with_crash(&dies_at);
        if let Err(failure) = run(&text, folder.path(), &mut system) {
            failures.push(format!("{}: {failure}", name.file_name().unwrap().display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
