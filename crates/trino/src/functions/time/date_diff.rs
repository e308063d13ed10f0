//! `date_diff(unit, timestamp1, timestamp2)`.

use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};

use super::unit::Unit;
use crate::functions::Function;
use crate::functions::support::{Rows, Scalar, Takes, bigint};

pub(super) fn function() -> Function {
    Function {
        family: "time",
        syntax: "date_diff(unit, timestamp1, timestamp2)",
        doc: "`timestamp2 - timestamp1` in whole units, as bigint.",
        url: super::URL,
        udf: udf(),
    }
}

fn udf() -> ScalarUDF {
    let takes = [Takes::Text, Takes::Time, Takes::Time];
    Scalar::new("date_diff", &takes, bigint, invoke).udf()
}

fn invoke(rows: &Rows) -> Result<ColumnarValue> {
    let (units, from, to) = (rows.text(0)?, rows.micros(1)?, rows.micros(2)?);
    rows.primitives::<Int64Type>(|row| {
        let (Some(unit), Some(from), Some(to)) = (units.get(row)?, from.get(row), to.get(row))
        else {
            return Ok(None);
        };
        Unit::parse(unit)?.between(from, to).map(Some)
    })
}
