//! `truncate(x), truncate(x, digits)`.

use datafusion::arrow::datatypes::Float64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, double};

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "truncate(x), truncate(x, digits)",
        doc: "The number without its fraction, or without the digits after so many places; double.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("truncate", &[Takes::Number], double, invoke).optional(&[Takes::Integer]).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let values = rows.number(0)?;
    let digits = (rows.width() > 1).then(|| rows.integer(1)).transpose()?;
    rows.primitives::<Float64Type>(|row| {
        let places = digits.as_ref().map_or(Some(0), |digits| digits.get(row));
        let (Some(value), Some(places)) = (values.get(row), places) else { return Ok(None) };
        let scale = 10_f64.powi(places.clamp(-300, 300) as i32);
        let scaled = (value * scale).trunc() / scale;
        Ok(Some(if scaled.is_finite() { scaled } else { value }))
    })
}
