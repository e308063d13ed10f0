//! Strings: <https://trino.io/docs/current/functions/string.html>.

pub(crate) mod as_text;
mod replace;
mod split;
mod split_part;
mod strpos;
mod substr;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/string.html";

pub(super) fn functions() -> Vec<Function> {
    vec![
        replace::function(),
        split::function(),
        split_part::function(),
        strpos::function(),
        substr::function(),
    ]
}
