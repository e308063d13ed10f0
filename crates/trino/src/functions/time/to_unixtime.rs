//! `to_unixtime(timestamp)`.

use datafusion::arrow::datatypes::Float64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, double};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "to_unixtime(timestamp)",
        doc: "Seconds since 1970 as double, with the fraction.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    Scalar::new("to_unixtime", &[Takes::Time], double, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let times = rows.micros(0)?;
    rows.primitives::<Float64Type>(|row| Ok(times.get(row).map(|micros| micros as f64 / 1e6)))
}
