//! `typeof(x)`.

use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, varchar};
use crate::map;
use crate::type_names::trino_type;

pub(super) fn function() -> Function {
    Function {
        family: "math",
        syntax: "typeof(x)",
        doc: "The name of the type of `x`.",
        url: "https://trino.io/docs/current/functions/conversion.html",
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("typeof", &[Takes::Any], varchar, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let name = trino_type(&map::converted_field(&rows.args.arg_fields[0]));
    rows.texts(|_| Ok(Some(name.as_str())))
}
