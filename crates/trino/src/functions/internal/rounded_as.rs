//! `$rounded_as(x, y)`: the double `x` as the type of `y`, for `approx_percentile`: of integers a
//! bigint, half up, of reals a real
//! (<https://trino.io/docs/current/functions/aggregate.html#approx_percentile>).

use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::support::{Rows, Scalar, Takes, bigint, double, returns};

pub(super) fn udf() -> ScalarUDF {
    Scalar::new("$rounded_as", &[Takes::Number, Takes::Any], rounded, invoke).udf()
}

fn rounded(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[1].data_type() {
        data_type if data_type.is_integer() => bigint(args),
        DataType::Float32 => returns(DataType::Float32),
        _ => double(args),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let values = rows.number(0)?;
    match rows.args.return_field.data_type() {
        DataType::Int64 => rows.primitives::<Int64Type>(|row| {
            Ok(values.get(row).map(|value| (value + 0.5).floor() as i64))
        }),
        to => rows.args.args[0].cast_to(to, None),
    }
}
