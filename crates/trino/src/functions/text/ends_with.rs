//! `ends_with(text, suffix)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "ends_with(text, suffix)",
        doc: "Whether the text ends with the suffix; every text ends with the empty one.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("ends_with", &[Takes::Text, Takes::Text], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, suffixes) = (rows.text(0)?, rows.text(1)?);
    rows.booleans(|row| {
        let (Some(text), Some(suffix)) = (texts.get(row)?, suffixes.get(row)?) else {
            return Ok(None);
        };
        Ok(Some(text.ends_with(suffix)))
    })
}
