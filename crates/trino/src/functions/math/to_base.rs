//! `to_base(x, radix)`.

use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "to_base(x, radix)",
        doc: "The number as text to a radix from 2 to 36.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("to_base", &[Takes::Integer, Takes::Integer], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (values, radices) = (rows.integer(0)?, rows.integer(1)?);
    rows.texts(|row| {
        let (Some(value), Some(radix)) = (values.get(row), radices.get(row)) else {
            return Ok(None);
        };
        if !(2..=36).contains(&radix) {
            return exec_err!("Radix must be between 2 and 36");
        }
        let mut digits = Vec::new();
        let mut rest = value.unsigned_abs();
        loop {
            digits.extend(char::from_digit((rest % radix as u64) as u32, radix as u32));
            rest /= radix as u64;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            digits.push('-');
        }
        Ok(Some(digits.into_iter().rev().collect::<String>()))
    })
}
