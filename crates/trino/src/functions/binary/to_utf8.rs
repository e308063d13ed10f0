//! `to_utf8(text)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varbinary};

pub(super) fn function() -> Function {
    Function {
        family: "binary",
        syntax: "to_utf8(text)",
        doc: "The UTF-8 bytes of the text.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("to_utf8", &[Takes::Text], varbinary, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.binaries(|row| Ok(texts.get(row)?.map(|text| text.as_bytes().to_vec())))
}
