//! `lower(text)`, `upper(text)`: one character for one, where DataFusion's make `SS` of `ß`.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf| Function { family: "text", syntax, doc, url: super::URL, udf };
    vec![
        function(
            "lower(text)",
            "The text in lower case, character by character.",
            Scalar::new("lower", &[Takes::Text], varchar, |rows| {
                mapped(rows, str::to_ascii_lowercase, lower)
            })
            .udf(),
        ),
        function(
            "upper(text)",
            "The text in upper case, character by character: `ß` stays.",
            Scalar::new("upper", &[Takes::Text], varchar, |rows| {
                mapped(rows, str::to_ascii_uppercase, upper)
            })
            .udf(),
        ),
    ]
}

/// Returns the lower-case character; the same one when there is none, or several.
pub(super) fn lower(c: char) -> char {
    single(c.to_lowercase(), c)
}

/// Returns the upper-case character; the same one when there is none, or several.
pub(super) fn upper(c: char) -> char {
    single(c.to_uppercase(), c)
}

fn single(mut cased: impl ExactSizeIterator<Item = char>, c: char) -> char {
    match cased.len() {
        1 => cased.next().unwrap_or(c),
        // The only lower-case form of two characters is that of İ, whose simple one is i.
        _ if c == 'İ' => 'i',
        _ => c,
    }
}

fn mapped(rows: &Rows, ascii: fn(&str) -> String, map: fn(char) -> char) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    let cased = |text: &str| match text.is_ascii() {
        true => ascii(text),
        false => text.chars().map(map).collect(),
    };
    rows.texts(|row| Ok(texts.get(row)?.map(cased)))
}
