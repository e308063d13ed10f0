//! `ceil(x)`, `floor(x)`: integers stay integers, where DataFusion's become doubles.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, double, same_as};

const URL: &str = "https://trino.io/docs/current/functions/math.html";

pub(super) fn functions() -> Vec<Function> {
    let function = |syntax, doc, udf| Function { family: "math", syntax, doc, url: URL, udf };
    vec![
        function(
            "ceil(x), ceiling(x)",
            "The smallest whole number that is not below `x`, as the type of `x`.",
            Scalar::new("ceil", &[Takes::Any], whole, |rows| round(rows, true)).udf(),
        ),
        function(
            "floor(x)",
            "The largest whole number that is not above `x`, as the type of `x`.",
            Scalar::new("floor", &[Takes::Any], whole, |rows| round(rows, false)).udf(),
        ),
    ]
}

fn whole(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        data_type if data_type.is_integer() => Ok(same_as(args, 0)),
        DataType::Decimal128(precision, scale) => {
            let digits =
                (i16::from(*precision) - i16::from(*scale) + i16::from(*scale > 0)).clamp(1, 38);
            Ok(Arc::new(Field::new("", DataType::Decimal128(digits as u8, 0), true)))
        }
        data_type if data_type.is_numeric() || data_type.is_null() => double(args),
        _ => datafusion::common::plan_err!(
            "a number is needed, not {}",
            crate::type_names::trino_type(&args.arg_fields[0])
        ),
    }
}

fn round(rows: &Rows, up: bool) -> Result<ColumnarValue> {
    let array = rows.array(0)?;
    match array.data_type() {
        data_type if data_type.is_integer() => rows.finish(array),
        DataType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>();
            let unit = 10_i128.pow(u32::try_from(*scale).unwrap_or(0));
            let floor = |value: i128| value.div_euclid(unit);
            let rounded = values.unary::<_, Decimal128Type>(|value| match up {
                true => -floor(-value),
                false => floor(value),
            });
            let rounded = rounded.with_data_type(rows.args.return_field.data_type().clone());
            rows.finish(Arc::new(rounded))
        }
        _ => {
            let values = rows.number(0)?;
            let round = if up { f64::ceil } else { f64::floor };
            rows.primitives::<Float64Type>(|row| Ok(values.get(row).map(round)))
        }
    }
}
