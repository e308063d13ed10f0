//! `json_array_get(json, index)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_array_get(json, index)",
        doc: "The element at `index`, from 0 (negative: from the end), as json; NULL when there is \
              none. As in Trino a string comes without its quotes.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_array_get", &[Takes::Text, Takes::Integer], super::json, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, indices) = (rows.text(0)?, rows.integer(1)?);
    rows.texts(|row| {
        let (Some(text), Some(index)) = (texts.get(row)?, indices.get(row)) else {
            return Ok(None);
        };
        let element = json::element(text, index).and_then(json::text);
        Ok(element.map(|element| element.into_owned()))
    })
}
