//! `length(text), length(binary)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint, is_binary, is_text};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "length(text), length(binary)",
        doc: "The number of characters, or of bytes of a varbinary.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("length", &[Takes::Any], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    if is_text(rows.field(0).data_type()) {
        let texts = rows.text(0)?;
        return rows.primitives::<Int64Type>(|row| {
            Ok(texts.get(row)?.map(|text| text.chars().count() as i64))
        });
    }
    if rows.field(0).data_type().is_null() {
        return rows.primitives::<Int64Type>(|_| Ok(None));
    }
    if !is_binary(rows.field(0).data_type()) {
        return exec_err!("`length` takes a varchar or varbinary; `cardinality` counts elements");
    }
    let bytes = rows.binary(0)?;
    rows.primitives::<Int64Type>(|row| Ok(bytes.get(row).map(|bytes| bytes.len() as i64)))
}
