//! Strings: <https://trino.io/docs/current/functions/string.html>.

pub(crate) mod as_text;
mod case;
mod codepoint;
mod concat;
mod concat_ws;
mod ends_with;
mod format;
mod hamming_distance;
mod java_format;
mod length;
mod levenshtein_distance;
mod luhn_check;
mod overlay;
mod pad;
mod replace;
mod reverse;
mod soundex;
mod split;
mod split_part;
mod split_to_map;
mod strpos;
mod substr;
mod title_case;
mod trim;

use super::Function;

const URL: &str = "https://trino.io/docs/current/functions/string.html";

pub(super) fn functions() -> Vec<Function> {
    let mut all = vec![
        codepoint::function(),
        concat::function(),
        concat_ws::function(),
        ends_with::function(),
        format::function(),
        hamming_distance::function(),
        length::function(),
        levenshtein_distance::function(),
        luhn_check::function(),
        overlay::function(),
        replace::function(),
        reverse::function(),
        soundex::function(),
        split::function(),
        split_part::function(),
        strpos::function(),
        substr::function(),
        title_case::function(),
    ];
    all.extend(case::functions());
    all.extend(pad::functions());
    all.extend(split_to_map::functions());
    all.extend(trim::functions());
    all
}
