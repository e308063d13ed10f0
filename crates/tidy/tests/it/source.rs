//! Rules of the source text.

use crate::{assert_none, files, root};
use std::path::Path;

/// Returns `path` as it stands in the repository, for messages.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// Returns the lines of every Rust file below crates/ and benches/, with file and line number.
fn lines() -> Vec<(String, usize, String)> {
    let mut lines = Vec::new();
    for folder in ["crates", "benches"] {
        for path in files(&root().join(folder), ".rs") {
            let name = shown(&path);
            let text = std::fs::read_to_string(&path).unwrap();
            let numbered = text.lines().enumerate();
            lines.extend(numbered.map(|(n, line)| (name.clone(), n + 1, line.to_owned())));
        }
    }
    lines
}

/// Lists each place where one of `words` stands, outside the files that `allowed` accepts.
fn places(words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    lines()
        .into_iter()
        .filter(|(file, _, line)| !allowed(file) && words.iter().any(|word| line.contains(word)))
        .map(|(file, n, line)| format!("{file}:{n}: {}", line.trim()))
        .collect()
}

#[test]
fn files_stay_short_enough_to_read() {
    let mut broken = Vec::new();
    for folder in ["crates", "benches"] {
        for path in files(&root().join(folder), ".rs") {
            let count = std::fs::read_to_string(&path).unwrap().lines().count();
            if count > 600 {
                broken.push(format!("{}: {count} lines", shown(&path)));
            }
        }
    }
    assert_none("a file over 600 lines holds more than one thing", &broken);
}

#[test]
fn no_module_is_a_drawer() {
    let drawers = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "manager.rs", "misc.rs"];
    let broken: Vec<_> = files(&root().join("crates"), ".rs")
        .iter()
        .filter(|path| drawers.iter().any(|name| path.ends_with(name)))
        .map(|path| shown(path))
        .collect();
    assert_none("a module is named after what it does", &broken);
}

#[test]
fn the_table_log_is_named_in_one_place() {
    let allowed =
        |file: &str| file.starts_with("crates/store/src/log") || file.starts_with("crates/tidy/");
    let broken = places(&["deltalake_core", "deltalake::", "delta_kernel"], allowed);
    assert_none("types of the table log stay in `store::log`", &broken);
}

#[test]
fn only_the_command_line_reads_its_surroundings() {
    let allowed = |file: &str| {
        let outside = ["crates/cli/", "crates/testkit/", "crates/tidy/", "benches/"];
        outside.iter().any(|folder| file.starts_with(folder)) || file.contains("/tests/")
    };
    let words = ["env::var", "env::args", "SystemTime::now", "Utc::now", "println!", "eprintln!"];
    let broken = places(&words, allowed);
    assert_none("below the command line nothing reads clock or environment, or prints", &broken);
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME", "XX".to_owned() + "X:"];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut macros = vec!["todo!(", "unimplemented!("];
    macros.extend(words);
    let broken = places(&macros, |file| file.starts_with("crates/tidy/"));
    assert_none("work left undone is an issue, not a comment", &broken);
}
