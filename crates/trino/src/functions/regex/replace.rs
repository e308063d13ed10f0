//! `regexp_replace(text, pattern), regexp_replace(text, pattern, replacement)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::pattern::{Patterns, replacement};
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "regex",
        syntax: "regexp_replace(text, pattern), regexp_replace(text, pattern, replacement)",
        doc: "The text with every match removed or replaced; `$1` and `${name}` stand for groups, `\\$` for a dollar.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("regexp_replace", &takes, varchar, invoke).optional(&[Takes::Text]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, patterns) = (rows.text(0)?, rows.text(1)?);
    let withs = (rows.width() > 2).then(|| rows.text(2)).transpose()?;
    let constant = match &withs {
        None => Some(String::new()),
        Some(column) => column.constant().map(replacement),
    };
    let mut patterns = Patterns::of(&patterns);
    rows.texts(|row| {
        let with = match (&constant, &withs) {
            (Some(with), _) => Some(with.clone()),
            (None, Some(column)) => column.get(row)?.map(replacement),
            (None, None) => None,
        };
        let (Some(text), Some(with)) = (texts.get(row)?, with) else { return Ok(None) };
        let Some(regex) = patterns.get(row)? else { return Ok(None) };
        Ok(Some(regex.replace_all(text, with.as_str()).into_owned()))
    })
}
