//! `replace(text, search[, replacement])`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "replace(text, search), replace(text, search, replacement)",
        doc: "The text with every `search` replaced, or removed without a replacement. An empty \
              `search` puts the replacement before and after every character.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Text];
    Scalar::new("replace", &takes, varchar, invoke).optional(&[Takes::Text]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, searches) = (rows.text(0)?, rows.text(1)?);
    let replacements = (rows.width() > 2).then(|| rows.text(2)).transpose()?;
    rows.texts(|row| {
        let (Some(text), Some(search)) = (texts.get(row)?, searches.get(row)?) else {
            return Ok(None);
        };
        match &replacements {
            None => Ok(Some(text.replace(search, ""))),
            Some(column) => Ok(column.get(row)?.map(|with| text.replace(search, with))),
        }
    })
}
