//! `is_json_scalar(json)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean, invalid};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "is_json_scalar(json)",
        doc: "Whether the value is a string, a number, a boolean or null; text that is not JSON is \
              an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("is_json_scalar", &[Takes::Text], boolean, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.booleans(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        match json::is_valid(text) {
            true => Ok(Some(!text.trim_start().starts_with(['{', '[']))),
            false => invalid(format!("Invalid JSON value: {text}")),
        }
    })
}
