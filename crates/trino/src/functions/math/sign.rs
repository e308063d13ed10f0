//! `sign(x)`.

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, double, same_as};
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "sign(x)",
        doc: "-1, 0 or 1, as the type of `x`.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("sign", &[Takes::Any], same, invoke).udf()
}

fn same(args: &ReturnFieldArgs) -> Result<FieldRef> {
    match args.arg_fields[0].data_type() {
        DataType::Null => double(args),
        data_type if data_type.is_numeric() => Ok(same_as(args, 0)),
        _ => plan_err!("a number is needed, not {}", trino_type(&args.arg_fields[0])),
    }
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let values = rows.number(0)?;
    let signs = rows.primitives_as_double(|row| {
        Ok(values
            .get(row)
            .map(|value| if value == 0.0 || value.is_nan() { value } else { value.signum() }))
    })?;
    signs.cast_to(rows.args.return_field.data_type(), None)
}
