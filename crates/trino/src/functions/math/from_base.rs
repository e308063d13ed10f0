//! `from_base(text, radix)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "from_base(text, radix)",
        doc: "The bigint that the text spells to a radix from 2 to 36.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("from_base", &[Takes::Text, Takes::Integer], bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (texts, radices) = (rows.text(0)?, rows.integer(1)?);
    rows.primitives::<Int64Type>(|row| {
        let (Some(text), Some(radix)) = (texts.get(row)?, radices.get(row)) else {
            return Ok(None);
        };
        if !(2..=36).contains(&radix) {
            return exec_err!("Radix must be between 2 and 36");
        }
        match i64::from_str_radix(text, radix as u32) {
            Ok(value) => Ok(Some(value)),
            Err(_) => exec_err!("Not a valid base-{radix} number: {text}"),
        }
    })
}
