//! `json_format(json)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};
use crate::json;

pub(super) fn function() -> Function {
    Function {
        family: "json",
        syntax: "json_format(json)",
        doc: "The JSON text of a json value, as varchar.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("json_format", &[Takes::Text], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.texts(|row| Ok(texts.get(row)?.map(|text| json::compact(text).into_owned())))
}
