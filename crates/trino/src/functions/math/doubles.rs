//! Constants and tests of doubles: `nan()`, `infinity()`, `e()`, `is_nan(x)`, ….

use datafusion::arrow::datatypes::Float64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, boolean, double};

const URL: &str = "https://trino.io/docs/current/functions/math.html";

pub(super) fn functions() -> Vec<Function> {
    let function =
        |syntax, doc, udf: ScalarUDF| Function { family: "math", syntax, doc, url: URL, udf };
    let constant = |name, invoke| Scalar::new(name, &[], double, invoke).udf();
    let test = |name, invoke| Scalar::new(name, &[Takes::Number], boolean, invoke).udf();
    vec![
        function("e()", "Euler's number.", constant("e", |rows| always(rows, std::f64::consts::E))),
        function("nan()", "Not a number.", constant("nan", |rows| always(rows, f64::NAN))),
        function(
            "infinity()",
            "Positive infinity.",
            constant("infinity", |rows| always(rows, f64::INFINITY)),
        ),
        function(
            "is_nan(x)",
            "Whether it is not a number.",
            test("is_nan", |rows| ask(rows, f64::is_nan)),
        ),
        function(
            "is_finite(x)",
            "Whether it is a number and not infinite.",
            test("is_finite", |rows| ask(rows, f64::is_finite)),
        ),
        function(
            "is_infinite(x)",
            "Whether it is infinite.",
            test("is_infinite", |rows| ask(rows, f64::is_infinite)),
        ),
    ]
}

fn always(rows: &Rows, value: f64) -> Result<ColumnarValue> {
    rows.primitives::<Float64Type>(|_| Ok(Some(value)))
}

fn ask(rows: &Rows, test: fn(f64) -> bool) -> Result<ColumnarValue> {
    let values = rows.number(0)?;
    rows.booleans(|row| Ok(values.get(row).map(test)))
}
