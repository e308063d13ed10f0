//! Real events, which lie outside the repository.

use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;

/// Set and not empty, it makes the absence of real events a failure; `.ci/run` sets it.
pub const REQUIRED: &str = "CORPUS_REQUIRED";

/// Returns the folder of a set of real events (`""` for that of all sets), or nothing where it is
/// absent: the test that asks is then named on standard error, past what a test's output is held
/// back with.
///
/// # Panics
/// When the set is absent and [`REQUIRED`] says that it must not be.
pub fn corpus(set: &str) -> Option<PathBuf> {
    let all = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus"));
    let is_required = std::env::var_os(REQUIRED).is_some_and(|value| !value.is_empty());
    find(all.join(set), is_required)
}

fn find(folder: PathBuf, is_required: bool) -> Option<PathBuf> {
    if let Ok(found) = folder.canonicalize() {
        return Some(found);
    }
    let told = format!("no real events at {}", folder.display());
    assert!(!is_required, "{told}, and {REQUIRED} is set");
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not a macro: the output of those is shown of tests that fail alone.
    let _ = writeln!(io::stderr(), "SKIPPED: {test} checks nothing: {told}");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_fails_where_events_are_required() {
        let (here, absent) = (PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from("/absent"));
        assert_eq!(find(here.clone(), true), here.canonicalize().ok());
        assert!(std::panic::catch_unwind(|| find(absent, true)).is_err());
    }
}
