//! `sqrt(x)`, `ln(x)`, `acos(x)` and the other functions of one double: not a number where they
//! have no value, where some of DataFusion's fail.

use datafusion::arrow::datatypes::Float64Type;
use datafusion::logical_expr::ColumnarValue;

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, double};

const URL: &str = "https://trino.io/docs/current/functions/math.html";

macro_rules! unary {
    ($(($name:literal, $function:expr, $doc:literal)),* $(,)?) => {
        pub(super) fn functions() -> Vec<Function> {
            vec![$(Function {
                family: "math",
                syntax: concat!($name, "(x)"),
                doc: $doc,
                url: URL,
                udf: Scalar::new($name, &[Takes::Number], double, |rows| apply(rows, $function))
                    .udf(),
            }),*]
        }
    };
}

unary! {
    ("acos", f64::acos, "The arc cosine; not a number beyond -1 and 1."),
    ("asin", f64::asin, "The arc sine; not a number beyond -1 and 1."),
    ("atan", f64::atan, "The arc tangent."),
    ("cbrt", f64::cbrt, "The cube root."),
    ("cos", f64::cos, "The cosine of radians."),
    ("cosh", f64::cosh, "The hyperbolic cosine."),
    ("degrees", f64::to_degrees, "Radians as degrees."),
    ("exp", f64::exp, "Euler's number to the power of `x`."),
    ("ln", f64::ln, "The natural logarithm; not a number below 0, minus infinity of 0."),
    ("log10", f64::log10, "The logarithm to base 10."),
    ("log2", f64::log2, "The logarithm to base 2."),
    ("radians", f64::to_radians, "Degrees as radians."),
    ("sin", f64::sin, "The sine of radians."),
    ("sinh", f64::sinh, "The hyperbolic sine."),
    ("sqrt", f64::sqrt, "The square root; not a number below 0."),
    ("tan", f64::tan, "The tangent of radians."),
    ("tanh", f64::tanh, "The hyperbolic tangent."),
}

fn apply(rows: &Rows, function: fn(f64) -> f64) -> datafusion::common::Result<ColumnarValue> {
    let values = rows.number(0)?;
    rows.primitives::<Float64Type>(|row| Ok(values.get(row).map(function)))
}
