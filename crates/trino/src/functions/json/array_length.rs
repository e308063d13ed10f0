//! `json_array_length(json)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_array_length(json)",
        doc: "The number of elements of a JSON array; NULL for anything else.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_array_length", &[Takes::Text], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.primitives::<Int64Type>(|row| {
        let elements = texts.get(row)?.and_then(json::elements);
        Ok(elements.map(|elements| elements.count() as i64))
    })
}
