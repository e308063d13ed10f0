//! Regular expressions: <https://trino.io/docs/current/functions/regexp.html>.
//!
//! Trino speaks Java's dialect, this crate Rust's: patterns that both read mean the same; what
//! Rust's engine lacks (look-around, back-references, possessive quantifiers) is a clear error.

mod count;
mod extract;
mod extract_all;
mod like;
pub(crate) mod pattern;
mod position;
mod replace;
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
