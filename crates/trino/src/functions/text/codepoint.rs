//! `codepoint(character)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "text",
        syntax: "codepoint(character)",
        doc: "The code point of the only character; other lengths are an error.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("codepoint", &[Takes::Text], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let texts = rows.text(0)?;
    rows.primitives::<Int64Type>(|row| {
        let Some(text) = texts.get(row)? else { return Ok(None) };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => Ok(Some(i64::from(u32::from(only)))),
            _ => exec_err!("Input string must be a single character string"),
        }
    })
}
