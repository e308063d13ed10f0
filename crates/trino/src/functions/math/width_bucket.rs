//! `width_bucket(x, low, high, buckets)`, `width_bucket(x, bins)`.

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Float64Type, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::arrays::lists;
use crate::functions::support::{Rows, Scalar, Takes, bigint};
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "width_bucket(x, low, high, buckets), width_bucket(x, bins)",
        doc: "The bucket of `x` among equal ones from `low` to `high`; 0 below, `buckets` + 1 \
              above. With an ascending array of doubles, how many of them are not above `x`.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("width_bucket", &[Takes::Number, Takes::Any], result, invoke)
        .optional(&[Takes::Number, Takes::Integer])
        .udf()
}

fn result(args: &ReturnFieldArgs) -> Result<FieldRef> {
    let second = &args.arg_fields[1];
    match (args.arg_fields.len(), second.data_type()) {
        (2, DataType::List(element)) if element.data_type().is_numeric() => bigint(args),
        (4, data_type) if data_type.is_numeric() => bigint(args),
        (_, DataType::Null) => bigint(args),
        _ => plan_err!(
            "`width_bucket` takes (x, low, high, buckets) or (x, array of doubles); argument 2 is {}",
            trino_type(second)
        ),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    if rows.width() == 2 {
        return among(rows);
    }
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

fn among(rows: &Rows) -> Result<ColumnarValue> {
    let (values, bins) = (rows.number(0)?, lists::list(rows, 1)?);
    let bounds = cast(bins.values(), &DataType::Float64)?;
    let bounds = bounds.as_primitive::<Float64Type>();
    rows.primitives::<Int64Type>(|row| {
        let Some(value) = values.get(row).filter(|_| bins.is_valid(row)) else { return Ok(None) };
        let range = lists::range(&bins, row);
        let bounds = bounds.slice(range.start as usize, range.len());
        if bounds.is_empty() {
            return exec_err!("Bins cannot be an empty array");
        }
        if value.is_nan() {
            return exec_err!("Operand cannot be NaN");
        }
        if bounds.null_count() > 0 || bounds.values().iter().any(|bound| !bound.is_finite()) {
            return exec_err!("Bin values must be finite");
        }
        if !bounds.values().is_sorted() {
            return exec_err!("Bin values are not sorted in ascending order");
        }
        Ok(Some(bounds.values().partition_point(|bound| *bound <= value) as i64))
    })
}
