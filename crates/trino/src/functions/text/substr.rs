//! `substr(text, start[, length])`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "substr(text, start), substr(text, start, length), substring(…)",
        doc: "The characters from `start`, counted from 1, or from the end when negative; `''` when \
              `start` is 0 or outside the text, or `length` is not positive.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Integer];
    Scalar::new("substr", &takes, varchar, invoke).optional(&[Takes::Integer]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, starts) = (rows.text(0)?, rows.integer(1)?);
    let lengths = (rows.width() > 2).then(|| rows.integer(2)).transpose()?;
    rows.texts(|row| {
        let (Some(text), Some(start)) = (texts.get(row)?, starts.get(row)) else {
            return Ok(None);
        };
        let length = match &lengths {
            None => i64::MAX,
            Some(column) => match column.get(row) {
                None => return Ok(None),
                Some(length) => length,
            },
        };
        Ok(Some(slice(text, start, length)))
    })
}

fn slice(text: &str, start: i64, length: i64) -> &str {
    let count = if start < 0 { text.chars().count() as i64 } else { 0 };
    let skip = if start < 0 { count + start } else { start - 1 };
    if start == 0 || skip < 0 || length <= 0 {
        return "";
    }
    let byte = |chars: i64, from: usize| {
        let chars = usize::try_from(chars).unwrap_or(usize::MAX);
        text[from..].char_indices().nth(chars).map_or(text.len(), |(at, _)| from + at)
    };
    let from = byte(skip, 0);
    &text[from..byte(length, from)]
}
