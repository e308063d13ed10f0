//! Rules of the repository. Each test names the rule it holds and lists every place that breaks it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod edges;
mod licences;
mod source;

use std::path::{Path, PathBuf};

/// Returns the root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns every file below `folder` whose name ends with `ending`, sorted, build output left out.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != ".git" {
                    pending.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Fails with one line for each place that breaks `rule`.
fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}; broken in:\n  {}", broken.join("\n  "));
}
