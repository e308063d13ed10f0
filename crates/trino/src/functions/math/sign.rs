//! `sign(x)`.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, same_as};

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
    Ok(same_as(args, 0))
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
