//! Regular expressions: <https://trino.io/docs/current/functions/regexp.html>.
//!
//! Trino speaks Java's dialect, the engine Rust's; `java` says what that means.

mod count;
mod extract;
mod extract_all;
mod java;
mod like;
pub(crate) mod matches;
pub(crate) mod pattern;
mod position;
mod replace;
mod replacement;
mod split;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/regexp.html";

pub(super) fn functions() -> Vec<Function> {
    vec![
        count::function(),
        extract::function(),
        extract_all::function(),
        like::function(),
        position::function(),
        replace::function(),
        split::function(),
    ]
}
