//! Strings: <https://trino.io/docs/current/functions/string.html>.

pub(crate) mod as_text;
mod codepoint;
mod concat;
mod hamming_distance;
mod length;
mod levenshtein_distance;
mod replace;
mod reverse;
mod split;
mod split_part;
mod split_to_map;
mod strpos;
mod substr;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/string.html";

pub(super) fn functions() -> Vec<Function> {
    vec![
        codepoint::function(),
        concat::function(),
        hamming_distance::function(),
        length::function(),
        levenshtein_distance::function(),
        reverse::function(),
        split_to_map::function(),
        replace::function(),
        split::function(),
        split_part::function(),
        strpos::function(),
        substr::function(),
    ]
}
