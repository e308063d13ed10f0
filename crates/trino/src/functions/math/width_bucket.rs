//! `width_bucket(x, low, high, buckets)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "width_bucket(x, low, high, buckets)",
        doc: "The bucket of `x` among equal ones from `low` to `high`; 0 below, `buckets` + 1 above.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new(
        "width_bucket",
        &[Takes::Number, Takes::Number, Takes::Number, Takes::Integer],
        bigint,
        invoke,
    )
    .udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (values, lows, highs) = (rows.number(0)?, rows.number(1)?, rows.number(2)?);
    let counts = rows.integer(3)?;
    rows.primitives::<Int64Type>(|row| {
        let (Some(value), Some(low), Some(high), Some(count)) =
            (values.get(row), lows.get(row), highs.get(row), counts.get(row))
        else {
            return Ok(None);
        };
        if count <= 0 || low == high || !low.is_finite() || !high.is_finite() || value.is_nan() {
            return exec_err!("`width_bucket` needs finite, different bounds and a positive count");
        }
        let place = (value - low) / (high - low);
        Ok(Some(match place {
            place if place < 0.0 => 0,
            place if place >= 1.0 => count + 1,
            place => (place * count as f64) as i64 + 1,
        }))
    })
}
