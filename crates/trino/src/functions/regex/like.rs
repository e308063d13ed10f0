//! `regexp_like(text, pattern)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::pattern::Patterns;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_like(text, pattern)",
        doc: "Whether the pattern matches anywhere in the text. Patterns are Java's; look-around, \
              back-references, possessive quantifiers, atomic groups, Unicode blocks and the flags \
              `d`, `u` and `U` are errors, and `$` matches at the very end only, not before a last \
              newline too.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("regexp_like", &[Takes::Text, Takes::Text], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let mut patterns = Patterns::of(&patterns);
    rows.booleans(|row| {
        let Some(regex) = patterns.get(row)? else { return Ok(None) };
        Ok(texts.get(row)?.map(|text| regex.is_match(text)))
    })
}
