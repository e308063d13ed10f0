//! Licences of everything that is linked.

use crate::{assert_none, root};
use std::process::Command;

/// Licences that may be linked into an Apache-2.0 binary. MPL-2.0 binds only its own files.
const ACCEPTED: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "MPL-2.0",
    "CDLA-Permissive-2.0",
    "OpenSSL",
];

/// Returns true when `expression` can be met with accepted licences alone. `OR` needs one side and
/// `AND` both; `/` is the old spelling of `OR`.
fn accepted(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" AND ")
        .all(|side| side.split(" OR ").any(|licence| ACCEPTED.contains(&licence.trim())))
}

#[test]
fn every_linked_licence_is_accepted() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "cargo named only {} packages", packages.len());
    let broken: Vec<_> = packages
        .iter()
        .filter(|package| package["source"].is_string())
        .filter(|package| !package["license"].as_str().is_some_and(accepted))
        .map(|package| {
            format!("{} {}: {}", package["name"], package["version"], package["license"])
        })
        .collect();
    assert_none("every dependency has an accepted licence", &broken);
}

#[test]
fn licence_expressions_are_understood() {
    let check = |expression: &str, expected: bool| assert_eq!(accepted(expression), expected);
    check("MIT OR Apache-2.0", true);
    check("MIT/Apache-2.0", true);
    check("GPL-3.0", false);
    check("GPL-3.0 OR MIT", true);
    check("MIT AND GPL-3.0", false);
    check("(MIT OR Apache-2.0) AND Unicode-3.0", true);
}
