//! `trim(text)`, `ltrim(text)`, `rtrim(text)`: white space of every sort, where DataFusion's
//! remove spaces only.

use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn functions() -> Vec<Function> {
    let function = |name, syntax, doc, invoke: fn(&Rows) -> Result<ColumnarValue>| Function {
        family: "text",
        syntax,
        doc,
        url: super::URL,
        udf: Scalar::new(name, &[Takes::Text], varchar, invoke).optional(&[Takes::Text]).udf(),
    };
    vec![
        function(
            "trim",
            "trim(text), trim(text, characters), trim(BOTH characters FROM text)",
            "The text without white space, or any of the characters, at its start and end.",
            |rows| trimmed(rows, true, true),
        ),
        function(
            "ltrim",
            "ltrim(text), ltrim(text, characters), trim(LEADING characters FROM text)",
            "The text without white space, or any of the characters, at its start.",
            |rows| trimmed(rows, true, false),
        ),
        function(
            "rtrim",
            "rtrim(text), rtrim(text, characters), trim(TRAILING characters FROM text)",
            "The text without white space, or any of the characters, at its end.",
            |rows| trimmed(rows, false, true),
        ),
    ]
}

/// What Java calls white space: Unicode's without the no-break spaces, and the separators of
/// ASCII.
fn is_white(c: char) -> bool {
    match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        c => c.is_whitespace(),
    }
}

fn trimmed(rows: &Rows, start: bool, end: bool) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    let characters = (rows.width() > 1).then(|| rows.text(1)).transpose()?;
    rows.texts(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let given = match &characters {
            None => None,
            Some(column) => match column.get(row)? {
                None => return Ok(None),
                Some(characters) => Some(characters),
            },
        };
        let goes = |c: char| given.map_or_else(|| is_white(c), |given| given.contains(c));
        let text = if start { text.trim_start_matches(goes) } else { text };
        Ok(Some(if end { text.trim_end_matches(goes) } else { text }))
    })
}
